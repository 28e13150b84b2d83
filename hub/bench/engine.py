"""The engine alone: events that are decoded, the whole starter pack loaded, one core."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from connectors.cloudevents.read import CloudEventReader
from hub.bench.figure import Figure, drive, json_reference, seconds_of, uncollected
from hub.bench.workload import FIRST, Step, write_line, write_lines
from hub.thresholds import load_thresholds
from schemas.duration import Duration, Unit
from schemas.event import HOUR, SECOND, Attribute, Event
from schemas.threshold import Match, Threshold, ThresholdSet, WaitRule
from streams.core.engine import Engine

EVENTS: Final = 300_000
OPEN_WAITS: Final = (10_000, 100_000, 1_000_000)
STRANGERS: Final = (0, 10, 100, 1_000)
ON_ONE_KEY: Final = 10_000
_WAITS_A_PERSON: Final = 20
_MIXED: Final = 20_000  # events of the mix that a cost is measured with
_ORDER: Final = Step(
    0, "order.placed", "EHR", {"order_id": "#", "code": "71046", "category": "RAD", "priority": "R", "class": "O"}
)
_COLLECTED: Final[dict[str, Attribute]] = {"order_id": "o1^NORTH", "category": "LAB", "priority": "R", "slow": False}


def run(
    events: int = EVENTS, *, open_waits: tuple[int, ...] = OPEN_WAITS, on_one_key: int = ON_ONE_KEY
) -> Iterator[Figure]:
    """All figures of the engine, each as soon as it is measured."""
    thresholds = load_thresholds(None)
    lines = list(write_lines(events))
    with uncollected():
        name, loads = json_reference()
        yield Figure(f"reference: {name} of the same lines", events / seconds_of(loads, lines), "events/s")
        decoded = read_all(Engine(thresholds), lines)
        engine = Engine(thresholds)
        seconds = drive(engine.apply, engine.advance, decoded)
        waits = engine.counts["waits"]
        del decoded, engine
        of = f"{len(thresholds.thresholds)} thresholds loaded, {waits:,} waits"
        yield Figure(f"engine, events decoded, {of}", events / seconds, "events/s", "150,000 or more")
    for count in STRANGERS:
        yield Figure(
            f"with {count:,} more thresholds that do not concern the event", _cost_among(count), "us/event", "flat"
        )
    for count in open_waits:
        bytes_each, cost = in_fresh_process(count)
        yield Figure(f"with {count:,} open waits", cost, "us/event", "flat")
        yield Figure(
            f"memory an open wait at {count:,}, {_WAITS_A_PERSON} a person", bytes_each, "bytes", "1,024 or less"
        )
    yield from _on_one_key(on_one_key)


def read_all(engine: Engine, lines: list[bytes]) -> list[Event]:
    """The lines as a replay's reader gives them to this engine."""
    reader = CloudEventReader(times=engine.compiled.anchors)
    return [event for line in lines if isinstance(event := reader.read(line, "bench"), Event)]


def _cost_among(strangers: int) -> float:
    """Microseconds an event, with thresholds loaded that no event of the mix concerns."""
    loaded = load_thresholds(None)
    shape = Threshold(
        id="stranger",
        kind="wait",
        rule=WaitRule(key=("order_id",), start=(), satisfied_by=(), within=Duration(4, Unit.HOURS)),
    )
    more = tuple(
        replace(
            shape,
            id=f"stranger.{n}",
            rule=WaitRule(
                key=("order_id",),
                start=(Match(event=f"stranger.came.{n}"),),
                satisfied_by=(Match(event=f"stranger.left.{n}"),),
                within=Duration(4, Unit.HOURS),
            ),
        )
        for n in range(strangers)
    )
    with uncollected():
        engine = Engine(ThresholdSet(thresholds=loaded.thresholds + more, calendars=loaded.calendars))
        events = read_all(engine, list(write_lines(_MIXED)))
        return drive(engine.apply, engine.advance, events) / len(events) * 1e6


def in_fresh_process(waits: int) -> tuple[float, float]:
    """Bytes an open wait and microseconds an event, measured where no memory was used before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(open_and_measure, waits).result()


def open_and_measure(waits: int) -> tuple[float, float]:
    """Open that many waits, each of an order of its own, and put the mix to the engine that holds them."""
    engine = Engine(load_thresholds(None))
    reader = CloudEventReader(times=engine.compiled.anchors)
    people = max(1, waits // _WAITS_A_PERSON)
    with uncollected():
        before = resident()
        for number in range(waits):
            at = FIRST - HOUR + number * HOUR // waits // SECOND * SECOND
            line = write_line(number, at, _ORDER, number, number % people)
            event = reader.read(line, "bench")
            if isinstance(event, Event):
                engine.advance(event.time - 1)
                engine.apply(event)
        bytes_each = (resident() - before) / max(1, engine.counts["waits"])
        events = [
            event
            for line in write_lines(_MIXED)
            if isinstance(event := reader.read(line.replace(b'"id":"', b'"id":"m'), "bench"), Event)
        ]
        return bytes_each, drive(engine.apply, engine.advance, events) / len(events) * 1e6


def resident() -> int:
    """The memory that this process holds, in bytes: what it holds now where the system tells (Linux), else the most
    that it ever held, which serves as well for what only grows."""
    told = Path("/proc/self/statm")
    if told.exists():
        return int(told.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held if sys.platform == "darwin" else held * 1024


def _on_one_key(many: int) -> Iterator[Figure]:
    """The cost of an event when all are of one key, against a hundred a key, in order and slightly out of order."""
    for order, by in (("in order", 1), ("out of order, each four the wrong way round", 4)):
        for on_a_key in (100, many):
            keys = max(1, many // on_a_key)
            events = [event for key in range(keys) for event in _repeated(on_a_key, f"o{key}^NORTH", key)]
            turned = [e for four in _chunks(events, by) for e in reversed(four)]
            with uncollected():
                engine = Engine(load_thresholds(None))
                cost = drive(engine.apply, engine.advance, turned) / len(turned) * 1e6
            yield Figure(f"{on_a_key:,} events on one key, {order}", cost, "us/event", "flat")


def _repeated(count: int, order: str, key: int) -> list[Event]:
    """Specimens of one order and their results, one after the other."""
    told = {**_COLLECTED, "order_id": order}
    return [
        Event(
            f"{order}/{n}",
            "hl7/LAB/NORTH",
            "result.final" if n % 2 else "specimen.collected",
            FIRST + (key * count + n) * SECOND,
            dict(told),
            (f"{key:07d}^NORTH",),
            "NORTH",
        )
        for n in range(count)
    ]


def _chunks(events: list[Event], size: int) -> Iterator[list[Event]]:
    stream = iter(events)
    while chunk := list(islice(stream, size)):
        yield chunk
