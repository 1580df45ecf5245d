"""The names of our extension attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.model.account import Authority

MUST_RESET: Final = "MustResetPassword"


@dataclass(frozen=True, slots=True)
class Attributes:
    """The names of our extension attributes in one directory."""

    app: str
    """App id of the b2c-extensions-app without hyphens."""
    prefixes: Mapping[Authority, str]

    def owner_marker(self, authority: Authority) -> str:
        """Return the name of the owner marker, which holds our account id and proves that a user is ours."""
        return f"extension_{self.app}_{self.prefixes[authority]}Account"

    def customer_ref(self, authority: Authority) -> str:
        """Holds the council's own customer reference."""
        return f"extension_{self.app}_{self.prefixes[authority]}CustomerRef"

    @property
    def must_reset(self) -> str:
        """Boolean for custom policies that force the reset themselves."""
        return f"extension_{self.app}_{MUST_RESET}"

    @property
    def all(self) -> list[str]:
        """Return the names of all attributes."""
        each = [
            name for authority in self.prefixes for name in (self.owner_marker(authority), self.customer_ref(authority))
        ]
        return [*each, self.must_reset]
