"""receive-export: read a whole upload once, and accept it or refuse it with the reason."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.errors import Superseded
from shared.intake.rules.csv_reader import FirstPass, RefusedFile
from shared.intake.rules.suppressions import exclusion_columns
from shared.intake.supersede import taken_after
from shared.integrity.table_loss import find_and_log_table_loss
from shared.model.account import REFUSED, Authority
from shared.model.messages import ReceiveExport, make_piece_message
from shared.model.migration import Kind, Layout, Migration, Phase, migration_id
from shared.model.profile import Profile, choose_kept_uploader, suggest_authority
from shared.model.reasons import explain_reason
from shared.ports import Blob, Ports
from shared.telemetry import metrics, spans

SIZE_LIMIT: Final = 1024 * 1024 * 1024
KINDS: Final = {"": Kind.MIGRATE, "assess": Kind.ASSESS, "exclude": Kind.EXCLUDE}
"""Folder within the council's -> what an upload there is for."""
LEFT_TO_OTHERS: Final = frozenset({"overwritten", "older_upload", "newer_upload"})


async def receive_export(ports: Ports, message: ReceiveExport) -> None:
    """Create a migration for an upload. The same upload always gives the same migration."""
    blob = await ports.exports.find(message.blob)
    if blob is None:
        return
    migration = _make_migration(ports, blob)
    known = await ports.ledger.migrations.get(migration.authority, migration.id)
    if known is not None and not _to_be_received_again(known):
        await _send_first_piece(ports, known)
        return
    if migration.authority != REFUSED:
        if await find_and_log_table_loss(ports, migration.authority) is not None:
            return  # the sweep sends it again when the tables are made again
        # Before the report: whoever has one was known to the tables, or they were emptied.
        await ports.ledger.losses.leave_anchors(migration.authority)
    migration = await _first_pass(ports, migration)
    await _publish_answer(ports, migration)
    if known is not None:
        await ports.ledger.migrations.change(
            migration.authority, migration.id, lambda current: migration if _to_be_received_again(current) else current
        )
    elif await ports.ledger.migrations.insert(migration) and migration.phase is Phase.REFUSED:
        metrics.count_metric(metrics.UPLOADS_REFUSED, authority=migration.authority, reason=migration.reason)
    await _send_first_piece(ports, migration)


async def receive_again(ports: Ports, blob: Blob, assessed_at: datetime | None) -> None:
    """Open the migration of an upload that was accepted before the tables were lost.

    A newer upload does not prevent this.
    """
    migration = replace(await _look_through(ports, _make_migration(ports, blob)), assessed_at=assessed_at)
    if migration.phase is not Phase.STAGING:
        await _publish_answer(ports, migration)  # the profile asks for something else now
    if not await ports.ledger.migrations.insert(migration):
        await ports.ledger.migrations.change(
            migration.authority, migration.id, lambda current: migration if _to_be_received_again(current) else current
        )


async def refuse_again(ports: Ports, blob: Blob, reason: str, detail: str) -> None:
    """Record an upload as refused because it was refused before the tables were lost, whatever its profile says now."""
    phase = Phase.SUPERSEDED if reason in LEFT_TO_OTHERS else Phase.REFUSED
    await ports.ledger.migrations.insert(
        replace(_make_migration(ports, blob), phase=phase, reason=reason, detail=detail)
    )


async def record_failure(ports: Ports, message: ReceiveExport) -> None:
    """The app failed five times over this upload: kept with the reason, to be replayed."""
    blob = await ports.exports.find(message.blob)
    if blob is not None:
        await ports.ledger.migrations.insert(
            replace(_make_migration(ports, blob), phase=Phase.FAILED, reason="receiving_failed")
        )


def _make_migration(ports: Ports, blob: Blob) -> Migration:
    folder = blob.name.split("/", 1)[0] if "/" in blob.name else ""
    authority = Authority(folder) if folder in ports.profiles else REFUSED
    profile = ports.profiles.get(authority)
    kind = KINDS.get(_get_subfolder(blob.name), Kind.MIGRATE)
    signed = profile is not None and profile.plan.approval == "required"
    now = ports.clock.now()
    return Migration(
        id=migration_id(blob.name, blob.etag, blob.uploaded),
        authority=authority,
        blob=blob.name,
        blob_etag=blob.etag,
        blob_size=blob.size,
        uploaded_at=blob.uploaded,
        received_at=now,
        moved_at=now,
        phase=Phase.STAGING,
        kind=kind,
        drafted=kind is Kind.ASSESS or (kind is Kind.MIGRATE and signed),
        uploaded_by=choose_kept_uploader(blob.uploaded_by, signed_in=ports.signed_in),
    )


def _get_subfolder(blob: str) -> str:
    """The folder of an upload within that of its council."""
    return "/".join(blob.split("/")[1:-1])


def _to_be_received_again(known: Migration) -> bool:
    return known.phase is Phase.FAILED and known.layout is None


async def _send_first_piece(ports: Ports, migration: Migration) -> None:
    spans.note_attributes(
        authority=migration.authority, migration=migration.id, state=migration.phase, reason=migration.reason
    )
    if migration.phase is Phase.STAGING:
        await ports.outbox.send(make_piece_message(migration, spans.get_traceparent()))


async def _first_pass(ports: Ports, migration: Migration) -> Migration:
    seen = await _look_through(ports, migration)
    alone = seen.phase is not Phase.STAGING or seen.kind is not Kind.MIGRATE
    newer = None if alone else await taken_after(ports, migration)
    if newer is not None:
        return replace(migration, phase=Phase.SUPERSEDED, reason="older_upload", superseded_by=newer.id)
    return seen


async def _look_through(ports: Ports, migration: Migration) -> Migration:
    try:
        layout, file_hash = await _read_layout(ports, migration)
    except RefusedFile as refused:
        return replace(migration, phase=Phase.REFUSED, reason=refused.reason, detail=refused.detail)
    except Superseded:
        return replace(migration, phase=Phase.SUPERSEDED, reason="overwritten")
    return replace(migration, layout=layout, offset=layout.start, file_hash=file_hash)


async def _read_layout(ports: Ports, migration: Migration) -> tuple[Layout, str]:
    """Return how to read the file, and its SHA-256."""
    profile = _find_profile(ports, migration)
    if migration.blob_size == 0:
        raise RefusedFile("empty")
    if migration.blob_size > SIZE_LIMIT:
        raise RefusedFile("too_large", f"{migration.blob_size} bytes; at most {SIZE_LIMIT}")
    excludes = migration.kind is Kind.EXCLUDE
    first_pass = FirstPass(exclusion_columns(profile) if excludes else profile.export.columns)
    digest = hashlib.sha256()
    async for chunk in ports.exports.read(migration.blob, migration.blob_etag):
        digest.update(chunk)
        first_pass.feed(chunk)
    return first_pass.close(), digest.hexdigest()


def _find_profile(ports: Ports, migration: Migration) -> Profile:
    name = migration.blob.rpartition("/")[2]
    if migration.authority == REFUSED:
        raise RefusedFile(
            "unknown_authority", suggest_authority(migration.blob.split("/", 1)[0], sorted(ports.profiles))
        )
    if _get_subfolder(migration.blob) not in KINDS:
        raise RefusedFile("wrong_folder")
    if not name.lower().endswith(".csv"):
        raise RefusedFile("not_csv", "its name does not end in .csv")
    profile = ports.profiles[migration.authority]
    if migration.kind is Kind.MIGRATE and profile.plan.lacks_uploader(migration.uploaded_by):
        raise RefusedFile("uploader_missing")
    return profile


async def _publish_answer(ports: Ports, migration: Migration) -> None:
    """The first answer, for people: `received.json` or `refused.json`."""
    refused = migration.phase is not Phase.STAGING
    says: dict[str, object] = {
        "migration": migration.id,
        "file": migration.blob,
        "size": migration.blob_size,
        "uploaded_at": migration.uploaded_at.isoformat(),
        "taken": not refused,
    }
    if migration.layout is not None:
        says |= {
            "rows": migration.layout.rows,
            "encoding": migration.layout.encoding_name,
            "separator": {",": "comma", ";": "semicolon", "\t": "tab"}[migration.layout.separator],
            "columns_used": [name for name, _ in migration.layout.columns],
            "columns_in_file": migration.layout.width,
        }
    if refused:
        reason = explain_reason(migration.reason)
        says |= {"reason": migration.reason, "detail": migration.detail}
        says |= {"sentence": reason.sentence, "next": reason.remedy}
    body = json.dumps(says, indent=2, ensure_ascii=False).encode()
    await ports.reports.put(f"{migration.folder}/{'refused' if refused else 'received'}.json", body, "application/json")
