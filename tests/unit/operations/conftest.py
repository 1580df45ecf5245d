"""Steps wait now and then for a directory that lags; in their tests waiting takes no time."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.support.timeless import TimelessLoop
from tests.support.world import World


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"timeless": TimelessLoop}


@pytest.fixture
def world() -> World:
    """An empty world."""
    return World()
