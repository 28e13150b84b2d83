"""Many senders, one writer: whatever waits is committed together, and acknowledged when it is durable.

Theory. The runtime lives in one thread of its own (`Writer`); the event loop never waits for the disk or the engine.
What arrives in one turn of the loop is handed over together, once, for a wake-up of the thread costs more than a
message. While a batch is committed and judged, the next one gathers: so the more there is to do, the more each commit
takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final, TypeVar

from hub.serve.condition import Condition, Tell
from hub.serve.reading import LiveReader
from hub.serve.writer import Asked, Clocks, Question, Stopped, Told, Work, Writer
from schemas.message import Verdict
from streams.embedded.runtime import Runtime

__all__ = ["Intake", "Stopped", "Told"]

Answer = TypeVar("Answer")
_PIECE: Final = 2_000  # messages that are committed at once: with more the first sender would wait for the last
_ROOM: Final = 20_000  # messages that may wait; beyond it `take` waits


def running_time() -> float:
    """Seconds that have gone by, whatever the machine's clock is set to; the time for which it slept among them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Intake:
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
        self._queue: SimpleQueue[Sequence[Work]] = SimpleQueue()
        self.condition: Condition = Condition(tell)
        clocks = Clocks(clock, elapsed)
        self._writer: Writer = Writer(runtime, reader, clocks, self._queue, self._hear, self.condition)
        self._gathered: list[Work] = []  # of this turn of the loop
        self._many: int = 0  # messages that wait
        self._stopping: bool = False
        self._roomy: list[asyncio.Future[None]] = []  # who waits for room
        self._watching: list[asyncio.Future[None]] = []  # who waits for transitions
        self.cursor: int = runtime.committed_cursor
        """The cursor of the last transition that is durable."""

    # -- what the doors ask

    async def take(self, kind: str, raws: Sequence[bytes]) -> list[Verdict]:
        """What became of these messages; they are durable when this returns. Raises StoreFailed, and then none of
        them was taken, and Stopped once the hub shuts down."""
        while self._many >= _ROOM and not self._stopping:
            await self._future(self._roomy)
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[list[Verdict]]] = []
        for at in range(0, len(raws), _PIECE):
            future: asyncio.Future[list[Verdict]] = loop.create_future()
            futures.append(future)
            self.put(kind, raws[at : at + _PIECE], settles(future))
        answers = await asyncio.gather(*futures, return_exceptions=True)
        verdicts: list[Verdict] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            verdicts += answer
        return verdicts

    def put(self, kind: str, raws: Sequence[bytes], tell: Callable[[Told], object]) -> None:
        """Take messages, and tell what `take` returns or raises, later and in this loop. Who calls sees to it that it
        does not put more than there is memory for."""
        loop = asyncio.get_running_loop()
        if self._stopping:
            loop.call_soon(tell, Stopped())
            return
        self._many += len(raws)
        self._hand_over(loop, Asked(kind, raws, tell))

    async def ask(self, question: Callable[[Runtime], Answer]) -> Answer:
        """Ask the runtime something, in its thread. Raises Stopped when that has ended."""
        if self._writer.has_ended:
            raise Stopped
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._hand_over(loop, Question(question, future))
        return await future

    async def wait_beyond(self, cursor: int) -> None:
        """Return when a transition beyond this cursor is durable, or the hub shuts down."""
        while self.cursor <= cursor and not self._stopping:
            await self._future(self._watching)

    @property
    def stopping(self) -> bool:
        return self._stopping

    # -- its life

    async def run(self) -> None:
        """Take, judge, tick, until `stop`; then whatever waits is still taken."""
        try:
            await self._writer.run()
        finally:
            self._stopping = True
            wake(self._watching)
            wake(self._roomy)

    async def stop(self) -> None:
        """Take no more; `run` returns when all that waits was answered."""
        if not self._stopping:
            self._stopping = True
            self._queue.put([*self._gathered, None])
            self._gathered = []
        wake(self._watching)
        wake(self._roomy)

    def _hand_over(self, loop: asyncio.AbstractEventLoop, work: Work) -> None:
        if self._stopping:
            self._queue.put([work])
            return
        if not self._gathered:
            loop.call_soon(self._hand_over_gathered)
        self._gathered.append(work)

    def _hand_over_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def _hear(self, told: list[tuple[Asked, Told]], cursor: int) -> None:
        """What the writer has done, told in the loop."""
        for asked, what in told:
            self._many -= len(asked.raws)
            asked.tell(what)
        if self._roomy and self._many < _ROOM:
            wake(self._roomy)
        if cursor != self.cursor:
            self.cursor = cursor
            wake(self._watching)

    async def _future(self, among: list[asyncio.Future[None]]) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        among.append(future)
        try:
            await future
        finally:
            if future in among:
                among.remove(future)


def wake(waiting: list[asyncio.Future[None]]) -> None:
    """Let all go on who wait."""
    woken = waiting.copy()
    waiting.clear()
    for future in woken:
        if not future.done():
            future.set_result(None)


def settles(future: asyncio.Future[list[Verdict]]) -> Callable[[Told], None]:
    """What tells a future; one that nobody waits for any more is left alone."""

    def tell(told: Told) -> None:
        if future.done():
            return  # who asked is gone
        if isinstance(told, list):
            future.set_result(told)
        else:
            future.set_exception(told)

    return tell
