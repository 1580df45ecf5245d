"""PSEUDONYM_KEY: whether the accounts were made with it. A key that is whole and wrong looks like a right one."""

from dataclasses import dataclass
from typing import Final

from azure.core.exceptions import AzureError

from shared.errors import MigrationError
from shared.model.pseudonyms import Pseudonyms
from shared.ports import Ledger
from shared.readiness.rules.report import Area, Check, Code, report_missing, report_ok, report_unchecked
from shared.settings.settings import Settings

SETTING: Final = "PSEUDONYM_KEY"
NAME: Final = f"{SETTING} of the accounts"


@dataclass(frozen=True, slots=True)
class NotedKey:
    """What the ledger says about the key with which the accounts are made."""

    fingerprint: str | None = None
    readable: bool = True


async def noted_key(ledger: Ledger | None) -> NotedKey:
    """Return the noted key. If the ledger cannot be read, the checks of the storage account report it."""
    if ledger is None:
        return NotedKey(readable=False)
    try:
        return NotedKey(await ledger.pseudonym_keys.get_fingerprint())
    except (AzureError, MigrationError):
        return NotedKey(readable=False)


def check_key(settings: Settings | None, noted: NotedKey, because: str) -> Check:
    """Check that the key is the noted one, or that none is noted yet.

    `because` is a finding that already explains a wrong setting.
    """
    if settings is None or because:
        return report_unchecked(Area.SETTINGS, NAME, because or "the settings cannot be read")
    if not noted.readable:
        return report_unchecked(Area.SETTINGS, NAME, "the tables cannot be read")
    if noted.fingerprint is None:
        return report_ok(
            Area.SETTINGS, NAME, "no account was made yet: the key of the first one is the key from then on"
        )
    if noted.fingerprint == Pseudonyms(bytes.fromhex(settings.pseudonym_key.get_secret_value())).fingerprint():
        return report_ok(Area.SETTINGS, NAME, "the accounts were made with this key")
    return report_missing(
        Area.SETTINGS,
        NAME,
        Code.PSEUDONYM_KEY_CHANGED,
        "the accounts were made with another key: with this one none would be found again, so the app does nothing",
        "Put the right key back into PSEUDONYM_KEY (it is in escrow), restart the app, `ops resume` what is paused.",
    )
