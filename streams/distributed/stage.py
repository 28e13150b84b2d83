"""What the stages of the distributed runtime have in common: partitions held over generations of the group, slices of
work that are one transaction each, and when all is done.

Theory. A stage holds its partitions for as long as the group lets it. Who had a partition in the generation before and
has it in this one is the only one who had it, and goes on; everybody else reads it anew from what is kept, all of an
assignment at once and beside those that go on: who takes over the partitions of a worker that died tells of its own
meanwhile.

What was fetched is noted at once and worked by a task of the partition, so that all that came while it worked is its
next piece: what takes long per slice takes fewer. What was concluded since the last commit is written by the next,
while the partition goes on taking; a slice is gathered in the loop and written in a thread. A write that Kafka does not
take now is tried again, for ever; one that is fenced means that somebody else has the partition.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from faust.types import TP

from schemas.errors import PxError, TryAgain
from streams.distributed.records import Poison
from streams.distributed.refusals import Fenced, Spent
from streams.distributed.transactions import Out, Transactions
from streams.distributed.transport import Batch

_AGAIN: Final = 0.5  # seconds before what Kafka did not take is given again
_NOTED: Final = 20_000  # records of a partition that may wait for its task
_IDLE_EVERY: Final = 1.0
_AT_ONCE: Final = 8  # partitions that are stood up at the same time

Tell = Callable[..., object]
"""Logs what happened: a name, and values that are nobody's."""


class Work(Protocol):
    """What a stage does with one partition, `piece` records at a time."""

    piece: int

    @property
    def next(self) -> int:
        """The offset of the first record that is to be taken."""

    async def take(self, records: Sequence[Any], end: int) -> None:
        """Take records; what follows begins at `end`. Raises Poison for one on which it failed."""

    def isolate(self, offset: int, raw: bytes) -> None:
        """Stand again as was committed last, and take all but this record from there."""

    def collect(self, *, idle: bool) -> list[Out]:
        """All that is to be written of what was taken; nothing where there is none."""

    def figures(self) -> Figures:
        """Where it stands, for who looks at it from outside."""

    def end(self) -> None:
        """Wait for nothing any more: the worker is to end."""


class Figures(NamedTuple):
    """Where the work of a partition stands: its clock in microseconds (0 for none yet), promises that are kept in mind,
    hand-overs that are awaited, and whether it waits for a service that is away."""

    clock: int = 0
    waits: int = 0
    awaited: int = 0
    pauses: bool = False


class Noted(NamedTuple):
    """Records that were fetched, up to where they reach, and the message that brought them."""

    records: list[Any]
    end: int
    message: Any


W = TypeVar("W", bound=Work)


class Held(Generic[W]):
    """A partition that is ours."""

    def __init__(self, tp: TP, work: W, transactions: Transactions, generation: int) -> None:
        self.tp: TP = tp
        self.work: W = work
        self.transactions: Transactions = transactions
        self.generation: int = generation
        self.messages: list[Any] = []  # Faust's, to be acknowledged with the next commit
        self.reach: int = work.next  # up to where it was noted
        self.noted: list[Noted] = []  # what is to be worked
        self.waiting: int = 0  # records in it
        self.room: asyncio.Event = asyncio.Event()  # some of it is worked
        self.working: asyncio.Task[None] | None = None
        self.committing: asyncio.Task[None] | None = None
        self.taken: int = 0  # records since the last slice was collected
        self.is_lost: bool = False
        self.poison: int = 0  # records that were set apart
        self.slices: int = 0
        self.commit_seconds: float = 0.0  # that the last one took
        self.pauses: bool = False  # Kafka does not take what was concluded
        self.restands: bool = False  # it is stood up again without a record

    def note(self, records: list[Any], end: int, message: Any) -> None:
        """Note records that were fetched, up to where they reach."""
        self.noted.append(Noted(records, end, message))
        self.waiting += len(records)
        self.reach = end

    def take_noted(self) -> list[Noted]:
        """All that was noted, to be worked now."""
        noted, self.noted, self.waiting = self.noted, [], 0
        self.room.set()
        return noted

    def lose(self) -> None:
        """It is ours no more: whoever waits for it goes on."""
        self.is_lost = True
        self.work.end()
        self.take_noted()


class Opening:
    """A partition that is being stood up."""

    def __init__(self, generation: int) -> None:
        self.generation: int = generation
        self.is_lost: bool = False
        self.task: asyncio.Task[None]


class Ended(Exception):
    """The worker is to end."""


class Stage(Generic[W]):
    """One stage. `open_` stands a partition up, in a thread; `tell` logs."""

    def __init__(self, topic: str, open_: Callable[[int], tuple[W, Transactions]], tell: Tell) -> None:
        self.topic: str = topic
        self.held: dict[TP, Held[W]] = {}
        self.opening: dict[TP, Opening] = {}
        self.assigned: frozenset[TP] = frozenset()
        self.generation: int = -1
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stands: asyncio.Event = asyncio.Event()
        """Set when all of the first assignment stood."""
        self.seek: Callable[[TP, int], Awaitable[None]]
        self.ack: Callable[[Any], object]
        self._open: Callable[[int], tuple[W, Transactions]] = open_
        self._tell: Tell = tell
        self._threads: ThreadPoolExecutor = ThreadPoolExecutor(_AT_ONCE, "opening")
        self._ended: threading.Event = threading.Event()

    async def positions(self, assigned: set[TP], generation: int) -> Mapping[TP, int]:
        """Where to read each partition of an assignment from that stands already; the others are stood up, and sought
        when they do."""
        mine = frozenset(tp for tp in assigned if tp.topic == self.topic)
        for tp, opening in list(self.opening.items()):
            if tp not in mine or generation - opening.generation > 1:
                opening.is_lost = True
                del self.opening[tp]
            else:
                opening.generation = generation
        for tp, held in list(self.held.items()):
            if tp not in mine or generation - held.generation > 1:
                await self._let_go(held)
            else:
                held.generation = generation
        self.assigned, self.generation = mine, generation
        for tp in sorted(mine):
            if tp not in self.held and tp not in self.opening:
                self._open_soon(tp)
        self._note_standing()
        return {tp: held.reach for tp, held in self.held.items()}

    def _open_soon(self, tp: TP) -> None:
        self.opening[tp] = opening = Opening(self.generation)
        opening.task = asyncio.create_task(self._stand_up(tp, opening))

    async def _stand_up(self, tp: TP, opening: Opening) -> None:
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        try:
            work, transactions = await loop.run_in_executor(self._threads, self._open_patiently, tp.partition)
        except Ended:
            return
        except Exception as wrong:  # noqa: BLE001 - a task's edge: the application ends of it
            self._fail(wrong)
            return
        if opening.is_lost:
            transactions.close()
            return
        self.held[tp] = Held(tp, work, transactions, opening.generation)
        del self.opening[tp]
        seconds = round(time.monotonic() - began, 3)
        self._tell("partition.opened", topic=tp.topic, partition=tp.partition, offset=work.next, seconds=seconds)
        await self.seek(tp, work.next)
        self._note_standing()

    def _fail(self, wrong: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(wrong)

    def _note_standing(self) -> None:
        if not self.opening:
            self.stands.set()

    def _open_patiently(self, partition: int) -> tuple[W, Transactions]:
        while not self._ended.is_set():
            try:
                return self._open(partition)
            except TryAgain as wrong:
                self._tell("partition.waits", partition=partition, reason=str(wrong))
                self._ended.wait(_AGAIN)
        raise Ended

    def end(self) -> None:
        """Wait for nothing any more: what is not durable by now is worked again by whoever has it next."""
        self._ended.set()
        for held in self.held.values():
            held.work.end()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _let_go(self, held: Held[W]) -> None:
        held.lose()
        self.held.pop(held.tp, None)
        if held.committing is not None:
            await asyncio.wait([held.committing])
        held.transactions.close()

    async def take(self, tp: TP, batch: Batch, message: Any) -> None:
        """Note a batch, to be worked with what else comes meanwhile; returns when there is room for another. One that
        does not go on where the last one ended is asked for again."""
        held = self.held.get(tp)
        if held is None:
            return
        if batch.begin > held.reach:
            self._tell("partition.gap", topic=tp.topic, partition=tp.partition, offset=held.reach)
            await self.seek(tp, held.reach)
            return
        records = batch.records
        if batch.begin < held.reach:
            records = [record for record in records if record.offset >= held.reach]
        held.note(records, max(batch.end, held.reach), message)
        if held.working is None:
            held.working = asyncio.create_task(self._work(held))
        while held.waiting > _NOTED:
            held.room.clear()
            await held.room.wait()

    async def _work(self, held: Held[W]) -> None:
        try:
            while held.noted and not held.is_lost:
                noted = held.take_noted()
                if await self._take(held, [record for one in noted for record in one.records], noted[-1].end):
                    held.messages += [one.message for one in noted]
        except Ended:
            held.lose()
        except Exception as wrong:  # noqa: BLE001 - Faust would start the agent again, and it would fail again
            held.lose()
            self._fail(wrong)
        finally:
            held.working = None

    async def _take(self, held: Held[W], records: list[Any], reach: int) -> bool:
        """Take records piece by piece; whether all were taken."""
        for at in range(0, max(len(records), 1), held.work.piece):
            piece = records[at : at + held.work.piece]
            is_last = at + held.work.piece >= len(records)
            try:
                await held.work.take(piece, reach if is_last else piece[-1].offset + 1)
            except (Fenced, Spent) as wrong:
                self._lose(held, wrong)
                return False
            except Poison as wrong:
                await self._go_on_without(held, wrong.offset, piece)
                return False
            held.taken += len(piece)
            if held.is_lost:
                return False
            if not is_last:
                await asyncio.sleep(0)
            self._commit_soon(held)
        return True

    async def _go_on_without(self, held: Held[W], offset: int, piece: Sequence[Any]) -> None:
        """Stand a partition up anew without a record on which its stage failed."""
        self._tell("record.poison", topic=held.tp.topic, partition=held.tp.partition, offset=offset)
        held.poison += 1
        held.restands = True  # what it concluded of that record is not collected
        while held.committing is not None:
            await asyncio.wait([held.committing])
        raw = next((record.value or b"" for record in piece if record.offset == offset), b"")
        await asyncio.to_thread(held.work.isolate, offset, raw)
        held.taken, held.restands = 0, False
        held.take_noted()  # it is fetched again from there
        held.reach = held.work.next
        await self.seek(held.tp, held.reach)

    def _commit_soon(self, held: Held[W]) -> None:
        if held.committing is None and not held.is_lost and not held.restands:
            held.committing = asyncio.get_running_loop().create_task(self._commit(held))

    async def _commit(self, held: Held[W]) -> None:
        try:
            await asyncio.sleep(0)  # what was fetched together is one slice
            while not held.is_lost and not held.restands:
                idle = held.taken < held.work.piece // 2
                held.taken = 0
                messages, held.messages = held.messages, []
                records = held.work.collect(idle=idle)
                if records and not await self._write(held, records):
                    return
                for message in messages:
                    self.ack(message)
                if not held.taken:
                    break
        except Exception as wrong:  # noqa: BLE001 - what was concluded is here alone: to go on would be to lose it
            held.is_lost = True
            self._fail(wrong)
        finally:
            held.committing = None

    async def _write(self, held: Held[W], records: list[Out]) -> bool:
        while not held.is_lost:
            began = time.monotonic()
            try:
                await asyncio.to_thread(held.transactions.write, records)
            except TryAgain as wrong:
                if not held.pauses:
                    self._tell("slice.waits", topic=held.tp.topic, partition=held.tp.partition, reason=str(wrong))
                held.pauses = True
                await asyncio.sleep(_AGAIN)
            except (Fenced, Spent) as wrong:
                self._lose(held, wrong)
            else:
                held.pauses = False
                held.slices += 1
                held.commit_seconds = time.monotonic() - began
                return True
        return False

    def _lose(self, held: Held[W], wrong: PxError) -> None:
        """Somebody else has it by now; or its producer is of no use, and it is stood up anew."""
        tp = held.tp
        if isinstance(wrong, Spent):
            self._tell("partition.anew", topic=tp.topic, partition=tp.partition, reason=str(wrong))
        else:
            self._tell("partition.fenced", topic=tp.topic, partition=tp.partition)
        held.lose()
        self.held.pop(tp, None)
        if isinstance(wrong, Spent):
            held.transactions.close()
            self._open_soon(tp)

    async def rest(self) -> None:
        """While nothing comes: write what is kept of what changed, a little at a time."""
        while True:
            await asyncio.sleep(_IDLE_EVERY)
            for held in list(self.held.values()):
                self._commit_soon(held)

    async def settle(self) -> None:
        """Wait until all that was taken is durable."""
        for held in list(self.held.values()):
            while held.working is not None:
                await asyncio.wait([held.working])
            self._commit_soon(held)
            while held.committing is not None:
                await asyncio.wait([held.committing])
                if held.taken:
                    self._commit_soon(held)
