"""Counts of the users in the shared directory: how they sign in, and which councils marked them. No names. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.model.account import Authority
from shared.model.directory_user import Identity

LOCAL_EMAIL: Final = "local e-mail address"
USER_NAME: Final = "user name only"
OTHER: Final = "other"
FEDERATED: Final = "federated: "
"""Stands before the issuer."""
NOBODY: Final = "nobody"
MANY_ISSUERS: Final = 20
"""How many issuers are counted separately. The others count as `other`."""


@dataclass(frozen=True, slots=True)
class DirectoryCounts:
    """The counts of the whole directory for one authority. Both splits add up to `without_mark`."""

    users: int = 0
    without_mark: int = 0
    """Users without an owner marker of this authority: `directory_only`."""
    by_kind: Mapping[str, int] = field(default_factory=dict)
    """These users, by the strongest way in which they sign in."""
    by_mark: Mapping[str, int] = field(default_factory=dict)
    """These users, by the other authorities that marked them, or `nobody`."""


class Counting:
    """Counts users one by one and keeps none of them."""

    def __init__(self) -> None:
        self._users = 0
        self._kinds: Counter[str] = Counter()
        self._marks: Counter[str] = Counter()

    def add(
        self, identities: Iterable[Identity], tenant: str, owner_markers: Iterable[Authority], *, ours: bool
    ) -> None:
        """Count one user. `ours` is True if this authority marked the user.

        `owner_markers` are the other authorities that did.
        """
        self._users += 1
        if ours:
            return
        kind = find_sign_in_kind(identities, tenant)
        issuers = sum(known.startswith(FEDERATED) for known in self._kinds)
        too_many = kind.startswith(FEDERATED) and kind not in self._kinds and issuers >= MANY_ISSUERS
        self._kinds[OTHER if too_many else kind] += 1
        self._marks[", ".join(sorted(owner_markers)) or NOBODY] += 1

    def total(self) -> DirectoryCounts:
        """All that was counted, most frequent first."""
        return DirectoryCounts(self._users, self._kinds.total(), _sort_counts(self._kinds), _sort_counts(self._marks))


def find_sign_in_kind(identities: Iterable[Identity], tenant: str) -> str:
    """The strongest way in which a user signs in: an e-mail address before a provider before a user name.

    A user principal name, which every user has, is none.
    """
    known = tuple(identities)
    local = {i.sign_in_type.lower() for i in known if i.issuer.lower() == tenant.lower()}
    if any(kind.startswith("emailaddress") for kind in local):
        return LOCAL_EMAIL
    federated = sorted(i.issuer.lower() for i in known if i.sign_in_type.lower() == "federated" and i.issuer)
    if federated:
        return f"{FEDERATED}{federated[0]}"
    return USER_NAME if "username" in local else OTHER


def _sort_counts(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
