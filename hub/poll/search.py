"""Polling one FHIR server: what changed of each type since it was asked last, page by page, each durable.

Law: a position is written after what it stands for is durable. So whatever ends a poll, the next goes on where it
was, and what it repeats changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from connectors.fhir.read import READ_TYPES
from connectors.fhir.search import Walk, WrongAnswer, types_served
from connectors.fhir.smart import may_search
from hub.poll.client import PATIENCE, FhirClient
from hub.poll.take import Came, Takes
from hub.poll.wire import Failed

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_FIRST: Final = "Patient"  # then the others' references find whom they name
_SPOILT: Final = 3  # tries for a page that is no page: it may have been cut short
_GONE: Final = 410  # a server lets go of its pages after a while
NOT_GRANTED: Final = "the sign-in does not grant it: ask for the scope, or leave the type out of `types`"


class Asked(Came):
    """What came of asking for a type. `since` is where the search began, `position` up to where all is read (both
    microseconds); `remarks` counts what the server said beside the resources."""

    type: str
    since: int | None = None
    position: int | None = None
    pages: int = 0
    undated: int = 0
    remarks: int = 0


class Poller:
    """Polls one server. `since` is where it begins in place of what was remembered (microseconds)."""

    def __init__(
        self,
        client: FhirClient,
        taker: Takes,
        clock: Callable[[], int],
        *,
        since: int | None = None,
        log: BoundLogger | None = None,
    ) -> None:
        self._client: FhirClient = client
        self._taker: Takes = taker
        self._clock: Callable[[], int] = clock
        self._since: int | None = since
        self._log: BoundLogger | None = log
        self._types: tuple[str, ...] | None = client.server.asks.types or None

    async def poll(self) -> list[Asked]:
        """Ask for every type once. What fails of the server as a whole is told of each. Raises StoreFailed and
        Stopped."""
        try:
            types = await self._find_types()
            scopes = await self._client.scopes()
        except Failed as wrong:
            return [self._fail(Asked(type_), wrong) for type_ in self._types or ("*",)]
        found: list[Asked] = []
        away: Failed | None = None
        for type_ in types:
            asked = Asked(type_)
            found.append(asked)
            if scopes is not None and not may_search(type_, scopes):
                self._fail(asked, Failed(NOT_GRANTED))
                continue
            if away is not None:
                self._fail(asked, away)
                continue
            try:
                await self._poll_type(asked)
            except Failed as wrong:
                self._fail(asked, wrong)
                if wrong.passes and (wrong.status is None or wrong.wait > PATIENCE):
                    away = wrong  # the server as a whole: the other types would only be waited for too
        self._since = None  # from here on what was read is known
        return found

    async def _find_types(self) -> tuple[str, ...]:
        """The types to ask for: those that are named, else those that are read and the server can search."""
        if self._types is None:
            answer = await self._client.fetch(f"{self._client.base}/metadata")
            served = types_served(answer.body)
            self._types = tuple(sorted(READ_TYPES if served is None else READ_TYPES & served))
            if not self._types:
                self._types = None
                raise Failed("its CapabilityStatement lists no type that is read")
        return tuple(sorted(self._types, key=lambda type_: type_ != _FIRST))

    async def _poll_type(self, asked: Asked) -> None:
        key, type_ = self._client.key, asked.type
        kept = await self._taker.find_position(key, type_)
        server = self._client.server
        asked.position = kept
        asked.since = self._since
        if asked.since is None:
            asked.since = server.asks.since if kept is None else kept - server.asks.overlap
        began = asked.since
        while True:
            walk = Walk(self._client.base, type_, began)
            try:
                await self._walk(walk, asked)
            except Failed as wrong:
                again = None if walk.position is None else walk.position - server.asks.overlap
                if wrong.status != _GONE or again is None or (began is not None and again <= began):
                    raise
                began = again  # its pages are gone: those that follow are searched for anew
            else:
                return

    async def _walk(self, walk: Walk, asked: Asked) -> None:
        spoilt = 0
        while walk.url is not None:
            answer = await self._client.fetch(walk.url)
            try:
                page = walk.read(answer.body, self._clock())
            except WrongAnswer as wrong:
                spoilt += 1
                if spoilt >= _SPOILT:
                    raise Failed(f"a page is not to be read: {wrong}", passes=True, status=answer.status) from None
                continue
            spoilt = 0
            asked.pages += 1
            asked.undated += page.undated
            asked.remarks += page.remarks
            asked.count(await self._taker.take(page.pieces))
            await self._write(walk.position, asked)
        if walk.fault is not None:
            raise Failed(walk.fault)

    async def _write(self, position: int | None, asked: Asked) -> None:
        """What was read is durable: so is how far."""
        if position is None or (asked.position is not None and position <= asked.position):
            return
        key, type_ = self._client.key, asked.type
        await self._taker.put_position(key, type_, position)
        asked.position = position

    def _fail(self, asked: Asked, wrong: Failed) -> Asked:
        asked.failed, asked.passes = str(wrong), wrong.passes
        if self._log is not None:
            self._log.warning(
                "fhir.poll_failed",
                server=self._client.server.name,
                resource_type=asked.type,
                reason=asked.failed,
                status=wrong.status,
            )
        return asked
