"""reconcile: the walk, by default every ten seconds."""

import azure.functions as func

from shared import wiring
from shared.schedules import RECONCILE, read_schedule
from shared.steps import reconcile as step
from shared.worker import run_timer

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(RECONCILE), run_on_startup=False)
async def reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Bring back what was lost, count, publish."""
    await run_timer(wiring.ports(), step.reconcile)
