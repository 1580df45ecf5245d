"""What the caller's permissions and roles allow, by the documented table. Everything else is 403."""

from collections.abc import Iterable
from typing import Final

from local.standins.graph.errors import make_denied
from local.standins.graph.rules import Rules

USER_ADMINISTRATOR: Final = "User Administrator"
ALL: Final = frozenset({"User.ReadWrite.All", "Directory.ReadWrite.All"})
READ: Final = ALL | {"User.Read.All", "Directory.Read.All", "User.ReadUpdate.All"}
CREATE: Final = ALL | {"User.Create"}
UPDATE: Final = ALL | {"User.ReadUpdate.All"}
IDENTITIES: Final = frozenset({"User.ManageIdentities.All"})
PASSWORD: Final = ALL | {"User-PasswordProfile.ReadWrite.All"}
DELETE: Final = ALL | {"User.DeleteRestore.All"}
ENABLE: Final = frozenset({"User.EnableDisableAccount.All"})
MAIL: Final = frozenset({"User-Mail.ReadWrite.All"})
PHONE: Final = frozenset({"User-Phone.ReadWrite.All"})
GROUPS: Final = frozenset({"Group.Create", "Group.ReadWrite.All", "Directory.ReadWrite.All"})
APPLICATIONS: Final = frozenset({"Application.ReadWrite.OwnedBy", "Application.ReadWrite.All"})
DIRECTORY_READ: Final = frozenset({"Directory.Read.All", "Directory.ReadWrite.All"})
ORGANIZATION_READ: Final = DIRECTORY_READ | {"Organization.Read.All", "Organization.ReadWrite.All"}
SENSITIVE: Final = {
    "accountEnabled": ENABLE,
    "otherMails": MAIL,
    "mobilePhone": PHONE,
    "businessPhones": PHONE,
}


def _require_permission(rules: Rules, one_of: frozenset[str]) -> None:
    if not one_of.intersection(rules.permissions):
        raise make_denied()


def _need_administrator(rules: Rules) -> None:
    if USER_ADMINISTRATOR not in rules.roles:
        raise make_denied()


def need_read(rules: Rules) -> None:
    """Read users and the recycle bin."""
    _require_permission(rules, READ)


def need_organization(rules: Rules) -> None:
    """Read the organization, and how full it is: https://learn.microsoft.com/graph/api/organization-get."""
    _require_permission(rules, ORGANIZATION_READ)


def need_extensions_list(rules: Rules) -> None:
    """List the extension properties of all applications."""
    _require_permission(rules, DIRECTORY_READ if rules.extensions_list_needs_directory_read else READ)


def need_groups(rules: Rules) -> None:
    """Create a group."""
    _require_permission(rules, GROUPS)


def need_applications(rules: Rules) -> None:
    """Register an application."""
    _require_permission(rules, APPLICATIONS)


def need_create(rules: Rules) -> None:
    """Create a user."""
    _require_permission(rules, CREATE)


def need_update(rules: Rules, names: Iterable[str]) -> None:
    """Change these properties. Some need more than an ordinary write permission."""
    for name in names:
        if name == "passwordProfile":
            _require_permission(rules, PASSWORD)
            _need_administrator(rules)
        elif name in SENSITIVE:
            _require_permission(
                rules, SENSITIVE[name] if rules.sensitive_need_own_permission else UPDATE | SENSITIVE[name]
            )
        else:
            _require_permission(rules, UPDATE)
        if name == "identities" and rules.identities_need_own_permission:
            _require_permission(rules, IDENTITIES)


def need_delete(rules: Rules) -> None:
    """Delete, restore or purge: a permission alone does not do."""
    _require_permission(rules, DELETE)
    _need_administrator(rules)
