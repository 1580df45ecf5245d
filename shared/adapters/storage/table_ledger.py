r"""The ledger on tables: one partition family, `authority|shard`.

| table | partition | row key | what |
|---|---|---|---|
| Migrations | `authority\\|m` | migration id | an upload and where it stands |
| Migrations | `authority\\|s` | `migration\\|shard` | summary of a shard |
| Migrations | `authority\\|anchor` | `rebuild` | that a rebuild is under way |
| every table | `authority\\|anchor` | `anchor` | that the table was not emptied since the first upload |
| Migrations | `authority\\|first` | `message` | when this authority's first message went out |
| Migrations | `authority\\|canary` | `canary` | the newest canary, and what canaries have learned |
| Migrations | `directory\\|pace` | lane | how much of a lane's quota is given away |
| Migrations | `app\\|key` | `fingerprint` | with which PSEUDONYM_KEY the accounts are made |
| Migrations | `app\\|timers` | timer | since when a timer fails |
| Rows | `authority\\|shard` | `migration\\|number` | a row of an export, with all that is personal |
| Accounts | `authority\\|shard` | `account\\|id` | an account |
| Accounts | `authority\\|shard` | `history\\|id\\|number` | an entry of its history |
| Accounts | `authority\\|shard` | `excluded\\|id` | that the council wants a customer left alone, and why |
| Accounts | `authority\\|a\\|shard` | `address\\|id` | which accounts have an address |
| Accounts | `authority\\|i\\|shard` | `user` | which accounts match a directory user, the newest first |

Accounts of a plan that nobody has approved stand the same way at a place of their own: `authority\\|d\\|migration`
instead of `authority`.

Each subject has a file in `ledger/`; this one puts them together.
"""

from shared.adapters.storage.records.accounts import Accounts
from shared.adapters.storage.records.losses import Losses
from shared.adapters.storage.records.rows import Rows
from shared.adapters.storage.records.singles import Singles
from shared.adapters.storage.records.suppressions import Exclusions


class TableLedger(Losses, Accounts, Rows, Exclusions, Singles):
    """The `Ledger` over any `Store`. Migrations and addresses come with `Losses`, which mends them."""
