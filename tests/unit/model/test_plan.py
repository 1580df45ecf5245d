"""A plan is frozen, hashed and signed by different people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import ActionRefused
from shared.model.account import Cohort
from shared.model.plan import (
    Part,
    Plan,
    Signature,
    SignedTemplate,
    add_signature,
    compute_plan_hash,
    list_templates,
    reject_plan,
)
from shared.model.wave import POSITIONS, Wave

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
WAVE = Wave(1, "everybody", Cohort.NONE, 0, POSITIONS, NOW + timedelta(days=9), 12)
TEMPLATE = SignedTemplate("set-your-password", "1", 3)
PARTS = (Part.DATA_OWNER, Part.OPERATIONS, Part.DIRECTORY_OWNER)
PLAN = Plan("a" * 64, NOW, rows=20, creates=10, links=2, waves=(WAVE,), templates=(TEMPLATE,), uploaded_by="uploader")


def by(who: str, part: Part = Part.DATA_OWNER, plan: str = "a" * 12) -> Signature:
    return Signature(part, who, NOW, plan)


def test_three_people_approve_a_plan_that_links() -> None:
    plan = PLAN
    for who, part in zip(("ann", "bob", "cid"), PARTS, strict=True):
        assert not plan.approved(PARTS)
        plan = add_signature(plan, by(who, part), PARTS, 20)
    assert plan.approved(PARTS)
    assert plan.wanted(PARTS) == ()


def test_the_owner_of_the_directory_signs_only_where_somebody_is_linked() -> None:
    plan = add_signature(replace(PLAN, links=0), by("ann"), PARTS, None)
    assert plan.wanted(PARTS) == (Part.OPERATIONS,)
    assert PLAN.wanted(PARTS) == PARTS


def test_a_wave_whose_day_is_over_is_signed_only_by_who_says_so() -> None:
    over = replace(PLAN, waves=(replace(WAVE, starts_at=NOW - timedelta(days=1)),))
    with pytest.raises(ActionRefused, match="The day of wave 1 is over"):
        add_signature(over, by("ann"), PARTS, 20)
    assert add_signature(over, replace(by("ann"), accepts_warnings=True), PARTS, 20).signatures
    nobody = replace(over, waves=(replace(over.waves[0], accounts=0), replace(WAVE, number=2)))
    assert add_signature(nobody, by("ann"), PARTS, 20).signatures


def test_the_last_signature_may_come_again() -> None:
    once = add_signature(PLAN, by("ann"), PARTS[:1], 20)
    assert add_signature(once, by("ann"), PARTS[:1], 20) == once


@pytest.mark.parametrize(
    ("plan", "signature", "total", "says"),
    [
        (PLAN, by("ann", plan="b" * 64), 20, "Read it again"),
        (PLAN, by("ann", plan=""), 20, "Read it again"),
        (PLAN, by("ann", plan="a"), 20, "Copy 12 letters"),
        (PLAN, by("ann"), 19, "you expect 19 rows, the export has 20"),
        (PLAN, by("uploader"), 20, "Ask somebody else"),
        (PLAN, by("UPLOADER "), 20, "whoever uploads does not approve"),
        (replace(PLAN, signatures=(by("ann"),)), by(" Ann", Part.OPERATIONS), 20, "every part needs a different"),
        (
            replace(PLAN, signatures=(by("ann"),)),
            by("ann", Part.OPERATIONS),
            20,
            "Ask somebody else to sign as operations",
        ),
        (
            replace(PLAN, signatures=(by("ann"),)),
            by("ANN "),
            20,
            "signed as data-owner already, and that counts. Somebody else is to sign as operations, then somebody else",
        ),
        (replace(PLAN, signatures=(by("ann"),)), by("bob"), 20, "Somebody else has signed as data-owner"),
        (reject_plan(PLAN, "bob"), by("ann"), 20, "upload the export again"),
    ],
)
def test_what_is_not_signed_says_what_to_do(plan: Plan, signature: Signature, total: int, says: str) -> None:
    with pytest.raises(ActionRefused, match=says):
        add_signature(plan, signature, PARTS, total)


def test_a_part_that_the_profile_does_not_ask_for_is_refused() -> None:
    with pytest.raises(ActionRefused, match="asks for: data-owner, operations"):
        add_signature(PLAN, by("ann", Part.DIRECTORY_OWNER), PARTS[:2], None)


def test_a_rejected_plan_is_not_approved_whoever_had_signed() -> None:
    plan = PLAN
    for who, part in zip(("ann", "bob", "cid"), PARTS, strict=True):
        plan = add_signature(plan, by(who, part), PARTS, 20)
    assert not reject_plan(plan, "dan").approved(PARTS)


def test_every_part_of_a_plan_is_in_its_hash() -> None:
    base = ("accounts", "rows", "{}", (WAVE,), (TEMPLATE,))
    others = [
        ("other", *base[1:]),
        (base[0], "other", *base[2:]),
        (*base[:2], '{"a": 1}', *base[3:]),
        (*base[:3], (replace(WAVE, starts_at=NOW),), base[4]),
        (*base[:3], (replace(WAVE, upper=5),), base[4]),
        (*base[:3], (), base[4]),
        (*base[:4], (replace(TEMPLATE, version=4),)),
        (*base[:4], (replace(TEMPLATE, id="2"),)),
    ]
    assert len({compute_plan_hash(*base), *(compute_plan_hash(*other) for other in others)}) == len(others) + 1


def test_the_order_of_templates_does_not_matter() -> None:
    second = SignedTemplate("now-one-account", "2", 1)
    assert compute_plan_hash("", "", "", (), (TEMPLATE, second)) == compute_plan_hash(
        "", "", "", (), (second, TEMPLATE)
    )
    assert list_templates({"set-your-password": ("1", 3), "now-one-account": ("2", 1)}) == (second, TEMPLATE)
