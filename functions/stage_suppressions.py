"""stage-suppressions: one piece of a suppression list."""

import azure.functions as func

from shared import names
from shared.intake import stage_suppressions as step
from shared.model.messages import StageSuppressions
from shared.runtime import wiring
from shared.runtime.worker import run_piece_step

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=names.STAGE_SUPPRESSIONS, connection=names.STORAGE_CONNECTION)
async def stage_suppressions(message: func.QueueMessage) -> None:
    """Read one piece of a suppression list."""
    body, attempt = message.get_body(), message.dequeue_count or 1
    await run_piece_step(wiring.get_ports(), step.stage_suppressions, StageSuppressions, body, attempt)
