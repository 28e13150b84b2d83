"""Many senders, one writer: whatever waits is committed together, and acknowledged when it is durable.

Theory. The runtime lives in one thread of its own (`Writer`); the event loop never waits for the disk or the engine.
While a batch is committed and judged, the next one gathers: so the more there is to do, the more each commit
takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from hub.serve.condition import Condition, Tell
from hub.serve.gathering import Gathering, wait_among, wake
from hub.serve.reading import LiveReader
from hub.serve.writer import Asked, Clocks, Question, Stopped, Told, Writer
from streams.embedded.runtime import Runtime

__all__ = ["Intake", "Stopped", "Told"]

Answer = TypeVar("Answer")


def running_time() -> float:
    """Seconds that have gone by, whatever the machine's clock is set to; the time for which it slept among them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Intake(Gathering):
    """Takes messages for a runtime. `clock` tells the machine's time in microseconds, `elapsed` seconds that have gone
    by; `tell` is told what goes wrong with the store or the clock, and when it is well again."""

    def __init__(
        self,
        runtime: Runtime,
        reader: LiveReader,
        clock: Callable[[], int],
        *,
        elapsed: Callable[[], float] = running_time,
        tell: Tell | None = None,
    ) -> None:
        super().__init__()
        self.condition: Condition = Condition(tell)
        clocks = Clocks(clock, elapsed)
        self._writer: Writer = Writer(runtime, reader, clocks, self._queue, self._hear, self.condition)
        self._watching: list[asyncio.Future[None]] = []  # who waits for transitions
        self.cursor: int = runtime.committed_cursor
        """The cursor of the last transition that is durable."""

    # -- what the doors ask

    async def ask(self, question: Callable[[Runtime], Answer]) -> Answer:
        """Ask the runtime something, in its thread. Raises Stopped when that has ended."""
        if self._writer.has_ended:
            raise Stopped
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._hand_over(Question(question, future))
        return await future

    async def wait_beyond(self, cursor: int) -> None:
        """Return when a transition beyond this cursor is durable, or the hub shuts down."""
        while self.cursor <= cursor and not self._stopping:
            await wait_among(self._watching)

    # -- its life

    async def run(self) -> None:
        """Take, judge, tick, until `stop`; then whatever waits is still taken."""
        try:
            await self._writer.run()
        finally:
            self._note_end()
            wake(self._watching)

    async def stop(self) -> None:
        """Take no more; `run` returns when all that waits was answered."""
        await super().stop()
        wake(self._watching)

    def _hear(self, told: list[tuple[Asked, Told]], cursor: int) -> None:
        """What the writer has done, told in the loop."""
        for asked, what in told:
            self._tell(asked, what)
        if cursor != self.cursor:
            self.cursor = cursor
            wake(self._watching)
