"""The distributed runtime on a broker and a Redis that are the benchmark's own, beside what others take for the same
work on the same broker. Each part prints how much the machine had to do beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hub.bench.broker import Own, ends_of_events, own_services
from hub.bench.engine import in_fresh_process, resident
from hub.bench.figure import Figure, drive, uncollected
from hub.bench.references import find_reference, run_reference
from hub.bench.staged import LATENCIES, LOADED, bare, latency, whole_path
from hub.bench.three_waits import declare, declared, differing, judge, place, read_lines, write_open, write_orders
from hub.bench.worker import Asked, Worked, correlate
from hub.kafka.alerts import alerts_of
from hub.kafka.settings import KafkaSettings
from schemas.errors import WrongUse
from streams.core.engine import Engine
from streams.distributed.names import ALERTS, COUNTED, EVENTS, JOURNEYS, STATE
from streams.distributed.topics import PARTITIONS

COUNT: Final = 1_000_000
OPEN_WAITS: Final = 200_000
PARTS: Final = "abcdef"
_BY_FAUST: Final = 20_000
_BY_BYTEWAX: Final = 200_000
_OUTPUTS: Final = (STATE, ALERTS, COUNTED, JOURNEYS)


class Bench:
    """One run: `events` of three waits, on services of its own."""

    def __init__(self, own: Own, events: int, folder: Path, profile: Path | None = None) -> None:
        self.own, self.events, self.folder, self.profile = own, events, folder, profile
        self.thresholds: Path = declare(folder)
        self.parts: dict[str, Callable[[], Iterator[Figure]]] = {
            "a": self.one_worker,
            "b": self.others,
            "c": lambda: whole_path(own, min(LOADED, events)),
            "d": lambda: latency(own, min(LATENCIES, events)),
            "e": self.two_workers,
            "f": self.memory,
        }
        self._rate: float = 0.0

    def one_worker(self) -> Iterator[Figure]:
        """One correlate worker over all partitions, its alerts compared with those of an engine in memory."""
        own, count, name = self.own, self.events, f"{self.events:,} events of three waits"
        own.renew()
        own.write(EVENTS, place(read_lines(write_orders(count)), PARTITIONS))
        cpu, _ = bare(own, EVENTS, PARTITIONS)
        yield Figure("reference: a bare consumer that decodes, keeping nothing", count / cpu, "events/CPU s")
        with uncollected():
            engine, events = Engine(declared(self.thresholds).thresholds), list(read_lines(write_orders(count)))
            seconds = drive(engine.apply, engine.advance, events)
            del engine, events
        yield Figure("reference: the engine alone, events in memory", count / seconds, "events/CPU s")
        if self.profile is not None:
            name += ", under cProfile"
        worked = self._correlate()
        self._rate = count / worked.cpu
        yield Figure(f"correlate, one worker, {name}", self._rate, "events/CPU s", "120,000 or more")
        yield Figure("the same by the clock", count / worked.wall, "events/s")
        expected = judge(read_lines(write_orders(count)), declared(self.thresholds).thresholds)
        wrong = differing(alerts_of(own.kafka), expected)
        yield Figure(f"alerts that differ, of {len(expected):,}", wrong, "", "none")

    def others(self) -> Iterator[Figure]:
        """The same work by a plain Faust agent, and by Bytewax."""
        own = self.own
        for name, told, most, goal in (
            ("faust_agent", "a Faust agent with a Table", _BY_FAUST, "30 or more"),
            ("bytewax_flow", "Bytewax, keeping nothing on disk", _BY_BYTEWAX, "more than 1"),
        ):
            count, path = min(most, self.events), find_reference(name)
            expected = judge(read_lines(write_orders(count)), declared(self.thresholds).thresholds)
            records = place(read_lines(write_orders(count)), PARTITIONS)
            taken = None
            if path is not None:
                ends = name == "faust_agent"
                taken = run_reference(own, path, records, PARTITIONS, expected.values(), tells_ends=ends)
            if taken is None:
                yield Figure(f"{told}: left out, for it is not installed here", 0, "")
                continue
            yield Figure(f"reference: {told}, {count:,} events", count / taken.cpu, "events/CPU s")
            yield Figure(f"its alerts that differ, of {len(expected):,}", taken.differing, "", "none")
            if self._rate:
                yield Figure(f"one worker as a multiple of {told}", self._rate / (count / taken.cpu), "", goal)

    def two_workers(self) -> Iterator[Figure]:
        """Two correlate workers against one, the same events, each told to go when all partitions are held."""
        own, count = self.own, self.events
        own.renew()
        own.write(EVENTS, place(read_lines(write_orders(count)), PARTITIONS))
        [one] = self._several(1)
        yield Figure("reference: one correlate worker, by the clock", count / one.wall, "events/s")
        own.renew(*_OUTPUTS)
        two = self._several(2)
        wall = max(worked.ended for worked in two) - min(worked.began for worked in two)
        yield Figure("two correlate workers, by the clock", count / wall, "events/s")
        yield Figure("two as a multiple of one", one.wall / wall, "", "1.7 or more, on 2 cores")

    def memory(self) -> Iterator[Figure]:
        """What an open wait costs a worker: what it grows by from its first fetch until all are durable."""
        own, waits = self.own, min(OPEN_WAITS, self.events)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            alone = fresh.submit(open_alone, self.thresholds, waits).result()
        yield Figure(f"reference: bench engine, all thresholds, {waits:,} waits", in_fresh_process(waits)[0], "bytes")
        yield Figure("reference: the engine alone, these three thresholds", alone, "bytes")
        own.renew()
        own.write(EVENTS, place(read_lines(write_open(waits)), PARTITIONS, close=False))
        worked = self._correlate()
        yield Figure(
            "memory an open wait of the worker, buffers included", (worked.after - worked.before) / waits, "bytes"
        )

    def _correlate(self) -> Worked:
        ends = tuple(ends_of_events(self.own))
        [worked] = correlate(Asked(kafka=self.own.kafka, thresholds=self.thresholds, ends=ends, profile=self.profile))
        self.profile = None  # of the first part that runs a worker
        return worked

    def _several(self, workers: int) -> list[Worked]:
        ends = tuple(ends_of_events(self.own))
        asked = Asked(kafka=self.own.kafka, thresholds=self.thresholds, ends=ends, workers=workers, is_held=True)
        return correlate(asked)


def open_alone(thresholds: Path, waits: int) -> float:
    """Bytes an open wait of an engine in this process."""
    engine = Engine(declared(thresholds).thresholds, keeps_all=False)
    with uncollected():
        before = resident()
        for event in read_lines(write_open(waits)):
            engine.advance(event.time - 1)
            engine.apply(event)
        return (resident() - before) / waits


def run(
    kafka: KafkaSettings, redis: str, events: int = COUNT, only: str = PARTS, profile: Path | None = None
) -> Iterator[Figure]:
    """All figures, or those of some parts. Raises WrongUse where the services hold anything, and TryAgain."""
    parts = list(only.replace(",", ""))
    if not parts or any(part not in PARTS for part in parts):
        raise WrongUse(f"--only: some of {', '.join(PARTS)} are expected, with commas between them")
    with own_services(kafka, redis) as own, TemporaryDirectory(prefix="pxhub-bench-") as folder:
        bench = Bench(own, events, Path(folder), profile)
        yield from chain.from_iterable(_part(part, bench.parts[part]) for part in PARTS if part in parts)


def _part(name: str, part: Callable[[], Iterator[Figure]]) -> Iterator[Figure]:
    yield Figure(f"part {name}: load average of the machine, {os.cpu_count()} cores", os.getloadavg()[0], "")
    yield from part()
