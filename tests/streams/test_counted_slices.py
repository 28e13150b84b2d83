"""What correlate tells measure: in records that Kafka takes, and as one slice whatever its size."""

from __future__ import annotations

from schemas.event import MINUTE, Event
from schemas.instant import read_instant
from streams.core.alerts import Transition
from streams.distributed.correlate import Correlating
from streams.distributed.counting import read_slice
from streams.distributed.names import COUNTED
from tests.streams.test_partition import START, THRESHOLDS

AT = read_instant(START)


def write(_: Transition) -> bytes:
    return b""


def test_a_busy_slice_goes_in_several_records_and_the_last_alone_says_how_far_it_came() -> None:
    one = Correlating(3, {}, THRESHOLDS, "t", write, by_event=True, partitions=4)
    one._counts = True
    one.partition.applied, one._told = 20_000, (100, AT)
    one.partition.engine.advance(AT + MINUTE)
    one._next = 20_001
    one.partition.counted += [(n % 7 > 0, Event(f"e{n}", "s", "t", AT, {}, ())) for n in range(4_500)]
    told = [read_slice(out.value or b"") for out in one.collect(idle=False) if out.topic == COUNTED]
    assert [len(each.counted) for each in told] == [2_000, 2_000, 500]
    assert [row[1][0] for each in told for row in each.counted] == [f"e{n}" for n in range(4_500)]
    assert [(each.origin, each.clock, each.upto) for each in told] == [
        (3, AT, 101),
        (3, AT, 101),
        (3, AT + MINUTE, 20_001),
    ]


def test_where_nothing_counts_it_says_how_far_it_came() -> None:
    one = Correlating(0, {}, THRESHOLDS, "t", write, by_event=True, partitions=1)
    one._counts = True
    one.partition.applied, one._next = 7, 8
    [told] = [read_slice(out.value or b"") for out in one.collect(idle=False) if out.topic == COUNTED]
    assert (told.counted, told.upto) == ([], 8)
