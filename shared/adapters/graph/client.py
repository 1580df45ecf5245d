"""The SDK's client for Microsoft Graph, without its own retries, log lines and spans.

Retries would hide throttling, and spans carry whole URLs, filters and all. msgraph is imported only where a client is
made: the import is slow, and the app must be indexed fast.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import httpx
from opentelemetry.trace import NoOpTracer

from shared.adapters.graph.reading import parse_nodes

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from msgraph.graph_service_client import GraphServiceClient


TIMEOUT: Final = httpx.Timeout(15, connect=5)


def graph_client(
    url: str, credential: "AsyncTokenCredential | None", answered: Callable[[httpx.Response], Awaitable[None]]
) -> "GraphServiceClient":
    """Return a client. It calls `answered` with every response."""
    import kiota_abstractions.request_information  # noqa: PLC0415
    import kiota_http.httpx_request_adapter  # noqa: PLC0415
    import kiota_http.middleware.middleware  # noqa: PLC0415
    from kiota_abstractions.authentication import AnonymousAuthenticationProvider  # noqa: PLC0415
    from kiota_authentication_azure.azure_identity_authentication_provider import (  # noqa: PLC0415
        AzureIdentityAuthenticationProvider,
    )
    from kiota_http.middleware import ParametersNameDecodingHandler  # noqa: PLC0415
    from msgraph.graph_service_client import GraphServiceClient  # noqa: PLC0415
    from msgraph_core import BaseGraphRequestAdapter, GraphClientFactory  # noqa: PLC0415

    for module in (
        kiota_abstractions.request_information,
        kiota_http.httpx_request_adapter,
        kiota_http.middleware.middleware,
    ):
        module.tracer = NoOpTracer()  # type: ignore[attr-defined]  # its spans carry URLs with people's addresses
    # No retry handler, no redirects: what the directory answers is ours to judge.
    plain = httpx.AsyncClient(
        timeout=TIMEOUT, headers={"x-ms-throttle-priority": "low"}, event_hooks={"response": [answered]}
    )
    http = GraphClientFactory.create_with_custom_middleware([ParametersNameDecodingHandler()], client=plain)
    authentication = (
        AzureIdentityAuthenticationProvider(credential, scopes=["https://graph.microsoft.com/.default"])
        if credential
        else AnonymousAuthenticationProvider()
    )
    adapter = BaseGraphRequestAdapter(authentication, parse_node_factory=parse_nodes(), http_client=http)
    adapter.base_url = url
    return GraphServiceClient(request_adapter=adapter)
