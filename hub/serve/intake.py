"""Many senders, one writer: whatever waits is committed together, and acknowledged when it is durable.

The runtime lives in one thread of its own; the event loop never waits for the disk or the engine. While a batch is
committed and judged, the next one gathers: so the more there is to do, the more each commit takes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from hub.serve.condition import Condition, Tell
from hub.serve.reading import LiveReader
from schemas.errors import StoreFailed
from schemas.message import Outcome, Verdict
from streams.embedded.runtime import Runtime

Answer = TypeVar("Answer")
_MOST: Final = 2_000  # messages of one commit: a larger one would let the first sender wait for the last
_TICK: Final = 0.02  # seconds between looks at the clock: an alert may be late by that much
_MOMENTS: Final = 4
_MOMENT: Final = 0.0002  # seconds; a commit takes some milliseconds
_STILL: Final = 60.0  # seconds without a look at the clock: what senders queued meanwhile is to be heard first
_PROBE_EVERY: Final = 1.0  # seconds between two tries to write to a store that failed
_PROBE: Final = "INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(?))"
_FORGET_PROBE: Final = "DELETE FROM meta WHERE name = 'probe'"
_ROOM: Final = 20_000  # messages that may wait; beyond it a sender is not read from


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
        self._runtime: Runtime = runtime
        self._reader: LiveReader = reader
        self._clock: Callable[[], int] = clock
        self._waiting: deque[tuple[str, bytes, asyncio.Future[Verdict]]] = deque()
        self._arrived: asyncio.Event = asyncio.Event()
        self._room: asyncio.Condition = asyncio.Condition()
        self._moved: asyncio.Condition = asyncio.Condition()
        self._thread: ThreadPoolExecutor = ThreadPoolExecutor(1, thread_name_prefix="runtime")
        self._stopping: bool = False
        self._usual: int = 0  # how many messages a commit takes when senders wait for their answers
        self._elapsed: Callable[[], float] = elapsed
        self._looked: float = elapsed()  # when the clock was looked at last
        self._probed: float = self._looked  # when a store that failed was tried last
        self.condition: Condition = Condition(tell)
        self.cursor: int = runtime.committed_cursor
        """The cursor of the last transition that is durable."""

    # -- what the doors ask

    async def take(self, kind: str, raws: Sequence[bytes]) -> list[Verdict]:
        """What became of these messages; they are durable when this returns. Raises StoreFailed, and then none of
        them was taken, and Stopped once the hub shuts down."""
        if self._stopping:
            raise Stopped
        if len(self._waiting) >= _ROOM:
            async with self._room:
                await self._room.wait_for(lambda: len(self._waiting) < _ROOM)
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Verdict]] = [loop.create_future() for _ in raws]
        self._waiting.extend((kind, raw, future) for raw, future in zip(raws, futures, strict=True))
        self._arrived.set()
        if len(futures) == 1:
            return [await futures[0]]
        answers = await asyncio.gather(*futures, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if isinstance(answer, Verdict)]

    async def ask(self, question: Callable[[Runtime], Answer]) -> Answer:
        """Ask the runtime something, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, self._runtime)

    async def wait_beyond(self, cursor: int) -> None:
        """Return when a transition beyond this cursor is durable, or the hub shuts down."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.cursor > cursor or self._stopping)

    @property
    def stopping(self) -> bool:
        return self._stopping

    # -- the one loop

    async def run(self) -> None:
        """Take, judge, tick, until `stop`; then whatever waits is still taken."""
        loop = asyncio.get_running_loop()
        while not (self._stopping and not self._waiting):
            try:
                await asyncio.wait_for(self._arrived.wait(), _TICK)
            except TimeoutError:
                await self._run(loop, self._tick)
                continue
            self._arrived.clear()
            while self._waiting:
                await self._take_some(loop)
        await self._run(loop, self._last)
        async with self._moved:
            self._moved.notify_all()

    async def stop(self) -> None:
        """Take no more; `run` returns when all that waits was answered."""
        self._stopping = True
        self._arrived.set()
        async with self._moved:
            self._moved.notify_all()

    async def _take_some(self, loop: asyncio.AbstractEventLoop) -> None:
        some = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
        if len(self._waiting) < _ROOM:
            async with self._room:
                self._room.notify_all()
        try:
            verdicts = await loop.run_in_executor(self._thread, self._commit, [(kind, raw) for kind, raw, _ in some])
        except StoreFailed as wrong:
            self.condition.store_failed(str(wrong), sum(len(raw) for _, raw, _ in some))
            for _, _, future in some:
                if not future.done():
                    future.set_exception(wrong)
            return
        if self.condition.failed is not None:
            told = zip(some, verdicts, strict=True)  # what came before writes next to nothing
            self.condition.store_took(sum(len(raw) for (_, raw, _), v in told if v.outcome is not Outcome.DUPLICATE))
        for (_, _, future), verdict in zip(some, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)
        await self._tell_news()
        await self._let_gather(len(some))
        if not self._waiting:
            await self._run(loop, self._judge)

    async def _let_gather(self, latest: int) -> None:
        """Give those who were answered just now a moment to say what comes next, where they wait for each answer: else
        half of them would always wait for the commit of the other half."""
        self._usual = max(latest, self._usual - self._usual // 8)
        for _ in range(_MOMENTS):
            if len(self._waiting) >= self._usual:
                return
            await asyncio.sleep(_MOMENT)

    async def _run(self, loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
        try:
            await loop.run_in_executor(self._thread, work)
        except StoreFailed as wrong:
            self.condition.store_failed(str(wrong))
            return
        await self._tell_news()

    async def _tell_news(self) -> None:
        """Wake who waits for transitions, if some became durable."""
        if self._runtime.committed_cursor != self.cursor:
            self.cursor = self._runtime.committed_cursor
            async with self._moved:
                self._moved.notify_all()

    # -- in the runtime's thread

    def _commit(self, raws: list[tuple[str, bytes]]) -> list[Verdict]:
        self._look()
        self._runtime.apply()  # of the batch before, where it was not judged yet
        read = self._reader.read
        messages = [read(kind, raw) for kind, raw in raws]
        return self._runtime.take(messages, self._clock())

    def _judge(self) -> None:
        self._runtime.apply()
        self._tick()

    def _tick(self) -> None:
        self._look()
        now = self._clock()
        if self._runtime.due <= now:
            self._runtime.tick(now)
        if self._runtime.has_news and not self._waiting:
            self._runtime.flush()
        if self.condition.failed is not None:
            self._probe()

    def _look(self) -> None:
        """See how the clock stands; a hub that stood still (stopped, suspended) settles like one that was down."""
        elapsed = self._elapsed()
        if elapsed - self._looked > _STILL:
            self._runtime.settle(self._clock())
            self.condition.tell("service.stood_still", seconds=round(elapsed - self._looked))
        self._looked = elapsed
        self.condition.clock_stands(0 if self._runtime.by_event else self._runtime.recorded - self._clock())

    def _probe(self) -> None:
        """Try whether the store takes as much again as it did not take."""
        if self._elapsed() - self._probed < _PROBE_EVERY:
            return
        self._probed = self._elapsed()
        size, store = self.condition.wanted, self._runtime.store
        store.write(_PROBE, [(size,)])
        store.write(_FORGET_PROBE, [()])
        self.condition.store_took(size)

    def _last(self) -> None:
        self._runtime.apply()
        if self._runtime.by_event:
            self._runtime.finish()
        self._runtime.flush()


class Stopped(Exception):
    """The hub shuts down and takes no more."""
