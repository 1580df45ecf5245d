"""Starts Azurite, Microsoft's storage emulator, as a child process, and stops it again.

`dev.py setup` has installed Azurite, and the Node that runs it, into the tools' folder. This package looks nowhere
else, so that everybody tests against the same versions.

    with azurite.run_azurite() as emulator:
        BlobServiceClient.from_connection_string(emulator.connection_string)
"""

from local.azurite.runner import (
    DEFAULT_PORTS,
    Azurite,
    AzuriteError,
    Ports,
    run_azurite,
    running_async,
    start_azurite,
)

__all__ = ["DEFAULT_PORTS", "Azurite", "AzuriteError", "Ports", "run_azurite", "running_async", "start_azurite"]
