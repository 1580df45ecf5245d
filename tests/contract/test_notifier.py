"""The message service: in memory, and by the official client on the stand-in."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from local.standins.notify import rendering, services
from shared.adapters.memory import ManualClock, MemoryNotifier
from shared.adapters.notify import govuk_notify
from shared.errors import AnswerLost, Hold, MigrationError, Stop, Throttled, TryLater
from shared.ports import Letter, Notice, Notifier
from tests.contract.notify import (
    KEYS,
    ONE_ACCOUNT,
    SET_PASSWORD,
    STAFF,
    YARMOUTH_TEMPLATE,
    KeyOf,
    Service,
    message_service,
    notifying_at,
)
from tests.contract.records import SOUTH, YARMOUTH
from tests.contract.standin import GREAT_YARMOUTH, SOUTH_NORFOLK

ADA = Letter(SET_PASSWORD, "ada.o'hara+x@example.org", "Ada", "O'Hara", "m" + "0" * 40)
UNREACHABLE = "perm-fail@simulator.notify"
type Request = Callable[[Notifier], Awaitable[object]]
SEND: Request = lambda notifier: notifier.send(SOUTH_NORFOLK, ADA)  # noqa: E731 - a request by its name
PREVIEW: Request = lambda notifier: notifier.preview(SOUTH_NORFOLK, "set-your-password", "Ada", "Example")  # noqa: E731
FIND: Request = lambda notifier: notifier.find(SOUTH_NORFOLK, ADA.reference)  # noqa: E731 - the same


@dataclass
class Post:
    """The port, and the addresses of what was taken."""

    notifier: Notifier
    taken: Callable[[], list[str]]
    at_once: Callable[[], None] = lambda: None
    """What becomes of a message is known when it is sent."""


@pytest.fixture
async def service(clock: ManualClock) -> AsyncIterator[Service]:
    async with message_service(clock) as found:
        yield found


@pytest.fixture(params=["memory", "standin"])
def post(request: pytest.FixtureRequest, memory: MemoryNotifier) -> Post:
    if request.param == "memory":
        return Post(memory, lambda: [letter.address for letter in memory.sent])
    found: Service = request.getfixturevalue("service")
    return Post(found.notifier, lambda: [message.email_address for message in found.messages], found.at_once)


@pytest.fixture
def memory() -> MemoryNotifier:
    return MemoryNotifier()


# on both


async def test_a_letter_is_found_by_its_reference(post: Post) -> None:
    assert await post.notifier.find(SOUTH_NORFOLK, ADA.reference) is None
    id_ = await post.notifier.send(SOUTH_NORFOLK, ADA)
    assert id_
    assert await post.notifier.find(SOUTH_NORFOLK, ADA.reference) == id_
    assert await post.notifier.find(SOUTH_NORFOLK, ADA.reference[:-1] + "1") is None
    assert await post.notifier.find(SOUTH_NORFOLK, ADA.reference[:-1]) is None
    assert post.taken() == [ADA.address]


async def test_whoever_sends_twice_tells_twice(post: Post) -> None:
    both = [await post.notifier.send(SOUTH_NORFOLK, ADA) for _ in range(2)]
    assert len(set(both)) == 2
    assert await post.notifier.find(SOUTH_NORFOLK, ADA.reference) in both
    assert post.taken() == [ADA.address] * 2


@pytest.mark.parametrize(("given_name", "surname"), [("Ada", ""), ("", "Larter"), ("", ""), ("Zoë", "名前 🙂")])
async def test_a_letter_goes_out_whatever_the_names(post: Post, given_name: str, surname: str) -> None:
    letter = replace(ADA, given_name=given_name, surname=surname)
    assert await post.notifier.send(SOUTH_NORFOLK, letter)
    assert post.taken() == [ADA.address]


async def test_many_letters_at_once_are_told_apart(post: Post) -> None:
    letters = [replace(ADA, address=f"x{n}@example.org", reference=f"m{n}") for n in range(30)]
    sent = await asyncio.gather(*(post.notifier.send(SOUTH_NORFOLK, letter) for letter in letters))
    found = await asyncio.gather(*(post.notifier.find(SOUTH_NORFOLK, letter.reference) for letter in letters))
    assert found == sent
    assert sorted(post.taken()) == sorted(letter.address for letter in letters)


async def test_a_preview_is_for_somebody_and_sends_nothing(post: Post) -> None:
    shown = await post.notifier.preview(SOUTH_NORFOLK, "set-your-password", "Ada", "Example")
    assert shown.subject
    assert "Ada Example" in shown.body
    assert shown.version == 1
    assert await post.notifier.preview(SOUTH_NORFOLK, "set-your-password", "Ada", "Example") == shown
    assert post.taken() == []


NOTICE = Notice(STAFF, "staff@example.org", "South Norfolk Council: done", "All 12 rows.", "n" + "0" * 40)


async def test_a_notice_is_found_by_its_reference_and_is_no_letter(post: Post) -> None:
    letters = len(post.taken())
    id_ = await post.notifier.send_notice(SOUTH_NORFOLK, NOTICE)
    assert await post.notifier.find(SOUTH_NORFOLK, NOTICE.reference) == id_
    await post.notifier.send(SOUTH_NORFOLK, ADA)
    assert await post.notifier.find(SOUTH_NORFOLK, NOTICE.reference) == id_
    assert ADA.address in post.taken()[letters:]


async def test_what_did_not_arrive_is_told_by_its_id(post: Post, memory: MemoryNotifier, clock: ManualClock) -> None:
    memory.unreachable = {UNREACHABLE}
    post.at_once()
    await post.notifier.send(SOUTH_NORFOLK, ADA)
    lost = [await post.notifier.send(SOUTH_NORFOLK, replace(ADA, address=UNREACHABLE)) for _ in range(2)]
    since = clock.now() - timedelta(days=4)
    assert sorted([id_ async for id_ in post.notifier.undelivered(SOUTH_NORFOLK, since)]) == sorted(lost)


# by the official client


async def test_what_did_not_arrive_is_read_page_by_page_and_asked_for_now_and_then(
    service: Service, clock: ManualClock
) -> None:
    async def told(since: datetime) -> set[str]:
        return {id_ async for id_ in service.notifier.undelivered(SOUTH_NORFOLK, since)}

    service.at_once()
    letters = [replace(ADA, address=UNREACHABLE, reference=f"m{n}") for n in range(300)]
    lost = {await service.notifier.send(SOUTH_NORFOLK, letter) for letter in letters}
    since = clock.now() - timedelta(hours=1)
    before = service.requests
    assert await told(since) == await told(since) == lost
    assert service.requests == before + 3
    clock.tick(timedelta(seconds=20))
    assert await told(datetime(2100, 1, 1, tzinfo=UTC)) == set()
    assert service.requests == before + 4


async def test_what_did_not_arrive_is_for_later_without_an_answer(service: Service, clock: ManualClock) -> None:
    service.fault("error-500-before-store", on="any")
    with pytest.raises(TryLater):
        [id_ async for id_ in service.notifier.undelivered(SOUTH_NORFOLK, clock.now())]


@pytest.mark.parametrize("template", ["account-is-changing", "accounts-become-one"])
async def test_an_announcement_names_the_day(service: Service, template: str) -> None:
    [known] = [each for each in service.notify.templates.of("south-norfolk") if each.name == template]
    day = "Tuesday 1 December 2026"
    await service.notifier.send(SOUTH_NORFOLK, replace(ADA, template=str(known.id), change_date=day))
    [message] = service.messages
    assert message.subject.endswith(f"on {day}")
    assert f"From {day}, go to https://www.south-norfolk.example.org/account" in rendering.strip_escapes(message.body)
    profile = SOUTH_NORFOLK.model_copy(
        update={"messages": SOUTH_NORFOLK.messages.model_copy(update={"templates": {template: str(known.id)}})}
    )
    assert (await service.notifier.preview(profile, template, "Ada", "Example")).version == 1


async def test_a_preview_says_which_version_it_is(service: Service) -> None:
    template = service.notify.templates.of("south-norfolk")[0]
    for each in service.notify.templates.of("south-norfolk"):
        changed = each.model_copy(update={"version": 7, "body": "Dear ((first_name)), <b>hello</b> ((last_name))"})
        service.notify.templates._templates[each.id] = changed  # noqa: SLF001 - a person edits it
    shown = await service.notifier.preview(SOUTH_NORFOLK, "set-your-password", "Ada", "Example")
    assert (shown.version, shown.body) == (7, "Dear Ada, <b>hello</b> Example")
    assert template.version == 1


@pytest.mark.parametrize("template", [ONE_ACCOUNT[:-1] + "9", YARMOUTH_TEMPLATE, "not-a-template"])
async def test_a_template_that_the_service_does_not_have_cannot_be_shown(service: Service, template: str) -> None:
    messages = SOUTH_NORFOLK.messages.model_copy(update={"templates": {"set-your-password": template}})
    with pytest.raises(Stop) as caught:
        await service.notifier.preview(
            SOUTH_NORFOLK.model_copy(update={"messages": messages}), "set-your-password", "Ada", "Example"
        )
    assert caught.value.reason == "message_template_refused"


async def test_a_preview_without_an_answer_is_for_later(clock: ManualClock) -> None:
    async with message_service(clock) as gone:
        address = gone.address
    with notifying_at(address, clock, KEYS.get) as notifier, pytest.raises(TryLater):
        await PREVIEW(notifier)


async def test_staff_read_our_own_words(service: Service) -> None:
    await service.notifier.send_notice(SOUTH_NORFOLK, NOTICE)
    [message] = service.messages
    assert (message.email_address, message.subject) == (NOTICE.address, NOTICE.subject)
    assert NOTICE.text in message.body


async def test_a_notice_that_is_throttled_was_not_sent(service: Service) -> None:
    service.fault("rate-limited", count=1)
    with pytest.raises(Throttled):
        await service.notifier.send_notice(SOUTH_NORFOLK, NOTICE)
    assert service.messages == []


async def test_the_customer_is_called_by_name(service: Service) -> None:
    await service.notifier.send(SOUTH_NORFOLK, ADA)
    await service.notifier.send(SOUTH_NORFOLK, replace(ADA, given_name="", surname=""))
    named, nameless = (rendering.strip_escapes(message.body) for message in service.messages)
    assert "Dear Ada O'Hara," in named
    assert "Dear customer ," in nameless
    assert [message.template_id for message in service.messages] == [SET_PASSWORD] * 2


@pytest.mark.parametrize("name", ["[click here](https://evil.example)", "https://evil.example", "www.evil.example"])
@pytest.mark.parametrize("part", ["given_name", "surname"])
async def test_nobodys_name_becomes_a_link(service: Service, name: str, part: str) -> None:
    await service.notifier.send(SOUTH_NORFOLK, replace(ADA, **{part: name}))
    [message] = service.messages
    assert "evil.example" not in rendering.to_html(message.body).split("href", 1)[0].replace("\\", "")
    assert 'href="https://evil' not in rendering.to_html(message.body)
    assert "evil" not in message.subject


async def test_each_council_writes_with_its_own_key(service: Service) -> None:
    await service.notifier.send(SOUTH_NORFOLK, ADA)
    await service.notifier.send(GREAT_YARMOUTH, replace(ADA, template=YARMOUTH_TEMPLATE))
    assert [message.service for message in service.messages] == ["south-norfolk", "great-yarmouth"]
    both = [await service.notifier.find(profile, ADA.reference) for profile in (SOUTH_NORFOLK, GREAT_YARMOUTH)]
    assert both == [message.id for message in service.messages]


async def test_the_reply_goes_where_the_profile_says(service: Service) -> None:
    def replying_to(id_: str) -> Awaitable[str]:
        messages = SOUTH_NORFOLK.messages.model_copy(update={"reply_to": id_})
        return service.notifier.send(SOUTH_NORFOLK.model_copy(update={"messages": messages}), ADA)

    assert await replying_to(services.SOUTH_NORFOLK.reply_to_id)
    with pytest.raises(Stop) as caught:
        await replying_to(services.GREAT_YARMOUTH.reply_to_id)
    assert caught.value.reason == "message_service_refused"


# refused


@pytest.mark.parametrize("address", ["nobody", "a b@example.org", "ada@example", "a..b@example.org", ""])
async def test_an_address_that_the_service_refuses_holds_the_account(service: Service, address: str) -> None:
    with pytest.raises(Hold) as caught:
        await service.notifier.send(SOUTH_NORFOLK, replace(ADA, address=address))
    assert caught.value.reason == "address_refused"
    assert service.messages == []


@pytest.mark.parametrize("template", [ONE_ACCOUNT[:-1] + "9", YARMOUTH_TEMPLATE, "not-a-template"])
async def test_a_template_that_the_service_does_not_have_stops(service: Service, template: str) -> None:
    with pytest.raises(Stop) as caught:
        await service.notifier.send(SOUTH_NORFOLK, replace(ADA, template=template))
    assert caught.value.reason == "message_template_refused"


async def test_a_template_that_asks_for_more_than_we_say_stops(service: Service) -> None:
    template = service.notify.templates.of("south-norfolk")[0]
    service.notify.templates._templates[template.id] = template.model_copy(update={"body": "Dear ((title))"})  # noqa: SLF001 - a person edits it
    with pytest.raises(Stop) as caught:
        await service.notifier.send(SOUTH_NORFOLK, replace(ADA, template=str(template.id)))
    assert caught.value.reason == "message_template_refused"


@pytest.mark.parametrize("request_", [SEND, FIND, PREVIEW])
@pytest.mark.parametrize("kind", ["suspended", "clock-wrong"])
async def test_a_service_that_lets_nobody_in_stops(service: Service, kind: str, request_: Request) -> None:
    service.fault(kind, on="any")
    assert await stopped(service.notifier, request_) == "message_service_refused"
    assert service.requests == 1


async def test_a_service_in_trial_stops(service: Service) -> None:
    service.change(trial_mode=True)
    assert await stopped(service.notifier, SEND) == "message_service_refused"


async def stopped(notifier: Notifier, request: Request) -> str:
    with pytest.raises(Stop) as caught:
        await request(notifier)
    return caught.value.reason


def no_key(_: str) -> str | None:
    return None


def empty_key(_: str) -> str | None:
    return ""


def cut_key(_: str) -> str | None:
    return KEYS[SOUTH][-30:]


def wrong_key(_: str) -> str | None:
    return KEYS[SOUTH][:-1] + "9"


def key_of_another(_: str) -> str | None:
    return "x-00000000-0000-4000-8000-000000005009-" + KEYS[SOUTH][-36:]


@pytest.mark.parametrize("request_", [SEND, FIND, PREVIEW])
@pytest.mark.parametrize("key_of", [no_key, empty_key, cut_key, wrong_key, key_of_another])
async def test_without_a_good_key_it_stops(clock: ManualClock, request_: Request, key_of: KeyOf) -> None:
    async with message_service(clock, key_of) as service:
        assert await stopped(service.notifier, request_) == "message_service_refused"
        assert service.messages == []


async def test_the_key_of_another_council_is_not_used(clock: ManualClock) -> None:
    async with message_service(clock, {YARMOUTH: KEYS[YARMOUTH]}.get) as service:
        assert await stopped(service.notifier, SEND) == "message_service_refused"
        assert service.requests == 0


# throttled


@pytest.mark.parametrize(
    ("kind", "wait"), [("rate-limited", timedelta(seconds=10)), ("daily-limit", timedelta(hours=2, minutes=30))]
)
async def test_while_a_council_is_throttled_nobody_asks_for_it(service: Service, kind: str, wait: timedelta) -> None:
    clock = ManualClock(datetime(2026, 3, 31, 21, 30, tzinfo=UTC))
    with notifying_at(service.address, clock, KEYS.get) as notifier:
        service.fault(kind, count=1)
        with pytest.raises(Throttled) as caught:
            await SEND(notifier)
        assert caught.value.after == wait
        clock.tick(wait - timedelta(seconds=1))
        for request in (SEND, FIND):
            with pytest.raises(Throttled) as caught:
                await request(notifier)
            assert caught.value.after == timedelta(seconds=1)
        assert service.requests == 1
        assert await notifier.send(GREAT_YARMOUTH, replace(ADA, template=YARMOUTH_TEMPLATE))
        clock.tick(timedelta(seconds=1))
        assert await SEND(notifier)


async def test_the_services_own_limits_are_known_apart(service: Service, clock: ManualClock) -> None:
    service.change(daily_limit=1)
    await SEND(service.notifier)
    with pytest.raises(Throttled) as caught:
        await SEND(service.notifier)
    assert caught.value.after == timedelta(hours=15)
    with notifying_at(service.address, clock, KEYS.get) as another:
        service.change(daily_limit=100, rate_limit=1)
        errors = await asyncio.gather(*(another.send(SOUTH_NORFOLK, ADA) for _ in range(8)), return_exceptions=True)
        waits = {error.after for error in errors if isinstance(error, Throttled)}
        assert waits
        assert all(wait is not None and wait <= timedelta(seconds=10) for wait in waits)


# no answer

AFTER = ("error-500-after-store", "drop-after-store", "hang-after-store")
BEFORE = ("error-500-before-store", "drop-before-store", "hang", "bad-gateway")


@pytest.mark.parametrize("kind", [*BEFORE, *AFTER])
async def test_a_letter_without_an_answer_is_in_doubt_and_was_sent_once(
    service: Service, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(govuk_notify, "TIMEOUT", 0.3)
    service.fault(kind, count=1)
    with pytest.raises(AnswerLost):
        await SEND(service.notifier)
    assert len(service.messages) == (1 if kind in AFTER else 0)
    found = await service.notifier.find(SOUTH_NORFOLK, ADA.reference)
    assert found == (service.messages[0].id if kind in AFTER else None)


@pytest.mark.parametrize("kind", BEFORE)
async def test_a_look_up_without_an_answer_is_for_later(
    service: Service, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(govuk_notify, "TIMEOUT", 0.3)
    service.fault(kind, on="lookup")
    with pytest.raises(TryLater) as caught:
        await FIND(service.notifier)
    assert (type(caught.value), caught.value.cause) == (TryLater, "message_service_unreachable")


@pytest.mark.parametrize(("request_", "meaning"), [(SEND, AnswerLost), (FIND, TryLater)])
async def test_a_service_that_is_away(clock: ManualClock, request_: Request, meaning: type[MigrationError]) -> None:
    async with message_service(clock) as gone:
        address = gone.address
    with notifying_at(address, clock, KEYS.get) as notifier, pytest.raises(meaning):
        await request_(notifier)
