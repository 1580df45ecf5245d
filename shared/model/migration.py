"""A migration: one accepted export, from upload to proof."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.model.account import Authority, MigrationId, Partition, make_draft_partition
from shared.model.plan import Plan
from shared.model.profile import Profile

SLUG_LENGTH: Final = 40
PIECE_ROWS: Final = 2000
"""Rows staged by one message: well under 20 seconds of work."""


class Kind(StrEnum):
    """The purpose of an upload, which its folder decides."""

    MIGRATE = "migrate"
    """An export in `exports/<authority>/`, which continues to a plan."""
    ASSESS = "assess"
    """`exports/<authority>/assess/`: only ever assessed."""
    EXCLUDE = "exclude"
    """`exports/<authority>/exclude/`: people to be left alone."""


class Phase(StrEnum):
    """The stage that a migration has reached."""

    STAGING = "staging"
    """Rows are being read, piece by piece. Nothing is classified before the last one is staged."""
    CLASSIFYING = "classifying"
    """Accounts are being compared with the directory. Nothing is changed there."""
    ASSESSED = "assessed"
    """The assessment is published. A plan waits for its signatures. An upload that is only assessed ends here."""
    ADOPTING = "adopting"
    """The plan is approved. Its accounts are taken over from the draft, shard by shard."""
    RUNNING = "running"
    """The assessment is published. Accounts are created, linked and notified."""
    DONE = "done"
    """No account has anything to do any more."""
    REFUSED = "refused"
    """The file was not accepted, and the report says why."""
    SUPERSEDED = "superseded"
    """The file was overwritten or removed before it was read whole, or a newer upload took its place."""
    CANCELLED = "cancelled"
    """A person rejected the plan or stopped the migration: what was done stays, the rest is left as it was."""
    FAILED = "failed"
    """Staging failed. It can be replayed."""


OPEN: Final = frozenset({Phase.STAGING, Phase.CLASSIFYING, Phase.ASSESSED, Phase.ADOPTING, Phase.RUNNING, Phase.FAILED})


@dataclass(frozen=True, slots=True)
class Gate:
    """The state of a wave's gate: who confirmed what, and if the wave is open."""

    wave: int
    checked: Mapping[str, str] = field(default_factory=dict)
    """Point of the checklist -> who confirmed it."""
    stopped: tuple[str, ...] = ()
    """Why the wave waits for a person, in sentences. Empty if nothing stops it."""
    stopped_at: datetime | None = None
    """When the gate stopped the wave. None if nothing stops it, or if it stopped before this time was recorded."""
    opened_at: datetime | None = None
    opened_by: str = ""
    """Who opened the wave although the gate had stopped it. Empty if nothing had stopped it."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read an export, as the first pass found."""

    encoding: str
    """A Python codec: `utf-8` or `cp1252`."""
    separator: str
    columns: tuple[tuple[str, int], ...]
    """Our name of a column -> its index in the file."""
    width: int
    """Cells of the header."""
    start: int
    """Byte offset of the first data row."""
    rows: int
    bom: bool = False
    """True if the file starts with the byte order mark of UTF-8."""

    @property
    def encoding_name(self) -> str:
        """The encoding as people call it."""
        return "Windows-1252" if self.encoding == "cp1252" else "UTF-8 with BOM" if self.bom else "UTF-8"

    def column(self, name: str) -> int | None:
        """Return the index of one of our columns. None if the file does not have it."""
        return dict(self.columns).get(name)


@dataclass(frozen=True, slots=True)
class Migration:
    """One upload and its state."""

    id: MigrationId
    authority: Authority
    blob: str
    blob_etag: str
    blob_size: int
    uploaded_at: datetime
    received_at: datetime
    phase: Phase
    reason: str = ""
    detail: str = ""
    layout: Layout | None = None
    piece: int = 0
    """The next piece to stage."""
    offset: int = 0
    row: int = 0
    """Number of rows staged so far."""
    done_at: datetime | None = None
    """When every account was at rest and result.csv was published. None before that."""
    moved_at: datetime | None = None
    """When staging last progressed, or when the phase changed."""
    stalled: int = 0
    """Times the current piece was sent again because nothing moved."""
    paused_at: datetime | None = None
    pause_reason: str = ""
    pause_detail: str = ""
    differs: str = ""
    """For a pause by `plan_changed`: digest of the profile and texts at the start of the pause."""
    resumed_at: datetime | None = None
    resumed_by: str = ""
    superseded_by: str = ""
    assessed_at: datetime | None = None
    plan_hash: str = ""
    published: str = ""
    """Fingerprint of what result.csv says."""
    rebuilt_at: datetime | None = None
    """When the tables were rebuilt after a loss."""
    tables_lost_at: datetime | None = None
    """After this time, accounts of the migration may have been moved or notified without a record."""
    rows_lost: bool = False
    """True if the rows and the file are gone, so that result.csv stays as it is."""
    kind: Kind = Kind.MIGRATE
    drafted: bool = False
    """True if the accounts are kept apart until the plan is approved."""
    adopted_at: datetime | None = None
    """When the accounts were taken over from the draft."""
    uploaded_by: str = ""
    """Who uploaded the file, as its metadata says: an object id, or on a laptop a plain word. Empty if unknown."""
    file_hash: str = ""
    """SHA-256 of the file."""
    plan: Plan | None = None
    """The frozen plan, from the assessment on."""
    approved_at: datetime | None = None
    """When the last required signature was given."""
    gates: tuple[Gate, ...] = ()
    switched_at: datetime | None = None
    """When a person confirmed that the portal has switched."""
    switched_by: str = ""
    epoch: int = 0
    """Counts the pauses: what was released before the last one is void."""
    accepted: str = ""
    """Digest of the profile and texts with which a person resumed the plan, although they differ from the signed ones.
    """
    cancelled_by: str = ""
    notices: Mapping[str, str] = field(default_factory=dict)
    """For each notice to staff: when it was claimed, or `sent`."""
    waits_for_canary: bool = False
    """True if the profile asks for a recent canary and the last sweep found none. No account is created or linked
    then.
    """

    @property
    def open(self) -> bool:
        """True if the migration still has something to do."""
        return self.phase in OPEN and not (self.kind is Kind.ASSESS and self.phase is Phase.ASSESSED)

    @property
    def apart(self) -> bool:
        """True if the migration is still a draft, so that its accounts are kept apart from the council's own."""
        return self.drafted and self.adopted_at is None

    @property
    def stopped_half_way(self) -> bool:
        """True if it was cancelled while its plan was taken over.

        Then some accounts are with the council and some are apart.
        """
        return self.apart and self.approved_at is not None and self.phase is Phase.CANCELLED

    @property
    def partition(self) -> Partition:
        """The table partition that holds its accounts now."""
        return make_draft_partition(self.authority, self.id) if self.apart else self.authority

    def may_move(self, profile: Profile) -> bool:
        """Return True if accounts may be created and linked.

        The plan is signed, or the profile asks for no signature.
        """
        return self.kind is Kind.MIGRATE and (self.approved_at is not None or profile.plan.approval == "automatic")

    def gate(self, wave: int) -> Gate:
        """Return the gate of a wave."""
        return next((gate for gate in self.gates if gate.wave == wave), Gate(wave))

    def stops(self, wave: int) -> tuple[str, ...]:
        """Return why a wave waits for a person, in sentences.

        Empty if the wave is open, or if no wave begins any more.
        """
        gate = self.gate(wave)
        waits = self.phase is Phase.RUNNING and not self.superseded_by and gate.opened_at is None
        return gate.stopped if waits else ()

    @property
    def paused(self) -> bool:
        """True if no new change may start."""
        return self.paused_at is not None

    @property
    def rows(self) -> int:
        """Data rows of the export, 0 while it is not accepted."""
        return self.layout.rows if self.layout else 0

    @property
    def folder(self) -> str:
        """The folder of its reports."""
        return f"{self.authority}/{self.id}"


def without_pause(migration: Migration) -> Migration:
    """The migration without its pause."""
    return replace(migration, paused_at=None, pause_reason="", pause_detail="", differs="")


def migration_id(blob: str, etag: str, uploaded: datetime) -> MigrationId:
    """Return the id of a migration: date, file name and four characters. The same upload always gets the same id.

    The file name is reduced to letters, digits and hyphens. A word with an `@` is left out, because the name of a file
    may contain somebody's address.
    """
    stem = re.sub(r"\S*@\S*", "", blob.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:SLUG_LENGTH].strip("-") or "export"
    digest = hashlib.sha256(f"{blob}\n{etag.strip('"')}".encode()).digest()
    owner_marker = base64.b32encode(digest).decode()[:4].lower()
    return MigrationId(f"{uploaded:%Y-%m-%d}-{slug}-{owner_marker}")


type Migrations = Mapping[str, Migration]


TAKEN: Final = frozenset(
    {
        Phase.STAGING,
        Phase.CLASSIFYING,
        Phase.ASSESSED,
        Phase.ADOPTING,
        Phase.RUNNING,
        Phase.DONE,
        Phase.FAILED,
    }
)


STAYS: Final = frozenset({Phase.RUNNING, Phase.DONE})
"""Phases in which a newer export changes only who begins what this one has not begun."""


def is_taken(migration: Migration) -> bool:
    """Return True if it is an accepted export that is to be moved. An upload that is only assessed does not count."""
    return migration.kind is Kind.MIGRATE and migration.phase in TAKEN and migration.layout is not None


def is_newer(other: Migration, than: Migration) -> bool:
    """Return True if `other` was uploaded after `than`."""
    return other.id != than.id and get_upload_order(other) > get_upload_order(than)


def get_upload_order(migration: Migration) -> tuple[datetime, datetime, str]:
    """Return the key by which exports of one council are sorted, oldest first."""
    # Storage gives the time of an upload in whole seconds. An overwrite within the same second is received later.
    return migration.uploaded_at, migration.received_at, migration.id


def find_successor(migration: Migration, migrations: Mapping[str, Migration]) -> Migration | None:
    """Return the export that superseded this one. If that one was superseded too, return the last of the chain."""
    found = migrations.get(migration.superseded_by)
    while found is not None and found.superseded_by and found.phase is Phase.SUPERSEDED:
        found = migrations.get(found.superseded_by)
    return found


BY_PIECES: Final = frozenset({Phase.STAGING, Phase.ADOPTING})
"""Phases that work through pieces. The end of each piece sends the message of the next piece."""


def cancel_migration(migration: Migration, reason: str, by: str) -> Migration:
    """Return the migration after a person cancelled it. All earlier releases are void."""
    epoch = migration.epoch + 1
    return replace(without_pause(migration), phase=Phase.CANCELLED, reason=reason, cancelled_by=by, epoch=epoch)
