"""release-accounts: the gate's feeder, by default every five seconds."""

import azure.functions as func

from shared import wiring
from shared.schedules import RELEASE_ACCOUNTS, read_schedule
from shared.steps import release_accounts as step
from shared.worker import run_timer

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(RELEASE_ACCOUNTS), run_on_startup=False)
async def release_accounts(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Give accounts their moment, a little ahead."""
    await run_timer(wiring.ports(), step.release_accounts)
