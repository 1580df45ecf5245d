"""as-signed: what is not as it was when a plan was signed, the profile or the text of a message."""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import Final

from shared.errors import Cannot, Stop
from shared.model.migration import Migration
from shared.model.plan import SignedTemplate
from shared.model.profile import STAFF_NOTICE, Profile
from shared.planning.freeze_plan import compute_fingerprint
from shared.planning.rules.wave_gate import Facts, Versions, list_changes
from shared.ports import Notifier, Ports
from shared.scheduling.pause import DETAIL

NOBODY: Final = ("Ada", "Example")
"""The names with which templates are filled in to see their version."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs from the signed plan."""

    words: str = ""
    """The differences as sentences, as many as a pause stores. Empty if nothing differs."""
    digest: str = ""
    """Digest of the present state, including what the sentences leave out. Empty if nothing differs."""


async def read_versions(ports: Ports, profile: Profile, migration: Migration) -> Versions | None:
    """Return id and version of the plan's templates as they are now. Templates that cannot be seen are left out.

    Version 0 marks a text that customers would get and that is not in the plan.

    Returns None if no message service is configured.

    Raises:
        TryLater: the message service does not answer.
    """
    if ports.notifier is None or migration.plan is None:
        return None
    notifier = ports.notifier
    found = await asyncio.gather(*(_read_version(notifier, profile, each) for each in migration.plan.templates))
    signed = {message: (id_, version) for message, id_, version in found if version}
    known = {each.message for each in migration.plan.templates} | {STAFF_NOTICE}
    # The service was switched on after the signatures: nobody has signed any text.
    return signed | {name: (id_, 0) for name, id_ in profile.messages.templates.items() if name not in known}


async def _read_version(notifier: Notifier, profile: Profile, template: SignedTemplate) -> tuple[str, str, int]:
    """Return name, id and version of a template. The version is 0 if the template cannot be seen."""
    id_ = profile.messages.templates.get(template.message, "")  # type: ignore[call-overload]  # of another profile
    if not id_:
        return template.message, "", 0
    try:
        return template.message, id_, (await notifier.preview(profile, template.message, *NOBODY)).version
    except (Stop, Cannot):
        return template.message, id_, 0


async def find_difference(ports: Ports, profile: Profile, migration: Migration) -> Difference:
    """Return what differs now.

    Raises:
        TryLater: the message service does not answer.
    """
    now = compute_fingerprint(profile), await read_versions(ports, profile, migration)
    sentences = list_changes(migration, Facts({}, *now))
    if not sentences:
        return Difference()
    return Difference(
        _shorten_sentences(sentences), hashlib.sha256(json.dumps(now, sort_keys=True).encode()).hexdigest()
    )


def _shorten_sentences(sentences: list[str]) -> str:
    """Return as many sentences as a pause can store, and the number of the others."""
    for kept in range(len(sentences), 0, -1):
        rest = len(sentences) - kept
        said = " ".join(sentences[:kept]) + (f" And {rest} more." if rest else "")
        if len(said) <= DETAIL:
            return said
    return sentences[0][:DETAIL]
