"""The stream of transitions out of Redis, read once for all who follow it here.

As `feed.py` over a store: the newest stand in memory, who lags behind them reads Redis. The cursors are the ids of the
Redis stream, the same for every hub, so a client may resume at another one. Where the views were made anew, a line
tells those who follow that all before it is gone.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from hub.alert_line import AlertChange, AlertLine, AlertSaid
from hub.api.cursor import ReadsCursors
from hub.api.feed import RESET
from hub.api.tail import KEPT, PAGE, Line, Tail
from schemas.errors import StoreFailed
from streams.distributed.view_reads import Entry, ViewReads, read_id, write_id
from streams.embedded.following import Gone

_BLOCK: Final = 1.0  # seconds until it is looked whether Redis still has what it had
_AGAIN: Final = 0.5  # seconds until Redis is asked again
_ANEW: Final = b'{"detail":"what was before is gone: read the alerts anew"}'
_said: Final = msgspec.json.Decoder(AlertSaid).decode
_encode: Final = msgspec.json.Encoder().encode


class StreamIds:
    """Ids of the Redis stream as cursors; of a place among the alerts as they stood, where it began."""

    def write(self, number: int) -> str:
        """The id of a cursor."""
        return write_id(number)

    def read(self, text: str) -> int:
        """The cursor of an id. Raises ValueError."""
        return read_id(text.partition(STANDING)[0])


STANDING: Final = "~"
"""Between the id of the stream from which transitions follow, and the alert that was given last."""


class ViewFeed(Tail):
    """Follows the stream. `away` is why Redis cannot be read now; None while it can."""

    def __init__(self, reads: ViewReads) -> None:
        super().__init__(None)  # `_base` tells what follows, so what leaves is noted
        self._reads: ViewReads = reads
        self.cursors: ReadsCursors = StreamIds()
        self.away: str | None = "Redis was not asked yet"
        self._tip: int | None = None
        """The cursor of the last transition in memory."""
        self._base: int = 0  # all that follows this cursor, up to the tip, is in memory

    @property
    def now(self) -> int:
        """The cursor of the last transition that was read. Raises StoreFailed where none was yet."""
        if self._tip is None:
            raise StoreFailed(self.away or "Redis was not asked yet")
        return self._tip

    async def check(self, after: int) -> None:
        """Raises Gone where what follows a cursor is not all there, and StoreFailed."""
        first, _ = await self._reads.reach()
        if after < first:
            raise Gone

    async def page(self, after: int) -> list[Line]:
        """Some of the transitions that follow, in order; none where there are none yet. Raises Gone and StoreFailed."""
        if self._tip is None or after >= self._tip:
            return []
        if after >= self._base:
            return self._newest(after)
        first, found = await self._reads.changes(after, PAGE)
        if after < first:
            raise Gone
        return lines_of(found)

    async def wait_beyond(self, cursor: int) -> None:
        """Return when there is a transition beyond this cursor, or the stream was closed."""
        while (self._tip is None or self._tip <= cursor) and not self.closed:
            await self._news.wait()

    async def _follow(self) -> None:
        while True:
            try:
                if self._tip is None:
                    _, self._base = await self._reads.reach()
                    self._tip = self._base
                await self._read_on(self._tip)
                self.away = None
            except StoreFailed as wrong:
                self.away = str(wrong)
                await asyncio.sleep(_AGAIN)

    async def _read_on(self, tip: int) -> None:
        found = await self._reads.wait(tip, _BLOCK, PAGE)
        if not found:
            _, last = await self._reads.reach()
            if last < tip:  # Redis was set back: what it holds is not what follows here
                self._kept.clear()
                self._base = self._tip = last
            return
        self._kept += lines_of(found)
        while len(self._kept) > KEPT:
            self._base = self._kept.popleft().cursor
        self._tip = found[-1].cursor
        self._wake()


def line_of(entry: Entry) -> Line | None:
    """A transition of the stream as it is sent; None for what cannot be read."""
    if entry.value is None:
        return Line(entry.cursor, RESET, "", None, _ANEW)
    change = change_of(entry.value, write_id(entry.cursor))
    if change is None:
        return None
    return Line(entry.cursor, change.state.value, change.threshold, change.facility, _encode(change))


def lines_of(entries: list[Entry]) -> list[Line]:
    """Transitions as they are sent, without what cannot be read."""
    return [line for line in map(line_of, entries) if line is not None]


def change_of(value: bytes, cursor: str) -> AlertChange | None:
    """A record of px.alerts as a transition with its cursor; None for what cannot be read."""
    try:
        said = _said(value)
    except msgspec.MsgspecError:
        return None
    return AlertChange(cursor=cursor, at=said.at, **fields_of(said))  # type: ignore[arg-type]  # they are its fields


def fields_of(said: AlertSaid) -> dict[str, object]:
    """The fields of an AlertLine."""
    return {name: getattr(said, name) for name in AlertLine.__struct_fields__}
