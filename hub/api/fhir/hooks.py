"""Rest-hooks without a payload (R4 Subscription): something has changed, and the server is asked what.

Theory. The knock is durable before it is answered, so a crash forgets none. What is asked for is what the subscription
says itself (`criteria`), changed since the last look and a while before it, for servers index late; what came before is
taken as a repetition. Several knocks while somebody looks are one more look.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from hub.api.fhir.subscriptions import TRIES, Take
from hub.api.reads import Reads
from hub.fhir_server import Askers, NotAnswered
from hub.serve.intake import Intake, Stopped
from hub.site_fhir import FhirServer
from schemas.errors import PxError, StoreFailed
from schemas.event import HOUR, MINUTE
from schemas.instant import write_instant
from streams.embedded.subscriptions import Row, find_subscription, incomplete, write_subscription

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_OWN: Final = "hook/"  # before a subscription's id, where it is noted when somebody looked last
_OVERLAP: Final = 5 * MINUTE
_FIRST: Final = HOUR  # how far the first look goes back
_WANTED: Final = ((0, 0),)
_PAGES: Final = 1_000
_CRITERIA: Final = re.compile(r"[A-Z][A-Za-z]{1,63}(?:\?[^#\s]*)?")


class _Subscription(msgspec.Struct, rename="camel"):
    criteria: str | None = None


class _Link(msgspec.Struct):
    relation: str | None = None
    url: str | None = None


class _Page(msgspec.Struct):
    link: list[_Link] | None = None


class Hooks:
    """Looks when it is knocked. `take` is how a page is taken; it is set by who owns both."""

    def __init__(
        self,
        intake: Intake,
        reads: Reads,
        clock: Callable[[], int],
        servers: Mapping[str, FhirServer],
        askers: Askers,
        *,
        log: BoundLogger | None = None,
    ) -> None:
        self._intake: Intake = intake
        self._reads: Reads = reads
        self._clock: Callable[[], int] = clock
        self._servers: Mapping[str, FhirServer] = servers
        self._askers: Askers = askers
        self._log: BoundLogger | None = log
        self._looking: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._again: set[tuple[str, str]] = set()
        self._knocks: int = 0
        self._failed: int = 0
        self.take: Take | None = None

    @property
    def numbers(self) -> Mapping[str, float]:
        """What /metrics tells of it."""
        return {"pxhub_fhir_knocks_total": self._knocks, "pxhub_fhir_looks_failed_total": self._failed}

    async def start(self) -> None:
        """Look for what was knocked for when the hub stopped."""
        for system, id_ in await self._reads.ask(incomplete):
            if id_.startswith(_OWN) and system in self._servers:
                self._look(self._servers[system], id_.removeprefix(_OWN))

    async def close(self) -> None:
        """Look no more."""
        for task in list(self._looking.values()):
            task.cancel()
        await asyncio.gather(*self._looking.values(), return_exceptions=True)

    async def knock(self, server: FhirServer, id_: str) -> None:
        """Note that a subscription's server has something. Raises StoreFailed and Stopped."""
        self._knocks += 1
        row = await self._reads.ask(lambda reader: find_subscription(reader, server.name, _OWN + id_))
        last = row.last if row is not None else self._clock() - _FIRST
        await self._note(server, id_, Row(last, _WANTED))
        self._look(server, id_)

    async def _note(self, server: FhirServer, id_: str, row: Row) -> None:
        now = self._clock()
        await self._intake.ask(lambda runtime: write_subscription(runtime.store, server.name, _OWN + id_, row, now))

    def _look(self, server: FhirServer, id_: str) -> None:
        key = (server.name, id_)
        if key in self._looking:
            self._again.add(key)
            return
        task = self._looking[key] = asyncio.create_task(self._look_until_seen(server, id_))
        task.add_done_callback(lambda _: self._looking.pop(key, None))

    async def _look_until_seen(self, server: FhirServer, id_: str) -> None:
        key = (server.name, id_)
        for wait in TRIES:
            await asyncio.sleep(wait)
            try:
                while True:
                    self._again.discard(key)
                    began = self._clock()
                    await self._see(server, id_)
                    if key in self._again:
                        continue
                    await self._note(server, id_, Row(began))
                    if key not in self._again:  # a knock while it was noted
                        break
            except (PxError, Stopped) as wrong:
                self._failed += 1
                if self._log is not None:
                    why = wrong.told if isinstance(wrong, NotAnswered) else type(wrong).__name__
                    self._log.warning("fhir.changes_not_given", source_kind=f"fhir/{server.name}", reason=why)
                if isinstance(wrong, StoreFailed | Stopped):
                    return
            else:
                return

    async def _see(self, server: FhirServer, id_: str) -> None:
        """Ask for what has changed, page by page. Raises NotAnswered and what taking raises."""
        asker = self._askers.of(server)
        try:
            said = msgspec.json.decode(await asker.ask(f"Subscription/{id_}"), type=_Subscription)
        except msgspec.DecodeError:
            raise NotAnswered("no_subscription") from None
        if said.criteria is None or not _CRITERIA.fullmatch(said.criteria):
            raise NotAnswered("no_criteria")
        row = await self._reads.ask(lambda reader: find_subscription(reader, server.name, _OWN + id_))
        since = write_instant((row.last if row is not None else self._clock() - _FIRST) - _OVERLAP)
        path: str | None = f"{said.criteria}{'&' if '?' in said.criteria else '?'}_lastUpdated=ge{since}&_count=200"
        seen: set[str] = set()
        while path is not None and path not in seen and len(seen) < _PAGES:
            seen.add(path)
            body = await asker.ask(path)
            if self.take is not None:
                await self.take(server.name, body)
            path = _next(body)


def _next(body: bytes) -> str | None:
    try:
        links = msgspec.json.decode(body, type=_Page).link or []
    except msgspec.DecodeError:
        raise NotAnswered("no_bundle") from None
    return next((link.url for link in links if link.relation == "next" and link.url), None)
