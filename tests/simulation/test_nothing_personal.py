"""Canaries: names and addresses of everybody, and where they are found although nobody wanted them there."""

import logging
import traceback
from datetime import timedelta

import pytest

from shared import names
from shared.adapters.memory import MemoryOutbox
from shared.errors import AnswerLost
from shared.model.messages import Message
from shared.ports import Ports
from tests.support import timeless
from tests.support.stories import LONG_AGO, settle
from tests.support.watched import watched
from tests.support.world import World, export, line

CANARIES = ("canaryname", "canarysurname", "canarymail", "canaryplace", "canaryuser")


class RecordingOutbox(MemoryOutbox):
    """Keeps a copy of whatever was sent."""

    seen: list[bytes]

    async def send(self, message: Message, delay: timedelta = timedelta(0)) -> None:
        self.seen.append(message.model_dump_json().encode())
        await super().send(message, delay)


class Talkative:
    """Libraries whose errors tell everything."""

    def __init__(self, call: str, after: int) -> None:
        self._call = call
        self._after = after

    async def before(self, call: str) -> None:
        if call.startswith(self._call):
            self._after -= 1
            if 0 <= self._after < 6:
                raise ValueError("cannot do it for canarymail1@example.org Canaryname Canarysurname")

    async def after(self, call: str) -> None:
        """All is well."""


def _row(number: int, surname: str = "Canarysurname", address: str = "") -> str:
    mail = address or f"canarymail{number}@example.org"
    return line(f"C{number}", mail, "Canaryname", surname).replace("NR15 1AA", "Canaryplace")


def _rows() -> bytes:
    return export(_row(1), _row(2), _row(3), _row(4, "Canarysurnameother"), _row(5, address="canarymail no"), _row(1))


@pytest.mark.parametrize("call", ["nothing", "directory", "tables", "notifier", "outbox", "exports", "reports"])
def test_nothing_personal_leaves_the_rows(call: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> World:
        world = World()
        outbox = RecordingOutbox(world.clock)
        outbox.seen = []
        world.outbox = outbox
        script = Talkative(call, 12)

        def wrap(ports: Ports) -> Ports:
            return watched(ports, world.tables, script)

        world.wrap = wrap
        world.directory.fail.append(AnswerLost("503"))
        for number in (2, 4):
            world.directory.local_user(f"canarymail{number}@example.org", "Canaryname", "Canarysurname", LONG_AGO)
        world.directory.local_user("canaryuser@example.org", "Canaryuser", "Canaryuser", LONG_AGO)
        await world.upload(_rows())
        await settle(world, rounds=60)
        _check_queues(outbox)
        return world

    with caplog.at_level(logging.DEBUG):
        world = timeless.run(story())
    assert world.told or call in {"directory", "notifier"}
    _check_tables(world)
    _check_errors(world)
    for record in caplog.records:
        _clean(f"{record.getMessage()} {record.__dict__}")


def _clean(text: str) -> None:
    found = [canary for canary in CANARIES if canary in text.lower()]
    assert not found, text


def _check_queues(outbox: RecordingOutbox) -> None:
    assert outbox.seen
    for body in outbox.seen:
        _clean(body.decode())


def _check_tables(world: World) -> None:
    for table, partition, row_key, values in world.tables.everything():
        _clean(f"{partition} {row_key}")
        if table != names.ROWS:
            _clean(repr(values))


def _check_errors(world: World) -> None:
    for error in world.errors:
        _clean(f"{error!r} {error} {''.join(traceback.format_exception(error))}")


def test_the_name_of_a_file_may_hold_an_address_and_no_key_does() -> None:
    async def story() -> World:
        world = World()
        await world.upload(export(line("C1")), "south-norfolk/canarymail@example.org.csv")
        await settle(world)
        return world

    world = timeless.run(story())
    for _, partition, row_key, _ in world.tables.everything():
        assert "@" not in f"{partition}{row_key}"
    assert not [path for path in world.reports.files if "@" in path]
