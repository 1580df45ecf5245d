"""The whole life of an account: states, events, transitions.

Every change of state uses `TRANSITIONS`, and a change that is not in the table is refused. Read the table from top to
bottom: it shows the flow of the app.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.errors import MigrationError


class Outcome(StrEnum):
    """The result for a row of an export."""

    CREATE = "create"
    """The customer is on the source only (scenario 2). The app creates an account, and the customer sets a password."""
    LINK = "link"
    """The customer is on both sides (scenario 1). The app links the account to the identity that exists, without a
    reset.
    """
    REVIEW = "review"
    """Identity is in doubt: a person decides."""
    REJECT = "reject"
    """The row cannot be moved as it stands."""
    DUPLICATE = "duplicate"
    """The source id of an earlier accepted row of the same file, again."""
    UNCHANGED = "unchanged"
    """The account was created or linked by an earlier export, and nothing has changed since."""


class State(StrEnum):
    """The stage that an account has reached."""

    STAGED = "staged"
    """The account was read from an export, but not compared with the directory yet."""
    CLASSIFIED = "classified"
    """The account was compared. Outcome and evidence are known, and nothing is changed yet."""
    RELEASED = "released"
    """The account was given a time to be created or linked."""
    PROVISIONED = "provisioned"
    """Created or linked, and read back from the directory."""
    TOLD = "told"
    """The message service took the customer's message."""
    COMPLETED = "completed"
    """Nothing more is awaited of the customer."""
    REVIEW = "review"
    """A person must decide. Nothing was changed in the directory."""
    HELD = "held"
    """Set aside on purpose: the message cannot reach the customer, a newer export left the account out, the council
    wants the customer left alone, or a person discarded it or cancelled the migration."""
    FAILED = "failed"
    """The account failed with a reason. It can be replayed."""
    UNDONE = "undone"
    """Taken back by a person."""


class RowState(StrEnum):
    """The state of a row that has no account."""

    REJECTED = "rejected"
    DUPLICATE = "duplicate"


MOVING: Final = frozenset({State.STAGED, State.CLASSIFIED, State.RELEASED})
"""States in which an account still has something to do."""


class Event(StrEnum):
    """Something that can happen to an account."""

    STAGE = "stage"
    """An export brings the account (again)."""
    ADOPT = "adopt"
    """A plan was approved, and the account continues under that plan."""
    ANNOUNCE = "announce"
    """The message service accepted the message that announces the change and its date."""
    CLASSIFY = "classify"
    """The directory was asked, and the evidence is sufficient."""
    RELEASE = "release"
    """The gate gave it a slot."""
    PROVISION = "provision"
    """The directory effect was read back."""
    TELL = "tell"
    """The message service took the message."""
    POSTPONE = "postpone"
    """The other service asked us to wait, or did not answer."""
    SET_ASIDE = "set_aside"
    """The evidence does not suffice."""
    ASSIGN = "assign"
    """Somebody was asked to decide the case by a date."""
    HOLD = "hold"
    """The customer cannot be reached or is to be left alone, a newer export left the account out, or the migration was
    cancelled."""
    FAIL = "fail"
    """The account cannot continue."""
    REPLAY = "replay"
    """A person sends a failed account back to the start, because nothing was done for it."""
    REPLAY_MESSAGE = "replay_message"
    """A person sends a stuck account back to its message: the directory effect is recorded."""
    DISCARD = "discard"
    """A person leaves a stuck account as it is."""
    REBUILD = "rebuild"
    """The tables were lost. An account that was in progress in the copy starts again, because it may have progressed
    since.
    """
    RECOGNISE = "recognise"
    """The tables were lost, and our owner marker in the directory shows that the account was created or linked before.
    """


TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    # on its way
    (State.STAGED, Event.CLASSIFY): State.CLASSIFIED,
    (State.CLASSIFIED, Event.RELEASE): State.RELEASED,
    (State.RELEASED, Event.PROVISION): State.PROVISIONED,
    (State.PROVISIONED, Event.TELL): State.TOLD,
    # told before anything changes
    (State.CLASSIFIED, Event.ANNOUNCE): State.CLASSIFIED,
    # not now
    (State.STAGED, Event.POSTPONE): State.STAGED,
    (State.CLASSIFIED, Event.POSTPONE): State.CLASSIFIED,
    (State.RELEASED, Event.POSTPONE): State.CLASSIFIED,
    (State.PROVISIONED, Event.POSTPONE): State.PROVISIONED,
    # a person must look
    (State.STAGED, Event.SET_ASIDE): State.REVIEW,
    (State.CLASSIFIED, Event.SET_ASIDE): State.REVIEW,
    (State.RELEASED, Event.SET_ASIDE): State.REVIEW,
    (State.PROVISIONED, Event.HOLD): State.HELD,
    (State.TOLD, Event.HOLD): State.HELD,
    (State.REVIEW, Event.ASSIGN): State.REVIEW,
    # stuck
    (State.STAGED, Event.FAIL): State.FAILED,
    (State.CLASSIFIED, Event.FAIL): State.FAILED,
    (State.RELEASED, Event.FAIL): State.FAILED,
    (State.PROVISIONED, Event.FAIL): State.FAILED,
    (State.FAILED, Event.REPLAY): State.STAGED,
    (State.FAILED, Event.REPLAY_MESSAGE): State.PROVISIONED,
    (State.FAILED, Event.DISCARD): State.HELD,
    # the tables were lost and made again
    (State.STAGED, Event.REBUILD): State.STAGED,
    (State.CLASSIFIED, Event.REBUILD): State.STAGED,
    (State.RELEASED, Event.REBUILD): State.STAGED,
    (State.STAGED, Event.RECOGNISE): State.PROVISIONED,
    # a newer export brings the account again before anything was done for it
    (State.STAGED, Event.STAGE): State.STAGED,
    (State.CLASSIFIED, Event.STAGE): State.STAGED,
    (State.RELEASED, Event.STAGE): State.STAGED,
    (State.REVIEW, Event.STAGE): State.STAGED,
    (State.FAILED, Event.STAGE): State.STAGED,
    (State.HELD, Event.STAGE): State.STAGED,
    # a newer plan was approved, which has the account too, before anything was done for it
    (State.STAGED, Event.ADOPT): State.CLASSIFIED,
    (State.CLASSIFIED, Event.ADOPT): State.CLASSIFIED,
    (State.RELEASED, Event.ADOPT): State.CLASSIFIED,
    (State.REVIEW, Event.ADOPT): State.CLASSIFIED,
    (State.FAILED, Event.ADOPT): State.CLASSIFIED,
    (State.HELD, Event.ADOPT): State.CLASSIFIED,
    # a cancelled migration had created or joined it, and a newer one tells its customer after all
    (State.HELD, Event.REPLAY_MESSAGE): State.PROVISIONED,
    # a newer plan leaves the account out, or a person stops it, before anything was done for it
    (State.STAGED, Event.HOLD): State.HELD,
    (State.CLASSIFIED, Event.HOLD): State.HELD,
    (State.RELEASED, Event.HOLD): State.HELD,
    # the council wants the customer left alone
    (State.REVIEW, Event.HOLD): State.HELD,
    (State.FAILED, Event.HOLD): State.HELD,
}


class NotAllowed(MigrationError):
    """This event cannot happen to an account in this state."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} cannot happen to an account that is {state}")


def find_next_state(state: State, event: Event) -> State:
    """The state that follows.

    Raises:
        NotAllowed: the pair is not in `TRANSITIONS`.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise NotAllowed(state, event) from None
