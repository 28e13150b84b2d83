"""A hub for tests of its doors: a real store, runtime and intake, HTTP on a port of its own, a clock one can set."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from connectors.cloudevents.read import CloudEventReader
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.api.app import make_app
from hub.api.cursor import cursors_of
from hub.api.serve_http import HttpDoor, bind_http, listen
from hub.contents import content
from hub.enrich import Enricher
from hub.serve.intake import Intake, running_time
from hub.serve.reading import LiveReader
from schemas.event import MINUTE, SECOND
from schemas.identity import IdentityRules
from schemas.instant import write_instant
from schemas.threshold import ThresholdSet
from streams.core.thresholds import read_thresholds
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store

BEGIN = 1_772_442_000 * SECOND  # Monday 2026-03-02, 09:00 UTC
DECLARED = """
thresholds:
  - {id: told, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 1h, warn_at: 50%,
     severity: high, title: A result is told, source: the tests, next_step: call-patient}
  - {id: hold, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 60}, severity: low}
  - {id: shade, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final, within: 1h, mode: shadow}
"""
THRESHOLDS, _ = read_thresholds([("t.yaml", DECLARED)])


def cloud_event(type_: str, minutes: float, id_: str | None = None, **data: Any) -> dict[str, Any]:
    """A CloudEvent as an object."""
    return {
        "specversion": "1.0",
        "id": id_ or f"{type_}/{minutes}/{data.get('order_id', '')}",
        "source": "test",
        "type": type_,
        "time": write_instant(BEGIN + round(minutes * MINUTE)),
        "data": {"mrn": "1", "assigning_authority": "N", "facility": "NORTH", **data},
    }


class LiveHub:
    """The parts of a running hub."""

    def __init__(self, folder: Path, *, now: int = BEGIN, thresholds: ThresholdSet = THRESHOLDS) -> None:
        self.now: int = now
        self.slept: float = 0.0  # seconds for which it stood still
        self.told: list[tuple[str, dict[str, Any]]] = []  # what would stand in the log
        self.store = Store.open(folder, content)
        with contextlib.closing(self.store.reader()) as reader:
            self.cursors = cursors_of(reader)
        self.runtime = Runtime(self.store, thresholds, now=now, content=content, identity=IdentityRules())
        hl7 = Hl7Reader(load_mapping(), default_zone="UTC")
        cloud = CloudEventReader(times=self.runtime.engine.compiled.anchors)
        self.reader = LiveReader(hl7, cloud, Enricher({}, {}, None))
        self.intake = Intake(
            self.runtime,
            self.reader,
            lambda: self.now,
            elapsed=lambda: running_time() + self.slept,
            tell=lambda fact, **fields: self.told.append((fact, fields)),
        )

    def sleep(self, minutes: float) -> None:
        """Stand still for a while, as a process that is stopped or a machine that is suspended."""
        self.slept += minutes * 60
        self.move(minutes)

    async def fact(self, name: str) -> dict[str, Any]:
        """The fields of a fact, once it was told."""
        async with asyncio.timeout(10):
            while name not in dict(self.told):
                await self.intake.ask(lambda _: None)
        return dict(self.told)[name]

    def move(self, minutes: float) -> None:
        """Let the machine's clock move."""
        self.now += round(minutes * MINUTE)

    async def take(self, *events: dict[str, Any]) -> list[str]:
        """Put events in by the back door; what became of them."""
        verdicts = await self.intake.take("cloudevents", [msgspec.json.encode(event) for event in events])
        return [verdict.outcome.value for verdict in verdicts]

    async def alerts(self, count: int) -> None:
        """Return when so many transitions are durable."""
        async with asyncio.timeout(10):
            await self.intake.wait_beyond(count - 1)


class Served:
    """A hub that listens, and a client of it."""

    def __init__(self, hub: LiveHub, door: HttpDoor, client: httpx2.AsyncClient) -> None:
        self.hub = hub
        self.door = door
        self.client = client


@contextlib.asynccontextmanager
async def running(folder: Path, **given: Any) -> AsyncIterator[LiveHub]:
    """A hub that takes and judges, without a door."""
    hub = LiveHub(folder, **given)
    taking = asyncio.create_task(hub.intake.run())
    try:
        yield hub
    finally:
        await hub.intake.stop()
        await taking
        hub.store.close()


@contextlib.asynccontextmanager
async def served(folder: Path, *, now: int = BEGIN, **given: Any) -> AsyncIterator[Served]:
    """A hub that listens on a port of its own; `given` goes to make_app."""
    async with running(folder, now=now) as hub:
        app = make_app(hub.intake, hub.store.reader, lambda: hub.now, **given)
        door = await listen(app, bind_http("127.0.0.1", 0))
        async with httpx2.AsyncClient(base_url=door.address, timeout=10, trust_env=False) as client:
            try:
                yield Served(hub, door, client)
            finally:
                await door.stop()
