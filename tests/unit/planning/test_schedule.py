"""From a profile to waves: who goes apart, who goes when."""

from datetime import UTC, date, datetime

import pytest

from shared.intake.rules.cohort import choose_cohort, parse_day
from shared.model.account import AccountId, Cohort
from shared.model.counts.extract_comparison import Compared
from shared.model.profile import Limits, PlanSettings
from shared.model.row import Person
from shared.model.wave import POSITIONS, Census
from shared.planning.rules.extract_check import check_review_limit, find_differences
from shared.planning.rules.schedule import list_own_cohorts, schedule_waves

UPLOADED = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-01", date(2024, 3, 1)),
        ("2024-03-01T10:30:00", date(2024, 3, 1)),
        ("01/03/2024", date(2024, 3, 1)),
        ("01/03/2024 10:30", date(2024, 3, 1)),
        ("1 March 2024", date(2024, 3, 1)),
        ("", None),
        ("never", None),
        ("31/31/2024", None),
    ],
)
def test_a_british_day_is_read_as_it_is_written(text: str, day: date | None) -> None:
    assert parse_day(text) == day


@pytest.mark.parametrize(
    ("last", "created", "cohort"),
    [
        ("2024-03-02", "", Cohort.DORMANT),
        ("2024-03-03", "", Cohort.NONE),
        ("", "2015-01-01", Cohort.DORMANT),
        ("2026-01-01", "2015-01-01", Cohort.NONE),
        ("", "", Cohort.NONE),
    ],
)
def test_who_has_not_signed_in_for_long_is_dormant(last: str, created: str, cohort: Cohort) -> None:
    person = Person("C1", "c1@example.org", created=created, last_sign_in=last)
    assert choose_cohort(person, PlanSettings(dormant_months=24), UPLOADED, late=False) is cohort
    assert choose_cohort(person, PlanSettings(), UPLOADED, late=False) is Cohort.NONE


def test_the_pilot_goes_before_all_others() -> None:
    person = Person("C1", "c1@example.org", last_sign_in="2000-01-01")
    assert choose_cohort(person, PlanSettings(pilot=("C1",), dormant_months=1), UPLOADED, late=True) is Cohort.PILOT
    assert choose_cohort(person, PlanSettings(dormant_months=1), UPLOADED, late=True) is Cohort.LATE


def test_without_waves_everybody_goes_as_soon_as_the_plan_is_approved() -> None:
    [wave] = schedule_waves(PlanSettings(), Census())
    assert (wave.lower, wave.upper, wave.starts_at, wave.accounts) == (0, POSITIONS, None, 0)
    assert list_own_cohorts(PlanSettings()) == frozenset()


def test_a_wave_starts_as_clocks_in_london_show_it() -> None:
    plan = PlanSettings.model_validate(
        {"waves": [{"name": "all", "takes": "rest", "starts": datetime(2026, 7, 1, 10)}]}  # noqa: DTZ001 - as in a profile
    )
    assert schedule_waves(plan, Census())[0].starts_at == datetime(2026, 7, 1, 9, tzinfo=UTC)


def test_slices_and_bands_stand_in_the_profiles_order() -> None:
    census = Census()
    for number in range(100):
        census.add(AccountId(f"a0{number * 42_000_000:08x}{'0' * 30}"), Cohort.NONE)
    census.add(AccountId("a0" + "0" * 39), Cohort.DORMANT)
    waves = [{"name": "few", "takes": "5%"}, {"name": "old", "takes": "dormant"}, {"name": "all", "takes": "rest"}]
    found = schedule_waves(PlanSettings.model_validate({"waves": waves}), census)
    assert [(wave.number, wave.name, wave.cohort, wave.accounts) for wave in found] == [
        (1, "few", Cohort.NONE, 5),
        (2, "old", Cohort.DORMANT, 1),
        (3, "all", Cohort.NONE, 95),
    ]


@pytest.mark.parametrize(
    ("waves", "says"),
    [
        ([{"name": "few", "takes": "5%"}], "rest"),
        ([{"name": "a", "takes": "rest"}, {"name": "b", "takes": 5}], "rest"),
        ([{"name": "a", "takes": "late"}, {"name": "b", "takes": "late"}, {"name": "c", "takes": "rest"}], "same band"),
        ([{"name": "a", "takes": "some"}], "should be a number"),
        ([{"name": "a", "takes": "rest", "starts": datetime(2026, 12, 25, 10)}], "bank holiday|allowed days"),  # noqa: DTZ001
        ([{"name": "a", "takes": "rest", "starts": datetime(2026, 7, 3, 10)}], "allowed days"),  # noqa: DTZ001
        ([{"name": "a", "takes": "rest", "starts": datetime(2026, 7, 1, 16)}], "allowed hours"),  # noqa: DTZ001
    ],
)
def test_waves_that_leave_somebody_or_start_at_the_wrong_time_are_refused(waves: list[object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PlanSettings.model_validate({"waves": waves})


def test_a_switch_at_once_needs_its_date() -> None:
    with pytest.raises(ValueError, match="switch_at"):
        PlanSettings.model_validate({"switch": "at-once"})


SWITCH = {"switch": "at-once", "switch_at": datetime(2026, 4, 14, 10)}  # noqa: DTZ001 - as in a profile
BEFORE, AFTER = datetime(2026, 4, 13, 10), datetime(2026, 4, 15, 10)  # noqa: DTZ001


def test_with_a_switch_at_once_a_wave_without_a_date_starts_as_the_portal_switches() -> None:
    waves = [{"name": "few", "takes": 5, "starts": BEFORE}, {"name": "all", "takes": "rest"}]
    few, everybody = schedule_waves(PlanSettings.model_validate({**SWITCH, "waves": waves}), Census())
    assert (few.starts_at, everybody.starts_at) == (
        datetime(2026, 4, 13, 9, tzinfo=UTC),
        datetime(2026, 4, 14, 9, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("starts", "says"),
    [
        ((AFTER, None), 'wave "w0" starts after switch_at.*give it an earlier date'),
        ((BEFORE, AFTER), 'wave "w1" starts after switch_at'),
        ((None, BEFORE), r'wave "w1" starts before the one ahead.*\(one without a date starts at switch_at\)'),
    ],
)
def test_no_wave_starts_after_the_switch_or_before_the_one_ahead(
    starts: tuple[datetime | None, datetime | None], says: str
) -> None:
    waves = [
        {"name": f"w{n}", "takes": takes, "starts": at}
        for n, (takes, at) in enumerate(zip((5, "rest"), starts, strict=True))
    ]
    with pytest.raises(ValueError, match=says):
        PlanSettings.model_validate({**SWITCH, "waves": waves})


def test_a_switch_that_goes_by_wave_has_no_date_of_its_own() -> None:
    with pytest.raises(ValueError, match='take it out, or set switch = "at-once"'):
        PlanSettings.model_validate({**SWITCH, "switch": "by-wave"})


def test_nothing_is_exceeded_without_limits_or_without_an_extract_before() -> None:
    assert (*find_differences(Limits(), Compared(10, 10, 10, 10), 100), *check_review_limit(Limits(), 100, 100)) == ()
    assert find_differences(Limits(rows_percent=0, new_percent=0), Compared(), 100) == ()


def test_what_is_just_allowed_is_not_exceeded() -> None:
    limits = Limits(rows_percent=10, missing_percent=10, new_percent=10, review_percent=10)
    assert (*find_differences(limits, Compared(100, 10, 10, 0), 90), *check_review_limit(limits, 100, 10)) == ()
    assert len(find_differences(limits, Compared(100, 11, 11, 0), 89)) == 3
    assert len(check_review_limit(limits, 100, 11)) == 1
