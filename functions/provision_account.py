"""provision-account: one account."""

import azure.functions as func

from shared import names
from shared.provisioning import provision_account as step
from shared.runtime import wiring
from shared.runtime.worker import run_account_step

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=names.PROVISION_ACCOUNT, connection=names.STORAGE_CONNECTION)
async def provision_account(message: func.QueueMessage) -> None:
    """Give one released account its identity in the directory."""
    await run_account_step(wiring.get_ports(), step.provision_account, message.get_body(), message.dequeue_count or 1)
