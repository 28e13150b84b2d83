"""Who stands up again from what is kept says from there on what would have been said anyway, byte for byte."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.distributed.names import EVENTS
from streams.distributed.partition import Partition
from tests.properties.strategies import Told, afters, declarations, histories, to_event
from tests.properties.test_dense_histories import people, thresholds
from tests.properties.test_distributed_parity import end_of, grouped, read, seeds
from tests.properties.test_law_of_order import once
from tests.properties.topics_in_memory import Record, Run, messages_of

DEEP = settings().max_examples


def said(one: Partition) -> list[tuple[object, ...]]:
    """All that a slice of work says, taken, without what arrival decides (DESIGN: `fired_at`, `late_start`, and when it
    was said): who read evidence back heard it at another moment."""
    alerts = [change.alert for change in one.take_transitions()]
    changes = [(msgspec.structs.replace(alert, fired_at=0, late_start=False),) for alert in alerts]
    handed = [(number, key) for number, key, _ in one.handed]
    found = [*changes, *handed, *one.buried, *((counts, event.id) for counts, event in one.counted)]
    one.handed.clear()
    one.buried.clear()
    one.counted.clear()
    return found


def recovered(made: Partition, rows: dict[bytes, bytes], log: list[Record]) -> Partition:
    position = made.recover(list(rows.items()))
    made.take(record for record in log if position.tail < record.offset <= position.applied)
    made.applied = position.applied
    made.end_recovery()
    return made


def compare(declared: str, history: list[Told], end: int, seed: int) -> None:
    """Work a cluster to its end, then each of its logs once more, beside one who crashes at every commit."""
    random = Random(seed)
    found = read(declared)
    run = Run(found, random.randrange(1, 4), random)
    run.tell(messages_of(grouped([to_event(told) for told in once(history)], random)))
    run.close(end)
    run.work()
    for number in range(len(run.correlate)):
        log = run.topics.read(EVENTS, number, 0)
        tail = random.choice((1, 3, 1000))
        one = Partition(found, "t", by_event=True, tail=tail)
        again = Partition(found, "t", by_event=True, tail=tail)
        rows: dict[bytes, bytes] = {}
        while log and one.applied < log[-1].offset:
            piece = [record for record in log if record.offset > one.applied][: random.randrange(1, 6)]
            one.take(piece)
            again.take(piece)
            assert said(again) == said(one)
            if random.random() < 0.7:
                for key, value in one.checkpoint(idle=random.random() < 0.3):
                    if value is None:
                        rows.pop(key, None)
                    else:
                        rows[key] = value
                again = recovered(Partition(found, "t", by_event=True, tail=tail), rows, log)
                assert (again.applied, again.engine.clock) == (one.applied, max(one.engine.clock, 0))
                assert again.awaited == one.awaited
        assert dict(again.checkpoint(everything=True)).keys() >= {b"position"}


@settings(max_examples=max(DEEP // 2, 10))
@given(declarations(most=3), histories(most=20), afters, seeds)
def test_nobody_sees_that_a_partition_was_made_again(
    declared: str, history: list[Told], after: timedelta, seed: int
) -> None:
    compare(declared, history, end_of(history, after), seed)


@settings(max_examples=DEEP)
@given(thresholds(), people(most=12), afters, st.integers(0, 1 << 30))
def test_nor_among_few_people_who_become_one(declared: str, history: list[Told], after: timedelta, seed: int) -> None:
    compare(declared, history, end_of(history, after), seed)
