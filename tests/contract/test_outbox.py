"""The queues: in memory and on an emulated storage account."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from shared import names
from shared.adapters.memory import ManualClock, MemoryOutbox, Queued
from shared.adapters.storage.clients import Storage
from shared.adapters.storage.queue_outbox import PEEK_LIMIT, QueueOutbox
from shared.model.messages import AccountMessage, Message, ReceiveExport, StageRows, decode_message
from shared.ports import Outbox
from tests.contract.conftest import ON_BOTH
from tests.contract.records import MIGRATION, SOUTH, account_id

UPLOAD = ReceiveExport(blob="south-norfolk/Zoë 'x'.csv")
PIECE = StageRows(authority=SOUTH, migration=MIGRATION, piece=3)
EACH: tuple[Message, ...] = (
    UPLOAD,
    PIECE,
    AccountMessage(kind="classify-account", authority=SOUTH, account=account_id(1), release=1),
    AccountMessage(kind="provision-account", authority=SOUTH, account=account_id(2), release=2),
    AccountMessage(kind="notify-customer", authority=SOUTH, account=account_id(3), release=3),
)
EVENT = b"""{"topic": "t", "subject": "/blobServices/default/containers/exports/blobs/south-norfolk/portal.csv",
"eventType": "Microsoft.Storage.BlobCreated", "id": "1", "data": {}, "eventTime": "2026-03-02T09:00:00Z"}"""


@dataclass
class Queues:
    """The port, what can be received from a queue now, and how the host moves a message to poison."""

    outbox: Outbox
    visible: Callable[[str], Awaitable[list[bytes]]]
    to_poison: Callable[[str, bytes], Awaitable[None]]


def in_memory(clock: ManualClock) -> Queues:
    outbox = MemoryOutbox(clock)

    async def visible(queue: str) -> list[bytes]:
        return [item.body for item in outbox.queues[queue] if item.visible_at <= clock.now()]

    async def to_poison(queue: str, body: bytes) -> None:
        number = len(outbox.poison[queue])
        outbox.poison[queue].append(Queued(f"p{number}", body, clock.now()))

    return Queues(outbox, visible, to_poison)


def on_azurite(storage: Storage) -> Queues:
    async def visible(queue: str) -> list[bytes]:
        found = await storage.queues.get_queue_client(queue).peek_messages(32)
        return [base64.b64decode(message.content, validate=True) for message in found]

    async def to_poison(queue: str, body: bytes) -> None:
        await poison(storage, queue, base64.b64encode(body).decode())

    return Queues(QueueOutbox(storage.queues), visible, to_poison)


async def poison(storage: Storage, queue: str, text: str) -> None:
    """As the host does: the queue is made when it is first needed."""
    client = storage.queues.get_queue_client(names.poison_of(queue))
    if client.queue_name not in [each.name async for each in storage.queues.list_queues()]:
        await client.create_queue()
    await client.send_message(text)


@pytest.fixture(params=ON_BOTH)
def queues(request: pytest.FixtureRequest) -> Queues:
    if request.param == "memory":
        return in_memory(request.getfixturevalue("clock"))
    return on_azurite(request.getfixturevalue("storage"))


def body_of(message: Message) -> bytes:
    return message.model_dump_json().encode()


@pytest.mark.parametrize("message", EACH)
async def test_a_message_goes_to_the_queue_of_its_kind(queues: Queues, message: Message) -> None:
    await queues.outbox.send(message)
    assert {queue: await queues.outbox.depth(queue) for queue in names.QUEUES} == {
        queue: int(queue == message.kind) for queue in names.QUEUES
    }
    assert [decode_message(body) for body in await queues.visible(message.kind)] == [message]


async def test_a_delayed_message_is_counted_and_not_seen_yet(queues: Queues) -> None:
    await queues.outbox.send(PIECE, timedelta(seconds=0.4))
    await queues.outbox.send(PIECE, timedelta(days=6))
    await queues.outbox.send(PIECE)
    assert len(await queues.visible(names.STAGE_ROWS)) == 1
    assert await queues.outbox.depth(names.STAGE_ROWS) == 3


async def test_a_poison_queue_that_nobody_needed_yet_is_empty(queues: Queues) -> None:
    for queue in names.QUEUES:
        assert await queues.outbox.depth(names.poison_of(queue)) == 0
        assert await queues.outbox.poisoned(queue) == []
        assert await queues.outbox.take_poison(queue, frozenset(["x"])) == 0


async def test_poison_is_looked_at_and_stays(queues: Queues) -> None:
    for message in EACH:
        await queues.to_poison(message.kind, body_of(message))
    for _ in range(2):
        for message in EACH:
            [found] = await queues.outbox.poisoned(message.kind)
            assert (found.queue, found.message) == (message.kind, message)
            assert await queues.outbox.depth(names.poison_of(message.kind)) == 1


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"{}", b"\xff\xfe", b'{"kind": "stage-rows", "v": 2}', b"[1]", b"null"]
)
async def test_a_text_that_this_app_did_not_write_has_no_message(queues: Queues, body: bytes) -> None:
    for queue in (names.RECEIVE_EXPORT, names.NOTIFY_CUSTOMER):
        await queues.to_poison(queue, body)
        assert [item.message for item in await queues.outbox.poisoned(queue)] == [None]


async def test_an_event_in_the_poison_of_uploads_is_an_upload(queues: Queues) -> None:
    await queues.to_poison(names.RECEIVE_EXPORT, EVENT)
    [found] = await queues.outbox.poisoned(names.RECEIVE_EXPORT)
    assert found.message == ReceiveExport(blob="south-norfolk/portal.csv")


@pytest.mark.parametrize("number", [3, PEEK_LIMIT, PEEK_LIMIT + 8])
async def test_poison_is_seen_whole_and_taken_by_its_ids(queues: Queues, number: int) -> None:
    for piece in range(number):
        message = StageRows(authority=SOUTH, migration=MIGRATION, piece=piece)
        await queues.to_poison(names.STAGE_ROWS, body_of(message))
    for _ in range(2):
        found = await queues.outbox.poisoned(names.STAGE_ROWS)
        assert sorted(item.message.piece for item in found if isinstance(item.message, StageRows)) == [*range(number)]
    odd = frozenset(item.id for item in found if isinstance(item.message, StageRows) and item.message.piece % 2)
    assert await queues.outbox.take_poison(names.STAGE_ROWS, odd | {"unknown"}) == len(odd)
    assert await queues.outbox.take_poison(names.STAGE_ROWS, odd) == 0
    left = await queues.outbox.poisoned(names.STAGE_ROWS)
    assert {item.id for item in left} == {item.id for item in found} - odd
    assert await queues.outbox.depth(names.poison_of(names.STAGE_ROWS)) == number - len(odd)


async def test_a_glance_at_poison_shows_some_and_hides_none(queues: Queues) -> None:
    for _ in range(PEEK_LIMIT + 1):
        await queues.to_poison(names.STAGE_ROWS, body_of(PIECE))
    glanced = await queues.outbox.poisoned(names.STAGE_ROWS, peek=True)
    assert len(glanced) >= PEEK_LIMIT
    assert {item.message for item in glanced} == {PIECE}
    assert len(await queues.outbox.poisoned(names.STAGE_ROWS)) == PEEK_LIMIT + 1


@pytest.mark.azurite
async def test_a_message_is_base64_and_never_expires(storage: Storage) -> None:
    await QueueOutbox(storage.queues).send(UPLOAD)
    [message] = await storage.queues.get_queue_client(names.RECEIVE_EXPORT).peek_messages()
    assert base64.b64decode(message.content, validate=True) == body_of(UPLOAD)
    assert message.expires_on is not None
    assert message.expires_on > datetime.now(UTC) + timedelta(days=365 * 50)


@pytest.mark.azurite
@pytest.mark.parametrize("text", ["not base64", "<b>", "{}", '{"v": 1}', "Zoë", "====", "a b"])
async def test_a_text_that_is_not_base64_has_no_message(storage: Storage, text: str) -> None:
    await poison(storage, names.NOTIFY_CUSTOMER, text)
    outbox = QueueOutbox(storage.queues)
    [found] = await outbox.poisoned(names.NOTIFY_CUSTOMER)
    assert found.message is None
    assert await outbox.take_poison(names.NOTIFY_CUSTOMER, frozenset([found.id])) == 1


async def test_the_oldest_message_that_can_be_taken_tells_when_it_came(queues: Queues) -> None:
    assert await queues.outbox.oldest(names.STAGE_ROWS) is None
    await queues.outbox.send(PIECE, timedelta(days=1))
    assert await queues.outbox.oldest(names.STAGE_ROWS) is None
    await queues.outbox.send(PIECE)
    first = await queues.outbox.oldest(names.STAGE_ROWS)
    await queues.outbox.send(PIECE)
    assert first is not None
    assert first.utcoffset() == timedelta(0)
    assert await queues.outbox.oldest(names.STAGE_ROWS) == first
    assert len(await queues.visible(names.STAGE_ROWS)) == 2


async def test_poison_has_an_age_too(queues: Queues) -> None:
    poison = names.poison_of(names.NOTIFY_CUSTOMER)
    assert await queues.outbox.oldest(poison) is None
    await queues.to_poison(names.NOTIFY_CUSTOMER, b"not ours")
    assert await queues.outbox.oldest(poison) is not None
    assert await queues.outbox.oldest(names.NOTIFY_CUSTOMER) is None
