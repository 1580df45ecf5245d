"""stage-rows: one piece of an export."""

import azure.functions as func

from shared import names
from shared.runtime import wiring
from shared.runtime.worker import run_stage_step

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=names.STAGE_ROWS, connection=names.STORAGE_CONNECTION)
async def stage_rows(message: func.QueueMessage) -> None:
    """Stage one piece of an export."""
    await run_stage_step(wiring.ports(), message.get_body(), message.dequeue_count or 1)
