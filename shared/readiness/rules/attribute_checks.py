"""The extension attributes: that each council's are defined, with the right type."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.model.profile import Profile
from shared.ports.doctor_facts import DirectoryFacts
from shared.readiness.rules.report import Area, Check, Code, report_missing, report_ok, report_unchecked

EXTENSIONS_APP: Final = "DIRECTORY_EXTENSIONS_APP_ID"
MUST_RESET: Final = "MustResetPassword"
ATTRIBUTES: Final = "extension attributes"


@dataclass(frozen=True, slots=True)
class Planned:
    """What the directory should have, and what it should accept."""

    app: str
    """App id of the b2c-extensions-app, without hyphens."""
    profiles: Sequence[Profile]
    creates: int = 0
    """Accounts that are to be created, as far as they are known."""


def list_expected_attributes(planned: Planned) -> dict[str, dict[str, str]]:
    """Check -> attributes with their types."""
    each = {
        f"attributes of {profile.authority}": {
            f"{profile.attribute_prefix}Account": "String",
            f"{profile.attribute_prefix}CustomerRef": "String",
        }
        for profile in planned.profiles
    }
    return {**each, f"attribute {MUST_RESET}": {MUST_RESET: "Boolean"}}


def list_wanted_attributes(app: str, profiles: Iterable[Profile]) -> dict[str, str]:
    """Return the full names of the attributes, with their types, to search where the directory does not list them."""
    expected = list_expected_attributes(Planned(app, list(profiles)))
    return {f"extension_{app}_{short}": kind for each in expected.values() for short, kind in each.items()}


def check_attributes(facts: DirectoryFacts, planned: Planned) -> list[Check]:
    """Check the attributes council by council. One line is enough if none of ours exists or nobody lists them."""
    expected = list_expected_attributes(planned)
    if not planned.app:
        return [report_unchecked(Area.DIRECTORY, name, f"{EXTENSIONS_APP} is wrong") for name in expected]
    if facts.attributes is None and facts.silent:
        return [report_unchecked(Area.DIRECTORY, name, "no answer") for name in expected]
    if facts.attributes is None:
        found = "the directory tells neither their list (Directory.Read.All) nor by a search whether they exist"
        mend = "Compare them with docs/directory-setup.md in the portal (Azure AD B2C, User attributes), or look again."
        return [report_missing(Area.DIRECTORY, ATTRIBUTES, Code.ATTRIBUTES_UNSEEN, found, mend)]
    names = {name for attributes in expected.values() for name in attributes}
    there = {short for name in facts.attributes if (short := name.removeprefix(f"extension_{planned.app}_")) != name}
    if not names & there:
        rest = (report_unchecked(Area.DIRECTORY, name, "none of ours is there") for name in expected)
        return [_foreign_app(facts.attributes, planned, names), *rest]
    return [_check_attribute_set(name, attributes, facts.attributes, planned) for name, attributes in expected.items()]


def _foreign_app(there: Mapping[str, str], planned: Planned, names: set[str]) -> Check:
    """Return a finding if none of ours exists: nobody defined them, or the app id belongs to another app."""
    others = {name.split("_")[1] for name in there if name.count("_") > 1 and name.split("_", 2)[2] in names}
    found = f"the directory has none of ours for the app {planned.app}"
    if others:
        found += f", but for the app {', '.join(sorted(others))}"
        mend = f"Put DIRECTORY_EXTENSIONS_APP_ID right: {min(others)}."
    else:
        mend = (
            f"Check that DIRECTORY_EXTENSIONS_APP_ID is the app id of the b2c-extensions-app; then define there "
            f"{', '.join(sorted(names))} (docs/directory-setup.md)."
        )
    return report_missing(Area.DIRECTORY, ATTRIBUTES, Code.ATTRIBUTE_MISSING, found, mend)


def _check_attribute_set(name: str, attributes: Mapping[str, str], there: Mapping[str, str], planned: Planned) -> Check:
    """Check the attributes of one council, or the attribute that all councils share."""
    types = {short: there.get(f"extension_{planned.app}_{short}") for short in attributes}
    absent = [f"{short} ({attributes[short]})" for short, type_ in types.items() if type_ is None]
    wrong = [
        f"{short} is {type_} and should be {attributes[short]}"
        for short, type_ in types.items()
        if type_ and type_ != attributes[short]
    ]
    if not absent and not wrong:
        unsure = ", as far as a search can tell" if not all(types.values()) else ""
        return report_ok(
            Area.DIRECTORY, name, ", ".join(f"{short}: {kind}" for short, kind in attributes.items()) + unsure
        )
    sought = not all(there.values())
    said = [f"not defined{' (or of another type)' if sought else ''}: {', '.join(absent)}"] if absent else []
    define = (
        f"Define {', '.join(absent)} on the b2c-extensions-app (docs/directory-setup.md); it works some minutes later."
    )
    retype = (
        "A type cannot be changed: delete the attribute and define it again (what it holds is lost), or give the "
        "council other names by `directory.attributes` in its profile."
    )
    mends = [*([define] if absent else []), *([retype] if wrong else [])]
    return report_missing(Area.DIRECTORY, name, Code.ATTRIBUTE_MISSING, "; ".join([*said, *wrong]), " ".join(mends))
