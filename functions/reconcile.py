"""reconcile: the walk, by default every ten seconds."""

import azure.functions as func

from shared.reconciliation import reconcile as step
from shared.runtime import wiring
from shared.runtime.worker import run_timer
from shared.settings.schedules import RECONCILE, read_schedule

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(RECONCILE), run_on_startup=False)
async def reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Bring back what was lost, count, publish."""
    await run_timer(wiring.get_ports(), "reconcile", step.reconcile_authorities)
