"""Unit tests open no socket, and waiting for a directory that lags takes no time in them."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest
import pytest_socket

from tests.support.timeless import TimelessLoop
from tests.support.world import World


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    # An event loop wakes itself through a pair of Unix sockets, which leaves the machine for nowhere.
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"timeless": TimelessLoop}


@pytest.fixture
def world() -> World:
    """An empty world."""
    return World()
