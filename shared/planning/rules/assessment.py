"""The assessment: the complete picture before anything changes. It has counts only, and names nobody. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from shared.messaging.rules.shown_message import ShownMessage
from shared.model.counts.directory_counts import DirectoryCounts
from shared.model.counts.extract_comparison import Compared
from shared.model.counts.summary import Totals
from shared.model.lifecycle import Outcome
from shared.model.migration import Migration
from shared.model.pacing.rate_limit import Quota
from shared.model.plan import Plan, SignedTemplate
from shared.model.profile import Profile
from shared.model.reasons import explain_reason
from shared.model.step import ANNOUNCEMENTS, MESSAGES
from shared.planning.rules.estimate import Effort, Prediction, estimate_migration
from shared.reporting.rules.encoding_check import Letters


def list_seen_templates(messages: Sequence[ShownMessage]) -> tuple[SignedTemplate, ...]:
    """The versions of the templates that were seen: what a plan's hash includes."""
    return tuple(SignedTemplate(m.name, m.template, m.version) for m in messages if m.version is not None)


@dataclass(frozen=True, slots=True)
class Extract:
    """The result of one export of the authority: one line of the table."""

    migration: str
    file: str
    uploaded_at: datetime
    rows: int
    outcomes: Mapping[Outcome, int]
    directory_only: int
    new: int | None = None
    """Customers who were not in the extract before."""
    missing: int | None = None
    """Customers of the extract before who are not in this one."""
    changed: int | None = None
    """Customers about whom the two exports say different things."""

    @classmethod
    def read(cls, said: Mapping[str, object], uploaded_at: datetime) -> "Extract":
        """From an assessment.json, however old: what it does not say is not known, or nothing."""
        return cls(
            migration=str(said.get("migration", "")),
            file=str(said.get("file", "")),
            uploaded_at=uploaded_at,
            rows=_read_number(said, "rows") or 0,
            outcomes={outcome: _read_number(said, outcome) or 0 for outcome in Outcome},
            directory_only=_read_number(said, "directory_only") or 0,
            new=_read_number(said, "new"),
            missing=_read_number(said, "missing"),
            changed=_read_number(said, "changed"),
        )


def _read_number(said: Mapping[str, object], key: str) -> int | None:
    found = said.get(key)
    return found if isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class Findings:
    """What was read for the assessment, beside the counts."""

    directory: DirectoryCounts = field(default_factory=DirectoryCounts)
    letters: Letters = field(default_factory=Letters)
    messages: tuple[ShownMessage, ...] = ()
    messages_on: bool = True
    """True if there is a message service."""
    earlier: tuple[Extract, ...] = ()
    """Earlier extracts of this authority, oldest first."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What will happen to how many accounts."""

    migration: str
    authority: str
    council: str
    file: str
    uploaded_at: datetime
    assessed_at: datetime
    rows: int
    outcomes: Mapping[Outcome, int]
    reasons: Mapping[str, int]
    found: Findings
    prediction: Prediction
    effort: Effort
    plan_hash: str
    new: int | None = None
    missing: int | None = None
    changed: int | None = None
    warnings: tuple[tuple[str, str], ...] = ()
    """What prevents a signature, and what to do about it."""
    waves: tuple[tuple[str, datetime | None, int], ...] = ()
    """Name, start (None: as soon as the plan is approved) and accounts of each wave."""
    wanted: tuple[str, ...] = ()
    """The parts whose signatures are needed."""

    @property
    def announces(self) -> bool:
        """Return True if customers get an announcement before the change. Only a wave with a date can be announced."""
        dated = any(starts_at is not None for _, starts_at, _ in self.waves)
        return dated and any(message.name in ANNOUNCEMENTS.values() for message in self.found.messages)

    @property
    def extract(self) -> Extract:
        """Return this export as a line beside the earlier ones."""
        return Extract(
            migration=self.migration,
            file=self.file,
            uploaded_at=self.uploaded_at,
            rows=self.rows,
            outcomes=self.outcomes,
            directory_only=self.found.directory.without_mark,
            new=self.new,
            missing=self.missing,
            changed=self.changed,
        )

    def to_json(self) -> dict[str, object]:
        """The content of assessment.json."""
        beside = {"new": self.new, "missing": self.missing, "changed": self.changed}
        return {
            "migration": self.migration,
            "authority": self.authority,
            "council": self.council,
            "file": self.file,
            "uploaded_at": self.uploaded_at.isoformat(),
            "assessed_at": self.assessed_at.isoformat(),
            "rows": self.rows,
            **{outcome.value: count for outcome, count in self.outcomes.items()},
            **{key: count for key, count in beside.items() if count is not None},
            "directory_only": self.found.directory.without_mark,
            "directory_users": self.found.directory.users,
            "directory_only_by_identity": dict(self.found.directory.by_kind),
            "directory_only_by_authority": dict(self.found.directory.by_mark),
            "reasons": dict(self.reasons),
            "sentences": {code: explain_reason(code).sentence for code in self.reasons},
            "predicted_minutes": self.prediction.minutes,
            "predicted_messages": self.prediction.messages,
            "predicted_review_hours": self.prediction.review_hours,
            "predicted_calls": self.prediction.calls,
            "names_to_check": _describe_letters(self.found.letters),
            "templates": [{"message": m.name, "id": m.template, "version": m.version} for m in self.found.messages],
            "warnings": [{"sentence": sentence, "remedy": remedy} for sentence, remedy in self.warnings],
            "waves": [
                {"name": name, "starts_at": at.isoformat() if at else None, "accounts": n} for name, at, n in self.waves
            ],
            "signatures_wanted": list(self.wanted),
            "plan_hash": self.plan_hash,
        }


def _describe_letters(letters: Letters) -> dict[str, object]:
    return {"names": letters.names, "damaged": letters.damaged, "letters": dict(letters.letters)}


def make_assessment(
    migration: Migration, profile: Profile, totals: Totals, found: Findings, plan_hash: str, quota: Quota, at: datetime
) -> Assessment:
    """Put the picture together."""
    outcomes = totals.outcomes()
    writes = outcomes[Outcome.CREATE] + outcomes[Outcome.LINK]
    with_text = [outcome for outcome, name in MESSAGES.items() if name in profile.messages.templates]
    messages = sum(outcomes[outcome] for outcome in with_text) if found.messages_on else 0
    effort = Effort(profile.plan.review_minutes, profile.plan.calls_percent)
    return Assessment(
        migration=migration.id,
        authority=migration.authority,
        council=profile.name,
        file=migration.blob,
        uploaded_at=migration.uploaded_at,
        assessed_at=at,
        rows=migration.rows,
        outcomes=outcomes,
        reasons=totals.reasons(),
        found=found,
        prediction=estimate_migration(writes, messages, outcomes[Outcome.REVIEW], quota, effort, at),
        effort=effort,
        plan_hash=plan_hash,
    )


REMEDY: Final = (
    "Compare with the portal. If the extract is right, whoever signs says so with `--accept-warnings` (where nobody "
    "signs, `ops resume`); if not, upload the right one."
)


def add_plan(picture: Assessment, plan: Plan, compared: Compared, wanted: tuple[str, ...]) -> Assessment:
    """Return the assessment with what its frozen plan says, and which signatures are needed."""
    return replace(
        picture,
        new=compared.new,
        missing=compared.missing,
        changed=compared.changed,
        warnings=tuple((sentence, REMEDY) for sentence in plan.warnings),
        waves=tuple((wave.name, wave.starts_at, wave.accounts) for wave in plan.waves),
        wanted=wanted,
    )
