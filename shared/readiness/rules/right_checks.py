"""Checks of the app's rights in the directory: what it needs, and no more.

They use harmless calls, and claims of the token.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.ports.doctor_facts import CallResult, DirectoryFacts, Right
from shared.readiness.rules.report import (
    Area,
    Check,
    Code,
    Purpose,
    report_missing,
    report_ok,
    report_too_much,
    report_unchecked,
)

RIGHTS: Final = "rights that are needed"
NO_MORE: Final = "no right too many"

NEEDED: Final[Mapping[Purpose, tuple[Right, ...]]] = {
    Purpose.ASSESS: (Right.READ,),
    Purpose.WAVE: (Right.READ, Right.CREATE, Right.UPDATE),
    Purpose.CLOSED: (),
}
UNWANTED_RIGHTS: Final[Mapping[Purpose, tuple[Right, ...]]] = {
    purpose: tuple(right for right in Right if right is not Right.READ and right not in needed)
    for purpose, needed in NEEDED.items()
}
"""Rights that the app's credential should not have, for each purpose."""

READING: Final = frozenset({"User.Read.All", "Organization.Read.All"})
"""To look customers up, and to see how full the directory is. Who reads the whole directory or its logs reads more."""
WRITING: Final = frozenset({"User.Create", "User.ReadUpdate.All", "User.ReadWrite.All"})
"""Permissions to create and mark accounts. A tenant that does not offer the narrow ones has the third."""
ACCEPTED: Final[Mapping[Purpose, frozenset[str]]] = {
    Purpose.ASSESS: READING,
    Purpose.WAVE: READING | WRITING,
    Purpose.CLOSED: READING,
}

GRANTS: Final[Mapping[Right, frozenset[str]]] = {
    Right.READ: frozenset(
        {"User.Read.All", "User.ReadUpdate.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
    ),
    Right.CREATE: frozenset({"User.Create", "User.ReadWrite.All", "Directory.ReadWrite.All"}),
    Right.UPDATE: frozenset({"User.ReadUpdate.All", "User.ReadWrite.All", "Directory.ReadWrite.All"}),
    Right.DELETE: frozenset({"User.DeleteRestore.All", "User.ReadWrite.All", "Directory.ReadWrite.All"}),
    Right.PASSWORD: frozenset({"User-PasswordProfile.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All"}),
    Right.IDENTITIES: frozenset({"User.ManageIdentities.All"}),
    Right.GROUPS: frozenset({"Group.Create", "Group.ReadWrite.All", "Directory.ReadWrite.All"}),
    Right.APPLICATIONS: frozenset({"Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"}),
}
"""Each of these gives the right. Two of them also need a directory role in a B2C tenant."""
NEED_A_ROLE: Final = frozenset({Right.DELETE, Right.PASSWORD})
PLAIN_USER: Final = "0997a1d0-0d1d-4acb-b408-d5ca73121e90"
"""A value in the claim `wids` of every token that stands for no role."""

_SCRIPT: Final = "`python3 -m infra.directory --stage {}` does it: docs/directory-setup.md"
_GRANT: Final[Mapping[Purpose, str]] = {
    Purpose.ASSESS: "Grant the app registration User.Read.All and Organization.Read.All",
    Purpose.WAVE: "Grant the app registration User.Read.All, Organization.Read.All, User.Create and "
    "User.ReadUpdate.All (where the tenant does not show the last two: User.ReadWrite.All)",
    Purpose.CLOSED: "",
}
_TAKE: Final[Mapping[Purpose, str]] = {
    Purpose.ASSESS: "Until the plan is approved User.Read.All and Organization.Read.All are enough",
    Purpose.WAVE: "For a wave User.Read.All, Organization.Read.All, User.Create and User.ReadUpdate.All (instead of "
    "the last two: User.ReadWrite.All) are enough, and no directory role",
    Purpose.CLOSED: "All is moved: at most User.Read.All and Organization.Read.All are still of use",
}


def check_rights(facts: DirectoryFacts, purpose: Purpose) -> list[Check]:
    """Check rights by harmless calls, and by what the token says if there is one."""
    needed = [_check_needed(facts, purpose)] if NEEDED[purpose] else []
    return [*needed, _check_spare(facts, purpose)]


def _check_needed(facts: DirectoryFacts, purpose: Purpose) -> Check:
    lacking = [right for right in NEEDED[purpose] if find_right(facts, right) is not CallResult.YES]
    if not lacking:
        return report_ok(Area.DIRECTORY, RIGHTS, f"the app may {_join_rights(NEEDED[purpose])}")
    refused = [right for right in lacking if find_right(facts, right) is CallResult.NO]
    if not refused:
        return report_unchecked(Area.DIRECTORY, RIGHTS, f"no answer whether the app may {_join_rights(lacking)}")
    told = "" if facts.granted is None else f" (the token holds {', '.join(sorted(facts.granted)) or 'no permission'})"
    found = f"the app may not {_join_rights(refused, 'or')}{told}"
    mend = f"{_GRANT[purpose]}, with admin consent ({_SCRIPT.format(purpose)})."
    return report_missing(Area.DIRECTORY, RIGHTS, Code.PERMISSION_MISSING, found, mend)


def _check_spare(facts: DirectoryFacts, purpose: Purpose) -> Check:
    can = [right for right in UNWANTED_RIGHTS[purpose] if find_right(facts, right) is CallResult.YES]
    granted = sorted((facts.granted or frozenset()) - ACCEPTED[purpose])
    role = bool(_read_roles(facts))
    if can or granted or role:
        said = [f"the app may {_join_rights(can)}"] if can else []
        said += [f"its token holds {', '.join(granted)}"] if granted else []
        said += ["its token names a directory role"] if role else []
        beside = _and_role(role=role or bool(NEED_A_ROLE & set(can)))
        what = ", ".join(granted) or "what goes beyond it"
        mend = (
            f"{_TAKE[purpose]}. Take away {what} in the app registration{beside} ({_SCRIPT.format(purpose)}). A token "
            "that was issued before lives for about an hour."
        )
        return report_too_much(Area.DIRECTORY, NO_MORE, Code.RIGHT_TOO_MANY, "; ".join(said), mend)
    failed = [right for right in UNWANTED_RIGHTS[purpose] if find_right(facts, right) is CallResult.FAILED]
    if failed:
        return report_unchecked(Area.DIRECTORY, NO_MORE, f"no answer whether the app may {_join_rights(failed)}")
    denied = [right for right in UNWANTED_RIGHTS[purpose] if find_right(facts, right) is CallResult.NO]
    return report_ok(Area.DIRECTORY, NO_MORE, f"the app may not {_join_rights(denied, 'or')}")


def find_right(facts: DirectoryFacts, right: Right) -> CallResult:
    """Return the result of the call, unless the token says that the right is missing.

    It is not documented if the directory looks for the user before it checks the right. So "nobody there" alone does
    not prove a right that the token does not have.
    """
    answer = facts.may.get(right, CallResult.UNTOLD)
    if answer is not CallResult.YES or facts.granted is None or _read_roles(facts):
        return answer
    role_lacks = right in NEED_A_ROLE and facts.roles is not None
    return CallResult.YES if facts.granted & GRANTS[right] and not role_lacks else CallResult.NO


def _read_roles(facts: DirectoryFacts) -> frozenset[str]:
    """Return the directory roles in the token. With a role, an app may do things that no permission allows."""
    return (facts.roles or frozenset()) - {PLAIN_USER}


def _and_role(*, role: bool) -> str:
    return ", and the role User Administrator (or another) from its service principal" if role else ""


def _join_rights(rights: Sequence[Right], last: str = "and") -> str:
    words = [right.value for right in rights]
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)
