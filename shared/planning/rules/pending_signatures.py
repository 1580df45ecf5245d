"""Whose signature a plan waits for, and what that person types. Pure."""

from shared.model.migration import Kind, Migration, Phase
from shared.model.plan import HASH_LETTERS, Part, Plan
from shared.model.profile import Profile


def list_missing_parts(migration: Migration, profile: Profile) -> tuple[Part, ...]:
    """Whose signature is still to come; nobody's where none is waited for."""
    waits = migration.kind is Kind.MIGRATE and migration.phase is Phase.ASSESSED
    if migration.plan is None or not waits:
        return ()
    return migration.plan.wanted(profile.plan.signatures)


def list_wanted_parts(kind: Kind, plan: Plan, profile: Profile) -> tuple[Part, ...]:
    """Whose signature a new plan will wait for; nobody's where an upload only assesses, or nothing is signed."""
    signed = kind is Kind.MIGRATE and profile.plan.approval == "required"
    return plan.wanted(profile.plan.signatures) if signed else ()


def make_signing_command(migration: Migration, plan: Plan, part: Part) -> str:
    """What to type; ROWS is for the person to fill in, from the portal and not from here."""
    accepts = " --accept-warnings" if plan.warnings else ""
    return f"ops plan approve {migration.id} --as {part} --hash {plan.hash[:HASH_LETTERS]} --rows ROWS{accepts}"
