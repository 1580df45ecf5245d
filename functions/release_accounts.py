"""release-accounts: the gate's feeder, by default every five seconds."""

import azure.functions as func

from shared.runtime import wiring
from shared.runtime.worker import run_timer
from shared.scheduling import release_accounts as step
from shared.settings.schedules import RELEASE_ACCOUNTS, read_schedule

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(RELEASE_ACCOUNTS), run_on_startup=False)
async def release_accounts(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Give accounts their moment, a little ahead."""
    await run_timer(wiring.get_ports(), "release_accounts", step.release_accounts)
