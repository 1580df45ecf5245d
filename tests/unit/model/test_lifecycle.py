"""The table of transitions: what is in it happens, what is not is refused."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from shared.model.account import (
    PROGRESS,
    Account,
    AccountId,
    AddressKey,
    Authority,
    MigrationId,
    apply_event,
    release_account,
)
from shared.model.lifecycle import MOVING, TRANSITIONS, Event, NotAllowed, State, find_next_state

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOT_BUILT = {State.COMPLETED, State.UNDONE}
"""`completed` waits for the reset report, `undone` for the undo: no event leads there yet."""


def _account(state: State) -> Account:
    return Account(
        AccountId("a" + "0" * 40),
        Authority("south-norfolk"),
        MigrationId("m"),
        1,
        state,
        NOW,
        "",
        AddressKey(""),
        NOW,
        due_at=NOW,
        tries=3,
        trying_since=NOW,
        unclear_since=NOW,
        host_losses=2,
        reason="names_differ",
    )


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_only_what_is_in_the_table_can_happen(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert find_next_state(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(NotAllowed, match=f"{event} cannot happen to an account that is {state}"):
            find_next_state(state, event)
        with pytest.raises(NotAllowed):
            apply_event(_account(state), event, NOW)


def test_every_state_is_reached_or_told_why_not() -> None:
    reached, border = {State.STAGED}, {State.STAGED}
    while border:
        border = {to for (state, _), to in TRANSITIONS.items() if state in border} - reached
        reached |= border
    assert set(State) - reached == NOT_BUILT


def test_every_event_happens_somewhere() -> None:
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_who_was_told_may_turn_out_not_to_be_reached() -> None:
    assert {event: after for (at, event), after in TRANSITIONS.items() if at is State.TOLD} == {Event.HOLD: State.HELD}


@pytest.mark.parametrize("state", [State.COMPLETED, State.UNDONE])
def test_what_is_done_for_good_never_goes_back(state: State) -> None:
    assert not [event for at, event in TRANSITIONS if at is state]


def test_nothing_goes_back_from_provisioned_before_its_effect() -> None:
    after_effect = {to for (state, _), to in TRANSITIONS.items() if state is State.PROVISIONED}
    assert after_effect == {State.PROVISIONED, State.TOLD, State.HELD, State.FAILED}


@pytest.mark.parametrize("state", sorted(MOVING))
def test_whatever_moves_may_be_brought_again_or_left_out_by_a_newer_export(state: State) -> None:
    assert find_next_state(state, Event.STAGE) is State.STAGED
    assert find_next_state(state, Event.HOLD) is State.HELD


@pytest.mark.parametrize(("state", "event"), sorted(TRANSITIONS))
def test_an_event_ends_the_release_and_leaves_one_entry(state: State, event: Event) -> None:
    before = _account(state)
    changed, change = apply_event(before, event, NOW, "why", "somebody")
    assert (changed.state, changed.reason, changed.due_at) == (TRANSITIONS[state, event], "why", None)
    assert changed.changes == before.changes + 1
    assert (change.at, change.event, change.state, change.by) == (NOW, event, changed.state, "somebody")
    if event in PROGRESS:
        assert (changed.tries, changed.trying_since, changed.unclear_since, changed.host_losses) == (0, None, None, 0)
    else:
        assert (changed.tries, changed.host_losses) == (3, 2)


def test_a_release_has_a_number_of_its_own() -> None:
    account = replace(_account(State.STAGED), due_at=None)
    assert account.waiting
    again = release_account(release_account(account, NOW, 0), NOW, 3)
    assert (again.release, again.due_at, again.waiting, again.epoch) == (2, NOW, False, 3)
