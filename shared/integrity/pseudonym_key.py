"""key: is PSEUDONYM_KEY the one with which the accounts are made? With another no id means anybody: nothing is done.

A fingerprint of the key is noted before the first row of all is staged, and never changed. It is an HMAC of one fixed
word: it tells whether two keys are the same, and nothing of the key.
"""

from typing import Final

from shared import names
from shared.integrity.backup_tables import find_newest_backup
from shared.model.safeguards.backup import Manifest
from shared.ports import Ports

KEY_CHANGED: Final = "key_changed"


async def has_key_changed(ports: Ports) -> bool:
    """Whether accounts were made with another key. The tables are asked once in the life of a process."""
    noted = await ports.ledger.pseudonym_keys.get_fingerprint()
    return noted is not None and noted != ports.pseudonyms.fingerprint()


async def does_key_fit(ports: Ports) -> bool:
    """The same for who is about to make accounts: the first one's key is noted, and is the key from then on.

    Where the tables know none and a nightly copy holds accounts, the tables were emptied: the copy's key is the one.
    """
    ours = ports.pseudonyms.fingerprint()
    noted = await ports.ledger.pseudonym_keys.get_fingerprint()
    if noted is None:
        copy = await find_newest_backup(ports)
        noted = await ports.ledger.pseudonym_keys.note(copy.key if copy and _has_accounts(copy) else ours)
    return noted == ours


def _has_accounts(copy: Manifest) -> bool:
    return any(part.records for partition, part in copy.parts() if partition.table == names.ACCOUNTS)
