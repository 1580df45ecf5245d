"""undelivered: which messages of a council did not arrive, as far as the message service knows by now."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from shared.errors import Stop, TryLater
from shared.model.counts.summary import ShardSummary
from shared.model.profile import Profile
from shared.ports import Ports

log: Final = logging.getLogger(__name__)

KNOWN_AFTER: Final = timedelta(days=4)
"""The provider tries for up to three days. After that there is no new information."""


async def find_undelivered(ports: Ports, profile: Profile, summaries: Iterable[ShardSummary]) -> frozenset[str]:
    """Return ids of messages that were not delivered. The service is asked only if customers got messages lately."""
    since = ports.clock.now() - KNOWN_AFTER
    lately = any(summary.told_at is not None and summary.told_at >= since for summary in summaries)
    if ports.notifier is None or not lately:
        return frozenset()
    try:
        return frozenset([id_ async for id_ in ports.notifier.undelivered(profile, since)])
    except (TryLater, Stop) as trouble:
        log.info("receipts are not known yet", extra={"authority": profile.authority, "cause": str(trouble)})
        return frozenset()
