"""What is kept and cannot be read stops a worker with a word; a slice on which measure fails does not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from schemas.event import Event
from streams.core.engine import Engine
from streams.distributed.circles import Circles
from streams.distributed.counting import FORMAT, Slice, write_slice
from streams.distributed.formats import POSITION, Spoilt
from streams.distributed.identify_standing import Standing, read_standing
from streams.distributed.index import CIRCLES, HOLDERS, KNOWN, PLACED, SEEN, TIES, Index, check_row, key_bytes
from streams.distributed.kept import Position, Row
from streams.distributed.letters import read_letter
from streams.distributed.measure import Measuring
from streams.distributed.measure import Position as Measured
from streams.distributed.names import DEAD_LETTERS, MEASURES
from streams.distributed.partition import Partition
from streams.distributed.records import Poison
from tests.properties.topics_in_memory import Record, Shelf
from tests.streams.test_partition import KEY, LATER, THRESHOLDS, partition, started

pack = msgspec.msgpack.encode
NOBODYS = (b"", b"\xc1", b"{}", pack([]), pack("x"), pack([1, "x"]), b"\x91" * 3_000, pack({"a": 1}), b"\xa2\xff\xfe")


@pytest.mark.parametrize("value", NOBODYS)
@pytest.mark.parametrize("key", [KEY, POSITION, b"", b"\xff"])
def test_what_nobody_of_us_wrote_onto_px_state_stops_correlate(key: bytes, value: bytes) -> None:
    if key == POSITION and value == pack([]):
        return  # all of a position may be left out
    with pytest.raises(Spoilt, match=r"px\.state holds what no worker wrote.*pxhub topics remake"):
        partition().recover([(key, value)])


def test_nor_may_it_say_a_time_that_is_none_or_what_the_engine_cannot_read() -> None:
    for position in (Position(clock=1 << 62), Position(recorded=-1)):
        with pytest.raises(Spoilt):
            partition().recover([(POSITION, pack(position))])
    one = partition()
    one.take([started(0)])
    [(_, value), *_] = one.checkpoint(everything=True)
    row = msgspec.msgpack.decode(value or b"", type=Row)
    row.circle.latest = [((), (0, "s", "e"))]
    with pytest.raises(Spoilt):
        partition().recover([(KEY, pack(row))])
    assert isinstance(one, Partition)


def test_what_nobody_of_us_wrote_onto_px_persons_stops_identify() -> None:
    key = key_bytes(7)
    for table in (CIRCLES, KNOWN, PLACED, TIES, HOLDERS, SEEN, "?"):
        check_row(table, key, None)
        for value in (*NOBODYS, pack("x")):
            if value == pack([]) and table in (TIES, HOLDERS):
                continue
            with pytest.raises(Spoilt, match=r"px\.persons"):
                check_row(table, key, value)
    check_row(CIRCLES, key, key)
    check_row(SEEN, b"any", bytes(40))
    check_row(TIES, key, pack([1, 2]))
    with pytest.raises(Spoilt):
        check_row(CIRCLES, b"short", key)
    for value in (pack("x"), pack([1, "x"]), pack(Standing(recorded=1 << 62)), b"\xc1"):
        with pytest.raises(Spoilt, match=r"px\.persons"):
            read_standing(value)


def test_circles_that_are_one_another_s_in_a_ring_stop_it_too() -> None:
    shelf = Shelf()
    a, b, c = map(key_bytes, (1, 2, 3))
    shelf.put([(CIRCLES, a, b), (CIRCLES, b, c), (CIRCLES, c, a)])
    with pytest.raises(Spoilt):
        Circles(Index(shelf)).root(a)


class Kept(Measuring):
    """Measure, whose rows lie here."""

    rows: Mapping[bytes, bytes] = {}

    def recover(self) -> None:
        self.stand(self.rows)


def measuring() -> Kept:
    return Kept({}, THRESHOLDS, "t", 1, lambda _: b"", by_event=True)


@pytest.mark.parametrize("value", NOBODYS)
def test_what_nobody_of_us_wrote_onto_px_measures_stops_measure(value: bytes) -> None:
    for key in (b"r\0w\0x", b"b\0w\0x\0000\0001", b"s\0w\0x", b"h\0w\0x\0001", POSITION):
        if key == POSITION and value == pack([]):
            continue
        with pytest.raises(Spoilt, match=r"px\.measures"):
            measuring().stand({key: value})
    with pytest.raises(Spoilt):
        measuring().stand({POSITION: pack(Measured(clock=1 << 62))})


class Failing(Engine):
    """An engine that fails on what counts."""

    def count(self, event: Event, *, counts: bool) -> None:
        raise ZeroDivisionError


def test_a_slice_on_which_measure_fails_is_set_apart_and_its_clock_is_taken() -> None:
    counted: list[tuple[bool, Any]] = [(True, ("e", "s", "t", 0, {}, (), None, 0, None, 0))]
    slices = [Slice(FORMAT, -1, LATER, 1, []), Slice(FORMAT, 0, LATER - 1, 7, counted), Slice(FORMAT, 0, LATER, 8, [])]
    log = [Record(offset, 0, None, write_slice(told)) for offset, told in enumerate(slices)]
    one = measuring()
    one.engine = Failing(THRESHOLDS, keeps_all=False)
    with pytest.raises(Poison) as poison:
        asyncio.run(one.take(log, 3))
    assert poison.value.offset == 1
    one.isolate(1, log[1].value or b"")
    asyncio.run(one.take(log[one.next :], 3))
    assert (one.engine.clock, one.position.upto) == (LATER, {-1: 1, 0: 8})
    out = one.collect(idle=False)
    [letter] = [read_letter(each.value or b"") for each in out if each.topic == DEAD_LETTERS]
    assert (letter.reason, letter.offset, letter.raw) == ("engine", 1, log[1].value)
    assert MEASURES in {each.topic for each in out}  # who stands up later is behind it
