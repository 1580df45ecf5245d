"""adopt-plan: one shard of an approved plan."""

import azure.functions as func

from shared import names
from shared.model.messages import AdoptPlan
from shared.planning import adopt_accounts as step
from shared.runtime import wiring
from shared.runtime.worker import run_piece_step

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=names.ADOPT_PLAN, connection=names.STORAGE_CONNECTION)
async def adopt_plan(message: func.QueueMessage) -> None:
    """Adopt the accounts of one shard of an approved plan."""
    body, attempt = message.get_body(), message.dequeue_count or 1
    await run_piece_step(wiring.get_ports(), step.adopt_plan, AdoptPlan, body, attempt)
