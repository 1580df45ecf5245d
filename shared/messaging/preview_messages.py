"""show-messages: ask the message service how each message reads, for invented people. Sends nothing."""

from shared.errors import Cannot, Stop, TryLater
from shared.messaging.rules.shown_message import INVENTED, ShownMessage
from shared.model.lifecycle import Outcome
from shared.model.plan import SignedTemplate
from shared.model.profile import STAFF_NOTICE, Profile
from shared.model.reasons import explain_reason
from shared.model.step import ANNOUNCEMENTS, MESSAGES
from shared.ports import Notifier, Ports


async def preview_messages(ports: Ports, profile: Profile) -> tuple[ShownMessage, ...]:
    """Return the messages that customers of each outcome get, in order.

    A message that cannot be shown has the reason instead, because the assessment is useful without it.
    """
    announcements = [(outcome, name) for outcome, name in ANNOUNCEMENTS.items() if name in profile.messages.templates]
    shown = sorted([*announcements, *MESSAGES.items()], key=lambda each: list(MESSAGES).index(each[0]))
    return tuple([await _preview_message(ports.notifier, profile, outcome, name) for outcome, name in shown])


async def _preview_message(notifier: Notifier | None, profile: Profile, outcome: Outcome, name: str) -> ShownMessage:
    template = profile.messages.templates.get(name)  # type: ignore[call-overload]  # any name may be asked for
    if template is None:
        return ShownMessage(outcome, name, trouble="The profile has no template for this message, so it is not sent.")
    if notifier is None:
        trouble = "The message service is switched off (NOTIFY_PROVIDER is none), so nobody is told anything."
        return ShownMessage(outcome, name, template, trouble=trouble)
    try:
        preview = await notifier.preview(profile, name, *INVENTED[outcome])
    except TryLater:
        trouble = "The message service did not answer when this page was made."
        return ShownMessage(outcome, name, template, trouble=trouble)
    except (Stop, Cannot) as refused:
        reason = explain_reason(refused.reason)
        return ShownMessage(outcome, name, template, trouble=f"{reason.sentence} {reason.remedy}")
    return ShownMessage(outcome, name, template, preview.version, preview.subject, preview.body)


async def templates_to_sign(ports: Ports, profile: Profile) -> tuple[SignedTemplate, ...]:
    """Return every message that customers may get, with the version of its template. These texts are signed.

    Raises:
        TryLater,
        Stop: a version cannot be read, so there is nothing to sign yet.
    """
    if ports.notifier is None:
        return ()
    customers = [name for name in profile.messages.templates if name != STAFF_NOTICE]
    found = [(name, await ports.notifier.preview(profile, name, *INVENTED[Outcome.CREATE])) for name in customers]
    return tuple(SignedTemplate(name, profile.messages.templates[name], preview.version) for name, preview in found)
