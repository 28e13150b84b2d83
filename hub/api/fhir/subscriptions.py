"""Notifications of subscriptions: what was heard is kept, what is missing is noticed and asked for again.

Theory. The resources of a notification are durable before its number is, so a crash between the two makes a gap where
there is none, and never hides one. A gap is left a while, for notifications overtake each other; then the server is
asked for it with `$events`, whose answer is taken as a notification is. What a server does not give stays missing, is
counted, and is asked for again with its next notification and at the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.fhir.heard import Heard, hear
from connectors.fhir.notification import ASKED, Notification
from connectors.json_text import NOT_JSON
from hub.api.fhir.bundles import Bundle
from hub.api.fhir.versions import Turns
from hub.api.reads import Reads
from hub.fhir_server import Askers, NotAnswered
from hub.serve.intake import Intake, Stopped
from hub.site_fhir import FhirServer
from schemas.errors import PxError, StoreFailed
from streams.embedded.reader import Reading
from streams.embedded.subscriptions import Row, find_subscription, incomplete, write_subscription

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

PATIENCE: Final = 5.0
"""Seconds for which a gap may close by itself."""
_SLICE: Final = 100  # events that are asked for at once
_BARREN: Final = 50  # questions in a row that brought nothing: the server has no more, or counts as nobody can
TRIES: Final = (0.0, 60.0, 300.0)
"""Seconds before each try to ask a server."""

Take = Callable[[str, bytes], Awaitable[None]]
"""Takes what a server (by its name) answered, as a notification is taken."""


class _Entry(msgspec.Struct, rename="camel"):
    full_url: str | None = None
    resource: msgspec.Raw = msgspec.Raw()
    request: dict[str, str | None] | None = None


class _Name(msgspec.Struct, rename="camel"):
    resource_type: str | None = None
    id: str | None = None


class Subscriptions:
    """Hears notifications. `take` is how what a server answers is taken, `beat` is told of whom something came by
    itself; both are set by who owns all."""

    def __init__(
        self,
        intake: Intake,
        reads: Reads,
        clock: Callable[[], int],
        servers: Mapping[str, FhirServer],
        askers: Askers,
        *,
        log: BoundLogger | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._intake: Intake = intake
        self._reads: Reads = reads
        self._clock: Callable[[], int] = clock
        self._servers: Mapping[str, FhirServer] = servers
        self._askers: Askers = askers
        self._log: BoundLogger | None = log
        self._patience: float = patience
        self._turns: Turns = Turns()
        self._asking: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._missing: dict[tuple[str, str], int] = {}
        self._heard: int = 0
        self._gaps: int = 0
        self._failed: int = 0
        self.take: Take | None = None
        self.beat: Callable[[str, str], None] | None = None

    @property
    def numbers(self) -> Mapping[str, float]:
        """What /metrics tells of it."""
        return {
            "pxhub_fhir_notifications_total": self._heard,
            "pxhub_fhir_notifications_missed_total": self._gaps,
            "pxhub_fhir_notifications_missing": sum(self._missing.values()),
            "pxhub_fhir_asks_failed_total": self._failed,
        }

    async def start(self) -> None:
        """Ask for what was missing when the hub stopped."""
        for system, id_ in await self._reads.ask(incomplete):
            if "/" in id_:  # a hook's (hooks.py)
                continue
            row = await self._find(system, id_)
            if row is not None:
                self._missing[(system, id_)] = Heard(row.last, row.missing).count
                self._want(system, id_)

    async def close(self) -> None:
        """Ask no more."""
        for task in list(self._asking.values()):
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def hear(self, system: str, told: Notification, came: frozenset[int]) -> None:
        """Keep the numbers of a notification whose resources are durable. Raises StoreFailed and Stopped."""
        key = (system, told.subscription)
        async with self._turns.of([key]):
            row = await self._reads.ask(lambda reader: find_subscription(reader, *key))
            before = Heard(row.last, row.missing) if row is not None else None
            after = hear(before, told, came)
            if before != after:
                now = self._clock()
                kept = Row(after.last, after.missing)
                await self._intake.ask(lambda runtime: write_subscription(runtime.store, *key, kept, now))
        if told.kind not in ASKED:
            self._heard += 1
            if self.beat is not None:
                self.beat(*key)
        more = after.count - (before.count if before is not None else 0)
        self._missing[key] = after.count
        if more > 0:
            self._gaps += more
            if self._log is not None:
                self._log.warning("fhir.notifications_missed", source_kind=f"fhir/{system}", count=more)
        if after.count:
            self._want(*key)

    def _want(self, system: str, id_: str) -> None:
        """Ask for what is missing, after a while; who asks already goes on."""
        server = self._servers.get(system)
        key = (system, id_)
        if server is None or server.base is None or key in self._asking:
            return
        task = self._asking[key] = asyncio.create_task(self._ask_until_whole(server, id_))
        task.add_done_callback(lambda _: self._asking.pop(key, None))

    async def _ask_until_whole(self, server: FhirServer, id_: str) -> None:
        await asyncio.sleep(self._patience)
        for wait in TRIES:
            await asyncio.sleep(wait)
            try:
                if await self._ask(server, id_):
                    return
            except NotAnswered as wrong:
                self._tell_failed(server, wrong.told)
            except (StoreFailed, Stopped) as wrong:
                self._tell_failed(server, type(wrong).__name__)
            except PxError as wrong:  # what it answered cannot be taken
                self._tell_failed(server, type(wrong).__name__)

    def _tell_failed(self, server: FhirServer, why: str) -> None:
        self._failed += 1
        if self._log is not None:
            self._log.warning("fhir.events_not_given", source_kind=f"fhir/{server.name}", reason=why)

    async def _ask(self, server: FhirServer, id_: str) -> bool:
        """Ask for each range that is missing; whether nothing is any more."""
        row = await self._find(server.name, id_)
        asker = self._askers.of(server)
        barren = 0
        for begin, end in _slices(row):
            path = f"Subscription/{id_}/$events?eventsSinceNumber={begin}&eventsUntilNumber={end}&content=full-resource"
            body = await asker.ask(path)
            if self.take is not None:
                await self.take(server.name, body)
            before, row = row, await self._find(server.name, id_)
            barren = barren + 1 if row == before else 0
            if barren >= _BARREN:
                self._tell_failed(server, "nothing_came")
                return False
        return row is None or not row.missing

    async def _find(self, system: str, id_: str) -> Row | None:
        return await self._reads.ask(lambda reader: _row(reader, system, id_))


def _row(reading: Reading, system: str, id_: str) -> Row | None:
    return find_subscription(reading, system, id_)


def _slices(row: Row | None) -> Iterator[tuple[int, int]]:
    for begin, end in row.missing if row is not None else ():
        for at in range(begin, end + 1, _SLICE):
            yield at, min(at + _SLICE - 1, end)


def content_of(told: Notification, bundle: Bundle) -> frozenset[int]:
    """The numbers of a notification whose content came with it: the resource of their focus, or that it was deleted."""
    names: set[str] = set()
    for entry in bundle.entries[1:]:
        try:
            one = msgspec.convert({}, _Entry) if not entry.members else _entry(entry.members)
            head = msgspec.json.decode(one.resource, type=_Name) if bytes(one.resource) else None
        except NOT_JSON:
            continue
        if head is not None and head.resource_type and head.id:
            names.add(f"{head.resource_type}/{head.id}")
        if head is not None and one.full_url:
            names.add(one.full_url)
        if one.request is not None and one.request.get("method") == "DELETE" and one.request.get("url"):
            names.add(str(one.request["url"]))
    return frozenset(
        event.number
        for event in told.events
        if (event.focus is None and names)
        or (event.focus is not None and (event.focus in names or "/".join(event.focus.split("/")[-2:]) in names))
    )


def _entry(members: dict[str, msgspec.Raw]) -> _Entry:
    return msgspec.json.decode(msgspec.json.encode(members), type=_Entry)
