"""Unit tests reach nothing: a socket opened in one is a failure."""

from collections.abc import Iterator

import pytest
import pytest_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> Iterator[None]:
    # An event loop wakes itself through a pair of Unix sockets, which leaves the machine for nowhere.
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()
