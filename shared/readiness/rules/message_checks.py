"""The message service: each council's key, that it is this council's, its templates, its reply-to address."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from shared.model.account import Authority
from shared.model.message_fields import ANNOUNCING, CHANGE_DATE, PLACEHOLDERS, STAFF_PLACEHOLDERS
from shared.model.profile import STAFF_NOTICE, Profile
from shared.ports.doctor_facts import FoundTemplate, KeyTrouble, MessageFacts, Sending, ServiceFacts
from shared.readiness.rules.report import Area, Check, Code, Purpose, report_missing, report_ok, report_unchecked

KEYS: Final = "on the API integration page of the council's GOV.UK Notify service"
_OFF: Final = (
    "Set NOTIFY_PROVIDER to govuk-notify, with a key for each council; or take [messages.templates] out of the "
    "profiles if nobody is to be told."
)


def check_messages_off(profiles: Sequence[Profile], purpose: Purpose) -> list[Check]:
    """Return what it means that the message service is off."""
    telling = [profile.authority for profile in profiles if profile.messages.templates]
    if telling and purpose is Purpose.WAVE:
        found = f"NOTIFY_PROVIDER is none, but {', '.join(telling)} names templates: their customers would not be told"
        return [report_missing(Area.MESSAGES, "message service", Code.MESSAGES_OFF, found, _OFF)]
    return [report_ok(Area.MESSAGES, "message service", "NOTIFY_PROVIDER is none: nobody is told anything")]


def check_messages(facts: MessageFacts, profiles: Sequence[Profile], *, clock_off: bool) -> list[Check]:
    """Check messages, council by council. A problem that all councils share is reported once."""
    telling = [profile for profile in profiles if profile.messages.templates]
    if not telling:
        return [report_ok(Area.MESSAGES, "message service", "no profile names a template: nobody is told anything")]
    common = _find_common_trouble(facts, telling) or _find_common_key(facts, telling, clock_off=clock_off)
    if common:
        return [common, *(_mark_unchecked(profile, "see above") for profile in telling)]
    return [check for profile in telling for check in _check_council(facts, profile, clock_off=clock_off)]


def _find_common_trouble(facts: MessageFacts, telling: Sequence[Profile]) -> Check | None:
    """Return a problem that all councils share, which has one cause."""
    services = [facts.services[profile.authority] for profile in telling]
    if all(service.trouble is KeyTrouble.UNREACHABLE for service in services):
        found = f"GOV.UK Notify could not be asked: {services[0].detail}"
        mend = "Check NOTIFY_URL and the network, and status.notifications.service.gov.uk; then look again."
        return report_missing(Area.MESSAGES, "message service", Code.MESSAGES_UNREACHABLE, found, mend)
    if len(services) > 1 and all(service.trouble is KeyTrouble.ABSENT for service in services):
        names = [service.setting for service in services]
        mend = f"Make a key of the type Live {KEYS}, and put each into its setting."
        found = f"no council has a key: {', '.join(names)}"
        return report_missing(Area.MESSAGES, "message service", Code.MESSAGE_KEY_MISSING, found, mend)
    return None


def _find_common_key(facts: MessageFacts, telling: Sequence[Profile], *, clock_off: bool) -> Check | None:
    """Return one key that all councils use and that is wrong for all of them."""
    services = [facts.services[profile.authority] for profile in telling]
    if clock_off or any(service.trouble is KeyTrouble.CLOCK for service in services):
        return None
    keys = [_check_key(facts, profile, facts.services[profile.authority]) for profile in telling]
    if len({service.setting for service in services}) == 1 < len(services) and all(key.finding for key in keys):
        return replace(keys[0], name="key of all councils")
    return None


def _mark_unchecked(profile: Profile, because: str) -> Check:
    return report_unchecked(Area.MESSAGES, f"messages of {profile.authority}", because)


def _check_council(facts: MessageFacts, profile: Profile, *, clock_off: bool) -> list[Check]:
    service = facts.services[profile.authority]
    if service.trouble is KeyTrouble.CLOCK or (clock_off and service.trouble is KeyTrouble.REFUSED):
        return [_mark_unchecked(profile, "the message service refuses our tokens because of the clock")]
    key = _check_key(facts, profile, service)
    if key.finding:
        return [key, _mark_unchecked(profile, "see its key")]
    templates = [_check_template(service, profile, name, id_) for name, id_ in profile.messages.templates.items()]
    return [key, *templates, _check_sending(service, profile)]


_TROUBLES: Final[Mapping[KeyTrouble, tuple[Code, str, str]]] = {
    KeyTrouble.ABSENT: (
        Code.MESSAGE_KEY_MISSING,
        "there is no key in {setting} (nor a common one in NOTIFY_API_KEY)",
        "Make a key of the type Live " + KEYS + ", and put it into {setting}.",
    ),
    KeyTrouble.MALFORMED: (
        Code.MESSAGE_KEY_REFUSED,
        "the key in {setting} is not whole",
        "Copy the key again, as GOV.UK Notify showed it: name, service id and secret.",
    ),
    KeyTrouble.UNREACHABLE: (
        Code.MESSAGES_UNREACHABLE,
        "what {setting} opens could not be looked at: {detail}",
        "Look again in a minute; if it stays, check status.notifications.service.gov.uk.",
    ),
    KeyTrouble.SUSPENDED: (
        Code.MESSAGE_KEY_REFUSED,
        "GOV.UK Notify says that the service of the key in {setting} is archived or suspended ({detail})",
        "Ask the council's manager of that service, or GOV.UK Notify's support, to bring it back.",
    ),
    KeyTrouble.REFUSED: (
        Code.MESSAGE_KEY_REFUSED,
        "GOV.UK Notify refuses the key in {setting} ({detail})",
        "The key was revoked, or is not whole: make a new one of the type Live "
        + KEYS
        + ", and put it into {setting}.",
    ),
}


_LIVE: Final = " (that it is of the type Live, and not Test, GOV.UK Notify shows to people alone)"


def _check_key(facts: MessageFacts, profile: Profile, service: ServiceFacts) -> Check:
    """Check that a key works and belongs to this council: its service has the templates that the profile names."""
    name = f"key of {profile.authority}"
    if service.trouble is not KeyTrouble.NONE:
        code, found, mend = _TROUBLES[service.trouble]
        words = {"setting": service.setting, "detail": service.detail}
        return report_missing(Area.MESSAGES, name, code, found.format(**words), mend.format(**words))
    wanted = {template.lower() for template in profile.messages.templates.values()}
    if wanted & service.templates.keys():
        return report_ok(
            Area.MESSAGES, name, f"{service.setting} opens the service that has the council's templates{_LIVE}"
        )
    found = f"the key in {service.setting} is of another service: none of the templates of {profile.authority} is there"
    whose = ", ".join(sorted(service.same_service))
    opens = [
        facts.services[other].setting for other in facts.services if wanted & facts.services[other].templates.keys()
    ]
    if whose:
        found += f"; it is the service of {whose}"
    own = f"NOTIFY_API_KEY_{profile.authority.upper().replace('-', '_')}"
    mend = f"Put a key of {profile.name}'s own service into {own} ({KEYS})"
    mend += f"; {opens[0]} holds one that opens it." if opens else "; or put the template ids of the profile right."
    return report_missing(Area.MESSAGES, name, Code.MESSAGE_KEY_FOREIGN, found, mend)


def _check_template(service: ServiceFacts, profile: Profile, name: str, id_: str) -> Check:
    title = f"template {name} of {profile.authority}"
    there = service.templates.get(id_.lower())
    if there is None:
        found = f"the council's service has no template {id_}"
        mend = (
            f"Copy the template's id from GOV.UK Notify into `messages.templates.{name}` of {profile.authority}.toml."
        )
        return report_missing(Area.MESSAGES, title, Code.TEMPLATE_MISSING, found, mend)
    if there.type != "email":
        found = f"{id_} is a template for {there.type}"
        mend = f"Name a template of the type email in `messages.templates.{name}` of {profile.authority}.toml."
        return report_missing(Area.MESSAGES, title, Code.TEMPLATE_UNFIT, found, mend)
    unfilled = list_unfilled(there, name)
    if unfilled:
        found = f"it has {_in_brackets(unfilled)}, which nobody fills in: GOV.UK Notify would refuse every message"
        filled = _in_brackets(list_filled_placeholders(name))
        mend = f"Take {_in_brackets(unfilled)} out of the template; {filled} are filled in."
        return report_missing(Area.MESSAGES, title, Code.TEMPLATE_UNFIT, found, mend)
    filled = f", fills {_in_brackets(there.placeholders)}" if there.placeholders else ", fills nothing in"
    return report_ok(Area.MESSAGES, title, f"an e-mail template{filled}")


def list_filled_placeholders(message: str) -> tuple[str, ...]:
    """The placeholders for which we send a value in this message."""
    if message == STAFF_NOTICE:
        return STAFF_PLACEHOLDERS
    return (*PLACEHOLDERS, CHANGE_DATE) if message in ANNOUNCING else PLACEHOLDERS


def list_unfilled(template: FoundTemplate, message: str) -> list[str]:
    """Placeholders for which we send no value. GOV.UK Notify does not mind case, spaces, hyphens and underscores."""
    ours = {_fold_placeholder(name) for name in list_filled_placeholders(message)}
    return [name for name in template.placeholders if _fold_placeholder(name) not in ours]


def _fold_placeholder(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter not in " -_")


def _in_brackets(names: Sequence[str]) -> str:
    return " and ".join(f"(({name}))" for name in names)


def _check_sending(service: ServiceFacts, profile: Profile) -> Check:
    """Check sending with an address that GOV.UK Notify reserves for tests.

    The request is checked and reaches nobody.
    """
    name = f"reply-to address of {profile.authority}"
    ours = profile.messages.reply_to
    match service.sending:
        case Sending.ACCEPTED:
            said = (
                "exists, and a message to nobody is taken"
                if ours
                else "the service's own; a message to nobody is taken"
            )
            return report_ok(Area.MESSAGES, name, said)
        case Sending.UNTRIED:
            return report_unchecked(Area.MESSAGES, name, "there is no template with which to try it")
        case Sending.REPLY_TO:
            found = f"the council's service has no reply-to address {ours}"
            mend = (
                f"Copy its id from GOV.UK Notify (Settings, Reply-to email addresses) into `messages.reply_to` of "
                f"{profile.authority}.toml."
            )
            return report_missing(Area.MESSAGES, name, Code.REPLY_TO_UNKNOWN, found, mend)
        case Sending.RESTRICTED:
            found = "the service is in trial mode, or the key is for the team only: customers cannot be reached"
            mend = f"Ask GOV.UK Notify to make the service live, and use a key of the type Live ({KEYS})."
            return report_missing(Area.MESSAGES, name, Code.SENDING_REFUSED, found, mend)
    word = "refuses" if service.sending is Sending.REFUSED else "did not answer to"
    found = f"GOV.UK Notify {word} a message to nobody ({service.sending_detail})"
    mend = "Look again in a minute; if it stays, check the service's settings at GOV.UK Notify."
    return report_missing(Area.MESSAGES, name, Code.SENDING_REFUSED, found, mend)


def list_telling(profiles: Mapping[Authority, Profile]) -> dict[Authority, Profile]:
    """Return the councils whose customers get messages."""
    return {authority: profile for authority, profile in profiles.items() if profile.messages.templates}
