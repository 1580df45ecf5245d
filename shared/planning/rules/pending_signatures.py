"""Which signatures a plan waits for, and what the signers type. Pure."""

from shared.model.migration import Kind, Migration, Phase
from shared.model.plan import HASH_LETTERS, Part, Plan
from shared.model.profile import Profile


def list_missing_parts(migration: Migration, profile: Profile) -> tuple[Part, ...]:
    """Return the parts whose signatures are missing, or none if no signature is needed."""
    waits = migration.kind is Kind.MIGRATE and migration.phase is Phase.ASSESSED
    if migration.plan is None or not waits:
        return ()
    return migration.plan.wanted(profile.plan.signatures)


def list_wanted_parts(kind: Kind, plan: Plan, profile: Profile) -> tuple[Part, ...]:
    """Return the parts whose signatures a new plan needs. None if the upload is only assessed or needs none."""
    signed = kind is Kind.MIGRATE and profile.plan.approval == "required"
    return plan.wanted(profile.plan.signatures) if signed else ()


def make_signing_command(migration: Migration, plan: Plan, part: Part) -> str:
    """Return the command for a signature.

    The person replaces ROWS with the number from the portal, not from this app.
    """
    accepts = " --accept-warnings" if plan.warnings else ""
    return f"ops plan approve {migration.id} --as {part} --hash {plan.hash[:HASH_LETTERS]} --rows ROWS{accepts}"
