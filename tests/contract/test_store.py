"""What the ledger needs of a table service."""

import pytest

from shared import names
from shared.adapters.storage.store import TRANSACTION_LIMIT, Conflict, Query, Store, Value, Values, Verb, Write
from tests.contract.records import ODD

TABLE = names.ACCOUNTS
HERE = "south-norfolk|0"
KEY = "account|a00"


async def put(store: Store, row_key: str = KEY, partition: str = HERE, **values: Value) -> str:
    [etag] = await store.write(TABLE, partition, [Write(Verb.PUT, row_key, values)])
    return etag


async def values_of(store: Store, row_key: str = KEY) -> Values | None:
    entity = await store.get(TABLE, HERE, row_key)
    return entity.values if entity else None


async def keys(store: Store, query: Query, partition: str = HERE) -> list[str]:
    return [entity.row_key async for entity in store.query(TABLE, partition, query)]


async def test_nothing_is_there_at_first(store: Store) -> None:
    assert await store.get(TABLE, HERE, KEY) is None
    assert await keys(store, Query()) == []


async def test_what_is_written_is_read_again_with_the_etag_that_the_write_gave(store: Store) -> None:
    etag = await put(store, state="staged", waiting=True)
    entity = await store.get(TABLE, HERE, KEY)
    assert entity
    assert (entity.row_key, entity.values, entity.etag) == (KEY, {"state": "staged", "waiting": True}, etag)


async def test_a_query_gives_the_same_etags_as_a_point_read(store: Store) -> None:
    etag = await put(store)
    assert [entity.etag async for entity in store.query(TABLE, HERE, Query(prefix="account|"))] == [etag]
    assert [entity.etag async for entity in store.query(TABLE, HERE, Query(select=("state",)))] == [etag]


TEXTS = ("", ODD, "2024-01-02", "2024-01-02T00:00:00.000000Z", "00000000-0000-4000-8000-00000000ABCD", "0012", "true")
QUOTES = ("'", "''", '"', "x" * 32_000)
NUMBERS = (0, -1, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, -(2**63))


@pytest.mark.parametrize("value", [*TEXTS, *QUOTES, *NUMBERS, True, False])
async def test_a_value_survives_with_its_type(store: Store, value: Value) -> None:
    await store.write(TABLE, HERE, [Write(Verb.INSERT, KEY, {"alone": value})])
    await store.write(TABLE, HERE, [Write(Verb.PUT, "x", {"v": value}), Write(Verb.PUT, "y", {"v": value})])
    found = [await values_of(store, key) for key in (KEY, "x", "y")]
    assert found == [{"alone": value}, {"v": value}, {"v": value}]
    assert [type(each) for values in found for each in (values or {}).values()] == [type(value)] * 3


@pytest.mark.parametrize("row_key", ["a|b|000001", "a-b_c.d", "o'hara", "a b", "ä", "a+b", "A", "a&b=c", "(x,y)"])
async def test_keys_are_found_as_they_were_written(store: Store, row_key: str) -> None:
    await put(store, row_key, partition="o'hara|a|0", state="staged")
    entity = await store.get(TABLE, "o'hara|a|0", row_key)
    assert entity
    assert entity.row_key == row_key
    assert await keys(store, Query(prefix=row_key), "o'hara|a|0") == [row_key]


async def test_partitions_and_tables_do_not_see_each_other(store: Store) -> None:
    await put(store, state="staged")
    assert await store.get(TABLE, "south-norfolk|1", KEY) is None
    assert await store.get(names.ROWS, HERE, KEY) is None
    assert await keys(store, Query(), "south-norfolk|1") == []


async def test_an_insert_finds_the_entity_there(store: Store) -> None:
    await put(store, state="first")
    with pytest.raises(Conflict) as caught:
        await store.write(TABLE, HERE, [Write(Verb.INSERT, KEY, {"state": "second"})])
    assert caught.value.index == 0
    assert await values_of(store) == {"state": "first"}


async def test_a_replace_with_the_current_etag_leaves_no_old_column_and_gives_a_new_etag(store: Store) -> None:
    etag = await put(store, state="first", reason="old")
    [fresh] = await store.write(TABLE, HERE, [Write(Verb.REPLACE, KEY, {"state": "second"}, etag)])
    assert fresh != etag
    assert await values_of(store) == {"state": "second"}
    await store.write(TABLE, HERE, [Write(Verb.REPLACE, KEY, {"state": "third"}, fresh)])
    assert await values_of(store) == {"state": "third"}


async def test_a_replace_with_an_old_etag_writes_nothing(store: Store) -> None:
    old = await put(store, state="first")
    await put(store, state="second")
    with pytest.raises(Conflict) as caught:
        await store.write(TABLE, HERE, [Write(Verb.REPLACE, KEY, {"state": "third"}, old)])
    assert caught.value.index == 0
    assert await values_of(store) == {"state": "second"}


async def test_a_replace_of_what_is_gone_is_a_conflict(store: Store) -> None:
    etag = await put(store, state="first")
    await store.write(TABLE, HERE, [Write(Verb.DELETE, KEY)])
    with pytest.raises(Conflict):
        await store.write(TABLE, HERE, [Write(Verb.REPLACE, KEY, {"state": "second"}, etag)])
    with pytest.raises(Conflict) as caught:
        await store.write(TABLE, HERE, [Write(Verb.PUT, "x"), Write(Verb.REPLACE, KEY, {}, etag)])
    assert caught.value.index == 1
    assert await keys(store, Query()) == []


async def test_an_entity_that_was_deleted_and_made_anew_has_another_etag(store: Store) -> None:
    etag = await put(store, state="first")
    await store.write(TABLE, HERE, [Write(Verb.DELETE, KEY)])
    await store.write(TABLE, HERE, [Write(Verb.INSERT, KEY, {"state": "second"})])
    with pytest.raises(Conflict):
        await store.write(TABLE, HERE, [Write(Verb.REPLACE, KEY, {"state": "third"}, etag)])


async def test_a_put_leaves_no_old_column(store: Store) -> None:
    await put(store, state="first", reason="old")
    await put(store, state="second")
    assert await values_of(store) == {"state": "second"}


async def test_a_delete_removes_whatever_is_there(store: Store) -> None:
    await put(store)
    await store.write(TABLE, HERE, [Write(Verb.DELETE, KEY)])
    await store.write(TABLE, HERE, [Write(Verb.DELETE, KEY)])
    assert await values_of(store) is None


async def test_a_transaction_writes_all_and_tells_each_etag(store: Store) -> None:
    old = await put(store, "replaced", state="old")
    await put(store, "deleted")
    etags = await store.write(
        TABLE,
        HERE,
        [
            Write(Verb.INSERT, "inserted", {"state": "new"}),
            Write(Verb.REPLACE, "replaced", {"state": "new"}, old),
            Write(Verb.PUT, "put", {"state": "new"}),
            Write(Verb.DELETE, "deleted"),
        ],
    )
    found = {entity.row_key: entity async for entity in store.query(TABLE, HERE, Query())}
    assert sorted(found) == ["inserted", "put", "replaced"]
    assert [found[key].etag for key in ("inserted", "replaced", "put")] == etags[:3]


@pytest.mark.parametrize("partition", [0, 3, 9])
@pytest.mark.parametrize("verb", [Verb.INSERT, Verb.REPLACE])
async def test_a_transaction_that_meets_another_change_writes_nothing_and_says_where(
    store: Store, verb: Verb, partition: int
) -> None:
    old = await put(store, "taken", state="first")
    await put(store, "taken", state="second")
    writes = [Write(Verb.INSERT, f"new{number}") for number in range(9)]
    writes.insert(partition, Write(verb, "taken", {"state": "third"}, old if verb is Verb.REPLACE else ""))
    with pytest.raises(Conflict) as caught:
        await store.write(TABLE, HERE, writes)
    assert caught.value.index == partition
    assert await keys(store, Query()) == ["taken"]
    assert await values_of(store, "taken") == {"state": "second"}


async def test_a_transaction_takes_a_hundred_entities_and_no_more(store: Store) -> None:
    writes = [Write(Verb.PUT, f"x{number:03d}", {"text": ODD}) for number in range(TRANSACTION_LIMIT + 1)]
    with pytest.raises(ValueError, match="100"):
        await store.write(TABLE, HERE, writes)
    assert len(await store.write(TABLE, HERE, writes[:-1])) == TRANSACTION_LIMIT
    assert len(await keys(store, Query())) == TRANSACTION_LIMIT


async def test_a_query_takes_the_prefix_literally_and_keeps_the_order_of_keys(store: Store) -> None:
    for row_key in ("account|b", "account|a|2", "account|a|10", "account|a", "account}", "accounu", "history|a", "a"):
        await put(store, row_key)
    assert await keys(store, Query(prefix="account|a|")) == ["account|a|10", "account|a|2"]
    assert await keys(store, Query(prefix="account|")) == ["account|a", "account|a|10", "account|a|2", "account|b"]
    assert len(await keys(store, Query())) == 8


async def test_a_query_asks_for_equal_columns_of_every_type(store: Store) -> None:
    await store.write(TABLE, HERE, [Write(Verb.PUT, "x", {"waiting": True, "state": "o'hara", "tries": 3})])
    await store.write(TABLE, HERE, [Write(Verb.PUT, "y", {"waiting": False, "state": "staged", "tries": 4})])
    await store.write(TABLE, HERE, [Write(Verb.PUT, "z", {"state": ""})])
    assert await keys(store, Query(equal={"waiting": True})) == ["x"]
    assert await keys(store, Query(equal={"waiting": False})) == ["y"]
    assert await keys(store, Query(equal={"state": "o'hara"})) == ["x"]
    assert await keys(store, Query(equal={"state": ""})) == ["z"]
    assert await keys(store, Query(equal={"tries": 4, "state": "staged"})) == ["y"]
    assert await keys(store, Query(equal={"tries": 4, "state": "o'hara"})) == []


async def test_a_query_asks_for_columns_up_to_a_bound_and_leaves_out_who_has_none(store: Store) -> None:
    for row_key, moment in (("a", "2026-01-01"), ("b", "2026-01-02"), ("c", "2026-01-03")):
        await put(store, row_key, at=moment)
    await put(store, "d")
    assert await keys(store, Query(at_most={"at": "2026-01-02"})) == ["a", "b"]
    assert await keys(store, Query(prefix="b", at_most={"at": "2026-01-02"})) == ["b"]
    assert await keys(store, Query(at_most={"at": "2025"})) == []


async def test_a_query_fetches_the_columns_that_are_wanted_and_there(store: Store) -> None:
    await put(store, "x", state="staged", email="ada@example.org")
    await put(store, "y", email="bob@example.org")
    found = {e.row_key: e.values async for e in store.query(TABLE, HERE, Query(select=("state", "reason")))}
    assert found == {"x": {"state": "staged"}, "y": {}}


@pytest.mark.parametrize(("limit", "given"), [(0, 5), (1, 1), (4, 4), (5, 5), (6, 5)])
async def test_a_query_ends_at_its_limit(store: Store, limit: int, given: int) -> None:
    await store.write(TABLE, HERE, [Write(Verb.PUT, f"x{n}", {"odd": bool(n % 2)}) for n in range(10)])
    expected = ["x1", "x3", "x5", "x7", "x9"][:given]
    assert await keys(store, Query(equal={"odd": True}, limit=limit)) == expected


async def test_a_query_goes_on_beyond_a_thousand_entities(store: Store) -> None:
    expected = [f"x{number:04d}" for number in range(1100)]
    for start in range(0, 1100, 100):
        await store.write(TABLE, HERE, [Write(Verb.PUT, key) for key in expected[start : start + 100]])
    assert await keys(store, Query(prefix="x")) == expected
    assert await keys(store, Query(prefix="x", limit=1050)) == expected[:1050]


async def test_a_delete_within_a_transaction_must_find_the_entity(store: Store) -> None:
    with pytest.raises(Conflict) as caught:
        await store.write(TABLE, HERE, [Write(Verb.PUT, "x"), Write(Verb.DELETE, "y")])
    assert caught.value.index == 1
    assert await keys(store, Query()) == []


async def test_a_query_finds_whoever_has_one_of_some_values(store: Store) -> None:
    for key, cohort in (("a", ""), ("b", "pilot"), ("c", "late")):
        await put(store, key, cohort=cohort)
    assert await keys(store, Query(one_of={"cohort": ("pilot",)})) == ["b"]
    assert await keys(store, Query(one_of={"cohort": ("", "late")}, equal={"cohort": "late"})) == ["c"]
    assert await keys(store, Query(one_of={"cohort": ("", "pilot", "none's")})) == ["a", "b"]
