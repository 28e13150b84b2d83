"""What the stages of the distributed runtime have in common: partitions held over generations of the group, slices of
work that are one transaction each, and when all is done.

Theory. A stage holds its partitions for as long as the group lets it. Who had a partition in the generation before and
has it in this one is the only one who had it, and goes on; everybody else reads it anew from what is kept. What was
concluded since the last commit is written by the next, while the partition goes on taking; a slice is gathered in the
loop and written in a thread. A write that Kafka does not take now is tried again, for ever; one that is fenced means
that somebody else has the partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from faust.types import TP

from schemas.errors import TryAgain
from streams.distributed.records import Poison
from streams.distributed.transactions import Fenced, Out, Transactions
from streams.distributed.transport import Batch

_AGAIN: Final = 0.5  # seconds before what Kafka did not take is given again
_PIECE: Final = 2_000  # records that are taken before the loop may do something else
_IDLE_EVERY: Final = 1.0

Tell = Callable[..., object]
"""Logs what happened: a name, and values that are nobody's."""


class Work(Protocol):
    """What a stage does with one partition."""

    @property
    def next(self) -> int:
        """The offset of the first record that is to be taken."""

    async def take(self, records: Sequence[Any], end: int) -> None:
        """Take records; what follows begins at `end`. Raises Poison for one on which it failed."""

    def isolate(self, offset: int, raw: bytes) -> None:
        """Stand again as was committed last, and take all but this record from there."""

    def collect(self, *, idle: bool) -> list[Out]:
        """All that is to be written of what was taken; nothing where there is none."""


W = TypeVar("W", bound=Work)


class Held(Generic[W]):
    """A partition that is ours."""

    def __init__(self, tp: TP, work: W, transactions: Transactions, generation: int) -> None:
        self.tp: TP = tp
        self.work: W = work
        self.transactions: Transactions = transactions
        self.generation: int = generation
        self.messages: list[Any] = []  # Faust's, to be acknowledged with the next commit
        self.committing: asyncio.Task[None] | None = None
        self.taken: int = 0  # records since the last slice was collected
        self.is_lost: bool = False


class Stage(Generic[W]):
    """One stage. `open_` stands a partition up, in a thread; `tell` logs."""

    def __init__(self, topic: str, open_: Callable[[int], tuple[W, Transactions]], tell: Tell) -> None:
        self.topic: str = topic
        self.held: dict[TP, Held[W]] = {}
        self.generation: int = -1
        self.seek: Callable[[TP, int], Awaitable[None]]
        self.ack: Callable[[Any], object]
        self._open: Callable[[int], tuple[W, Transactions]] = open_
        self._tell: Tell = tell

    async def positions(self, assigned: set[TP], generation: int) -> Mapping[TP, int]:
        """Stand the partitions of an assignment up; where to read each from."""
        mine = {tp for tp in assigned if tp.topic == self.topic}
        for tp, held in list(self.held.items()):
            if tp not in mine or generation - held.generation > 1:
                await self._let_go(held)
        for tp in sorted(mine):
            if tp not in self.held:
                work, transactions = await asyncio.to_thread(self._open_patiently, tp.partition)
                self.held[tp] = Held(tp, work, transactions, generation)
                self._tell("partition.opened", topic=tp.topic, partition=tp.partition, offset=work.next)
            self.held[tp].generation = generation
        self.generation = generation
        return {tp: self.held[tp].work.next for tp in mine}

    def _open_patiently(self, partition: int) -> tuple[W, Transactions]:
        while True:
            try:
                return self._open(partition)
            except TryAgain as wrong:
                self._tell("partition.waits", partition=partition, reason=str(wrong))

    async def _let_go(self, held: Held[W]) -> None:
        held.is_lost = True
        self.held.pop(held.tp, None)
        if held.committing is not None:
            await asyncio.wait([held.committing])
        held.transactions.close()

    async def take(self, tp: TP, batch: Batch, message: Any) -> None:
        """Take a batch. One that does not go on where the last one ended is asked for again."""
        held = self.held.get(tp)
        if held is None:
            return
        if batch.begin > held.work.next:
            self._tell("partition.gap", topic=tp.topic, partition=tp.partition, offset=held.work.next)
            await self.seek(tp, held.work.next)
            return
        records = batch.records
        for at in range(0, len(records), _PIECE):
            piece = records[at : at + _PIECE]
            is_last = at + _PIECE >= len(records)
            end = batch.end if is_last else piece[-1].offset + 1
            try:
                await held.work.take(piece, end)
            except Fenced:
                self._lose(held)
                return
            except Poison as wrong:
                await self._go_on_without(held, wrong.offset, piece)
                return
            held.taken += len(piece)
            if held.is_lost:
                return
            if not is_last:
                await asyncio.sleep(0)
            self._commit_soon(held)
        held.messages.append(message)

    async def _go_on_without(self, held: Held[W], offset: int, piece: Sequence[Any]) -> None:
        """Stand a partition up anew without a record on which its stage failed."""
        self._tell("record.poison", topic=held.tp.topic, partition=held.tp.partition, offset=offset)
        while held.committing is not None:
            await asyncio.wait([held.committing])
        raw = next((record.value or b"" for record in piece if record.offset == offset), b"")
        await asyncio.to_thread(held.work.isolate, offset, raw)
        held.taken = 0
        await self.seek(held.tp, held.work.next)

    def _commit_soon(self, held: Held[W]) -> None:
        if held.committing is None and not held.is_lost:
            held.committing = asyncio.get_running_loop().create_task(self._commit(held))

    async def _commit(self, held: Held[W]) -> None:
        try:
            await asyncio.sleep(0)  # what was fetched together is one slice
            while not held.is_lost:
                idle = held.taken < _PIECE // 2
                held.taken = 0
                messages, held.messages = held.messages, []
                records = held.work.collect(idle=idle)
                if records and not await self._write(held, records):
                    return
                for message in messages:
                    self.ack(message)
                if not held.taken:
                    break
        finally:
            held.committing = None

    async def _write(self, held: Held[W], records: list[Out]) -> bool:
        while not held.is_lost:
            try:
                await asyncio.to_thread(held.transactions.write, records)
            except TryAgain as wrong:
                self._tell("slice.waits", topic=held.tp.topic, partition=held.tp.partition, reason=str(wrong))
                await asyncio.sleep(_AGAIN)
            except Fenced:
                self._lose(held)
            else:
                return True
        return False

    def _lose(self, held: Held[W]) -> None:
        """Somebody else has it by now."""
        self._tell("partition.fenced", topic=held.tp.topic, partition=held.tp.partition)
        held.is_lost = True
        self.held.pop(held.tp, None)

    async def rest(self) -> None:
        """While nothing comes: write what is kept of what changed, a little at a time."""
        while True:
            await asyncio.sleep(_IDLE_EVERY)
            for held in list(self.held.values()):
                self._commit_soon(held)

    async def settle(self) -> None:
        """Wait until all that was taken is durable."""
        for held in list(self.held.values()):
            self._commit_soon(held)
            while held.committing is not None:
                await asyncio.wait([held.committing])
                if held.taken:
                    self._commit_soon(held)
