"""A council's profile: everything that differs between authorities. A new council is a file, not code."""

import re
import tomllib
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from shared.errors import BadSetting
from shared.model.account import Authority, Cohort
from shared.model.calendar import Allowed, Weekday, check_allowed_time
from shared.model.plan import Part
from shared.model.wave import Slice

Word = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
SET_YOUR_PASSWORD: Final = "set-your-password"  # noqa: S105 - the name of a message
NOW_ONE_ACCOUNT: Final = "now-one-account"
ACCOUNT_IS_CHANGING: Final = "account-is-changing"
"""The message before the change to customers who will have to set a password."""
ACCOUNTS_BECOME_ONE: Final = "accounts-become-one"
"""The message before the change to customers whose account will be linked to the one they have."""
STAFF_NOTICE: Final = "staff-notice"
COHORTS: Final = frozenset(cohort.value for cohort in Cohort if cohort is not Cohort.NONE)
OBJECT_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


def choose_kept_uploader(told: str, *, signed_in: bool) -> str:
    """Return the uploader's name as it is stored for the comparison with the signers.

    Where people sign in, no e-mail address is stored.
    """
    told = told.strip()
    return "" if signed_in and "@" in told else told


def find_known_uploader(kept: str, *, signed_in: bool) -> str:
    """Return the uploader's name for people to see, or an empty text if it is unknown.

    Where people sign in, only an object id can be a signer's. On a laptop any name that `--by` may give counts.
    """
    return kept if OBJECT_ID.fullmatch(kept) or not signed_in else ""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(_Part):
    """Our name of each column, and the council's name. Columns that are not listed are never stored."""

    source_id: Word
    email: Word
    given_name: Word | None = None
    surname: Word | None = None
    email_verified: Word | None = None
    status: Word | None = None
    created: Word | None = None
    last_sign_in: Word | None = None
    postcode: Word | None = None

    @model_validator(mode="after")
    def _each_once(self) -> "Columns":
        theirs = [name.casefold() for name in self.named().values()]
        if len(set(theirs)) != len(theirs):
            raise ValueError("one of their columns is named twice")
        return self

    def named(self) -> dict[str, str]:
        """Return our names and the council's names of the columns that this council has."""
        return {ours: theirs for ours, theirs in self.model_dump().items() if theirs is not None}


class Export(_Part):
    """How to read the council's file."""

    columns: Columns
    migrate_status: tuple[Word, ...] = ("active",)
    verified_values: tuple[Word, ...] = ("true", "yes", "1")


class Matching(_Part):
    """What counts as evidence when an account may be linked to an identity."""

    announced_on: date | None = None
    sign_up_verifies_mailbox: bool = False
    """True where sign-up in the directory is known to verify the mailbox: then identities made after the
    announcement may be linked too."""
    verifying_issuers: tuple[Word, ...] = ("google.com",)
    """Identity providers that verify e-mail addresses. Facebook does not."""


class DirectoryPart(_Part):
    """How the accounts of the council look in the directory."""

    password_reset: Literal["force-change", "flag"] = "force-change"  # noqa: S105 - the name of a choice
    attributes: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,39}$")] | None = None
    """Prefix of the council's extension attributes. By default it is the council's name without hyphens:
    `SouthNorfolk`.
    """

    @property
    def by_flag(self) -> bool:
        """True if the attribute MustResetPassword makes a new customer set a password."""
        return self.password_reset == "flag"  # noqa: S105 - the name of a choice

    canary_within_days: Annotated[int, Field(ge=0, le=365)] = 0
    """A canary must have passed within this number of days before accounts are created or linked. 0: no canary is
    needed.
    """


class Limits(_Part):
    """How much an extract may differ from the one before it, in per cent. A limit that is left out is not checked."""

    rows_percent: Percent | None = None
    missing_percent: Percent | None = None
    new_percent: Percent | None = None
    review_percent: Percent | None = None


class GateLimits(_Part):
    """How many accounts of a wave may fail, in per cent, before the next wave waits for a person."""

    failed_percent: Percent = 1.0
    review_percent: Percent = 5.0
    undelivered_percent: Percent = 3.0


class PlannedWave(_Part):
    """One wave as the profile plans it."""

    name: Word
    takes: int | Word
    """`50`, `"5%"`, `"rest"`, or a band: `"pilot"`, `"dormant"`, `"late"`."""
    starts: datetime | None = None
    """The start in London time. If it is left out: when the plan is approved, or with `at-once` at `switch_at`."""

    @field_validator("takes")
    @classmethod
    def _check_known(cls, value: int | str) -> int | str:
        if value not in COHORTS:
            Slice.read(value)
        return value


class PlanSettings(_Part):
    """What is planned, and who approves it."""

    approval: Literal["automatic", "required"] = "automatic"
    signatures: Annotated[tuple[Part, ...], Field(min_length=1)] = (
        Part.DATA_OWNER,
        Part.OPERATIONS,
        Part.DIRECTORY_OWNER,
    )
    """Who signs. The owner of the directory signs only if an account is linked."""
    signers: dict[Part, tuple[Word, ...]] = Field(default_factory=dict)
    """Object ids of the people who may sign for a part. If a part is left out, any approver may sign for it."""
    uploader: Literal["required", "told"] = "told"
    """`required`: an upload is accepted only if it says who uploaded it, so that this person cannot sign. `told`:
    signers see if it does not say so.
    """
    council_tells_customers: bool = False
    """True if the council itself notifies the customers whose accounts are created."""
    announce_days: Annotated[int, Field(ge=0, le=365)] = 14
    """How many days before the wave the customers get the announcement."""
    waves: tuple[PlannedWave, ...] = ()
    """The waves in order. None: all accounts move when the plan is approved."""
    pilot: tuple[Word, ...] = ()
    """Customer references of those in the band `pilot`."""
    dormant_months: Annotated[int, Field(ge=0, le=600)] = 0
    """A customer who has not signed in for this number of months is in the cohort `dormant`. 0: the cohort is not
    used.
    """
    allowed_days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = Allowed().days
    allowed_from: time = Allowed().opens
    allowed_until: time = Allowed().closes
    bank_holidays: bool = False
    """True to override: a wave may start on a bank holiday in England."""
    switch: Literal["by-wave", "at-once"] = "by-wave"
    """`at-once`: customers are notified only after a person confirmed that the portal has switched."""
    switch_at: datetime | None = None
    """When the portal switches, in London time. It is needed with `at-once`, and only then."""
    checklist: tuple[Word, ...] = ()
    """What somebody confirms before each wave, for example `sign-up closed` or `help desks briefed`."""
    limits: Limits = Limits()
    gate: GateLimits = GateLimits()
    desk_calls_per_day: Annotated[int, Field(ge=0)] = 0
    """How many calls a day the help desk can take. 0: not checked."""
    review_minutes: Annotated[float, Field(gt=0, le=480)] = 10
    """How many minutes a person needs for one review case. The estimate uses it."""
    calls_percent: Annotated[float, Field(ge=0, le=100)] = 3.0
    """How many of a hundred moved customers call the help desk. The estimate uses it, and the gate before a wave."""

    @property
    def allowed(self) -> Allowed:
        """When a wave may start."""
        return Allowed(self.allowed_days, self.allowed_from, self.allowed_until, self.bank_holidays)

    def starts(self, wave: PlannedWave) -> datetime | None:
        """Return when a wave begins, in London time. None if it only waits for the approval."""
        return wave.starts or self.switch_at

    @model_validator(mode="after")
    def _check_switch(self) -> "PlanSettings":
        if self.switch == "at-once" and self.switch_at is None:
            raise ValueError('switch = "at-once" needs switch_at, the date and time at which the portal switches')
        if self.switch == "by-wave" and self.switch_at is not None:
            raise ValueError('switch_at is for switch = "at-once" alone: take it out, or set switch = "at-once"')
        if self.switch_at is not None:
            check_allowed_time(self.switch_at, self.allowed)
        return self

    @model_validator(mode="after")
    def _check_dates(self) -> "PlanSettings":
        last: datetime | None = None
        for wave in self.waves:
            if wave.starts is not None:
                check_allowed_time(wave.starts, self.allowed)
            starts = self.starts(wave)
            if starts is None:
                continue
            if self.switch_at is not None and starts > self.switch_at:
                raise ValueError(
                    f'wave "{wave.name}" starts after switch_at, when its customers are told that they have moved: '
                    "give it an earlier date, leave its date out, or let the portal switch later"
                )
            if last is not None and starts < last:
                undated = " (one without a date starts at switch_at)" if self.switch_at is not None else ""
                raise ValueError(
                    f'wave "{wave.name}" starts before the one ahead of it, but waves go one after the other{undated}'
                )
            last = starts
        return self

    @model_validator(mode="after")
    def _check_uploader(self) -> "PlanSettings":
        if self.uploader == "required" and self.approval == "automatic":
            raise ValueError('uploader = "required" goes with approval = "required": nobody signs an automatic plan')
        return self

    def lacks_uploader(self, uploaded_by: str) -> bool:
        """Return True if an upload should say who uploaded it and does not.

        Only an object id can be compared with a signer's.
        """
        wanted = self.approval == "required" and self.uploader == "required"
        return wanted and not OBJECT_ID.fullmatch(uploaded_by.strip())

    @model_validator(mode="after")
    def _check_everybody(self) -> "PlanSettings":
        cohorts = [wave.takes for wave in self.waves if wave.takes in COHORTS]
        if len(set(cohorts)) != len(cohorts):
            raise ValueError("two waves take the same band")
        slices = [wave.takes for wave in self.waves if wave.takes not in COHORTS]
        if self.waves and "rest" not in slices[-1:]:
            raise ValueError('the last wave that takes a number or a share should take "rest", so that nobody is left')
        if "rest" in slices[:-1]:
            raise ValueError('only the last of the waves that take a number or a share can take "rest"')
        return self


class Messages(_Part):
    """GOV.UK Notify template ids by message name. A message without one is not sent."""

    templates: dict[
        Literal["account-is-changing", "accounts-become-one", "set-your-password", "now-one-account", "staff-notice"],
        Word,
    ] = Field(default_factory=dict)
    reply_to: Word | None = None


class Profile(_Part):
    """One council, as its file in `authorities/` describes it."""

    authority: Authority
    name: Word
    export: Export
    matching: Matching = Matching()
    directory: DirectoryPart = DirectoryPart()
    plan: PlanSettings = PlanSettings()
    messages: Messages = Messages()
    staff_contacts: tuple[Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")], ...] = ()
    """Who gets notices about a refused file, an assessment, a missing signature, a stopped gate and the end."""

    @property
    def attribute_prefix(self) -> str:
        """Return the prefix of the council's attributes.

        `SouthNorfolk` for `south-norfolk`, or what the profile says.
        """
        return self.directory.attributes or "".join(part.capitalize() for part in self.authority.split("-"))


_A_KEY: Final = "[key]"
"""How pydantic marks the name of a key that a table does not accept."""


def read_profile(path: Path) -> Profile:
    """Read one profile.

    Raises:
        BadSetting: the file is not TOML, or a key is wrong or missing. The message names file and key.
    """
    authority = path.stem
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", authority):
        raise BadSetting(f"{path.name}: an authority is spelt in lower case with hyphens, like south-norfolk")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadSetting(f"{path.name} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path.name} is not a TOML file: {error}") from None
    try:
        return Profile.model_validate({**raw, "authority": authority})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != _A_KEY)
        unknown = first["type"] == "extra_forbidden" or _A_KEY in first["loc"]
        what = "no such key" if unknown else first["msg"].removeprefix("Value error, ")
        raise BadSetting(f"{path.name}: {f'{place}: ' if place else ''}{what}") from None


def read_profiles(folder: Path) -> dict[Authority, Profile]:
    """Return all profiles of a folder, by authority.

    Raises:
        BadSetting: there is no profile, or one is wrong.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise BadSetting(f"AUTHORITIES_FOLDER: no profile (*.toml) in {folder}")
    profiles = {profile.authority: profile for profile in map(read_profile, files)}
    prefixes = [profile.attribute_prefix.casefold() for profile in profiles.values()]
    if len(set(prefixes)) != len(prefixes):
        raise BadSetting("two authorities have the same directory.attributes: each needs attributes of its own")
    return profiles


def suggest_authority(authority: str, known: list[str]) -> str:
    """`did you mean ...?` for a misspelt authority, or the list of known ones."""
    slug = re.sub(r"[^a-z0-9]+", "-", authority.lower()).strip("-")
    close = get_close_matches(slug, known, n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`?" if close else f"known are: {', '.join(f'`{name}`' for name in known)}"
