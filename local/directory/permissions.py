"""What the caller's permissions and roles let it do, by the documented table; everything else is 403."""

from collections.abc import Iterable
from typing import Final

from local.directory.errors import denied
from local.directory.rules import Rules

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
SENSITIVE: Final = {
    "accountEnabled": ENABLE,
    "otherMails": MAIL,
    "mobilePhone": PHONE,
    "businessPhones": PHONE,
}


def _need(rules: Rules, one_of: frozenset[str]) -> None:
    if not one_of.intersection(rules.permissions):
        raise denied()


def _need_administrator(rules: Rules) -> None:
    if USER_ADMINISTRATOR not in rules.roles:
        raise denied()


def need_read(rules: Rules) -> None:
    """Read users, the recycle bin and the organization."""
    _need(rules, READ)


def need_create(rules: Rules) -> None:
    """Create a user."""
    _need(rules, CREATE)


def need_update(rules: Rules, names: Iterable[str]) -> None:
    """Change these properties; some need more than an ordinary write permission."""
    for name in names:
        if name == "passwordProfile":
            _need(rules, PASSWORD)
            _need_administrator(rules)
        elif name in SENSITIVE:
            _need(rules, SENSITIVE[name] if rules.sensitive_need_own_permission else UPDATE | SENSITIVE[name])
        else:
            _need(rules, UPDATE)
        if name == "identities" and rules.identities_need_own_permission:
            _need(rules, IDENTITIES)


def need_delete(rules: Rules) -> None:
    """Delete, restore or purge: a permission alone does not do."""
    _need(rules, DELETE)
    _need_administrator(rules)
