"""classify-account: one account."""

import azure.functions as func

from shared import names
from shared.matching import classify_account as step
from shared.runtime import wiring
from shared.runtime.worker import run_account_step

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=names.CLASSIFY_ACCOUNT, connection=names.STORAGE_CONNECTION)
async def classify_account(message: func.QueueMessage) -> None:
    """Look one account up in the directory and decide."""
    await run_account_step(wiring.get_ports(), step.classify_account, message.get_body(), message.dequeue_count or 1)
