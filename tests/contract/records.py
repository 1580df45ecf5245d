"""Invented records: plain ones, builders of any, and the oddest that the types allow."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from shared.model.account import Account, AccountId, AddressKey, Authority, Change, DirectoryId, MigrationId
from shared.model.counts.summary import ShardSummary
from shared.model.lifecycle import Event, Outcome, RowState, State
from shared.model.migration import Layout, Migration, Phase
from shared.model.pacing.rate_limit import Pace
from shared.model.row import Person, Row

SOUTH = Authority("south-norfolk")
YARMOUTH = Authority("great-yarmouth")
NOW = datetime(2026, 3, 2, 9, 0, 0, 1, tzinfo=UTC)
MIGRATION = MigrationId("2026-03-02-portal-abcd")
ODD = " Zoë ’quoted’ 'single' \"double\" {json: [1]} 名前 🙂 2024-01-02 & <b> \\ %41 + "  # noqa: RUF001 - on purpose


def account_id(number: int, shard: str = "0") -> AccountId:
    return AccountId(f"a{shard}{number:039x}")


def address_key(number: int, shard: str = "0") -> AddressKey:
    return AddressKey(f"{shard}{number:039x}")


def an_account(
    number: int = 1,
    shard: str = "0",
    authority: Authority = SOUTH,
    state: State = State.STAGED,
    not_before: datetime = NOW,
    due_at: datetime | None = None,
) -> Account:
    """An account as it comes from staging, or a little later."""
    return Account(
        id=account_id(number, shard),
        authority=authority,
        migration=MIGRATION,
        row=number,
        state=state,
        staged_at=NOW,
        digest="d" * 40,
        address_key=address_key(number),
        not_before=not_before,
        due_at=due_at,
        changes=1,
    )


def a_change(event: Event = Event.STAGE, state: State = State.STAGED, reason: str = "") -> Change:
    return Change(at=NOW, event=event, state=state, reason=reason, migration=MIGRATION)


def a_migration(id_: str = MIGRATION, authority: Authority = SOUTH) -> Migration:
    return Migration(
        id=MigrationId(id_),
        authority=authority,
        blob=f"{authority}/portal.csv",
        blob_etag='"0x1"',
        blob_size=12,
        uploaded_at=NOW,
        received_at=NOW,
        phase=Phase.STAGING,
    )


def a_row(number: int = 1, account: AccountId | None = None, migration: MigrationId = MIGRATION) -> Row:
    person = Person(f"REF{number}", f"ada{number}@example.org", "Ada", "Larter") if account else None
    return Row(SOUTH, migration, number, f"REF{number}", account, person=person)


ODD_ACCOUNT = Account(
    id=account_id(7, "f"),
    authority=SOUTH,
    migration=MigrationId(ODD.replace("\\", "").replace("%", "")),
    row=2**31 - 1,
    state=State.HELD,
    staged_at=datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    digest="",
    address_key=AddressKey(""),
    not_before=datetime(9999, 1, 1, tzinfo=UTC),
    release=12,
    due_at=NOW,
    outcome=Outcome.LINK,
    reason=ODD,
    evidence={ODD: ODD, "": ""},
    directory_id=DirectoryId("00000000-0000-4000-8000-00000000ABCD"),
    before={"extension_SouthNorfolkCustomerRef": ODD},
    classified_at=NOW,
    provisioned_at=NOW,
    notified_at=NOW,
    notify_id="2024-01-02",
    told_day=NOW,
    claimed_at=NOW,
    tries=3,
    trying_since=NOW,
    unclear_since=NOW,
    host_losses=2,
    host_loss_release=1,
    changes=0,
)
ODD_MIGRATION = Migration(
    id=MIGRATION,
    authority=SOUTH,
    blob=f"south-norfolk/{ODD}.csv",
    blob_etag='"0x8DE"',
    blob_size=3 * 1024**3,  # an upload is written down before it is refused for its size
    uploaded_at=NOW,
    received_at=NOW,
    phase=Phase.SUPERSEDED,
    reason=ODD,
    detail=ODD,
    layout=Layout("cp1252", "\t", (("email", 3), ("source_id", 0)), 9, 2**31, 1_000_000),
    piece=500,
    offset=2**31 + 7,
    row=1_000_000,
    moved_at=NOW,
    paused_at=NOW,
    pause_reason=ODD,
    pause_detail=ODD,
    superseded_by=ODD,
    assessed_at=NOW,
    plan_hash="p",
    published="f",
)
ODD_ROW = Row(
    authority=SOUTH,
    migration=MIGRATION,
    number=999_999_999,
    source_id=ODD,
    account=account_id(7, "f"),
    outcome=Outcome.DUPLICATE,
    reason=ODD,
    duplicate_of=1,
    person=Person(ODD, "o'hara+portal@example.org", ODD, "", verified=False, created="2024-01-02", postcode=ODD),
)
ODD_SUMMARY = ShardSummary(
    shard="f",
    swept_at=NOW,
    counted=True,
    settled={("reject", "rejected", "missing_email"): 3, ("duplicate", "duplicate", ""): 1},
    accounts={("", "staged", ""): 7, ("create", "told", ODD): 2},
    due=9,
    soon=4,
    oldest=NOW,
    fingerprint="abc",
    plan="def",
    took_ms=1250,
)

# Tables hold any text but control characters and halves of characters, which no row brings this far.
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone is given
numbers = st.integers(0, 2**31 - 1)
ids = st.text("0123456789abcdef", min_size=40, max_size=40)
shards = st.sampled_from("0123456789abcdef")
migration_ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=30).map(MigrationId)
account_ids = ids.map(lambda text: AccountId("a" + text))
facts = st.dictionaries(texts, texts, max_size=3)
maybe_moment = st.none() | moments

accounts = st.builds(
    Account,
    id=account_ids,
    authority=st.sampled_from((SOUTH, YARMOUTH)),
    migration=migration_ids,
    row=numbers,
    state=st.sampled_from(State),
    staged_at=moments,
    digest=texts,
    address_key=st.just(AddressKey("")) | ids.map(AddressKey),
    not_before=moments,
    release=numbers,
    due_at=maybe_moment,
    outcome=st.none() | st.sampled_from(Outcome),
    reason=texts,
    evidence=facts,
    directory_id=st.none() | st.uuids().map(lambda each: DirectoryId(str(each))),
    before=facts,
    classified_at=maybe_moment,
    provisioned_at=maybe_moment,
    notified_at=maybe_moment,
    notify_id=texts,
    claimed_at=maybe_moment,
    tries=numbers,
    trying_since=maybe_moment,
    unclear_since=maybe_moment,
    host_losses=numbers,
    host_loss_release=numbers,
    changes=st.integers(0, 999_999),
)
changes = st.builds(
    Change,
    at=moments,
    event=st.sampled_from(Event),
    state=st.sampled_from(State),
    reason=texts,
    by=texts,
    migration=texts,
)
layouts = st.builds(
    Layout,
    encoding=st.sampled_from(("utf-8", "cp1252")),
    separator=st.sampled_from((",", ";", "\t", "|")),
    columns=st.lists(st.tuples(texts, numbers), max_size=4).map(tuple),
    width=numbers,
    start=st.integers(0, 2**40),
    rows=numbers,
)
migrations = st.builds(
    Migration,
    id=migration_ids,
    authority=st.sampled_from((SOUTH, YARMOUTH)),
    blob=texts,
    blob_etag=texts,
    blob_size=st.integers(0, 2**62),
    uploaded_at=moments,
    received_at=moments,
    phase=st.sampled_from(Phase),
    reason=texts,
    detail=texts,
    layout=st.none() | layouts,
    piece=numbers,
    offset=st.integers(0, 2**62),
    row=numbers,
    moved_at=maybe_moment,
    paused_at=maybe_moment,
    pause_reason=texts,
    pause_detail=texts,
    superseded_by=texts,
    assessed_at=maybe_moment,
    plan_hash=texts,
    published=texts,
)
people = st.builds(
    Person,
    source_id=texts,
    email=texts,
    given_name=texts,
    surname=texts,
    verified=st.none() | st.booleans(),
    created=texts,
    last_sign_in=texts,
    postcode=texts,
)
rows = st.builds(
    Row,
    authority=st.sampled_from((SOUTH, YARMOUTH)),
    migration=migration_ids,
    number=st.integers(1, 999_999_999),
    source_id=texts,
    account=st.none() | account_ids,
    outcome=st.none() | st.sampled_from(Outcome),
    reason=texts,
    duplicate_of=numbers,
    person=st.none() | people,
)
tallies = st.dictionaries(
    st.tuples(st.sampled_from(["", *Outcome]), st.sampled_from([*State, *RowState]), texts), numbers, max_size=4
)
summaries = st.builds(
    ShardSummary,
    shard=shards,
    swept_at=moments,
    counted=st.booleans(),
    settled=tallies,
    accounts=tallies,
    due=numbers,
    soon=numbers,
    oldest=maybe_moment,
    fingerprint=texts,
    plan=texts,
    took_ms=numbers,
)
paces = st.builds(
    Pace,
    arrival=moments,
    blocked_until=moments,
    strikes=numbers,
    stretch=st.floats(1, 4),
    stretched_until=st.none() | moments,
    window_began=st.none() | moments,
    given=numbers,
    given_before=numbers,
    throttled=numbers,
    throttled_before=numbers,
)
