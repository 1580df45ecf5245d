"""One examination from settings to report, for the app and for a process of its own."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal

from shared.model.account import Authority
from shared.model.profile import Profile
from shared.ports.doctor_facts import ProfileFacts, SettingFacts
from shared.readiness.examine import Examination, Inspectors, examine_case
from shared.readiness.own_settings import profile_facts, setting_facts
from shared.readiness.rules.report import Purpose, Report, make_report

FOLDER: str = "AUTHORITIES_FOLDER"

type Opened = Callable[[SettingFacts], AbstractAsyncContextManager[Inspectors]]


class UnknownAuthority(Exception):
    """There is no profile of that name. The message is for people."""


async def run_doctor(
    purpose: Purpose,
    authority: str,
    by: Literal["app", "process"],
    inspectors: Opened,
    running: Mapping[Authority, Profile] | None = None,
) -> Report:
    """Settings from the environment and profiles from their folder, as they are now.

    Raises:
        UnknownAuthority: there is no profile of this council, not even a wrong one.
    """
    settings = setting_facts()
    profiles = _read_profiles(settings, running)
    if authority and profiles is not None:
        _refuse_unknown(authority, profiles)
    case = Examination(purpose, authority, settings, profiles)
    async with inspectors(settings) as opened:
        checks = await examine_case(case, opened)
        return make_report(purpose, authority, opened.clock.now(), by, checks)


def _read_profiles(settings: SettingFacts, running: Mapping[Authority, Profile] | None) -> ProfileFacts | None:
    if settings.settings is None or FOLDER in settings.wrong:
        return None
    return profile_facts(settings.settings.profiles_folder, running)


def _refuse_unknown(authority: str, profiles: ProfileFacts) -> None:
    names = sorted(
        {*profiles.profiles, *(file.removesuffix(".toml") for file in profiles.wrong if file.endswith(".toml"))}
    )
    if authority not in names:
        raise UnknownAuthority(f"No council `{authority}` has a profile. Known are: {', '.join(names) or 'none'}.")
