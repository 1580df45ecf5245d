"""The messages on the queues: ids only, with a version.

A message tells a step where to look, and only the tables are trusted.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared import names
from shared.errors import BadMessage
from shared.model.account import Account, AccountId, Authority, MigrationId, Partition, make_draft_partition
from shared.model.migration import Kind, Migration, Phase
from shared.model.step import Step

TRACEPARENT = r"^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})?$"
EXPORTS_SUBJECT = f"/blobServices/default/containers/{names.EXPORTS}/blobs/"


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    v: Literal[1] = 1
    traceparent: str = Field(default="", pattern=TRACEPARENT, exclude_if=lambda context: not context)
    """W3C trace context, so that the work for this message joins the trace of its sender. Empty if tracing was off."""


class ReceiveExport(_Message):
    """A blob has come into `exports`."""

    kind: Literal["receive-export"] = "receive-export"
    blob: str


class _Piece(_Message):
    """One piece of a migration's work. The end of a piece sends the message of the next one."""

    authority: Authority
    migration: MigrationId
    piece: int = Field(ge=0)


class StageRows(_Piece):
    """Stage one piece of an export: up to `PIECE_ROWS` rows."""

    kind: Literal["stage-rows"] = "stage-rows"


class StageSuppressions(_Piece):
    """Read one piece of a suppression list: up to `PIECE_ROWS` rows."""

    kind: Literal["stage-suppressions"] = "stage-suppressions"


class AdoptPlan(_Piece):
    """Adopt the accounts of one shard of an approved plan. The piece is the number of the shard."""

    kind: Literal["adopt-plan"] = "adopt-plan"


class AccountMessage(_Message):
    """One step of one account, of one release."""

    kind: Literal["classify-account", "provision-account", "notify-customer"]
    authority: Authority
    account: AccountId = Field(pattern=r"^a[0-9a-f]{40}$")
    release: int = Field(ge=1)
    draft: MigrationId = Field(default=MigrationId(""), exclude_if=lambda plan: not plan)
    """The plan in whose draft the account is kept. Empty for the council's own accounts."""

    @property
    def partition(self) -> Partition:
        """The table partition that holds the account."""
        return make_draft_partition(self.authority, self.draft) if self.draft else self.authority


type PieceMessage = StageRows | StageSuppressions | AdoptPlan
type Message = ReceiveExport | PieceMessage | AccountMessage
_any: TypeAdapter[Message] = TypeAdapter(ReceiveExport | StageRows | StageSuppressions | AdoptPlan | AccountMessage)


def make_account_message(step: Step, account: Account) -> AccountMessage:
    """The message of an account's current release."""
    return AccountMessage(
        kind=step.value,
        authority=account.authority,
        account=account.id,
        release=account.release,
        draft=account.migration if account.drafted else MigrationId(""),
        traceparent=account.trace or "",
    )


def make_piece_message(migration: Migration, traceparent: str = "") -> PieceMessage:
    """The message of the piece that a migration works on now."""
    adopting = migration.phase is Phase.ADOPTING
    kind = AdoptPlan if adopting else StageSuppressions if migration.kind is Kind.EXCLUDE else StageRows
    return kind(authority=migration.authority, migration=migration.id, piece=migration.piece, traceparent=traceparent)


def decode_message(body: bytes) -> Message:
    """Return the message in the body of a queue message.

    Raises:
        BadMessage: this app did not write it. The error does not quote the body.
    """
    try:
        return _any.validate_json(body)
    except ValidationError:
        raise BadMessage("not a message of this app") from None


def decode_upload(body: bytes) -> ReceiveExport:
    """Return an upload from our own message, or from the Event Grid event `Microsoft.Storage.BlobCreated`.

    The event may be alone or in a list.

    Raises:
        BadMessage: the message is neither, or is about another container.
    """
    try:
        return ReceiveExport.model_validate_json(body)
    except ValidationError:
        pass
    try:
        event = TypeAdapter(dict[str, Any] | list[dict[str, Any]]).validate_json(body)
    except ValidationError:
        raise BadMessage("neither an upload nor an event") from None
    if isinstance(event, list):
        event = event[0] if len(event) == 1 else {}
    subject = event.get("subject")
    created = event.get("eventType", event.get("type")) == "Microsoft.Storage.BlobCreated"
    if not created or not isinstance(subject, str) or not subject.startswith(EXPORTS_SUBJECT):
        raise BadMessage("not a BlobCreated event of the exports container")
    return ReceiveExport(blob=subject.removeprefix(EXPORTS_SUBJECT))
