"""The answers of the HTTP functions for `ops rebuild`: what was lost, and one piece of work after the other."""

from datetime import datetime
from typing import Literal

import azure.functions as func
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.access.http import Refused, get_caller_id
from shared.access.roles import OPERATORS, admit_person
from shared.errors import ActionRefused
from shared.model.profile import Profile
from shared.model.safeguards.rebuild import Source
from shared.ports import Ports
from shared.recovery.rebuild import rebuild_tables
from shared.recovery.rebuild_outlook import Outlook, preview_rebuild


class RebuildRequest(BaseModel):
    """POST /api/rebuild."""

    model_config = ConfigDict(extra="forbid", strict=True)
    source: Literal["", "copy", "export"] = ""
    """Empty: the newest whole copy, if there is one."""
    without_copy: bool = False
    """From exports alone although there is a copy: what only it knows is lost."""
    authority: str = ""
    """Empty: every council whose tables were lost."""


class OutlookAnswer(BaseModel):
    """One council: what was lost, and from what it would be made again."""

    authority: str
    council: str
    lost: list[str]
    under_way_since: datetime | None
    night: str
    copy_records: int
    read_again: list[str]
    gone: list[str]
    unexplained: int | None


class Outlooks(BaseModel):
    """Every council, or the one that was asked for."""

    councils: list[OutlookAnswer]


class ProgressAnswer(BaseModel):
    """The result of one request. Ask again until the rebuild is finished."""

    finished: bool
    authority: str
    doing: str
    done: int
    of: int


async def show_rebuild(ports: Ports, request: func.HttpRequest) -> Outlooks:
    """GET /api/rebuild[?authority=][&marks=true]: changes nothing."""
    marks = request.params.get("marks") == "true"
    if marks:
        # It reads the whole directory, from the quota that residents' sign-ins share.
        admit_person(request.headers, OPERATORS)
    chosen = _choose_profiles(ports, request.params.get("authority") or "")
    return Outlooks(
        councils=[_describe_outlook(await preview_rebuild(ports, profile, marks=marks)) for profile in chosen]
    )


async def run_rebuild(ports: Ports, request: func.HttpRequest) -> ProgressAnswer:
    """POST /api/rebuild: the next piece of work."""
    try:
        asked = RebuildRequest.model_validate_json(request.get_body() or b"{}")
    except ValidationError:
        raise Refused(400, 'Send {"source": "copy" or "export", "authority": name}, or leave either out.') from None
    _choose_profiles(ports, asked.authority)
    source = Source(asked.source) if asked.source else None
    try:
        progress = await rebuild_tables(
            ports, asked.authority, source, get_caller_id(request), without_copy=asked.without_copy
        )
    except ActionRefused as not_now:
        raise Refused(409, str(not_now)) from None
    return ProgressAnswer(
        finished=progress.finished,
        authority=progress.authority,
        doing=progress.doing,
        done=progress.done,
        of=progress.of,
    )


def _choose_profiles(ports: Ports, authority: str) -> list[Profile]:
    chosen = [profile for profile in ports.profiles.values() if authority in {"", profile.authority}]
    if not chosen:
        known = ", ".join(sorted(ports.profiles))
        raise Refused(404, f"No council `{authority}` has a profile. Known are: {known}.")
    return chosen


def _describe_outlook(found: Outlook) -> OutlookAnswer:
    return OutlookAnswer(
        authority=found.authority,
        council=found.council,
        lost=list(found.lost),
        under_way_since=found.under_way_since,
        night=found.night,
        copy_records=found.copy_records,
        read_again=list(found.read_again),
        gone=list(found.gone),
        unexplained=found.unexplained,
    )
