"""An account: one customer of one authority, over all exports."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from shared.model.lifecycle import Event, Outcome, State, find_next_state

AccountId = NewType("AccountId", str)
"""`HMAC-SHA256(PSEUDONYM_KEY, authority, source id)`, as "a" and 40 hex digits (see `pseudonyms`)."""
Authority = NewType("Authority", str)
"""A council that brings accounts, as its folder in `exports` is named: `south-norfolk`."""
Draft = NewType("Draft", str)
"""The accounts of one plan that is not approved yet."""
type Partition = Authority | Draft
"""The table partition that holds an account. It is the council's own, or a separate one for a draft, so that a draft
does not disturb the plan that runs.
"""
MigrationId = NewType("MigrationId", str)
"""One accepted export: date, file name, four characters."""
AddressKey = NewType("AddressKey", str)
"""HMAC of a normalised e-mail address. Empty if the address is not plain ASCII."""
DirectoryId = NewType("DirectoryId", str)
"""The object id of a user in the shared directory."""

REFUSED: Final = Authority("_refused")
"""The authority under which uploads are recorded whose council has no profile."""
SHARDS: Final = "0123456789abcdef"
"""Every table is cut in sixteen by one digit of the account id."""


def make_draft_partition(authority: Authority, migration: MigrationId) -> Draft:
    """Return the partition that holds the accounts of a plan until the plan is approved."""
    return Draft(f"{authority}|d|{migration}")


class Cohort(StrEnum):
    """Accounts that go apart from the slices of a plan."""

    NONE = ""
    """In the slice of its position."""
    PILOT = "pilot"
    """The profile lists this customer among those who go first."""
    DORMANT = "dormant"
    """The customer has not signed in for a long time. These accounts are a wave of their own and go last."""
    LATE = "late"
    """Joined after an earlier plan of the council was approved."""


def shard_of(account: AccountId) -> str:
    """The shard an account lives in: the first digit of its id."""
    return account[1]


@dataclass(frozen=True, slots=True)
class Account:
    """What the app knows about an account. Nothing in it is personal: personal data stays in the row."""

    id: AccountId
    authority: Authority
    migration: MigrationId
    row: int
    """Number of the row which staged it, from 1: with `migration` the place of its personal data."""
    state: State
    staged_at: datetime
    digest: str
    """HMAC of what the export says about the person. A different value means that something changed."""
    address_key: AddressKey
    not_before: datetime
    """The account is not released before this time."""
    release: int = 0
    """Number of the current release. A message with another number is dropped."""
    due_at: datetime | None = None
    """When the current release is due. None while the account waits to be released."""
    outcome: Outcome | None = None
    reason: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    directory_id: DirectoryId | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    """The values that our attributes of the linked user had before we wrote them."""
    classified_at: datetime | None = None
    provisioned_at: datetime | None = None
    """When the change in the directory was read back. From this time on, the account is created or linked for good."""
    notified_at: datetime | None = None
    notify_id: str = ""
    claimed_at: datetime | None = None
    """When the current attempt to send the message was claimed. If `notified_at` is empty, nobody knows if the message
    was sent.
    """
    tries: int = 0
    """Postponements since the last progress."""
    trying_since: datetime | None = None
    unclear_since: datetime | None = None
    resubmission: str = ""
    """`migration|row` of the newest export that brought the account after it was created or linked."""
    unacknowledged_sends: int = 0
    """Times it was sent without anybody reporting back."""
    stops: int = 0
    """Times it paused its migration."""
    host_losses: int = 0
    """Times the host died over this account's message."""
    host_loss_release: int = 0
    """Newest release that was found in poison without a recorded failure."""
    changes: int = 0
    """Number of entries in the history so far. The next entry gets this number."""
    tables_lost_at: datetime | None = None
    """When tables were lost. After this time the account may have been moved or notified without a record. None:
    nothing is in doubt.
    """
    drafted: bool = False
    """True if the account belongs to the draft of a plan that is not approved yet."""
    settled: bool = False
    """True if the row already decides what happens to this account. A draft keeps it only to find the same customer
    again in the file.
    """
    cohort: Cohort = Cohort.NONE
    first: str = ""
    """The migration that brought the account for the first time."""
    epoch: int = 0
    """`Migration.epoch` at the current release: a pause makes what was released before it void."""
    begun_before: bool = False
    """True if an older plan may have started on the account. Its owner marker is looked for before a create."""
    announced_at: datetime | None = None
    """When the message service accepted the message that announces the change."""
    announce_id: str = ""
    told_day: datetime | None = None
    """The day of the change that the announcement names. It is set when the announcement is claimed."""
    owner: str = ""
    """Who decides a review case: the name of a team, or the object id of a person."""
    decide_by: str = ""
    """The date until which the case has to be decided."""
    trace: str | None = None
    """W3C trace context of this account, from the upload that brought it. None if tracing was off."""

    @property
    def shard(self) -> str:
        """The shard this account lives in."""
        return shard_of(self.id)

    @property
    def partition(self) -> Partition:
        """The table partition that holds the account."""
        return make_draft_partition(self.authority, self.migration) if self.drafted else self.authority

    @property
    def waiting(self) -> bool:
        """True if the account waits for the gate to release it."""
        return self.due_at is None and self.state in {State.STAGED, State.CLASSIFIED, State.PROVISIONED}

    @property
    def done(self) -> bool:
        """True if the account was created or linked."""
        return self.provisioned_at is not None


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of an account's history, saved in the transaction that changes its state."""

    at: datetime
    event: Event
    state: State
    reason: str = ""
    by: str = ""
    migration: str = ""


PROGRESS: Final = frozenset(
    {
        Event.CLASSIFY,
        Event.PROVISION,
        Event.TELL,
        Event.STAGE,
        Event.ADOPT,
        Event.ANNOUNCE,
        Event.REPLAY,
        Event.REPLAY_MESSAGE,
        Event.REBUILD,
        Event.RECOGNISE,
    }
)
"""Events after which trying starts afresh."""


def apply_event(account: Account, event: Event, at: datetime, reason: str = "", by: str = "") -> tuple[Account, Change]:
    """Return the account after an event, and the entry for its history.

    Every event ends the current release. A message of the old release has no effect after the feeder or the step makes
    a new release.

    Raises:
        NotAllowed: the event cannot happen to an account in this state.
    """
    state = find_next_state(account.state, event)
    fresh = event in PROGRESS
    changed = replace(
        account,
        state=state,
        reason=reason,
        due_at=None,
        changes=account.changes + 1,
        tries=0 if fresh else account.tries,
        trying_since=None if fresh else account.trying_since,
        unclear_since=None if fresh else account.unclear_since,
        stops=0 if fresh else account.stops,
        host_losses=0 if fresh else account.host_losses,
        unacknowledged_sends=0 if fresh else account.unacknowledged_sends,
    )
    change = Change(at=at, event=event, state=state, reason=reason, by=by, migration=account.migration)
    return changed, change


def release_account(account: Account, due_at: datetime, epoch: int) -> Account:
    """Return the account with a new release that is due at `due_at`. `epoch` is the epoch of its migration."""
    return replace(account, release=account.release + 1, due_at=due_at, epoch=epoch)
