"""The gate and the work queries state the same rules: whatever the gate lets go on now, a query of its step finds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.model.account import Account, AccountId, AddressKey, Authority, Cohort, MigrationId
from shared.model.lifecycle import Outcome, State
from shared.model.migration import Gate, Migration, Phase
from shared.model.pacing.work_query import WorkQuery
from shared.model.plan import Plan
from shared.model.profile import Columns, Export, Messages, PlanSettings, Profile
from shared.model.wave import Wave
from shared.scheduling.rules.gate import find_due_step
from shared.scheduling.rules.work_queries import list_work_queries

NOW = datetime(2026, 12, 1, 10, tzinfo=UTC)
AUTHORITY = Authority("south-norfolk")
TEMPLATES = ("set-your-password", "now-one-account", "account-is-changing", "accounts-become-one")

times = st.none() | st.sampled_from([NOW - timedelta(days=40), NOW, NOW + timedelta(days=3), NOW + timedelta(days=40)])

profiles = st.builds(
    lambda templates, approval, switch, tells: Profile(
        authority=AUTHORITY,
        name="South Norfolk",
        export=Export(columns=Columns(source_id="a", email="b")),
        messages=Messages(templates=dict.fromkeys(templates, "t1")),
        plan=PlanSettings.model_construct(
            **{
                **PlanSettings().__dict__,
                "approval": approval,
                "switch": switch,
                "switch_at": datetime(2026, 12, 7, 11) if switch == "at-once" else None,  # noqa: DTZ001 - London time
                "council_tells_customers": tells,
                "announce_days": 14,
            }
        ),
    ),
    st.sets(st.sampled_from(TEMPLATES)),
    st.sampled_from(["automatic", "required"]),
    st.sampled_from(["by-wave", "at-once"]),
    st.booleans(),
)

waves = st.builds(
    lambda pilot, second, last: (
        Wave(1, "pilot", Cohort.PILOT, 0, 0, pilot, 10),
        Wave(2, "second", Cohort.NONE, 0, 1 << 31, second, 20),
        Wave(3, "rest", Cohort.NONE, 1 << 31, 1 << 32, last, 20),
    ),
    times,
    times,
    times,
)


@st.composite
def migrations(draw: st.DrawFn) -> Migration:
    """A migration in any phase, with or without a plan of three waves of which any may be open."""
    plan = Plan("h", NOW, 50, 40, 10, draw(waves), (), profile="p") if draw(st.booleans()) else None
    opened = draw(st.sets(st.integers(1, 3)))
    return Migration(
        MigrationId("m"),
        AUTHORITY,
        "b",
        "e",
        1,
        NOW,
        NOW,
        draw(st.sampled_from(Phase)),
        assessed_at=draw(st.sampled_from([None, NOW])),
        approved_at=draw(st.sampled_from([None, NOW])),
        switched_at=draw(st.sampled_from([None, NOW])),
        rebuilt_at=draw(st.sampled_from([None, NOW])),
        superseded_by=draw(st.sampled_from(["", "newer"])),
        waits_for_canary=draw(st.booleans()),
        plan=plan,
        gates=tuple(Gate(number, opened_at=NOW) for number in sorted(opened)),
    )


accounts = st.builds(
    lambda digits, state, outcome, cohort, announced, lost: Account(
        AccountId("a" + digits + "0" * 31),
        AUTHORITY,
        MigrationId("m"),
        1,
        state,
        NOW,
        "",
        AddressKey(""),
        NOW,
        outcome=outcome,
        cohort=cohort,
        announced_at=announced,
        tables_lost_at=lost,
    ),
    st.text("0123456789abcdef", min_size=9, max_size=9),
    st.sampled_from([State.STAGED, State.CLASSIFIED, State.PROVISIONED]),
    st.sampled_from([Outcome.CREATE, Outcome.LINK]),
    st.sampled_from(Cohort),
    st.sampled_from([None, NOW]),
    st.sampled_from([None, NOW]),
)


def _is_found(query: WorkQuery, account: Account) -> bool:
    """Return True if the account has what the query asks for, as the tables compare it."""
    key = account.id[2:]
    return (
        query.migration == account.migration
        and query.state is account.state
        and (query.keys is None or query.keys[0] <= key < query.keys[1])
        and (not query.cohorts or account.cohort in query.cohorts)
        and (query.announced is None or query.announced == (account.announced_at is not None))
        and (not query.outcomes or account.outcome in query.outcomes)
    )


@given(account=accounts, migration=migrations(), profile=profiles, messages_on=st.booleans())
def test_a_query_finds_every_account_that_the_gate_lets_go_on(
    account: Account,
    migration: Migration,
    profile: Profile,
    messages_on: bool,  # noqa: FBT001
) -> None:
    running = {Phase.CLASSIFYING, Phase.ASSESSED, Phase.RUNNING}
    answer = find_due_step(account, migration, profile, messages_on=messages_on)
    if migration.phase not in running or answer.step is None or answer.at is None or answer.at > NOW:
        return
    queries = list_work_queries(migration, profile, NOW, messages_on=messages_on)
    found = [step for step, query in queries if _is_found(query, account)]
    # In one phase a person replays what failed in a draft; only the comparison goes on there.
    expected = answer.step
    assert expected in found or (migration.phase is Phase.CLASSIFYING and account.state is not State.STAGED)


@given(account=accounts, migration=migrations(), profile=profiles)
def test_while_paused_the_gate_lets_nobody_go_on(account: Account, migration: Migration, profile: Profile) -> None:
    paused = replace(migration, paused_at=NOW, pause_reason="directory_full")
    assert find_due_step(account, paused, profile, messages_on=True).step is None
