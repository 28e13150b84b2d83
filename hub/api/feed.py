"""The stream of transitions as it grows, read once for all who follow it.

The newest transitions stand in memory, ready to be sent; who lags behind them reads the store. So a follower costs no
memory of its own, however slow it is, and nobody can miss one: each has a cursor, and asks for what follows it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import msgspec

from hub.alert_line import alert_change
from hub.api.cursor import Cursors, ReadsCursors
from hub.api.reads import Reads
from hub.api.tail import PAGE, Line, Tail
from hub.serve.intake import Intake
from schemas.alert import OPEN
from schemas.errors import StoreFailed
from streams.core.directory import Directory
from streams.embedded.directory import StoredDirectory
from streams.embedded.following import Row, check_cursor, open_alerts, read_page
from streams.embedded.reader import Reader

_AGAIN: Final = 1.0  # seconds until a store that cannot be read is asked again
RESET: Final = "reset"
"""The state of a line that is no transition: all before it is gone, and what stands is to be read anew."""
_encode: Final = msgspec.json.Encoder().encode


class Feed(Tail):
    """Follows the transitions of an intake."""

    def __init__(self, intake: Intake, reads: Reads, cursors: Cursors) -> None:
        super().__init__()
        self._intake: Intake = intake
        self._reads: Reads = reads
        self.cursors: ReadsCursors = cursors
        self.tip: int = intake.cursor
        """The cursor of the last transition in memory; all up to it are durable."""
        self._open: dict[str, tuple[str, str]] = {}

    async def start(self) -> None:
        """Begin to follow."""
        self.tip = self._intake.cursor
        await super().start()

    @property
    def now(self) -> int:
        """The cursor of the last transition that is durable."""
        return self._intake.cursor

    async def check(self, after: int) -> None:
        """Raises Gone or Ahead where nothing can be given behind a cursor."""
        await self._reads.ask(lambda reader: check_cursor(reader, after))

    async def wait_beyond(self, cursor: int) -> None:
        """Return when there is a transition beyond this cursor, or the stream was closed."""
        while self.tip <= cursor and not self.closed:
            await self._news.wait()

    async def page(self, after: int) -> list[Line]:
        """Some of the transitions that follow, in order; none where there are none yet. Raises Gone and Ahead."""
        if after >= self.tip:
            return []
        if self._kept and after >= self._kept[0].cursor - 1:
            return self._newest(after)
        return (await self._read(after))[1]

    def open_counts(self) -> Counter[tuple[str, str]]:
        """(threshold, severity) -> how many alerts of mode live are open."""
        return Counter(self._open.values())

    async def _follow(self) -> None:
        opened = False
        while True:
            try:
                if not opened:
                    self._open = await self._reads.ask(open_alerts) | self._open
                    opened = True
                    continue
                await self._intake.wait_beyond(self.tip)
                if self._intake.cursor <= self.tip:
                    return  # the hub shuts down
                rows, lines, goes_on = await self._read(self.tip)
            except StoreFailed:
                await asyncio.sleep(_AGAIN)
                continue
            self._kept += lines
            for row in rows:
                self._count(row)
            self.tip = goes_on
            self._wake()

    async def _read(self, after: int) -> tuple[list[Row], list[Line], int]:
        return await self._reads.ask(lambda reader: self._page_of(reader, after))

    def _page_of(self, reader: Reader, after: int) -> tuple[list[Row], list[Line], int]:
        rows, goes_on, _ = read_page(reader, after=after, limit=PAGE)
        directory = StoredDirectory(reader)
        return rows, [write_line(row, self.cursors, directory) for row in rows], goes_on

    def _count(self, row: Row) -> None:
        _, _, alert = row
        if alert.state in OPEN and alert.mode == "live":
            self._open[alert.id] = (alert.threshold, alert.severity)
        else:
            self._open.pop(alert.id, None)


def write_line(row: Row, cursors: ReadsCursors, directory: Directory | None = None) -> Line:
    """A transition as it is sent."""
    cursor, at, alert = row
    data = _encode(alert_change(cursors.write(cursor), at, alert, directory))
    return Line(cursor, alert.state.value, alert.threshold, alert.facility, data)
