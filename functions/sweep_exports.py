"""sweep-exports: by default every minute."""

import azure.functions as func

from shared.intake import sweep_exports as step
from shared.runtime import wiring
from shared.runtime.worker import run_timer
from shared.settings.schedules import SWEEP_EXPORTS, read_schedule

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(SWEEP_EXPORTS), run_on_startup=False)
async def sweep_exports(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Find uploads for which no event arrived."""
    await run_timer(wiring.get_ports(), "sweep_exports", step.sweep_exports)
