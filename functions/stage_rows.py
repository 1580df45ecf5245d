"""stage-rows: one piece of an export."""

import azure.functions as func

from shared import names
from shared.intake import stage_rows as step
from shared.model.messages import StageRows
from shared.runtime import wiring
from shared.runtime.worker import run_piece_step

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=names.STAGE_ROWS, connection=names.STORAGE_CONNECTION)
async def stage_rows(message: func.QueueMessage) -> None:
    """Stage one piece of an export."""
    body, attempt = message.get_body(), message.dequeue_count or 1
    await run_piece_step(wiring.get_ports(), step.stage_rows, StageRows, body, attempt)
