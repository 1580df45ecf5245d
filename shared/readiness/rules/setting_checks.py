"""Settings and profiles: what stops the app's start, and what would stop it later."""

from collections.abc import Iterator

from shared.model.profile import NOW_ONE_ACCOUNT, SET_YOUR_PASSWORD, Profile
from shared.names import STORAGE_CONNECTION
from shared.ports.doctor_facts import ProfileFacts, SettingFacts
from shared.readiness.rules.report import Area, Check, Code, Purpose, report_missing, report_ok, report_unchecked


def check_settings(facts: SettingFacts) -> list[Check]:
    """Each setting that is wrong, else one line."""
    if not facts.wrong:
        return [report_ok(Area.SETTINGS, "settings", "each is there and reads as it should")]
    return [
        report_missing(
            Area.SETTINGS,
            name,
            Code.SETTING_WRONG,
            sentence,
            f"Put {name} right in the app's settings (on Azure: Settings, Environment variables; here: the shell or "
            "local.settings.json), then start the app again.",
        )
        for name, sentence in facts.wrong.items()
    ]


def check_profiles(facts: ProfileFacts | None, authority: str, purpose: Purpose) -> list[Check]:
    """Check each profile: it can be read, and it says what a wave needs."""
    if facts is None:
        return [report_unchecked(Area.PROFILES, "profiles", "the folder is named by a setting that is wrong")]
    wrong = [_describe_wrong(facts, file, sentence) for file, sentence in facts.wrong.items()]
    chosen = [profile for name, profile in facts.profiles.items() if authority in {"", name}]
    return [*wrong, *(_check_profile(profile, facts, purpose) for profile in chosen)]


def _describe_wrong(facts: ProfileFacts, file: str, sentence: str) -> Check:
    if not file.endswith(".toml"):
        mend = f"Let {file} name the folder in which the councils' profiles are, then start the app again."
        return report_missing(Area.PROFILES, "profiles", Code.PROFILE_WRONG, sentence, mend)
    meant = facts.close.get(file)
    hint = f" It was probably meant to be `{meant}`." if meant else ""
    key = sentence.removeprefix(f"{file}: ").split(": ")[0]
    return report_missing(
        Area.PROFILES,
        file.removesuffix(".toml"),
        Code.PROFILE_WRONG,
        sentence,
        f"Put `{key}` right in {file} in the folder that AUTHORITIES_FOLDER names, then start the app again.{hint}",
    )


def _check_profile(profile: Profile, facts: ProfileFacts, purpose: Purpose) -> Check:
    templates = profile.messages.templates
    absent = [name for name in (SET_YOUR_PASSWORD, NOW_ONE_ACCOUNT) if name not in templates]
    if templates and absent and purpose is not Purpose.CLOSED:
        return report_missing(
            Area.PROFILES,
            profile.authority,
            Code.PROFILE_MESSAGES,
            f"{profile.authority}.toml names a template for {next(iter(templates))}, and none for {absent[0]}: those "
            "customers would not be told",
            f"Add `{absent[0]}` under [messages.templates] in {profile.authority}.toml (or leave both out, if the "
            "council tells its customers another way).",
        )
    return report_ok(Area.PROFILES, profile.authority, ", ".join(_list_remarks(profile, facts)))


def _list_remarks(profile: Profile, facts: ProfileFacts) -> Iterator[str]:
    """Return remarks that a person would want to see before a wave."""
    yield f"every key reads; approval {profile.plan.approval}"
    yield f"password reset {profile.directory.password_reset}"
    if not profile.messages.templates:
        yield "names no templates, so nobody is told"
    if profile.authority in facts.changed:
        yield "changed since the app started: it goes by the old one until it starts again"


def find_wrong_setting(facts: SettingFacts, *names: str) -> str:
    """Return why something is not examined: the wrong settings among these. Empty if all are right."""
    wrong = [name for name in facts.wrong if name in names or (name.startswith(STORAGE_CONNECTION) and "*" in names)]
    return f"{', '.join(wrong)} is wrong" if wrong else ""
