"""notify-customer: one account."""

import azure.functions as func

from shared import names
from shared.messaging import notify_customer as step
from shared.runtime import wiring
from shared.runtime.worker import run_account_step

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=names.NOTIFY_CUSTOMER, connection=names.STORAGE_CONNECTION)
async def notify_customer(message: func.QueueMessage) -> None:
    """Tell one customer what happened to the account."""
    await run_account_step(wiring.get_ports(), step.notify_customer, message.get_body(), message.dequeue_count or 1)
