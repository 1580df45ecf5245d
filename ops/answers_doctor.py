"""The doctor's report, as far as this command line reads it."""

from datetime import datetime

from pydantic import BaseModel


class Check(BaseModel):
    """One prerequisite as it stands."""

    area: str
    name: str
    status: str
    found: str
    mend: str
    anchor: str


class Report(BaseModel):
    """Every check, in order."""

    purpose: str
    authority: str
    at: datetime
    by: str
    findings: int
    counts: dict[str, int]
    checks: list[Check]
