"""reconcile: the sweep, by default every ten seconds."""

import azure.functions as func

from shared.reconciliation import reconcile as step
from shared.reconciliation.completion import is_anything_finished
from shared.runtime import wiring
from shared.runtime.worker import repeat_timer
from shared.settings.schedules import RECONCILE, count_repeats, read_schedule

WAIT_SECONDS = 2

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(RECONCILE), run_on_startup=False)
async def reconcile(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Bring back what was lost, count, publish."""
    await repeat_timer(
        wiring.get_ports(),
        "reconcile",
        step.reconcile_authorities,
        is_anything_finished,
        wait_seconds=WAIT_SECONDS,
        times=count_repeats(read_schedule(RECONCILE), WAIT_SECONDS),
    )
