"""What the tables say is asked for some seconds, and whatever comes of it hides nothing else."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from shared.adapters.memory import ManualClock
from shared.ports import Ledger
from shared.readiness.canary_checks import Known, check_canary
from shared.readiness.examine import Examination, Inspectors, examine_case
from shared.readiness.rules.report import Check, CheckStatus, Purpose
from tests.support import timeless
from tests.unit.readiness.builders import NOW, PROFILES, SOUTH, found_in, profiles, settings


@dataclass
class BrokenRecords:
    """Records whose tables answer every question in one way."""

    answer: Callable[[], Any]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._several if name == "list_all" else self._one

    async def _one(self, *_: object) -> object:
        return await self.answer()

    async def _several(self, *_: object) -> Any:  # noqa: ANN401 - an iterator of nothing
        yield await self.answer()


def broken_ledger(answer: Callable[[], Any]) -> Ledger:
    """A ledger whose tables all answer in one way."""
    broken: Any = BrokenRecords(answer)
    return Ledger(**dict.fromkeys((part.name for part in fields(Ledger)), broken))


async def silence() -> None:
    """A connection that is taken, and no answer."""
    await asyncio.Event().wait()


async def nobody() -> None:
    raise ServiceRequestError("canary")


async def garbage() -> None:
    raise KeyError("canary")


async def too_deep() -> None:
    raise RecursionError


def checks(answer: Callable[[], Any]) -> list[Check]:
    case = Examination(Purpose.WAVE, "", settings(), profiles())
    return timeless.run(examine_case(case, Inspectors(ManualClock(), ledger=broken_ledger(answer))))


@pytest.mark.parametrize("answer", [silence, nobody])
def test_tables_that_do_not_answer_leave_the_rest_and_are_no_finding_of_their_own(answer: Callable[[], Any]) -> None:
    told = checks(answer)
    assert found_in(told) == []
    not_checked = {check.name for check in told if check.status is CheckStatus.NOT_CHECKED}
    assert "PSEUDONYM_KEY of the accounts" in not_checked
    assert {check.name for check in told} >= {"settings", "clock", *PROFILES}


@pytest.mark.parametrize("answer", [garbage, too_deep])
def test_records_that_cannot_be_read_are_a_finding_without_their_content(answer: Callable[[], Any]) -> None:
    found = found_in(told := checks(answer))
    assert {check.name for check in found} == {"planned accounts", "canaries", "the noted key"}
    assert all("canary" not in check.found.replace("canary_checks", "") for check in found)
    assert {check.name for check in told} >= {"settings", "clock", *PROFILES}


def test_what_could_not_be_read_is_not_said_not_to_be() -> None:
    check = check_canary(PROFILES[SOUTH], Known(None, readable=False), NOW)
    assert check.found == "the profile asks for none"
