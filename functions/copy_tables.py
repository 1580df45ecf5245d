"""copy-tables: by default every night from two o'clock UTC, in rounds of ten minutes until the copy is whole."""

import azure.functions as func

from shared import wiring
from shared.schedules import COPY_TABLES, read_schedule
from shared.steps import copy_tables as step
from shared.worker import run_timer

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(COPY_TABLES), run_on_startup=False)
async def copy_tables(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Go on with tonight's copy of the tables."""
    await run_timer(wiring.ports(), step.copy_tables)
