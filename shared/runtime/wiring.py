"""The only file that knows concrete classes: settings in, ports out."""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from shared.access.roles import people_sign_in
from shared.model.account import Authority
from shared.model.profile import Profile, read_profiles
from shared.model.pseudonyms import Pseudonyms
from shared.ports import Clock, Directory, Notifier, Ports
from shared.settings.settings import Settings, certificate_bytes, check_notify_keys, read_settings
from shared.settings.storage_address import check_storage
from shared.telemetry.setup import configure_telemetry

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.adapters.inspection.directory_inspector import DirectoryInspector
    from shared.adapters.inspection.message_inspector import MessageInspector
    from shared.ports.doctor_facts import SettingFacts
    from shared.readiness.examine import Inspectors

MAX_CLOSING_SECONDS: Final = 5
"""Seconds that connections to a storage account may take to close which never answered."""
_ports: WeakKeyDictionary[asyncio.AbstractEventLoop, Ports] = WeakKeyDictionary()


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)


@cache
def get_settings() -> Settings:
    """The settings of this process."""
    return read_settings()


@cache
def get_profiles() -> dict[Authority, Profile]:
    """The councils' profiles."""
    return read_profiles(get_settings().profiles_folder)


def check_start() -> None:
    """Read everything that can be wrong before anything starts.

    Raises:
        BadSetting: one line that names the setting or the profile's key.
    """
    check_storage(os.environ)
    telling = [authority for authority, profile in get_profiles().items() if profile.messages.templates]
    check_notify_keys(get_settings(), telling)
    quieten_libraries()
    configure_telemetry()


def quieten_libraries() -> None:
    """Client libraries log whole URLs, and URLs of look-ups hold addresses."""
    for name in ("httpx", "httpcore", "azure", "urllib3", "kiota_http"):
        logging.getLogger(name).setLevel(logging.WARNING)


def get_ports() -> Ports:
    """Return the ports of this event loop. They are made once, because asynchronous clients belong to one loop."""
    loop = asyncio.get_running_loop()
    if loop not in _ports:
        _ports[loop] = _connect_ports(get_settings(), get_profiles())
    return _ports[loop]


def _connect_ports(chosen: Settings, known: dict[Authority, Profile]) -> Ports:
    # Imported here, so that the app is indexed without waiting for any client library.
    from shared.adapters.storage.azure_tables import AzureTables  # noqa: PLC0415
    from shared.adapters.storage.blob_backups import BlobBackups  # noqa: PLC0415
    from shared.adapters.storage.blob_exports import BlobExports  # noqa: PLC0415
    from shared.adapters.storage.blob_reports import BlobReports  # noqa: PLC0415
    from shared.adapters.storage.clients import connect_storage  # noqa: PLC0415
    from shared.adapters.storage.queue_outbox import QueueOutbox  # noqa: PLC0415
    from shared.adapters.storage.table_ledger import open_ledger  # noqa: PLC0415

    clock = SystemClock()
    storage = connect_storage()
    return Ports(
        clock=clock,
        exports=BlobExports(storage.blobs),
        reports=BlobReports(storage.blobs),
        backups=BlobBackups(storage.blobs),
        ledger=open_ledger(AzureTables(storage.tables), clock),
        outbox=QueueOutbox(storage.queues),
        directory=connect_directory(chosen, known, clock),
        notifier=connect_notifier(chosen, clock),
        profiles=known,
        pseudonyms=Pseudonyms(bytes.fromhex(chosen.pseudonym_key.get_secret_value())),
        quotas=chosen.quotas,
        tenant=chosen.directory_tenant,
        jitter=random.random,
        certificate_ends=_read_certificate_end(chosen),
        signed_in=people_sign_in(),
    )


def _read_certificate_end(chosen: Settings) -> datetime | None:
    from shared.readiness.rules.certificate import read_validity  # noqa: PLC0415

    secret = chosen.directory_client_certificate
    return read_validity(certificate_bytes(secret)).ends if secret is not None else None


def connect_directory(chosen: Settings, known: dict[Authority, Profile], clock: Clock) -> Directory:
    """The directory that the settings name."""
    from shared.adapters.graph.attributes import Attributes  # noqa: PLC0415
    from shared.adapters.graph.directory import GraphDirectory  # noqa: PLC0415

    app = chosen.directory_extensions_app_id.replace("-", "").lower()
    attributes = Attributes(app, {authority: profile.attribute_prefix for authority, profile in known.items()})
    credential = None if chosen.on_loopback else _directory_credential(chosen)
    return GraphDirectory(chosen.directory_graph_url, chosen.directory_tenant, attributes, credential, clock)


def _directory_credential(chosen: Settings) -> "AsyncTokenCredential":
    from azure.identity.aio import CertificateCredential, ClientSecretCredential  # noqa: PLC0415

    if chosen.directory_client_certificate is not None:
        certificate = certificate_bytes(chosen.directory_client_certificate)
        return CertificateCredential(
            chosen.directory_tenant_id, chosen.directory_client_id, certificate_data=certificate
        )
    secret = chosen.directory_client_secret
    return ClientSecretCredential(
        chosen.directory_tenant_id, chosen.directory_client_id, secret.get_secret_value() if secret else ""
    )


def connect_notifier(chosen: Settings, clock: Clock) -> Notifier | None:
    """The message service that the settings name, None for none."""
    if chosen.notify_provider == "none":
        return None
    from shared.adapters.notify.govuk_notify import GovukNotifyNotifier  # noqa: PLC0415

    return GovukNotifyNotifier(chosen.notify_url, chosen.notify_key, clock)


@asynccontextmanager
async def open_inspectors(facts: "SettingFacts") -> "AsyncIterator[Inspectors]":
    """Open the doctor's inspectors, with the app's own credentials. An inspector whose setting is wrong is left out."""
    from shared.adapters.inspection.storage_inspector import StorageInspector  # noqa: PLC0415
    from shared.adapters.storage.azure_tables import AzureTables  # noqa: PLC0415
    from shared.adapters.storage.clients import connect_storage  # noqa: PLC0415
    from shared.adapters.storage.table_ledger import open_ledger  # noqa: PLC0415
    from shared.readiness.examine import Inspectors  # noqa: PLC0415

    clock, chosen = SystemClock(), facts.settings
    directory = _directory_inspector(chosen, clock) if chosen else None
    messages = _message_inspector(chosen, clock) if chosen else None
    if not facts.storage:
        yield Inspectors(clock, directory, messages)
        return
    storage = connect_storage()
    ledger = open_ledger(AzureTables(storage.tables), clock)
    try:
        yield Inspectors(clock, directory, messages, StorageInspector(storage, clock), ledger)
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_CLOSING_SECONDS):
                await storage.close()


def _directory_inspector(chosen: Settings, clock: Clock) -> "DirectoryInspector":
    from shared.adapters.inspection.directory_inspector import DirectoryInspector  # noqa: PLC0415

    credential = None if chosen.on_loopback else partial(_directory_credential, chosen)
    return DirectoryInspector(chosen.directory_graph_url, credential, clock)


def _message_inspector(chosen: Settings, clock: Clock) -> "MessageInspector | None":
    if chosen.notify_provider == "none":
        return None
    from shared.adapters.inspection.message_inspector import MessageInspector  # noqa: PLC0415

    return MessageInspector(chosen.notify_url, chosen.notify_key, find_notify_setting, clock)


def find_notify_setting(authority: Authority) -> str:
    """The setting that holds the council's key: its own, else the common one, else its own that should be."""
    own = f"NOTIFY_API_KEY_{authority.upper().replace('-', '_')}"
    return "NOTIFY_API_KEY" if not os.environ.get(own) and os.environ.get("NOTIFY_API_KEY") else own
