"""A store looked after: a crash at any statement leaves it as it was or as it is to be, and the counts hold."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.dead_letter import DeadLetter
from schemas.errors import Reason
from schemas.event import MINUTE, SECOND, Event
from schemas.message import Message, Outcome
from streams.core.thresholds import read_thresholds
from streams.embedded.reader import Reader
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from streams.embedded.upkeep import find_faults, open_letters, remap, replay_letters

BEGIN = 1_772_442_000 * SECOND  # Monday 2026-03-02, 09:00 UTC
THRESHOLDS, _ = read_thresholds(
    [("t.yaml", "thresholds: [{id: t, kind: measure, event: call.ended, value: n, limit: {above: 1}}]")]
)
LETTER = DeadLetter(reason=Reason.NO_TIME, place="OBR-22", mend="map another field")
Tallies = dict[tuple[str, str, str], int]


def well(raw: bytes, n: int = 2) -> Message:
    event = Event(raw.decode(), "s", "call.ended", BEGIN, {"mrn": "1", "n": n}, ("1^N",))
    return Message("hl7", raw, "s", raw.decode(), raw, (event,))


def first(kind: str, raw: bytes) -> Message:
    """The messages as they were read at first: d is a dead letter, i is ignored."""
    if raw.startswith(b"d"):
        return Message(kind, raw, dead=LETTER)
    if raw.startswith(b"i"):
        return Message(kind, raw, ignored="no mapping")
    return well(raw, 0)


def mended(_: str, raw: bytes) -> Message:
    """The same with a mended mapping; `a1` is nothing that anybody wants any more."""
    return Message("hl7", raw, "s", "a1", raw, ignored="not wanted") if raw == b"a1" else well(raw)


class Crash(BaseException):
    """The process is gone."""


class Failing:
    """A connection of a process that dies at the nth statement; what it did not commit is gone."""

    def __init__(self, connection: sqlite3.Connection, left: int) -> None:
        self._connection = connection
        self._left = left

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Crash

    def execute(self, *given: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.execute(*given)

    def executemany(self, *given: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.executemany(*given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@contextmanager
def opened(folder: Path, *, crash_at: int = 2**62) -> Iterator[Runtime]:
    store = Store.open(folder)
    runtime = Runtime(store, THRESHOLDS, now=BEGIN + MINUTE)
    store._db = Failing(store._db, crash_at)  # type: ignore[assignment]  # it keeps the contract
    try:
        yield runtime
    finally:
        store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with opened(tmp_path / "store") as runtime:
        raws = [b"a1", b"a2", b"d1", b"i1", b"d2", b"d3"]
        runtime.take([first("hl7", raw) for raw in raws], BEGIN)
        runtime.apply()
        runtime.flush()
    return tmp_path


def stands(folder: Path) -> tuple[list[str], Tallies, int]:
    with closing(Reader.open(folder)) as reader:
        return find_faults(reader), {name: n for name, n in reader.tallies().items() if n}, len(open_letters(reader))


def replay(runtime: Runtime) -> None:
    with closing(runtime.store.reader()) as reader:
        wanted = open_letters(reader)
    replay_letters(runtime, mended, wanted, BEGIN + MINUTE)


def run_again(runtime: Runtime) -> None:
    remap(runtime, mended, 0, 2**62)


@pytest.mark.parametrize("work", [replay, run_again])
def test_a_crash_at_any_statement_leaves_all_of_it_or_nothing(folder: Path, work: Callable[[Runtime], None]) -> None:
    before = stands(folder / "store")
    shutil.copytree(folder / "store", folder / "whole")
    with opened(folder / "whole") as runtime:
        work(runtime)
    after = stands(folder / "whole")
    assert (before[0], after[0]) == ([], [])
    assert sum(before[1].values()) == sum(after[1].values()) == 6
    assert before != after
    crashed = 0
    for number in range(100):
        left = folder / f"crashed at {number}"
        shutil.copytree(folder / "store", left)
        try:
            with opened(left, crash_at=number) as runtime:
                work(runtime)
        except Crash:
            crashed += 1
            assert stands(left) in (before, after), number
            with opened(left) as runtime:
                work(runtime)
        assert stands(left) == after, number
        if crashed <= number:
            break
    assert crashed > 5


def test_letters_that_are_dead_still_are_not_counted_as_sent_again(folder: Path) -> None:
    def conflicting(_: str, raw: bytes) -> Message:
        told = well(raw)
        told.id, told.digest = "a2", b"other"  # an id that came before with other content
        return told

    with opened(folder / "store") as runtime:
        [verdict] = replay_letters(runtime, conflicting, [3], BEGIN + MINUTE).values()  # dead for another reason now
        before = stands(folder / "store")
        assert sum(before[1].values()) == 6
        for _ in range(2):
            [again] = replay_letters(runtime, conflicting, [verdict.seq or 0] * 2, BEGIN + MINUTE).values()
            assert (again.outcome, again.reason) == (Outcome.DEAD, "conflict")
            assert stands(folder / "store") == before


def test_a_mapping_that_is_mended_twice_counts_each_message_once(folder: Path) -> None:
    before = stands(folder / "store")
    for read in (mended, first, mended, first):
        with opened(folder / "store") as runtime:
            remap(runtime, read, 0, 2**62)
    assert stands(folder / "store") == before
