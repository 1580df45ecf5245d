"""Nothing of this machine's settings gets into a test."""

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith(("DIRECTORY_", "NOTIFY_", "MigrationStorage", "PSEUDONYM", "AUTHORITIES_")):
            monkeypatch.delenv(name)
