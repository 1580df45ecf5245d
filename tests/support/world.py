"""A whole migration in memory: every port, the host's queue rules, and faults wherever a test wants them."""

import csv
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared import names
from shared.adapters.memory import (
    ManualClock,
    MemoryBackups,
    MemoryDirectory,
    MemoryExports,
    MemoryNotifier,
    MemoryOutbox,
    MemoryReports,
    MemoryTables,
    Queued,
)
from shared.adapters.storage.table_ledger import open_ledger
from shared.intake.stage_rows import stage_rows
from shared.intake.stage_suppressions import stage_suppressions
from shared.intake.sweep_exports import sweep_exports
from shared.matching.classify_account import classify_account
from shared.messaging.notify_customer import notify_customer
from shared.model.account import SHARDS, Account, Authority
from shared.model.messages import AdoptPlan, ReceiveExport, StageRows, StageSuppressions
from shared.model.migration import Migration
from shared.model.pacing.held_slots import Ahead
from shared.model.pacing.rate_limit import Quotas
from shared.model.profile import Profile, read_profiles
from shared.model.pseudonyms import Pseudonyms
from shared.planning.adopt_accounts import adopt_plan
from shared.ports import Ports
from shared.provisioning.provision_account import provision_account
from shared.reconciliation.reconcile import reconcile_authorities
from shared.runtime import wiring
from shared.runtime.worker import run_account_step, run_piece_step, run_timer, run_upload_step
from shared.scheduling.release_accounts import release_accounts

ROOT = Path(__file__).parent.parent.parent
SOUTH_NORFOLK = Authority("south-norfolk")
GREAT_YARMOUTH = Authority("great-yarmouth")
HEADER = "customer_ref,email,first_name,last_name,email_verified,status,created,last_login,postcode"
LEASE = timedelta(minutes=10)
RETRY = timedelta(seconds=30)

type Run = Callable[[Ports, bytes, int], Awaitable[None]]


def line(
    ref: str,
    email: str = "",
    given: str = "Ada",
    surname: str = "Example",
    verified: str = "true",
    status: str = "active",
) -> str:
    """One data row of a South Norfolk export."""
    address = email or f"{ref.lower()}@example.org"
    return f"{ref},{address},{given},{surname},{verified},{status},2015-01-01,2019-01-01,NR15 1AA"


def export(*lines: str) -> bytes:
    """A South Norfolk export."""
    return "\n".join([HEADER, *lines, ""]).encode()


class HostDiedError(BaseException):
    """kill -9: nothing after it runs, not even an `except Exception`."""


@dataclass
class World:
    """Everything in memory."""

    clock: ManualClock = field(default_factory=ManualClock)
    tables: MemoryTables = field(default_factory=MemoryTables)
    notifier: MemoryNotifier = field(default_factory=MemoryNotifier)
    reports: MemoryReports = field(default_factory=MemoryReports)
    backups: MemoryBackups = field(default_factory=MemoryBackups)
    profiles: dict[Authority, Profile] = field(default_factory=lambda: read_profiles(ROOT / "authorities"))
    quotas: Quotas = field(default_factory=Quotas)
    ahead: Ahead = field(default_factory=Ahead)
    errors: list[Exception] = field(default_factory=list)
    wrap: Callable[[Ports], Ports] = field(default=lambda ports: ports)

    def __post_init__(self) -> None:
        self.exports = MemoryExports(self.clock)
        self.outbox = MemoryOutbox(self.clock)
        self.directory = MemoryDirectory(self.clock)
        self.ledger = open_ledger(self.tables, self.clock)

    @property
    def ports(self) -> Ports:
        """The ports as the app gets them."""
        return self.wrap(
            Ports(
                clock=self.clock,
                exports=self.exports,
                reports=self.reports,
                backups=self.backups,
                ledger=self.ledger,
                outbox=self.outbox,
                directory=self.directory,
                notifier=self.notifier,
                profiles=self.profiles,
                pseudonyms=Pseudonyms(b"k" * 32),
                quotas=self.quotas,
                tenant=self.directory.tenant,
                jitter=lambda: 0.5,
                ahead=self.ahead,
            )
        )

    async def upload(self, body: bytes, name: str = "south-norfolk/portal.csv") -> None:
        """Upload a file; the event tells of it at once."""
        self.exports.upload(name, body)
        await self.outbox.send(ReceiveExport(blob=name))

    async def run(self, rounds: int = 60, step: timedelta = timedelta(seconds=10)) -> None:
        """Let timers and queues work until nothing is open, or for so many rounds."""
        for number in range(rounds):
            await self.timers(number)
            await self.deliver()
            self.clock.tick(step)
            if number > 1 and await self.idle():
                return

    async def idle(self) -> bool:
        """Whether no migration is open and no message is left."""
        if any(self.outbox.queues.values()):
            return False
        return not any(m.open and not m.paused for m in await self.migrations())

    async def timers(self, number: int = 0) -> None:
        """One round of the timers."""
        timers = {"release_accounts": release_accounts, "reconcile": reconcile_authorities}
        for name, step in (timers | ({"sweep_exports": sweep_exports} if number % 6 == 0 else {})).items():
            await self._guarded(run_timer(self.ports, name, step))

    async def _guarded(self, work: Awaitable[object]) -> bool:
        try:
            await work
        except HostDiedError:
            return False
        except Exception as error:  # noqa: BLE001 - the host catches whatever a function raises
            self.errors.append(error)
        return True

    async def deliver(self) -> None:
        """Deliver every visible message by the rules of the host's queue listener."""
        await self.deliver_but("")

    async def deliver_but(self, held_back: str) -> None:
        """The same, but for one queue."""
        for queue in names.QUEUES:
            if queue == held_back:
                continue
            for item in [item for item in self.outbox.queues[queue] if item.visible_at <= self.clock.now()]:
                if item in self.outbox.queues[queue]:
                    await self._deliver(queue, item)

    async def _deliver(self, queue: str, item: Queued) -> None:
        item.dequeued += 1
        item.visible_at = self.clock.now() + LEASE
        if item.dequeued > names.MAX_DEQUEUE_COUNT:
            self._to_poison(queue, item)
            return
        try:
            await RUNS[queue](self.ports, item.body, item.dequeued)
        except HostDiedError:
            return
        except Exception as error:  # noqa: BLE001 - the host catches whatever a function raises
            self.errors.append(error)
            item.visible_at = self.clock.now() + RETRY
            if item.dequeued >= names.MAX_DEQUEUE_COUNT:
                self._to_poison(queue, item)
            return
        if item in self.outbox.queues[queue]:
            self.outbox.queues[queue].remove(item)

    def _to_poison(self, queue: str, item: Queued) -> None:
        if item in self.outbox.queues[queue]:
            self.outbox.queues[queue].remove(item)
        self.outbox.poison[queue].append(replace(item, dequeued=0, visible_at=self.clock.now(), sent_at=None))

    async def migrations(self) -> list[Migration]:
        """All migrations of all councils, oldest first."""
        found = [m for authority in self.profiles async for m in self.ledger.migrations.list_all(authority)]
        return sorted(found + await self.ledger.migrations.list_refused(), key=lambda m: (m.uploaded_at, m.id))

    async def migration(self) -> Migration:
        """The newest one."""
        return (await self.migrations())[-1]

    async def accounts(self, authority: Authority = SOUTH_NORFOLK) -> list[Account]:
        """All accounts of a council."""
        return [s.record for shard in SHARDS async for s in self.ledger.accounts.list_shard(authority, shard)]

    async def result(self, migration: Migration | None = None) -> dict[str, dict[str, str]]:
        """result.csv by source id (by row number where there is none)."""
        return {row["source_id"] or row["row"]: row for row in await self.result_lines(migration)}

    async def result_lines(self, migration: Migration | None = None) -> list[dict[str, str]]:
        """result.csv, line by line."""
        folder = (migration or await self.migration()).folder
        text = self.reports.files[f"{folder}/result.csv"].decode()
        return list(csv.DictReader(io.StringIO(text)))

    async def report(self, name: str, migration: Migration | None = None) -> dict[str, Any]:
        """A JSON report."""
        folder = (migration or await self.migration()).folder
        found: dict[str, Any] = json.loads(self.reports.files[f"{folder}/{name}"])
        return found

    @property
    def told(self) -> list[str]:
        """Addresses of all letters, in order."""
        return [letter.address for letter in self.notifier.sent]


async def _classify(ports: Ports, body: bytes, attempt: int) -> None:
    await run_account_step(ports, classify_account, body, attempt)


async def _provision(ports: Ports, body: bytes, attempt: int) -> None:
    await run_account_step(ports, provision_account, body, attempt)


async def _notify(ports: Ports, body: bytes, attempt: int) -> None:
    await run_account_step(ports, notify_customer, body, attempt)


async def _stage(ports: Ports, body: bytes, attempt: int) -> None:
    await run_piece_step(ports, stage_rows, StageRows, body, attempt)


async def _suppress(ports: Ports, body: bytes, attempt: int) -> None:
    await run_piece_step(ports, stage_suppressions, StageSuppressions, body, attempt)


async def _adopt(ports: Ports, body: bytes, attempt: int) -> None:
    await run_piece_step(ports, adopt_plan, AdoptPlan, body, attempt)


RUNS: dict[str, Run] = {
    names.RECEIVE_EXPORT: run_upload_step,
    names.STAGE_ROWS: _stage,
    names.STAGE_SUPPRESSIONS: _suppress,
    names.CLASSIFY_ACCOUNT: _classify,
    names.ADOPT_PLAN: _adopt,
    names.PROVISION_ACCOUNT: _provision,
    names.NOTIFY_CUSTOMER: _notify,
}
wiring.quieten_libraries()
