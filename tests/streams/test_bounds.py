"""No record runs a clock away, whoever wrote it and whatever it says."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from schemas.event import HOUR, MINUTE, SECOND, Event
from schemas.identity import IdentityRules
from schemas.instant import read_instant, write_instant
from streams.core.alerts import Transition
from streams.distributed.counting import FORMAT, Heard, Slice, write_slice
from streams.distributed.identify import Identify
from streams.distributed.inbound import write_tick as write_look
from streams.distributed.index import Index
from streams.distributed.letters import read_letter
from streams.distributed.measure import Measuring
from streams.distributed.names import DEAD_LETTERS, EVENTS
from streams.distributed.partition import Partition
from streams.distributed.wire import decode, write_event, write_tick
from tests.properties.topics_in_memory import Record, Run, Shelf
from tests.streams.test_inbound import message
from tests.streams.test_partition import KEY, LATER, START, THRESHOLDS

NOW = read_instant(START)
FAR = NOW + 400 * 24 * HOUR


def stamped(offset: int, value: bytes, key: bytes | None = None, at: int = NOW) -> Record:
    return Record(offset, at // 1000, key, value)


def started(offset: int, recorded: int, *, slowly: bool = False) -> Record:
    names = ("1^N", "2^N") if slowly else ("1^N",)
    event = Event(f"e{offset}", "s", "e.start", NOW, {"order_id": f"o{offset}"}, names)
    return stamped(offset, write_event(event, write_instant(recorded)), KEY)


def by_log(*records: Record) -> Partition:
    one = Partition(THRESHOLDS, "t")
    one.take(records)
    return one


def test_a_tick_says_no_more_than_the_broker_knew() -> None:
    one = by_log(
        stamped(0, write_tick(NOW, "t")), stamped(1, write_tick(FAR, "t")), stamped(2, write_tick(NOW + 1, "t"))
    )
    assert one.engine.clock == one.ticked == NOW + 1
    assert [(b.reason, b.place, b.offset) for b in one.buried] == [("from_the_future", "time", 1)]
    assert by_log(stamped(0, write_tick(NOW + HOUR, "t"))).engine.clock == NOW + HOUR  # brokers' clocks differ
    assert len(by_log(stamped(0, write_tick(NOW + HOUR + 1, "t"))).buried) == 1


@pytest.mark.parametrize("slowly", [False, True])
def test_nor_does_an_event_say_when_it_came(slowly: bool) -> None:
    one = by_log(started(0, NOW), started(1, FAR, slowly=slowly), started(2, FAR, slowly=slowly), started(3, NOW + 1))
    assert [(b.reason, b.offset) for b in one.buried] == [("from_the_future", 1), ("from_the_future", 2)]
    assert one.recorded == NOW + 1


def test_who_stands_up_again_refuses_it_again_and_says_so_once() -> None:
    log = [started(0, NOW), stamped(1, write_tick(FAR, "t"))]
    rows = by_log(*log).checkpoint()
    again = Partition(THRESHOLDS, "t")
    position = again.recover([(key, value) for key, value in rows if value is not None])
    again.take(record for record in log if record.offset > position.tail)
    again.end_recovery()
    assert (again.engine.clock, again.ticked, again.buried) == (0, 0, [])


def test_by_event_time_a_tick_is_where_it_was_asked_to_be() -> None:
    one = Partition(THRESHOLDS, "t", by_event=True)
    one.take([stamped(0, write_tick(FAR, "t"))])
    assert (one.engine.clock, one.buried) == (FAR, [])
    one.take([stamped(1, write_tick(read_instant("9500-01-01T00:00:00Z"), "t"))])
    assert (one.engine.clock, [b.reason for b in one.buried]) == (FAR, ["from_the_future"])


# -- identify


def looked(by_event: bool, *looks: int) -> tuple[list[int], list[str]]:
    """The ticks that identify gives, and reasons of dead letters, for looks at the clock a second apart."""
    one = Identify(Index(Shelf()), IdentityRules(), 1, by_event=by_event)
    ticks, reasons = [], []
    for offset, at in enumerate(looks):
        out = one.take([stamped(offset, write_look(at), at=NOW + offset * SECOND)], offset + 1)
        ticks += [read_instant(told.time) for o in out if o.topic == EVENTS and (told := decode(o.value or b""))]
        reasons += [read_letter(o.value or b"").reason for o in out if o.topic == DEAD_LETTERS]
    return ticks, reasons


def test_by_log_time_what_closes_a_load_moves_no_clock_ahead_of_the_log() -> None:
    assert looked(False, 0, FAR, 0) == ([NOW - 1, NOW + 2 * SECOND - 1], ["from_the_future"])
    assert looked(False, 0, NOW + 30 * MINUTE, 0)[0] == [NOW - 1, NOW + SECOND, NOW + 2 * SECOND - 1]
    assert looked(False, NOW - HOUR)[0] == [NOW - 1]


def test_by_event_time_it_closes_where_it_was_asked_to() -> None:
    assert looked(True, 0, FAR, NOW) == ([FAR], [])


@pytest.mark.parametrize("at", [1 << 62, -(1 << 62), read_instant("9999-12-31T00:00:00Z")])
def test_a_look_that_is_no_time_stops_nobody(at: int) -> None:
    for by_event in (False, True):
        ticks, reasons = looked(by_event, at, NOW)
        assert (max(ticks) <= NOW + SECOND, len(reasons)) == (True, 1)


def test_what_comes_behind_it_is_judged() -> None:
    run = Run(THRESHOLDS, 2, Random(1))
    run.tell(message(0, "A"))
    run.close(1 << 62)
    run.tell(message(1, "B"))
    run.close(LATER)
    run.work()
    assert sorted(alert.key for alert in run.alerts.values()) == ["A", "B"]
    assert len(run.letters()) == 1


# -- measure


def measured(*slices: Slice, by_event: bool = False) -> Measuring:
    def write(_: Transition) -> bytes:
        return b""

    one = Measuring({}, THRESHOLDS, "t", 1, write, by_event=by_event)
    for offset, told in enumerate(slices):
        one._take(stamped(offset, write_slice(told)))
    return one


def sliced(origin: int, clock: int, **more: Any) -> Slice:
    return Slice(FORMAT, origin, clock, 1, [], **more)


FAR_SLICES = {
    "a clock": sliced(0, FAR),
    "what was heard": sliced(0, NOW, heard=[Heard("s", FAR, None, True)]),
    "what was heard before time": sliced(0, NOW, heard=[Heard("s", -(1 << 62), None, True)]),
    "a span": sliced(0, NOW, away=[(NOW, 1 << 62)]),
    "of nobody": sliced(7, NOW),
    "an event": Slice(FORMAT, 0, NOW, 1, [(True, ("e", "s", "t", 1 << 62, {}, (), None, 0, None, 0))]),
}


@pytest.mark.parametrize("name", FAR_SLICES)
def test_a_slice_from_the_future_is_a_dead_letter(name: str) -> None:
    one = measured(sliced(-1, FAR - 400 * 24 * HOUR), sliced(0, NOW - 1), FAR_SLICES[name])
    assert one.engine.clock == NOW - 1
    [letter] = [read_letter(out.value or b"") for out in one.collect(idle=True) if out.topic == DEAD_LETTERS]
    assert (letter.reason in {"from_the_future", "unreadable"}, letter.offset) == (True, 2)


def test_by_event_time_slices_say_event_times() -> None:
    one = measured(sliced(-1, FAR), sliced(0, FAR), by_event=True)
    assert one.engine.clock == FAR
    assert measured(sliced(-1, -1)).collect(idle=True) == []  # nothing came yet, and it is no dead letter
