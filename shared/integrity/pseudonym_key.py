"""key: check that PSEUDONYM_KEY is the key with which the accounts were made.

With another key, no id means a customer, and nothing is done.

A fingerprint of the key is recorded before the very first row is staged, and never changed. It is an HMAC of one fixed
word. It shows if two keys are the same, and nothing else.
"""

from typing import Final

from shared import names
from shared.integrity.backup_tables import find_newest_backup
from shared.model.safeguards.backup import Manifest
from shared.ports import Ports

KEY_CHANGED: Final = "key_changed"


async def has_key_changed(ports: Ports) -> bool:
    """Return True if accounts were made with another key. Each process asks the tables once."""
    noted = await ports.ledger.pseudonym_keys.get_fingerprint()
    return noted is not None and noted != ports.pseudonyms.fingerprint()


async def does_key_fit(ports: Ports) -> bool:
    """Return True if the key fits, for steps that make accounts. The first one records the key.

    If the tables have no key and a nightly copy has accounts, the tables were emptied. Then the key of the copy counts.
    """
    ours = ports.pseudonyms.fingerprint()
    noted = await ports.ledger.pseudonym_keys.get_fingerprint()
    if noted is None:
        copy = await find_newest_backup(ports)
        noted = await ports.ledger.pseudonym_keys.note(copy.key if copy and _has_accounts(copy) else ours)
    return noted == ours


def _has_accounts(copy: Manifest) -> bool:
    return any(part.records for partition, part in copy.parts() if partition.table == names.ACCOUNTS)
