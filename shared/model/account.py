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
"""One plan that nobody has approved yet."""
type Place = Authority | Draft
"""Where accounts are kept: with their council, or apart, so that a draft does not disturb the plan that runs."""
MigrationId = NewType("MigrationId", str)
"""One accepted export: date, file name, four characters."""
AddressKey = NewType("AddressKey", str)
"""HMAC of a normalised e-mail address; empty where the address is not plain ASCII."""
DirectoryId = NewType("DirectoryId", str)
"""The object id of a user in the shared directory."""

REFUSED: Final = Authority("_refused")
"""Stands for the authority of uploads of councils that have no profile."""
SHARDS: Final = "0123456789abcdef"
"""Every table is cut in sixteen by one digit of the account id."""


def make_draft_partition(authority: Authority, migration: MigrationId) -> Draft:
    """Where the accounts of a plan are kept until it is approved."""
    return Draft(f"{authority}|d|{migration}")


class Band(StrEnum):
    """Accounts that go apart from the slices of a plan."""

    NONE = ""
    """In the slice of its position."""
    PILOT = "pilot"
    """On the profile's list of people who go first."""
    DORMANT = "dormant"
    """Not signed in for long: last, on their own."""
    LATE = "late"
    """Joined after an earlier plan of the council was approved."""


def shard_of(account: AccountId) -> str:
    """The shard an account lives in: the first digit of its id."""
    return account[1]


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of an account. Nothing in it is personal; what is personal stays in its row."""

    id: AccountId
    authority: Authority
    migration: MigrationId
    row: int
    """Number of the row which staged it, from 1: with `migration` the place of its personal data."""
    state: State
    staged_at: datetime
    digest: str
    """HMAC of what the export says of the person, to tell whether anything changed."""
    address_key: AddressKey
    not_before: datetime
    """The gate gives no moment before this one."""
    release: int = 0
    """Number of the current release; a message with any other is dropped."""
    moment: datetime | None = None
    """When the current release is due; None while it waits to be released."""
    outcome: Outcome | None = None
    reason: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    directory_id: DirectoryId | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    """What our attributes of the linked user held before we wrote them."""
    classified_at: datetime | None = None
    provisioned_at: datetime | None = None
    """When the directory effect was read back; from then on the account is created or linked for good."""
    notified_at: datetime | None = None
    notify_id: str = ""
    claimed_at: datetime | None = None
    """When the current attempt to send the message was claimed; set without `notified_at` means doubt."""
    tries: int = 0
    """Postponements since the last progress."""
    trying_since: datetime | None = None
    unclear_since: datetime | None = None
    met: str = ""
    """`migration|row` of the newest export that brought the account after it was created or linked."""
    vain: int = 0
    """Times it was sent without anybody reporting back."""
    stops: int = 0
    """Times it paused its migration."""
    lost: int = 0
    """Times the host died over this account's message."""
    lost_release: int = 0
    """Newest release that was found in poison without a recorded failure."""
    changes: int = 0
    """Number of history entries so far: the next one's key."""
    lost_since: datetime | None = None
    """Tables were lost: from then on it may have been moved or told without a record. None: nothing is in doubt."""
    drafted: bool = False
    """Whether it belongs to the draft of a plan that nobody has approved yet."""
    settled: bool = False
    """Its row says what becomes of it. Kept in a draft only so that the same customer again in the file is seen."""
    band: Band = Band.NONE
    first: str = ""
    """The migration that brought the account for the first time."""
    epoch: int = 0
    """`Migration.epoch` at the current release: a pause makes what was released before it void."""
    met_before: bool = False
    """An older plan may have begun with it: before it is created, its mark is looked for."""
    announced_at: datetime | None = None
    """When the message service took the message that tells what will change."""
    announce_id: str = ""
    told_day: datetime | None = None
    """The day of the change, as that message tells it; known since it was claimed."""
    owner: str = ""
    """Who decides a review case: a team, or the object id of a person."""
    decide_by: str = ""
    """Until when, as a date."""
    trace: str | None = None
    """W3C context of the trace of this account, from the upload that brought it; None where nobody traced."""

    @property
    def shard(self) -> str:
        """The shard this account lives in."""
        return shard_of(self.id)

    @property
    def place(self) -> Place:
        """Where it is kept."""
        return make_draft_partition(self.authority, self.migration) if self.drafted else self.authority

    @property
    def waiting(self) -> bool:
        """Whether it waits for the gate to give it a moment."""
        return self.moment is None and self.state in {State.STAGED, State.CLASSIFIED, State.PROVISIONED}

    @property
    def done(self) -> bool:
        """Whether it was created or linked."""
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
    """The account after an event, and the entry for its history.

    The moment ends with every event: a message of the old release has no effect any more once the feeder or the
    step gives a new one.

    Raises:
        NotAllowed: the event cannot happen to an account in this state.
    """
    state = find_next_state(account.state, event)
    fresh = event in PROGRESS
    changed = replace(
        account,
        state=state,
        reason=reason,
        moment=None,
        changes=account.changes + 1,
        tries=0 if fresh else account.tries,
        trying_since=None if fresh else account.trying_since,
        unclear_since=None if fresh else account.unclear_since,
        stops=0 if fresh else account.stops,
        lost=0 if fresh else account.lost,
        vain=0 if fresh else account.vain,
    )
    change = Change(at=at, event=event, state=state, reason=reason, by=by, migration=account.migration)
    return changed, change


def release_account(account: Account, moment: datetime, epoch: int) -> Account:
    """The account with a new release due at `moment`; `epoch` is its migration's."""
    return replace(account, release=account.release + 1, moment=moment, epoch=epoch)
