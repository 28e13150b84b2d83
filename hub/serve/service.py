"""`pxhub serve`, put together: one store, one runtime, its doors; started, drained and stopped."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from connectors.cloudevents.read import CloudEventReader
from connectors.surveys.feedback import FeedbackReader
from hub.contents import content
from hub.declared import Declared, checked_zone, fhir_reader, hl7_reader, read_declared
from hub.enrich import enricher_of
from hub.hooks import Hooks
from hub.left_out import LeftOut
from hub.serve.intake import Intake
from hub.serve.life import Door, Life, stay_alive, tell_manager
from hub.serve.reading import LiveReader
from hub.stored import (
    KeptSet,
    Remembered,
    declarations,
    keep_on,
    kept_sets,
    recall,
    recall_kept,
    remember,
    thresholds_of,
    what_changed,
)
from schemas.errors import StoreFailed, WrongUse
from schemas.event import DAY
from streams.core.compiled import Compiled
from streams.embedded.purge import Purge
from streams.embedded.runtime import Clock, Runtime
from streams.embedded.store import Store

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

DRAIN_SECONDS: Final = 20.0
"""How long what is in flight may take to be answered at the end (`PXHUB_DRAIN_SECONDS`)."""
KEEP: Final = 400 * DAY
"""How long a store keeps what came, in microseconds (DESIGN.md)."""
_PURGE_EVERY: Final = 3600.0  # seconds between two looks for what is older than that
_BREATH: Final = 0.05  # seconds between two pieces of a purge, for those who wait for acknowledgements
_STILL_EVERY: Final = 2.0  # seconds between two looks at what stays in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """What `pxhub serve` was asked for; addresses as (host, port)."""

    store: Path
    http: tuple[str, int] | None = None
    mllp: tuple[str, int] | None = None
    mllp_allow: tuple[str, ...] = ()
    mllp_certificate: Path | None = None
    mllp_key: Path | None = None
    mllp_client_ca: Path | None = None
    thresholds: Path | None = None
    mapping: Path | None = None
    site: Path | None = None
    timezone: str | None = None
    webhooks: Path | None = None
    clock: Clock = "log"
    takes_tests: bool = False
    acknowledges_dead_letters: bool = False
    keep: int = KEEP
    drain_seconds: float = field(default_factory=lambda: float(os.environ.get("PXHUB_DRAIN_SECONDS", DRAIN_SECONDS)))


Opening = Callable[["Service"], Awaitable[Door]]
"""Opens a door of a service that stands."""


Binding = Callable[[ServeSettings, Declared, ExitStack], Opening]
"""Checks what a door was asked for and takes its port, which the stack lets go of. Raises WrongUse."""


def machine_time() -> int:
    """The machine's clock in microseconds since the epoch."""
    return time.time_ns() // 1000  # noqa: TID251 - the one place where the service reads it


def read_settings(settings: ServeSettings) -> Declared:
    """Read what is declared, and refuse what would be a silent default. Raises WrongUse."""
    if settings.timezone is not None:
        checked_zone(settings.timezone)
    declared = read_declared(settings.site, settings.thresholds, settings.mapping, settings.timezone)
    site = declared.site
    if settings.timezone is None and site.timezone is None:
        without = sorted(name for name, facility in site.facilities.items() if facility.zone is None)
        if without or not site.facilities:
            whose = f"of {', '.join(without)}" if without else "of the senders"
            raise WrongUse(
                f"the time zone {whose} is not known: name `zone:` for each facility in the site file, "
                "or --timezone for all senders"
            )
    return declared


def live_reader(settings: ServeSettings, declared: Declared, reads: Compiled) -> LiveReader:
    """The reader of this site's messages."""
    site, tables = declared.site, declared.mapping.tables
    zone = settings.timezone or site.timezone
    cloud = CloudEventReader(
        zones=site.zones, default_zone=zone, times=reads.anchors, with_source="source" in reads.reads
    )
    enricher = enricher_of(site, declared.thresholds.calendars.get("clinic"))
    fhir = fhir_reader(site, zone, tables)
    return LiveReader(
        hl7_reader(site, declared.mapping, settings.timezone),
        cloud,
        enricher,
        left_out=LeftOut(site.test_patients, site.spellings),
        takes_tests=settings.takes_tests,
        has_zone=zone is not None,
        fhir=fhir,
        feedback=FeedbackReader(site.instruments),
        hooks=Hooks(site.sources, zone=zone, instruments=site.instruments),
        fhir_servers={
            server.name: fhir.named(server.name, base=server.base, zone=server.zone) for server in site.fhir.values()
        },
    )


class Service:
    """A running hub. `bindings` are called before the store is touched, and the doors that they give opened when the
    runtime stands."""

    def __init__(
        self,
        settings: ServeSettings,
        log: BoundLogger,
        bindings: tuple[Binding, ...] = (),
        *,
        judged_by: Remembered | None = None,
    ) -> None:
        self.settings: ServeSettings = settings
        self.log: BoundLogger = log
        self.declared: Declared = read_settings(settings)
        if judged_by is not None:  # somebody looks after the store: what it is judged by stays as it is
            self.declared = replace(self.declared, thresholds=thresholds_of(judged_by)[0])
        self.doors: list[Door] = []
        self.counters: list[Callable[[], Mapping[str, float]]] = []  # what /metrics tells of the doors
        self.changes: dict[str, list[str]] = {}
        """Thresholds that are new, gone or otherwise since the store was last served."""
        with ExitStack() as held:
            self._openings: list[Opening] = [bound(settings, self.declared, held) for bound in bindings]
            self.store: Store = Store.open(settings.store, content)
            held.callback(self.store.close)
            if judged_by is None:
                self._remember()
            self.runtime: Runtime = self._judge()
            self._held: ExitStack = held.pop_all()
        self.reader: LiveReader = live_reader(settings, self.declared, self.runtime.engine.compiled)
        self.counters.append(self.reader.counted)
        self.intake: Intake = Intake(self.runtime, self.reader, machine_time, tell=log.warning)

    def _judge(self) -> Runtime:
        """The runtime over what the store holds."""
        began = time.monotonic()
        with closing(self.store.reader()) as reader:
            kept = kept_sets(recall_kept(reader))
        runtime = Runtime(
            self.store,
            self.declared.thresholds,
            kept=kept,
            now=machine_time(),
            clock=self.settings.clock,
            content=content,
            identity=self.declared.site.identity,
        )
        if runtime.reconciled:
            runtime.flush()
            self.log.warning("alerts.judged_anew", alerts=runtime.reconciled)
        gc.collect()
        gc.freeze()  # what was read at the start stays: the collector need not walk it again and again
        took = round(time.monotonic() - began, 3)
        self.log.info("store.opened", store=str(self.settings.store), entries=runtime.entries, seconds=took)
        return runtime

    def _remember(self) -> None:
        """Keep in the store what it is served with, and say what is otherwise than before."""
        settings = self.settings
        kept: list[KeptSet] = []
        with closing(self.store.reader()) as reader:
            before = recall(reader)
            if before is not None:
                found = what_changed(thresholds_of(before)[0], self.declared)
                self.changes = {word: ids for word, ids in found.items() if ids}
                kept = keep_on(reader, before, changed=bool(self.changes))
        if self.changes:
            for word, ids in self.changes.items():
                self.log.warning("thresholds.changed", outcome=word, threshold=", ".join(ids), count=len(ids))
        declared = declarations(settings.thresholds, settings.site, settings.timezone, settings.mapping)
        declared.clock, declared.takes_tests = settings.clock, settings.takes_tests
        remember(self.store, declared, kept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    async def run(self, ready: Callable[[list[Door]], None]) -> None:
        """Serve until SIGTERM or SIGINT; then drain. `ready` is told once all doors are open."""
        life = Life(self.log, self.settings.drain_seconds)
        life.hear_signals()
        taking = asyncio.create_task(self.intake.run())
        try:
            for opened in self._openings:
                self.doors.append(await opened(self))
            ready(self.doors)
            tell_manager("READY=1")
            beside = [
                asyncio.create_task(stay_alive(lambda: self.intake.ask(lambda runtime: runtime.recorded))),
                asyncio.create_task(self._keep_still()),
                asyncio.create_task(self._purge()),
            ]
            await life.go_on(taking)
            for task in beside:
                task.cancel()
        finally:
            await life.drain(self.doors, self.intake, taking)
            self._held.close()
        self.log.info("service.stopped", entries=self.runtime.entries)

    async def _keep_still(self) -> None:
        """What stays is kept from the collector again and again: it makes no cycles, and to walk a million records
        would stop everybody for a second."""
        gc.set_threshold(50_000, 20, 1_000)
        while True:
            gc.freeze()
            await asyncio.sleep(_STILL_EVERY)

    async def _purge(self) -> None:
        """Let go of what is older than it need be kept, a piece at a time."""
        while not self.runtime.by_event:
            await self._purge_once(Purge(machine_time() - self.settings.keep))
            await asyncio.sleep(_PURGE_EVERY)

    async def _purge_once(self, purge: Purge) -> None:
        try:
            goes_on = True
            while goes_on:
                await asyncio.sleep(_BREATH)
                goes_on = await self.intake.ask(purge.go_on)
        except StoreFailed:
            pass  # said where messages are taken; it goes on at the next look
        finally:  # also where the hub is stopped amid it
            if gone := purge.gone:
                self.log.info("store.purged", messages=gone.messages, alerts=gone.alerts)
