"""Queue output bindings: what a successful function returned or set is sent to its queue."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure_functions_runtime.bindings.datumdef import Datum

from local.host import message_text
from local.host.bindings import QueueOutput
from local.host.runtime import Function, Outcome
from local.host.storage import Accounts, ignore_existing

RETURNED = "$return"


@dataclass(frozen=True)
class QueueOutputs:
    """Sends to queues of any connection. Creates a queue that is missing, as the real binding does."""

    accounts: Accounts
    base64: bool

    async def send(self, function: Function, outcome: Outcome) -> list[str]:
        """Send all queue outputs of the outcome. Returns the names of the queues that got something."""
        values: Mapping[str, Datum | None] = {RETURNED: outcome.returned, **dict(outcome.outputs)}
        reached = []
        for output in function.bindings.queue_outputs:
            bodies = _list_bodies(values.get(output.argument))
            for body in bodies:
                await self._put_output(output, message_text.encode_text(body, as_base64=self.base64))
            if bodies:
                reached.append(output.queue)
        return reached

    async def _put_output(self, output: QueueOutput, content: str) -> None:
        queue = self.accounts.named(output.connection).queues.get_queue_client(output.queue)
        try:
            await queue.send_message(content)
        except ResourceNotFoundError:
            await ignore_existing(queue.create_queue())
            await queue.send_message(content)


def _list_bodies(datum: Datum | None) -> list[bytes]:
    if datum is None or datum.value is None:
        return []
    if datum.type == "json":
        content = json.loads(datum.value)
        return [_read_body(each) for each in (content if isinstance(content, list) else [content])]
    return [datum.value if isinstance(datum.value, bytes) else str(datum.value).encode()]


def _read_body(content: Any) -> bytes:  # noqa: ANN401 - an element of a JSON array
    """The library writes a `func.QueueMessage` as an object with `id` and `body`."""
    if isinstance(content, dict) and set(content) == {"id", "body"}:
        content = content["body"]
    return (content if isinstance(content, str) else json.dumps(content)).encode()
