"""reconcile: the walk, every ten seconds."""

import azure.functions as func

from shared.reconciliation import reconcile as step
from shared.runtime import wiring
from shared.runtime.worker import run_timer

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="*/10 * * * * *", run_on_startup=False)
async def reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Bring back what was lost, count, publish."""
    await run_timer(wiring.get_ports(), "reconcile", step.reconcile_authorities)
