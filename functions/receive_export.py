"""receive-export: the first answer."""

import azure.functions as func

from shared import names
from shared.runtime import wiring
from shared.runtime.worker import run_upload_step

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=names.RECEIVE_EXPORT, connection=names.STORAGE_CONNECTION)
async def receive_export(message: func.QueueMessage) -> None:
    """Take an upload, or refuse it with the reason."""
    await run_upload_step(wiring.get_ports(), message.get_body(), message.dequeue_count or 1)
