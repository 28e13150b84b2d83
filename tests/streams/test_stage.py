"""A stage and its batches: none is read over, none is taken twice, and what it cannot go on from ends the worker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from faust.types import TP

from streams.distributed.formats import NewerFormat
from streams.distributed.partition import Poison
from streams.distributed.stage import Figures, Stage
from streams.distributed.transactions import Out
from streams.distributed.transport import Batch
from tests.properties.topics_in_memory import Record

PLACE = TP("t", 0)


class Counting:
    """Work that notes the offsets that it took, and passes by what it has."""

    piece: int = 4

    def __init__(self, wrong: dict[int, Exception] | None = None) -> None:
        self.next: int = 0
        self.offsets: list[int] = []
        self.apart: list[int] = []
        self.wrong: dict[int, Exception] = wrong or {}
        self.fails: bool = False
        self.pieces: list[int] = []
        self.is_broken: bool = False  # it failed in the middle of a record
        self.happened: threading.Event = threading.Event()  # what is to happen before anything is written
        self.happened.set()

    async def take(self, records: Sequence[Any], end: int) -> None:
        self.pieces.append(len(records))
        for record in records:
            if record.offset < self.next or record.offset in self.apart:
                continue
            if record.offset in self.wrong:
                self.is_broken = True
                self.happened.set()
                raise self.wrong[record.offset]
            self.offsets.append(record.offset)
        self.next = end

    def isolate(self, offset: int, raw: bytes) -> None:
        assert raw == b"v"
        self.is_broken = False
        self.apart.append(offset)
        self.offsets.clear()
        self.next = 0

    def collect(self, *, idle: bool) -> list[Out]:
        del idle
        assert not self.is_broken
        if self.fails:
            raise KeyError
        return [Out("out", 0, None, b"")]

    def figures(self) -> Figures:
        return Figures()

    def end(self) -> None:
        """Nothing waits."""


class Written:
    """Transactions that count, and take until something has happened."""

    def __init__(self, happened: threading.Event) -> None:
        self.slices: int = 0
        self.happened: threading.Event = happened

    def write(self, records: list[Out]) -> int:
        assert self.happened.wait(10)
        self.slices += len(records)
        return 0

    def close(self) -> None:
        """Nothing is held."""


def batch(begin: int, end: int) -> Batch:
    return Batch(begin, end, [Record(offset, 0, None, b"v") for offset in range(begin, end)])  # type: ignore[misc]


def run(work: Counting, told: Callable[[Stage[Any]], Awaitable[None]]) -> list[tuple[TP, int]]:
    """A stage that stands, what it is told, and where it asked to read from."""
    sought: list[tuple[TP, int]] = []

    async def main() -> None:
        stage: Stage[Any] = Stage("t", lambda _: (work, Written(work.happened)), lambda *_, **__: None)  # type: ignore[arg-type]

        async def seek(tp: TP, offset: int) -> None:
            sought.append((tp, offset))

        stage.seek, stage.ack = seek, lambda _: None
        await stage.positions({PLACE}, 1)
        await stage.stands.wait()
        sought.clear()
        await told(stage)
        await stage.settle()

    asyncio.run(main())
    return sought


async def take(stage: Stage[Any], tp: TP, some: Batch) -> None:
    """Give a batch, and wait until it is worked."""
    await stage.take(tp, some, object())
    await stage.settle()


def test_a_batch_behind_a_gap_is_not_taken_and_what_is_missing_is_asked_for() -> None:
    """faust-streaming 216: what was fetched between resume and seek is of another place."""
    work = Counting()

    async def told(stage: Stage[Any]) -> None:
        await take(stage, PLACE, batch(0, 3))
        await take(stage, PLACE, batch(5, 8))
        assert work.next == 3
        await take(stage, PLACE, batch(3, 8))

    assert run(work, told) == [(PLACE, 3)]
    assert work.offsets == list(range(8))


def test_what_comes_while_it_works_is_taken_with_the_next() -> None:
    work = Counting()

    async def told(stage: Stage[Any]) -> None:
        for at in range(0, 9, 3):
            await stage.take(PLACE, batch(at, at + 3), object())
        assert (work.next, stage.held[PLACE].reach) == (0, 9)
        assert await stage.positions({PLACE}, 2) == {PLACE: 9}  # what is noted is not read again
        await stage.settle()

    assert run(work, told) == []
    assert (work.offsets, work.pieces) == (list(range(9)), [4, 4, 1])


def test_who_is_given_more_than_it_can_work_lets_the_fetcher_wait() -> None:
    work = Counting()

    async def told(stage: Stage[Any]) -> None:
        work.piece = 1_000_000
        held = stage.held[PLACE]
        await stage.take(PLACE, batch(0, 3), object())
        waiting = asyncio.create_task(stage.take(PLACE, batch(3, 30_000), object()))
        await asyncio.sleep(0)
        assert (held.waiting, waiting.done()) == (29_997, False)
        await waiting
        assert held.waiting == 0

    assert run(work, told) == []
    assert work.next == 30_000


def test_what_comes_twice_is_taken_once() -> None:
    """faust-streaming 502: after scaling the same records come again."""
    work = Counting()

    async def told(stage: Stage[Any]) -> None:
        await take(stage, PLACE, batch(0, 5))
        await stage.positions({PLACE}, 2)
        await take(stage, PLACE, batch(2, 7))
        await take(stage, PLACE, batch(0, 7))

    assert run(work, told) == []
    assert work.offsets == list(range(7))


def test_who_missed_a_generation_reads_anew() -> None:
    work = Counting()

    async def told(stage: Stage[Any]) -> None:
        held = stage.held[PLACE]
        await stage.positions({PLACE}, 3)
        assert held.is_lost
        while PLACE not in stage.held:  # noqa: ASYNC110 - it stands up in a task of its own
            await asyncio.sleep(0)

    assert run(work, told) == [(PLACE, 0)]


def test_a_batch_of_a_partition_that_is_not_ours_is_nobodys() -> None:
    work = Counting()

    async def told(stage: Stage[Any]) -> None:
        await take(stage, TP("t", 1), batch(0, 3))

    assert run(work, told) == []
    assert work.offsets == []


def test_a_poison_record_is_set_apart_and_all_else_is_taken() -> None:
    work = Counting({2: Poison(2)})

    async def told(stage: Stage[Any]) -> None:
        await take(stage, PLACE, batch(0, 5))
        await take(stage, PLACE, batch(0, 5))

    assert run(work, told) == [(PLACE, 0)]
    assert (work.offsets, work.apart) == ([0, 1, 3, 4], [2])


def test_what_was_concluded_of_a_poison_record_is_never_written() -> None:
    work = Counting({16: Poison(16)})

    async def told(stage: Stage[Any]) -> None:
        work.happened.clear()
        work.piece = 2
        await take(stage, PLACE, batch(0, 20))
        await take(stage, PLACE, batch(0, 20))
        assert not stage.failed.done()

    assert run(work, told) == [(PLACE, 0)]
    assert (work.offsets, work.apart) == ([*range(16), *range(17, 20)], [16])


@pytest.mark.parametrize("wrong", [NewerFormat("of a newer version"), KeyError("x")])
def test_what_a_stage_cannot_go_on_from_ends_the_worker(wrong: Exception) -> None:
    work = Counting({1: wrong})

    async def told(stage: Stage[Any]) -> None:
        await take(stage, PLACE, batch(0, 3))
        assert stage.failed.exception() is wrong

    run(work, told)
    assert work.next == 0


def test_a_slice_that_cannot_be_written_ends_the_worker_before_the_next_one() -> None:
    work = Counting()
    work.fails = True

    async def told(stage: Stage[Any]) -> None:
        held = stage.held[PLACE]
        await take(stage, PLACE, batch(0, 3))
        await stage.settle()
        assert isinstance(stage.failed.exception(), KeyError)
        assert held.transactions.slices == 0  # type: ignore[attr-defined]
        work.fails = False
        await stage.settle()
        assert held.transactions.slices == 0  # type: ignore[attr-defined]

    run(work, told)
