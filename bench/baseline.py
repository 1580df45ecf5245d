"""A plain loop that creates user after user with msgraph-sdk, as its documentation shows."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Final

from bench import kit
from local.stack import TENANT

TRIES: Final = 5
"""How many times a user is tried again after the library itself has stopped trying."""


def graph_client(url: str) -> object:
    """A client as the documentation makes it, but without a token."""
    from kiota_abstractions.authentication import AnonymousAuthenticationProvider  # noqa: PLC0415 - slow to import
    from msgraph.graph_request_adapter import GraphRequestAdapter  # noqa: PLC0415
    from msgraph.graph_service_client import GraphServiceClient  # noqa: PLC0415

    adapter = GraphRequestAdapter(AnonymousAuthenticationProvider())
    adapter.base_url = url
    return GraphServiceClient(request_adapter=adapter)


async def create_all(graph: str, numbers: Sequence[int], at_once: int, patience: float) -> int:
    """Create these people, `at_once` at the same time. Returns how many are missing in the end.

    It stops after `patience` seconds. Refused requests count too, so a loop that never waits may never finish.
    """
    client = graph_client(graph)
    ends = time.monotonic() + patience
    gate = asyncio.Semaphore(at_once)

    async def create(number: int) -> bool:
        async with gate:
            return time.monotonic() < ends and await _create_user(client, number, ends)

    return sum(not there for there in await asyncio.gather(*(create(number) for number in numbers)))


async def _create_user(client: object, number: int, ends: float) -> bool:
    from kiota_abstractions.api_error import APIError  # noqa: PLC0415

    for _ in range(TRIES):
        try:
            await client.users.post(new_user(number))  # type: ignore[attr-defined]  # a generated client
        except APIError:
            if time.monotonic() > ends:
                return False
            continue
        return True
    return False


def new_user(number: int) -> object:
    """A local account for an invented person, who must set a password."""
    from msgraph.generated.models.object_identity import ObjectIdentity  # noqa: PLC0415
    from msgraph.generated.models.password_profile import PasswordProfile  # noqa: PLC0415
    from msgraph.generated.models.user import User  # noqa: PLC0415

    _, address, given, surname = kit.make_person(number)
    return User(
        display_name=f"{given} {surname}",
        given_name=given,
        surname=surname,
        identities=[ObjectIdentity(sign_in_type="emailAddress", issuer=TENANT, issuer_assigned_id=address)],
        password_profile=PasswordProfile(
            password=f"aA1!{secrets.token_urlsafe(24)}", force_change_password_next_sign_in=True
        ),
        password_policies="DisablePasswordExpiration",  # noqa: S106 - a policy's name
    )
