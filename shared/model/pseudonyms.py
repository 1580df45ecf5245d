"""Ids that only a holder of the key can make, and that nobody can turn back into a person."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from shared.model.account import AccountId, AddressKey, Authority, MigrationId

ID_DIGITS: Final = 40
"""160 bits: no two customers ever share an id."""


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """HMAC-SHA256 with the app's key. Losing or changing the key orphans every account."""

    key: bytes

    def _make_hmac(self, *parts: str) -> str:
        # Each part goes in with its length, so that ("ab", "c") and ("a", "bc") never meet.
        mac = hmac.new(self.key, digestmod=hashlib.sha256)
        for part in parts:
            raw = part.encode()
            mac.update(len(raw).to_bytes(4, "big") + raw)
        return mac.hexdigest()

    def account(self, authority: Authority, source_id: str) -> AccountId:
        """The account of a source id: "a" and hex digits, so that no tool takes it for a GUID, number or date."""
        return AccountId("a" + self._make_hmac(authority, source_id)[:ID_DIGITS])

    def canary(self, authority: Authority) -> AccountId:
        """The account of an authority's test customer: three parts, so that no source id ever gives the same."""
        return AccountId("a" + self._make_hmac("canary", authority, "canary")[:ID_DIGITS])

    def address(self, authority: Authority, email_key: str) -> AddressKey:
        """Return the key of an address within its authority. Empty for an empty address."""
        return AddressKey(self._make_hmac("address", authority, email_key)[:ID_DIGITS] if email_key else "")

    def facts(self, *facts: str) -> str:
        """Return a fingerprint of what an export says about a person."""
        return self._make_hmac("facts", *facts)[:ID_DIGITS]

    def fingerprint(self) -> str:
        """Return a fingerprint of the key. It shows if two keys are the same and nothing else.

        It has one part, so it never equals an id.
        """
        return self._make_hmac("fingerprint")[:ID_DIGITS]

    def notice(self, migration: MigrationId, notice: str, contact: int) -> str:
        """The reference of a message to staff: the same for every attempt, and without the contact's address."""
        return "n" + self._make_hmac("notice", migration, notice, str(contact))[:ID_DIGITS]

    def reference(self, account: AccountId, purpose: str) -> str:
        """Return the reference of a message.

        Every attempt to send the message has the same one, and it says nothing about the person.
        """
        return "m" + self._make_hmac("message", account, purpose)[:ID_DIGITS]
