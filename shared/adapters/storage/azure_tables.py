"""The tables on Azure Table Storage (or Azurite)."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import EdmType, EntityProperty, TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.adapters.storage.store import TRANSACTION_LIMIT, Conflict, Entity, Query, Value, Values, Verb, Write

_PAGE = 1000
_INT32 = range(-(2**31), 2**31)
_CONFLICTS = {"EntityAlreadyExists", "UpdateConditionNotSatisfied", "ConditionNotMet", "ResourceNotFound"}


class AzureTables:
    """A `Store` on a `TableServiceClient`, which belongs to one event loop."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._clients: dict[str, TableClient] = {}

    def _get_table(self, name: str) -> TableClient:
        if name not in self._clients:
            self._clients[name] = self._service.get_table_client(name)
        return self._clients[name]

    async def get(self, table: str, partition: str, row_key: str) -> Entity | None:
        """One entity by its key."""
        try:
            raw = await self._get_table(table).get_entity(partition, row_key)
        except ResourceNotFoundError:
            return None
        return _read_entity(raw)

    async def query(self, table: str, partition: str, query: Query) -> AsyncIterator[Entity]:
        """Entities of a partition, page by page."""
        text, parameters = _make_filter(partition, query)
        found = self._get_table(table).query_entities(
            text,
            parameters=parameters,
            results_per_page=min(query.limit or _PAGE, _PAGE),
            select=["PartitionKey", "RowKey", *query.select] if query.select else None,
        )
        left = query.limit or -1
        async for raw in found:
            yield _read_entity(raw)
            left -= 1
            if left == 0:
                return

    async def write(self, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        """Write in one transaction, or in one plain request if there is only one entity."""
        if len(writes) > TRANSACTION_LIMIT:
            raise ValueError(f"a transaction takes at most {TRANSACTION_LIMIT} entities")
        if len(writes) == 1:
            return [await self._write_one(self._get_table(table), partition, writes[0])]
        try:
            answers = await self._get_table(table).submit_transaction([_make_operation(partition, w) for w in writes])
        except TableTransactionError as error:
            if getattr(error, "error_code", "") in _CONFLICTS:
                raise Conflict(error.index) from None
            raise
        return [str(answer.get("etag", "")) for answer in answers]

    @staticmethod
    async def _write_one(client: TableClient, partition: str, write: Write) -> str:
        entity = _make_raw_entity(partition, write)
        try:
            match write.verb:
                case Verb.INSERT:
                    answer = await client.create_entity(entity)
                case Verb.REPLACE | Verb.MERGE:
                    answer = await client.update_entity(entity, **_make_conditions(write))
                case Verb.PUT:
                    answer = await client.upsert_entity(entity, mode=UpdateMode.REPLACE)
                case Verb.DELETE:
                    await client.delete_entity(partition, write.row_key)
                    return ""
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
            raise Conflict(0) from None
        except HttpResponseError as error:
            if getattr(error, "error_code", "") in _CONFLICTS:
                raise Conflict(0) from None
            raise
        return str(answer["etag"])


def _make_operation(partition: str, write: Write) -> Any:  # noqa: ANN401 - the SDK's union of tuples
    entity = _make_raw_entity(partition, write)
    match write.verb:
        case Verb.INSERT:
            return ("create", entity)
        case Verb.REPLACE | Verb.MERGE:
            return ("update", entity, _make_conditions(write))
        case Verb.PUT:
            return ("upsert", entity, {"mode": UpdateMode.REPLACE})
        case Verb.DELETE:
            return ("delete", entity)


def _make_conditions(write: Write) -> dict[str, Any]:
    """The mode of an update, and the condition that the entity is as it was read."""
    mode = UpdateMode.MERGE if write.verb is Verb.MERGE else UpdateMode.REPLACE
    return {"mode": mode, "etag": write.etag, "match_condition": MatchConditions.IfNotModified}


def _make_raw_entity(partition: str, write: Write) -> dict[str, Value | EntityProperty]:
    values = {column: _mark_integer_size(value) for column, value in write.values.items()}
    return {**values, "PartitionKey": partition, "RowKey": write.row_key}


def _mark_integer_size(value: Value) -> Value | EntityProperty:
    """Mark numbers beyond 32 bits.

    The SDK writes all numbers with 32 bits otherwise, and the size of a file may be larger.
    """
    return value if isinstance(value, str) or value in _INT32 else EntityProperty(value, EdmType.INT64)


def _read_entity(raw: Any) -> Entity:  # noqa: ANN401 - TableEntity is a dict of anything
    # A column that was asked for and is not there comes as None.
    values: Values = {
        column: value.value if isinstance(value, EntityProperty) else value
        for column, value in raw.items()
        if column not in {"PartitionKey", "RowKey"} and value is not None
    }
    return Entity(raw["RowKey"], values, str(raw.metadata["etag"]))


def _make_filter(partition: str, query: Query) -> tuple[str, dict[str, Value]]:
    terms = ["PartitionKey eq @partition"]
    parameters: dict[str, Value] = {"partition": partition}
    if query.prefix:
        terms.append("RowKey ge @start and RowKey lt @end")
        parameters |= {"start": query.prefix, "end": query.prefix[:-1] + chr(ord(query.prefix[-1]) + 1)}
    if query.keys:
        terms.append("RowKey ge @first and RowKey lt @beyond")
        parameters |= {"first": query.keys[0], "beyond": query.keys[1]}
    for number, (column, value) in enumerate(query.equal.items()):
        terms.append(f"{column} eq @equal{number}")
        parameters[f"equal{number}"] = value
    for number, (column, some) in enumerate(query.one_of.items()):
        # The library finds a parameter only between spaces, so brackets may not touch one.
        terms.append("( " + " or ".join(f"{column} eq @one{number}_{n}" for n in range(len(some))) + " )")
        parameters |= {f"one{number}_{n}": value for n, value in enumerate(some)}
    for number, (column, bound) in enumerate(query.at_most.items()):
        terms.append(f"{column} le @most{number}")
        parameters[f"most{number}"] = bound
    return " and ".join(terms), parameters
