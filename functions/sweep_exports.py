"""sweep-exports: every minute."""

import azure.functions as func

from shared.intake import sweep_exports as step
from shared.runtime import wiring
from shared.runtime.worker import run_timer

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False)
async def sweep_exports(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Find the uploads of which no event told."""
    await run_timer(wiring.get_ports(), "sweep_exports", step.sweep_exports)
