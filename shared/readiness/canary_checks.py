"""The check that a marked test customer passed through all steps recently, if a profile asks for that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from azure.core.exceptions import AzureError

from shared.errors import MigrationError
from shared.model.account import Authority
from shared.model.profile import Profile
from shared.model.safeguards.canary import Canary, is_recent_pass
from shared.ports import Ledger
from shared.readiness.rules.report import Area, Check, Code, report_missing, report_ok, report_unchecked


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says about one council's canary."""

    canary: Canary | None
    readable: bool = True


async def read_canaries(ledger: Ledger | None, profiles: Iterable[Profile]) -> Mapping[Authority, Known]:
    """Return the newest canary of each council.

    If the ledger cannot be read, the checks of the storage account report it.
    """
    return {profile.authority: await _read_canary(ledger, profile.authority) for profile in profiles}


def make_unread_canaries(profiles: Iterable[Profile]) -> Mapping[Authority, Known]:
    """Return the same if nothing could be read."""
    return {profile.authority: Known(None, readable=False) for profile in profiles}


async def _read_canary(ledger: Ledger | None, authority: Authority) -> Known:
    if ledger is None:
        return Known(None, readable=False)
    try:
        stored = await ledger.canaries.get(authority)
    except (AzureError, MigrationError):
        return Known(None, readable=False)
    return Known(stored.record if stored else None)


def check_canary(profile: Profile, found: Known, now: datetime) -> Check:
    """Young enough for this profile."""
    name, days = f"canary of {profile.authority}", profile.directory.canary_within_days
    if not days:
        said = f"; {_describe_last(found.canary)}" if found.readable else ""
        return report_ok(Area.CANARY, name, f"the profile asks for none{said}")
    if not found.readable:
        return report_unchecked(Area.CANARY, name, "the tables cannot be read")
    if is_recent_pass(found.canary, days, now, by_flag=profile.directory.by_flag):
        return report_ok(Area.CANARY, name, _describe_last(found.canary))
    way = profile.directory.password_reset
    return report_missing(
        Area.CANARY,
        name,
        Code.CANARY_DUE,
        f"the profile asks for one that passed with {way} within {days} days; {_describe_last(found.canary)}",
        f"Run `ops canary --authority {profile.authority} --address` and a mailbox that you can read.",
    )


def _describe_last(canary: Canary | None) -> str:
    if canary is None or (canary.passed_at is None and canary.failed_at is None):
        return "none was run to its end yet"
    way = "flag" if canary.passed_by_flag else "force-change"
    said = [f"passed on {canary.passed_at:%d %B %Y} with {way}"] if canary.passed_at else []
    said += [f"failed on {canary.failed_at:%d %B %Y}"] if canary.failed_at else []
    return f"the newest {' and '.join(said)}"
