"""The calls of the pipeline without the pipeline: the same requests on entities of the same size, nothing decided.

Azure's and Microsoft's client libraries are used as their documentation shows, with as much in flight as the host has.
"""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient
from notifications_python_client.notifications import NotificationsAPIClient

from bench import kit
from bench.baseline import graph_client, new_user
from local.stack import TENANT, Stack
from local.standins.notify import services

BATCH, THRESHOLD = 16, 8
"""As in host.json: at most 24 messages of a queue are processed at the same time."""
LEASE: Final = 600
FEEDERS: Final = 16
AT_ONCE: Final = 50
"""Accounts that the feeder saves in one transaction."""
THREADS: Final = 8

type Entity = dict[str, Any]
type Work = Callable[[int], Awaitable[None]]


@dataclass
class Took:
    """Seconds of a part, from its first account to its last."""

    ends: list[float] = field(default_factory=list)

    def note(self) -> None:
        """Record that one more account has ended this part."""
        self.ends.append(time.monotonic())

    @property
    def seconds(self) -> float:
        """From the first to the last."""
        return max(self.ends) - min(self.ends)


@dataclass(frozen=True)
class Sizes:
    """The entities that the app left in its tables, as a measure for the entities of the replay."""

    accounts: Sequence[Entity]
    rows: Sequence[Entity]


class Replay:
    """All requests to storage, directory and message service for this number of new accounts."""

    def __init__(self, stack: Stack, template: str, sizes: Sizes) -> None:
        connection = stack.storage.connection_string
        self._tables = TableServiceClient.from_connection_string(connection)
        self._queues = QueueServiceClient.from_connection_string(connection)
        self._graph: Any = graph_client(f"{stack.directory.url}/v1.0")
        client: Any = NotificationsAPIClient  # it has no types
        self._notify = client(str(services.SOUTH_NORFOLK_LIVE_KEY), base_url=stack.notify.url)
        self._pool = ThreadPoolExecutor(THREADS)
        self._template = template
        self._sizes = sizes

    async def run(self) -> tuple[float, float]:
        """Seconds of comparing all accounts, and of creating and telling them all."""
        self._accounts = await self._create_table("ReplayAccounts")
        self._rows = await self._create_table("ReplayRows")
        self._queue = {name: await self._make_queue(f"replay-{name}") for name in ("classify", "provision", "notify")}
        await self._stage_entities()
        try:
            return await self._classify_all(), await self._move_all()
        finally:
            self._pool.shutdown()
            for closing in (self._tables, self._queues):
                await closing.close()

    async def _create_table(self, name: str) -> TableClient:
        return await self._tables.create_table(name)

    async def _make_queue(self, name: str) -> QueueClient:
        return await self._queues.create_queue(name)

    async def _stage_entities(self) -> None:
        """Write the entities. This is not timed, and neither is the staging of the app."""
        for table, entities in ((self._accounts, self._sizes.accounts), (self._rows, self._sizes.rows)):
            by_partition: dict[str, list[Entity]] = {}
            for entity in entities:
                by_partition.setdefault(entity["PartitionKey"], []).append(entity)
            for own in by_partition.values():
                for batch in batched(own, 100, strict=False):
                    await table.submit_transaction([("upsert", entity) for entity in batch])

    async def _classify_all(self) -> float:
        took = Took()

        async def classify_account(number: int) -> None:
            await self._read_entities(number)
            _, address, _, _ = kit.make_person(self._get_person_number(number))
            await self._find_users(f"identities/any(c:c/issuerAssignedId eq '{address}' and c/issuer eq '{TENANT}')")
            await self._find_users(f"otherMails/any(x:x eq '{address}')")
            await self._save_account(number)
            took.note()

        await asyncio.gather(self._feed_queue("classify"), self._drain_queue("classify", classify_account))
        return took.seconds

    async def _move_all(self) -> float:
        told = Took()

        async def provision_account(number: int) -> None:
            await self._read_entities(number)
            created = await self._graph.users.post(new_user(self._get_person_number(number)))
            await self._graph.users.by_user_id(created.id).get(self._select_columns())
            await self._save_account(number)
            await self._put_message("notify", number)

        async def notify(number: int) -> None:
            await self._read_entities(number)
            await self._save_account(number)
            await asyncio.get_running_loop().run_in_executor(self._pool, self._send_email, number)
            await self._save_account(number)
            told.note()

        told.note()
        await asyncio.gather(
            self._feed_queue("provision"),
            self._drain_queue("provision", provision_account),
            self._drain_queue("notify", notify),
        )
        return told.seconds

    def _get_person_number(self, number: int) -> int:
        """Return the number of a person whom the directory does not know yet."""
        return len(self._sizes.accounts) + number

    async def _read_entities(self, number: int) -> None:
        account, row = self._sizes.accounts[number], self._sizes.rows[number]
        account["etag"] = (await self._accounts.get_entity(account["PartitionKey"], account["RowKey"])).metadata["etag"]
        await self._rows.get_entity(row["PartitionKey"], row["RowKey"])

    async def _save_account(self, number: int) -> None:
        account = self._sizes.accounts[number]
        entity = {key: value for key, value in account.items() if key != "etag"}
        condition = {
            "mode": UpdateMode.REPLACE,
            "etag": account["etag"],
            "match_condition": MatchConditions.IfNotModified,
        }
        account["etag"] = (await self._accounts.update_entity(entity, **condition))["etag"]

    async def _feed_queue(self, queue: str) -> None:
        """Release all accounts like the timer: save them by the hundred, then send them one by one."""
        numbers = range(len(self._sizes.accounts))
        by_partition: dict[str, list[int]] = {}
        for number in numbers:
            by_partition.setdefault(self._sizes.accounts[number]["PartitionKey"], []).append(number)
        for own in by_partition.values():
            for batch in batched(own, AT_ONCE, strict=False):
                writes = [
                    ("upsert", {k: v for k, v in entity.items() if k != "etag"}, {"mode": UpdateMode.REPLACE})
                    for entity in (self._sizes.accounts[number] for number in batch)
                ]
                await self._accounts.submit_transaction(writes)
        gate = asyncio.Semaphore(FEEDERS)

        async def put(number: int) -> None:
            async with gate:
                await self._put_message(queue, number)

        await asyncio.gather(*(put(number) for number in numbers))

    async def _put_message(self, queue: str, number: int) -> None:
        account = self._sizes.accounts[number]["RowKey"].removeprefix("account|")
        body = {"v": 1, "kind": f"{queue}-account", "authority": "south-norfolk", "account": account, "release": number}
        text = base64.b64encode(json.dumps(body).encode()).decode()
        await self._queue[queue].send_message(text, time_to_live=-1)

    async def _drain_queue(self, queue: str, work: Work) -> None:
        """Take every message there will be, up to 24 at a time, and delete it when its work is done."""
        client = self._queue[queue]

        async def handle(message: Any) -> None:  # noqa: ANN401 - the SDK's message
            await work(json.loads(base64.b64decode(message.content))["release"])
            await client.delete_message(message.id, message.pop_receipt)

        left, running = len(self._sizes.accounts), set[asyncio.Task[None]]()
        while left:
            pages = client.receive_messages(messages_per_page=BATCH, visibility_timeout=LEASE).by_page()
            messages = await _read_first_page(pages)
            left -= len(messages)
            running |= {asyncio.create_task(handle(message)) for message in messages}
            if not messages:
                await asyncio.sleep(0.1)
            while len(running) > (THRESHOLD if left else 0):
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()

    async def _find_users(self, condition: str) -> None:
        from kiota_abstractions.base_request_configuration import RequestConfiguration  # noqa: PLC0415
        from msgraph.generated.users.users_request_builder import UsersRequestBuilder  # noqa: PLC0415

        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(filter=condition, select=self._list_columns())
        await self._graph.users.get(RequestConfiguration(query_parameters=query))

    def _select_columns(self) -> Any:  # noqa: ANN401 - the SDK's generic configuration
        from kiota_abstractions.base_request_configuration import RequestConfiguration  # noqa: PLC0415
        from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder  # noqa: PLC0415

        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=self._list_columns())
        return RequestConfiguration(query_parameters=query)

    @staticmethod
    def _list_columns() -> list[str]:
        return [
            *("id", "displayName", "givenName", "surname", "identities", "otherMails", "accountEnabled"),
            *("createdDateTime", "lastPasswordChangeDateTime"),
        ]

    def _send_email(self, number: int) -> None:
        _, address, given, surname = kit.make_person(self._get_person_number(number))
        self._notify.send_email_notification(
            email_address=address,
            template_id=self._template,
            personalisation={"first_name": given, "last_name": surname},
            reference=f"replay-{number}",
        )


async def _read_first_page(pages: AsyncIterator[AsyncIterator[Any]]) -> list[Any]:
    """Return the messages of one request, or none if the queue is empty."""
    async for page in pages:
        return [message async for message in page]
    return []
