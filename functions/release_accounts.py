"""release-accounts: the gate's feeder, by default every five seconds."""

import azure.functions as func

from shared.runtime import wiring
from shared.runtime.worker import repeat_timer
from shared.scheduling import release_accounts as step
from shared.settings.schedules import RELEASE_ACCOUNTS, count_repeats, read_schedule

WAIT_SECONDS = 1

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(RELEASE_ACCOUNTS), run_on_startup=False)
async def release_accounts(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Release accounts a little ahead of their due times."""
    await repeat_timer(
        wiring.get_ports(),
        "release_accounts",
        step.release_accounts,
        step.is_work_expected,
        wait_seconds=WAIT_SECONDS,
        times=count_repeats(read_schedule(RELEASE_ACCOUNTS), WAIT_SECONDS),
    )
