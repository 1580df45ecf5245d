"""copy-tables: by default every night from two o'clock UTC, in rounds of ten minutes until the copy is whole."""

import azure.functions as func

from shared.integrity import backup_tables as step
from shared.runtime import wiring
from shared.runtime.worker import run_timer
from shared.settings.schedules import COPY_TABLES, read_schedule

blueprint = func.Blueprint()


@blueprint.timer_trigger(arg_name="timer", schedule=read_schedule(COPY_TABLES), run_on_startup=False)
async def copy_tables(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding wants it
    """Continue tonight's copy of the tables."""
    await run_timer(wiring.get_ports(), "copy_tables", step.backup_tables)
