"""Names that people and tools outside the code depend on: containers, queues, tables.

Infrastructure, portal filters and the runbook use the same words. Do not change a name here alone.
"""

from typing import Final

EXPORTS: Final = "exports"
REPORTS: Final = "reports"
BACKUPS: Final = "backups"
"""The nightly copy of the tables. On Azure, nobody can change a copy before its retention time is over."""
CONTAINERS: Final = (EXPORTS, REPORTS, BACKUPS)

RECEIVE_EXPORT: Final = "receive-export"
STAGE_ROWS: Final = "stage-rows"
STAGE_SUPPRESSIONS: Final = "stage-suppressions"
CLASSIFY_ACCOUNT: Final = "classify-account"
ADOPT_PLAN: Final = "adopt-plan"
PROVISION_ACCOUNT: Final = "provision-account"
NOTIFY_CUSTOMER: Final = "notify-customer"
QUEUES: Final = (
    RECEIVE_EXPORT,
    STAGE_ROWS,
    STAGE_SUPPRESSIONS,
    CLASSIFY_ACCOUNT,
    ADOPT_PLAN,
    PROVISION_ACCOUNT,
    NOTIFY_CUSTOMER,
)

MIGRATIONS: Final = "Migrations"
ROWS: Final = "Rows"
ACCOUNTS: Final = "Accounts"
TABLES: Final = (MIGRATIONS, ROWS, ACCOUNTS)

STORAGE_CONNECTION: Final = "MigrationStorage"
"""The setting (or prefix of settings) by which every binding and client finds the data storage account."""

MAX_DEQUEUE_COUNT: Final = 5
"""host.json `maxDequeueCount`: the attempt at which a step records why it fails. A test keeps both equal."""


def poison_of(queue: str) -> str:
    """The queue to which the host moves what failed `MAX_DEQUEUE_COUNT` times."""
    return f"{queue}-poison"


EVERY_QUEUE: Final = tuple(name for queue in QUEUES for name in (queue, poison_of(queue)))
"""Work queues and their poison queues."""
