"""The HTTP functions for canaries: the request, and an answer with the progress and the next action."""

from datetime import datetime
from typing import Annotated, Final

import azure.functions as func
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from shared.access.http import Refused, get_caller_id
from shared.errors import ActionRefused
from shared.model.account import Authority, DirectoryId
from shared.model.email_address import SIGN_IN_NAME_LENGTH, InvalidAddress, email_key
from shared.model.profile import Profile, suggest_authority
from shared.model.safeguards.canary import FOR_A_PERSON, Canary, CanaryStep
from shared.ports import Ports
from shared.readiness.rules.canary_texts import (
    QUESTIONS,
    TROUBLES,
    WAITS,
    describe_next_action,
    describe_step,
    explain_failure,
    list_notes,
)
from shared.readiness.run_canary import Asked, run_canary_step

ASK_AGAIN_SECONDS: Final = 1
"""Seconds after which it is worth asking again, while the directory is waited for."""
ASK_A_PERSON_SECONDS: Final = 5
"""The same, while a person has to act."""


class CanaryRequest(BaseModel):
    """POST /api/canary. The address is in the body, never in a URL, and is not stored."""

    model_config = ConfigDict(extra="forbid", strict=True)
    authority: str
    address: str = ""
    signed_in: bool | None = None
    undo: Annotated[str, StringConstraints(pattern=r"^([0-9a-fA-F-]{36})?$")] = ""
    run: int = 0
    """From an earlier answer: continue this run, and start no other one if it is over."""


class StepAnswer(BaseModel):
    """One step: `ok`, `failed` or `waits`, and one sentence."""

    step: str
    result: str
    sentence: str
    at: datetime


class FailureAnswer(BaseModel):
    """What failed, and what to change."""

    code: str
    sentence: str
    remedy: str


class Learned(BaseModel):
    """What the directory answered to one question, and when."""

    name: str
    question: str
    value: str
    at: datetime


class CanaryAnswer(BaseModel):
    """One council's newest canary, and all that its canaries have learned."""

    authority: str
    council: str
    run: int
    verdict: str
    started_at: datetime
    finished_at: datetime | None
    passed_at: datetime | None
    failed_at: datetime | None
    asked_within_days: int
    """How recent a canary the profile asks for, in days. 0: the profile needs none."""
    steps: list[StepAnswer]
    next: list[str]
    """What a person has to do."""
    failures: list[FailureAnswer]
    notes: list[str]
    """What people should know although nothing failed."""
    answers: list[Learned]
    users: list[str]
    """Object ids of its users that are still to be deleted."""
    ask_again_seconds: int


class Canaries(BaseModel):
    """The canaries of all councils."""

    canaries: list[CanaryAnswer]


async def run_canary(ports: Ports, request: func.HttpRequest) -> BaseModel:
    """POST /api/canary: start a canary, or continue it."""
    try:
        asked = CanaryRequest.model_validate_json(request.get_body() or b"{}")
    except ValidationError:
        says = 'Send {"authority": council, "address": mailbox}, and "signed_in" or "undo" where they are meant.'
        raise Refused(400, says) from None
    profile = _find_profile(ports, asked.authority)
    undo = DirectoryId(asked.undo.lower()) if asked.undo else None
    address = _read_address(asked.address) if asked.address or undo is None else ""
    try:
        progress = await run_canary_step(
            ports, profile, Asked(address, asked.signed_in, undo, asked.run), get_caller_id(request)
        )
    except ActionRefused as now:
        raise Refused(409, str(now)) from None
    return _describe_canary(profile, progress.canary, progress.trouble)


async def show_canaries(ports: Ports, request: func.HttpRequest) -> BaseModel:
    """GET /api/canary[?authority=]: the newest canary of each council. Changes nothing."""
    wanted = request.params.get("authority")
    profiles = [_find_profile(ports, wanted)] if wanted else list(ports.profiles.values())
    found = [(profile, await ports.ledger.canaries.get(profile.authority)) for profile in profiles]
    return Canaries(canaries=[_describe_canary(profile, stored.record, "") for profile, stored in found if stored])


def _find_profile(ports: Ports, authority: str) -> Profile:
    profile = ports.profiles.get(Authority(authority))
    if profile is None:
        raise Refused(
            404, f"No council of that name has a profile: {suggest_authority(authority, sorted(ports.profiles))}"
        )
    return profile


def _read_address(text: str) -> str:
    """Return the address in the form that is compared. No sentence contains any part of it."""
    try:
        address = email_key(text.strip())
    except InvalidAddress:
        address = ""
    if not address or len(address) > SIGN_IN_NAME_LENGTH:
        raise Refused(
            400, f"The address should be that of a mailbox: plain letters, at most {SIGN_IN_NAME_LENGTH} of them."
        )
    return address


def _describe_canary(profile: Profile, canary: Canary, trouble: str) -> CanaryAnswer:
    return CanaryAnswer(
        authority=canary.authority,
        council=profile.name,
        run=canary.run,
        verdict=canary.verdict,
        started_at=canary.started_at,
        finished_at=canary.finished_at,
        passed_at=canary.passed_at,
        failed_at=canary.failed_at,
        asked_within_days=profile.directory.canary_within_days,
        steps=_describe_steps(canary, trouble),
        next=describe_next_action(canary),
        failures=[_describe_failure(each.failure) for each in canary.failures],
        notes=list_notes(canary),
        answers=[
            Learned(name=name, question=question, value=canary.answers[name].value, at=canary.answers[name].at)
            for name, question in QUESTIONS.items()
            if name in canary.answers
        ],
        users=list(canary.living),
        ask_again_seconds=ASK_A_PERSON_SECONDS if canary.step in FOR_A_PERSON else ASK_AGAIN_SECONDS,
    )


def _describe_steps(canary: Canary, trouble: str) -> list[StepAnswer]:
    steps = [
        StepAnswer(step=each.step, result="failed" if each.failure else "ok", sentence=describe_step(each), at=each.at)
        for each in canary.done
    ]
    if canary.step is not CanaryStep.END:
        says = WAITS[canary.step]
        if trouble:
            says += f" {TROUBLES.get(trouble) or explain_failure(trouble).sentence}"
        steps.append(StepAnswer(step=canary.step, result="waits", sentence=says, at=canary.since))
    return steps


def _describe_failure(code: str) -> FailureAnswer:
    why = explain_failure(code)
    return FailureAnswer(code=code, sentence=why.sentence, remedy=why.remedy)
