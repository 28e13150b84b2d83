"""What the distributed runtime is measured with: laboratory orders of three waits each, the same at every run.

Of twenty orders fifteen are in time throughout; one is collected late, two have late results, one is viewed late and
one never. So five of ninety-nine events make an alert. A record of px.events is about 450 bytes. Nobody is real.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from connectors.cloudevents.read import CloudEventReader
from hub.bench.workload import FIRST, Step, write_line
from hub.declared import Declared, read_declared
from schemas.alert import Alert
from schemas.event import DAY, HOUR, MINUTE, SECOND, Event
from schemas.instant import write_instant
from schemas.threshold import ThresholdSet
from streams.core.circle import names_of
from streams.core.engine import Engine
from streams.distributed.circles import Circles, name_of, partition_of
from streams.distributed.index import Index
from streams.distributed.wire import write_event, write_tick

THRESHOLDS: Final = """
version: 1
thresholds:
  - {id: order.collected, kind: wait, key: order_id, start: order.placed, satisfied_by: specimen.collected, within: 24h}
  - {id: result.made, kind: wait, key: order_id, start: specimen.received, satisfied_by: result.final, within: 4h}
  - {id: result.seen, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 24h}
"""
SOON: Final = """
  - {id: held.long, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 120}}
"""
"""Of this one an event makes an alert at once."""
CLOSED_AFTER: Final = 48 * HOUR
"""The clock is closed so long after the last event: all that is late by then is told."""
_SPAN: Final = 35 * DAY
"""All orders begin within it, however many: so the mix is the same at any number of events."""
_EVENTS_AN_ORDER: Final = 5
CLOSED: Final = FIRST + 42 * DAY
"""Behind all of it, for who names an end of the clock beforehand."""
_ALERTING: Final = 10  # of so many events one makes an alert at once
_HELD: Final = Step(0, "contact.ended", "CALLS", {"contact_id": "#", "channel": "voice", "queue_seconds": 150})
_EVENTS_A_PERSON: Final = 20
_WAITS_A_PERSON: Final = 20
_SAID: Final = {"order_id": "#", "code": "24323-8", "priority": "R"}
_STEPS: Final = (
    ("order.placed", "EHR"),
    ("specimen.collected", "EHR"),
    ("specimen.received", "LAB"),
    ("result.final", "LAB"),
    ("result.viewed", "PORTAL"),
)


def _order(*minutes: int) -> tuple[Step, ...]:
    return tuple(Step(at * MINUTE, *step, _SAID) for at, step in zip(minutes, _STEPS, strict=False))


_IN_TIME: Final = _order(0, 30, 55, 240, 1200)
_OTHERS: Final = {
    3: _order(0, 1800, 1825, 1980, 2400),
    7: _order(0, 30, 55, 360, 1200),
    11: _order(0, 30, 55, 240, 2400),
    15: _order(0, 30, 55, 360, 1200),
    19: _order(0, 30, 55, 240),
}


class Placed(NamedTuple):
    """A record of px.events, and where it goes."""

    partition: int
    key: bytes | None
    value: bytes


class _Nothing:
    """A shelf on which nothing is."""

    def fetch(self, table: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        del table
        return [None] * len(keys)


def write_orders(count: int) -> Iterator[bytes]:
    """`count` CloudEvents, a JSON line each, in order of time."""
    people = max(1, count // _EVENTS_A_PERSON)
    between = max(SECOND, _SPAN * _EVENTS_AN_ORDER // count // SECOND * SECOND)
    coming: list[tuple[int, int, int]] = []  # when, which order, which of its steps
    order = 0
    for number in range(count):
        while not coming or coming[0][0] >= FIRST + order * between:
            heappush(coming, (FIRST + order * between, order, 0))
            order += 1
        at, which, index = heappop(coming)
        steps = _OTHERS.get(which % 20, _IN_TIME)
        yield write_line(number, at, steps[index], which, (which * 2_654_435_761 % 2**32 >> 8) % people)
        if index + 1 < len(steps):
            heappush(coming, (at - steps[index].after + steps[index + 1].after, which, index + 1))


def write_open(count: int) -> Iterator[bytes]:
    """Orders that are placed within an hour, and of which nothing more is heard: an open wait each."""
    people = max(1, count // _WAITS_A_PERSON)
    for number in range(count):
        at = FIRST + number * HOUR // count // SECOND * SECOND
        yield write_line(number, at, _IN_TIME[0], number, number % people)


def write_soon(count: int, at: int) -> Iterator[bytes]:
    """Orders that are placed at an instant, and among them, each tenth, calls that were held for too long."""
    people = max(1, count // _EVENTS_A_PERSON)
    for number in range(count):
        step = _HELD if number % _ALERTING == 0 else _IN_TIME[0]
        yield write_line(number, at, step, number, number % people)


def declare(folder: Path, *more: str) -> Path:
    """The thresholds as a file in a folder."""
    path = folder / "three-waits.yaml"
    path.write_text(THRESHOLDS + "".join(more), encoding="utf-8")
    return path


def declared(path: Path) -> Declared:
    return read_declared(None, path, None, "UTC")


def read_lines(lines: Iterable[bytes]) -> Iterator[Event]:
    """The events of lines, as a door reads them. Raises TypeError for what is none."""
    reader = CloudEventReader(default_zone="UTC")
    for line in lines:
        event = reader.read(line, "bench")
        if not isinstance(event, Event):
            raise TypeError("a line of the workload is no event")
        yield event


def place(events: Iterable[Event], partitions: int, *, close: bool = True) -> Iterator[Placed]:
    """The records of events in order of time, as identify writes them; with `close` ticks end them."""
    circles, last = Circles(Index(_Nothing())), 0
    for event in events:
        last = event.time  # in order of time it is the log time too
        circle = circles.place(circles.keys(names_of(event))).circle
        value = write_event(event, write_instant(last))
        yield Placed(partition_of(circle, partitions), name_of(circle), value)
    if close:
        tick = write_tick(last + CLOSED_AFTER, "tick/bench")
        yield from (Placed(partition, None, tick) for partition in range(partitions))


def judge(events: Iterable[Event], thresholds: ThresholdSet) -> dict[str, Alert]:
    """The alerts of an engine over events in memory, by their ids. It keeps of their data what it reads, so the events
    are good for nothing else."""
    engine = Engine(thresholds)
    last = 0
    for event in events:
        last = event.time
        engine.advance(last - 1)
        engine.apply(event)
    engine.advance(last + CLOSED_AFTER)
    return engine.alerts


def differing(found: Iterable[Alert], expected: dict[str, Alert]) -> int:
    """How many alerts are other ones, or stand otherwise: state, due, ended."""
    there = {alert.id: _stands(alert) for alert in found}
    wanted = {id_: _stands(alert) for id_, alert in expected.items()}
    return sum(there.get(id_) != wanted.get(id_) for id_ in dict.fromkeys(chain(there, wanted)))


def told_by_key(alerts: Iterable[Alert]) -> set[tuple[str, str, str, int, int | None]]:
    """The alerts without their ids, for who makes ids of another kind: threshold, order, state, due, ended."""
    return {(alert.threshold, alert.key, str(alert.state), alert.due_at, alert.ended_at) for alert in alerts}


def _stands(alert: Alert) -> tuple[Any, ...]:
    return str(alert.state), alert.due_at, alert.ended_at
