"""The runtime's thread: it takes what was handed over, tells what became of it, judges it, and looks at the clock.

Law: told after the commit, judged after it too; what judging said is committed with the next batch, or by itself when
none comes within `_LINGER`. Nothing else touches the runtime.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, NamedTuple

import msgspec

from hub.serve.condition import Condition
from hub.serve.reading import LiveReader
from hub.serve.threads import fail, live
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason, StoreFailed
from schemas.event import SECOND
from schemas.message import Message, Outcome, Verdict
from streams.embedded.runtime import Runtime

_MOST: Final = 2_000  # messages of a commit; the last ask may go beyond it
_TICK: Final = 0.02  # seconds between looks at the clock, where nothing is known to be due before
_LINGER: Final = 0.002  # seconds in which a batch may come that takes with it what was said
_STILL: Final = 60.0  # seconds without a look at the clock: what senders queued meanwhile is to be heard first
_PROBE_EVERY: Final = 1.0  # seconds between two tries to write to a store that failed
_PROBE: Final = "INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(?))"
_FORGET_PROBE: Final = "DELETE FROM meta WHERE name = 'probe'"
_MEND: Final = "the hub failed to keep it and goes on without it; report it, then replay the dead letter"


class Stopped(Exception):
    """The hub shuts down and takes no more."""


Told = list[Verdict] | StoreFailed | Stopped
"""What became of messages: a verdict each, or why none of them was taken."""


class Asked(msgspec.Struct):
    """Messages of one sender, and whom to tell."""

    kind: str
    raws: Sequence[bytes]
    tell: Callable[[Told], object]


class Question(msgspec.Struct):
    """Something else that is asked of the runtime, and who waits for the answer."""

    ask: Callable[[Runtime], Any]
    future: asyncio.Future[Any]


Work = Asked | Question | None
"""What is handed over; None: nothing more comes."""
Hear = Callable[[list[tuple[Asked, Told]], int], object]
"""Told in the loop: what became of what was asked, and the cursor of the last durable transition."""


class Clocks(NamedTuple):
    """The machine's time in microseconds, and seconds that have gone by."""

    now: Callable[[], int]
    elapsed: Callable[[], float]


class Writer:
    """Works through a queue until None comes out of it."""

    def __init__(
        self,
        runtime: Runtime,
        reader: LiveReader,
        clocks: Clocks,
        queue: SimpleQueue[Sequence[Work]],
        hear: Hear,
        condition: Condition,
    ) -> None:
        self._runtime: Runtime = runtime
        self._reader: LiveReader = reader
        self._clock: Callable[[], int] = clocks.now
        self._elapsed: Callable[[], float] = clocks.elapsed
        self._now: int = clocks.now()  # as of that look
        self._looked: float = clocks.elapsed()  # when the clock was looked at last
        self._probed: float = self._looked  # when a store that failed was tried last
        self._queue: SimpleQueue[Sequence[Work]] = queue
        self._hear: Hear = hear
        self._told: int = runtime.committed_cursor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._condition: Condition = condition
        self._is_judged: bool = True  # all that was committed was applied
        self.has_ended: bool = False

    async def run(self) -> None:
        """Work in a thread of its own; what ends that thread too early is raised here."""
        self._loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = self._loop.create_future()
        thread = Thread(target=live, args=(self._loop, ended, self._work), name="runtime", daemon=True)
        thread.start()
        try:
            await asyncio.shield(ended)
        finally:
            self._queue.put([None])  # where somebody has cancelled us
            thread.join()
            self.has_ended = True
            self._refuse_the_rest()

    def _work(self) -> None:
        is_last = False
        while not is_last:
            asked: list[Asked] = []
            questions: list[Question] = []
            for work in self._next():
                if isinstance(work, Asked):
                    asked.append(work)
                elif work is None:
                    is_last = True
                else:
                    questions.append(work)
            self._look()
            if asked:
                self._take(asked)
            for question in questions:
                self._answer(question)
            self._guarded(self._judge)
            if not asked and self._queue.empty():
                self._guarded(self._settle)
        self._guarded(self._last)

    def _next(self) -> Iterator[Work]:
        """What was handed over, and all that waits behind it; nothing when it is time to look at the clock."""
        lingers = self._runtime.has_news and self._condition.failed is None
        try:
            handed: Sequence[Work] = self._queue.get(timeout=_LINGER if lingers else self._until_due())
            many = 0
            while True:
                for work in handed:
                    yield work
                    many += len(work.raws) if isinstance(work, Asked) else 1
                if many >= _MOST:
                    return
                handed = self._queue.get_nowait()
        except Empty:
            return

    def _until_due(self) -> float:
        """Seconds until something is due, a tick at most. What is due already and yet unsaid (the hub settles, its
        store fails) is looked at by ticks."""
        left = (self._runtime.due - self._clock()) / SECOND
        return left if 0 < left < _TICK else _TICK

    # -- messages

    def _take(self, asked: list[Asked]) -> None:
        read = self._reader.read
        messages = [read(one.kind, raw) for one in asked for raw in one.raws]
        told: list[tuple[Asked, Told]] = []
        try:
            verdicts = self._committed(messages)
        except StoreFailed as wrong:
            self._condition.store_failed(str(wrong), sum(len(message.raw) for message in messages))
            told = [(one, wrong) for one in asked]
        else:
            if self._condition.failed is not None:
                self._took(messages, verdicts)
            at = 0
            for one in asked:
                upto = at + len(one.raws)
                told.append((one, verdicts[at:upto]))
                at = upto
            self._is_judged = False
        self._tell(told)

    def _took(self, messages: list[Message], verdicts: list[Verdict]) -> None:
        pairs = zip(messages, verdicts, strict=True)  # what came before writes next to nothing
        self._condition.store_took(sum(len(m.raw) for m, v in pairs if v.outcome is not Outcome.DUPLICATE))

    def _committed(self, messages: list[Message]) -> list[Verdict]:
        """What became of the messages, once they are durable. Where one cannot be kept they are taken one by one, so
        that only the one at fault is a dead letter. Raises StoreFailed."""
        try:
            return self._runtime.take(messages, self._now)
        except StoreFailed:
            raise
        except Exception:  # noqa: BLE001 - a message's edge: whatever it is, the hub goes on, and the bytes are kept
            return [self._committed_alone(message) for message in messages]

    def _committed_alone(self, message: Message) -> Verdict:
        try:
            return self._runtime.take([message], self._now)[0]
        except StoreFailed:
            raise
        except Exception:  # noqa: BLE001 - as above
            letter = DeadLetter(reason=Reason.INVALID, place="the message", mend=_MEND)
            return self._runtime.take([Message(message.kind, message.raw, dead=letter)], self._now)[0]

    # -- everything else

    def _answer(self, question: Question) -> None:
        assert self._loop is not None  # noqa: S101 - running
        try:
            answer = question.ask(self._runtime)
        except Exception as wrong:  # noqa: BLE001 - it is raised where it was asked
            self._loop.call_soon_threadsafe(fail, question.future, wrong)
        else:
            self._loop.call_soon_threadsafe(_settle, question.future, answer)

    def _judge(self) -> None:
        if not self._is_judged:
            self._runtime.apply()
            self._is_judged = True
        if self._runtime.due <= self._now and self._runtime.tick(self._now):
            self._runtime.flush()  # what is due now does not wait for the next batch

    def _look(self) -> None:
        """See how the clock stands; a hub that stood still (stopped, suspended) settles like one that was down. The
        time that is gone by is looked at last, so that whatever is done next by `_now` was seen to be no standstill."""
        self._now = self._clock()
        elapsed = self._elapsed()
        if elapsed - self._looked > _STILL:
            self._now = self._clock()
            self._runtime.settle(self._now)
            self._condition.tell("service.stood_still", seconds=round(elapsed - self._looked))
        self._looked = elapsed
        self._condition.clock_stands(0 if self._runtime.by_event else self._runtime.recorded - self._now)

    def _settle(self) -> None:
        """Nothing comes: what was said is committed, and a store that failed tried again."""
        self._runtime.flush()
        if self._condition.failed is not None:
            self._probe()

    def _probe(self) -> None:
        """Try whether the store takes as much again as it did not take."""
        if self._elapsed() - self._probed < _PROBE_EVERY:
            return
        self._probed = self._elapsed()
        size, store = self._condition.wanted, self._runtime.store
        store.write(_PROBE, [(size,)])
        store.write(_FORGET_PROBE, [()])
        self._condition.store_took(size)

    def _last(self) -> None:
        self._runtime.apply()
        if self._runtime.by_event:
            self._runtime.finish()
        self._runtime.end()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StoreFailed as wrong:
            self._condition.store_failed(str(wrong))
            return
        if self._runtime.committed_cursor != self._told:
            self._tell([])

    def _tell(self, told: list[tuple[Asked, Told]]) -> None:
        assert self._loop is not None  # noqa: S101 - running
        self._told = self._runtime.committed_cursor
        self._loop.call_soon_threadsafe(self._hear, told, self._told)

    def _refuse_the_rest(self) -> None:
        """What came after the end, in the loop."""
        told: list[tuple[Asked, Told]] = []
        while not self._queue.empty():
            for work in self._queue.get():
                if isinstance(work, Asked):
                    told.append((work, Stopped()))
                elif work is not None:
                    fail(work.future, Stopped())
        self._hear(told, self._told)


def _settle(future: asyncio.Future[Any], answer: object) -> None:
    if not future.done():
        future.set_result(answer)
