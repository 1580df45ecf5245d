r"""The ledger on tables: one partition family, `authority|shard`.

| table | partition | row key | what |
|---|---|---|---|
| Migrations | `authority\\|m` | migration id | an upload and where it stands |
| Migrations | `authority\\|s` | `migration\\|shard` | summary of a shard |
| Migrations | `authority\\|anchor` | `rebuild` | that a rebuild is under way |
| every table | `authority\\|anchor` | `anchor` | that the table was not emptied since the first upload |
| Migrations | `authority\\|first` | `message` | when this authority's first message went out |
| Migrations | `authority\\|canary` | `canary` | the newest canary, and what canaries have learned |
| Migrations | `directory\\|pace` | rate limiter | how much of its quota was given away |
| Migrations | `app\\|key` | `fingerprint` | with which PSEUDONYM_KEY the accounts are made |
| Migrations | `app\\|timers` | timer | since when a timer fails |
| Rows | `authority\\|shard` | `migration\\|number` | a row of an export, with its personal data |
| Accounts | `authority\\|shard` | `account\\|id` | an account |
| Accounts | `authority\\|shard` | `history\\|id\\|number` | older entries of a very long history |
| Accounts | `authority\\|shard` | `excluded\\|id` | that the council wants a customer left alone, and why |
| Accounts | `authority\\|a\\|shard` | `address\\|id` | which accounts have an address |
| Accounts | `authority\\|i\\|shard` | `user` | which accounts match a directory user, the newest first |

Accounts of a plan that nobody has approved stand the same way at a place of their own: `authority\\|d\\|migration`
instead of `authority`.

Each kind of record has a class in `records/`. This module puts them together.
"""

from shared.adapters.storage.records.accounts import TableAccounts
from shared.adapters.storage.records.addresses import TableAddresses
from shared.adapters.storage.records.backups import TableBackups
from shared.adapters.storage.records.counts import TableProgress, TableSummaries
from shared.adapters.storage.records.identity_claims import TableIdentityClaims
from shared.adapters.storage.records.losses import TableLosses
from shared.adapters.storage.records.migrations import TableMigrations
from shared.adapters.storage.records.rate_limits import TableRateLimits
from shared.adapters.storage.records.rows import TableRows
from shared.adapters.storage.records.singles import (
    TableCanaries,
    TableFirstMessages,
    TablePseudonymKeys,
    TableTimerFailures,
)
from shared.adapters.storage.records.suppressions import TableSuppressions
from shared.adapters.storage.store import Store
from shared.ports import Clock, Ledger


def open_ledger(store: Store, clock: Clock) -> Ledger:
    """The `Ledger` over any `Store`. What it remembers for some seconds, it remembers by this clock."""
    migrations, addresses = TableMigrations(store, clock), TableAddresses(store, clock)
    return Ledger(
        migrations=migrations,
        accounts=TableAccounts(store),
        rows=TableRows(store),
        addresses=addresses,
        identity_claims=TableIdentityClaims(store),
        suppressions=TableSuppressions(store),
        summaries=TableSummaries(store),
        progress=TableProgress(store),
        rate_limits=TableRateLimits(store),
        first_messages=TableFirstMessages(store, clock),
        losses=TableLosses(store),
        backups=TableBackups(store, [migrations.forget, addresses.forget]),
        pseudonym_keys=TablePseudonymKeys(store),
        timer_failures=TableTimerFailures(store, clock),
        canaries=TableCanaries(store),
    )
