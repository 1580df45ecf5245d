"""The plan: what happens to whom, in which wave and when. It is frozen, hashed and signed. Pure.

A signature is for one hash. The hash covers the outcome of every row, every date, the whole profile and the version of
every message template. If one of them differs, it is another plan, which has no signatures.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.errors import ActionRefused
from shared.model.wave import Wave

HASH_LETTERS: Final = 12
"""How many letters of a hash people compare or copy."""


class Part(StrEnum):
    """The area for which a person signs."""

    DATA_OWNER = "data-owner"
    """The council's service that owns the accounts: the right people, the right date."""
    OPERATIONS = "operations"
    """The operations team signs that the plan can be run, watched and stopped."""
    DIRECTORY_OWNER = "directory-owner"
    """The owner of the shared directory signs that accounts are linked to identities there."""


@dataclass(frozen=True, slots=True)
class SignedTemplate:
    """The text of one message, as it stood when the plan was made."""

    message: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's yes to one hash."""

    part: Part
    by: str
    """Object id of the person. On a laptop it is a name."""
    at: datetime
    plan: str
    """The hash that was signed."""
    accepts_warnings: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A frozen plan, and who has signed it."""

    hash: str
    made_at: datetime
    rows: int
    """Data rows of the export: the control total."""
    creates: int
    links: int
    waves: tuple[Wave, ...]
    templates: tuple[SignedTemplate, ...]
    uploaded_by: str = ""
    """Who uploaded the export. Empty if unknown."""
    profile: str = ""
    """Fingerprint of the profile: with another one it is not this plan that would be carried out."""
    warnings: tuple[str, ...] = ()
    """The limits of the profile that the extract exceeds, in sentences. A signature accepts them."""
    unlike: bool = False
    """True if the extract differs from the one before it by more than the profile allows."""
    silent: bool = False
    """True if the plan creates accounts and nobody would notify their owners."""
    signatures: tuple[Signature, ...] = ()
    rejected_by: str = ""

    def wanted(self, parts: Iterable[Part]) -> tuple[Part, ...]:
        """Return the parts whose signatures are missing.

        The owner of the directory signs only if an account is linked.
        """
        there = {signature.part for signature in self.signatures}
        return tuple(part for part in parts if part not in there and (part is not Part.DIRECTORY_OWNER or self.links))

    def overdue(self, now: datetime) -> tuple[Wave, ...]:
        """Return the waves with accounts to move whose day has passed."""
        return tuple(wave for wave in self.waves if wave.accounts and wave.starts_at and wave.starts_at < now)

    def approved(self, parts: Iterable[Part]) -> bool:
        """Return True if all required signatures are there."""
        return not self.rejected_by and not self.wanted(parts)


def compute_plan_hash(
    accounts: str, rows: str, profile: str, waves: Sequence[Wave], templates: Sequence[SignedTemplate]
) -> str:
    """The hash of a plan.

    `accounts` and `rows` are fingerprints of every account's and every settled row's fate, `profile` is the whole
    profile as JSON.
    """
    says = {
        "accounts": accounts,
        "rows": rows,
        "profile": profile,
        "waves": [asdict(wave) for wave in waves],
        "templates": [asdict(template) for template in sorted(templates, key=lambda each: each.message)],
    }
    return hashlib.sha256(json.dumps(says, sort_keys=True, default=str).encode()).hexdigest()


def add_signature(plan: Plan, signature: Signature, parts: Sequence[Part], control_total: int | None) -> Plan:
    """The plan with one more signature. The last one may come again: its first answer may be lost.

    Raises:
        ActionRefused: it is another plan, the wrong total, or the wrong person.
    """
    _check_same_plan(plan, signature, parts, control_total)
    if plan.silent:
        raise ActionRefused(
            "The plan creates accounts, and no message service tells their owners. Set NOTIFY_PROVIDER, the council's "
            "key and the template of set-your-password (messages.templates), or say in the profile that the council "
            "tells its customers itself (plan.council_tells_customers); then upload the export again."
        )
    if plan.warnings and not signature.accepts_warnings:
        raise ActionRefused(
            f"The extract exceeds what the profile allows: {' '.join(plan.warnings)} If it is right all the same, sign "
            "with --accept-warnings; if not, reject the plan and upload the right extract."
        )
    late = plan.overdue(signature.at)
    if late and not signature.accepts_warnings:
        raise ActionRefused(
            f"The day of wave {', '.join(str(wave.number) for wave in late)} is over, so its customers would be told "
            "and moved at once. Give it a day that is to come in the profile, upload the export again and sign the new "
            "plan; if at once is right, sign with --accept-warnings."
        )
    mine = next((each for each in plan.signatures if each.part is signature.part), None)
    if mine is not None and is_same_person(mine.by, signature.by):
        wanted = plan.wanted(parts)
        if wanted:
            raise ActionRefused(
                f"You have signed as {mine.part} already, and that counts. Somebody else is to sign as "
                f"{', then somebody else as '.join(wanted)}."
            )
        return plan
    if mine is not None:
        raise ActionRefused(
            f"Somebody else has signed as {signature.part} already. Nothing is left for you to sign there."
        )
    earlier = next((each for each in plan.signatures if is_same_person(each.by, signature.by)), None)
    if earlier is not None:
        raise ActionRefused(
            f"You have signed as {earlier.part} already, and every part needs a different person. "
            f"Ask somebody else to sign as {signature.part}."
        )
    if plan.uploaded_by and is_same_person(plan.uploaded_by, signature.by):
        raise ActionRefused("You uploaded the export, and whoever uploads does not approve. Ask somebody else to sign.")
    return replace(plan, signatures=(*plan.signatures, signature))


def is_same_person(one: str, other: str) -> bool:
    """Return True if two ids belong to the same person. An id that was typed by hand may have capitals."""
    return one.strip().casefold() == other.strip().casefold()


def _check_same_plan(plan: Plan, signature: Signature, parts: Sequence[Part], control_total: int | None) -> None:
    if plan.rejected_by:
        raise ActionRefused(
            "This plan was rejected. Mend what was wrong, upload the export again, and sign the new plan."
        )
    if signature.part not in parts:
        known = ", ".join(parts)
        raise ActionRefused(f"The council's profile asks for no signature as {signature.part}. It asks for: {known}.")
    if 0 < len(signature.plan) < HASH_LETTERS and plan.hash.startswith(signature.plan):
        raise ActionRefused(f"The hash is cut off. Copy {HASH_LETTERS} letters of it, as `ops plan show` prints them.")
    if not signature.plan or not plan.hash.startswith(signature.plan):
        raise ActionRefused(
            f"The hash is not this plan's: it is {plan.hash[:HASH_LETTERS]} now. The plan, a date or the profile has "
            "changed since you read it. Read it again (`ops plan show`), then sign that one."
        )
    if control_total is not None and control_total != plan.rows:
        raise ActionRefused(
            f"The control total differs: you expect {control_total} rows, the export has {plan.rows}. "
            "Compare with the portal; if the export is wrong, reject the plan and upload the right one."
        )


def reject_plan(plan: Plan, by: str) -> Plan:
    """Return the plan after a rejection. An approved plan cannot be rejected, but its migration can be cancelled."""
    return replace(plan, rejected_by=by, signatures=())


def list_templates(versions: Mapping[str, tuple[str, int]]) -> tuple[SignedTemplate, ...]:
    """Templates from message name -> (id, version), in the order of the names."""
    return tuple(SignedTemplate(message, *versions[message]) for message in sorted(versions))
