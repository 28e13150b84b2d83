"""A correlate worker in a process of its own, as `pxhub work correlate --clock event` makes it, that says what it took.

What is measured begins when the first partition stands, before the first fetch, and ends when the last
slice that held any of what was there is committed: alerts, checkpoints and positions of all partitions. The
processor's time is that of all threads of the process.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import os
import pstats
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from faust.types import TP

from hub.bench.engine import resident
from hub.bench.three_waits import declared
from hub.kafka.cluster import look_at
from hub.kafka.settings import KafkaSettings
from hub.kafka.work import WorkSettings, clients_of, keep_still, make_stage
from hub.telemetry import start_telemetry
from streams.distributed.stage import Stage
from streams.distributed.topics import PARTITIONS
from streams.distributed.transport import Batch

_STARTS: Final = 120.0  # seconds until a worker must hold its partitions
_WORKS: Final = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a worker is to do: judge px.events up to `ends` by the thresholds of a file, with so many workers in all.
    One with `is_held`, waits until it is told to go. `profile` is a file for cProfile."""

    kafka: KafkaSettings
    thresholds: Path
    ends: tuple[int, ...]
    workers: int = 1
    is_held: bool = False
    profile: Path | None = None


@dataclass(frozen=True, slots=True)
class Worked:
    """What it took: seconds by the clock of the machine (monotonic: begun, ended) and of the processor, bytes that it
    held before and after."""

    began: float
    ended: float
    cpu: float
    before: int
    after: int

    @property
    def wall(self) -> float:
        return self.ended - self.began


class _Watch:
    """Watches a stage take all that there is."""

    def __init__(self, stage: Stage[Any], asked: Asked) -> None:
        self._stage, self._asked = stage, asked
        self._positions, self._take, self._seek = stage.positions, stage.take, stage.seek
        self.share: int = PARTITIONS // asked.workers
        self.holds: asyncio.Event = asyncio.Event()
        self.go: asyncio.Event = asyncio.Event()
        self.taken: asyncio.Event = asyncio.Event()
        self.began: tuple[float, float, int] | None = None
        stage.positions = self.positions  # type: ignore[method-assign]  # what is measured is the stage itself
        stage.take = self.take  # type: ignore[method-assign]
        stage.seek = self.seek

    async def positions(self, assigned: set[TP], generation: int) -> Mapping[TP, int]:
        found = await self._positions(assigned, generation)
        self._note_share()
        return found

    async def seek(self, tp: TP, offset: int) -> None:
        """A partition stands: it is fetched from now on."""
        if self.began is None:
            self.note_begun()
        await self._seek(tp, offset)
        self._note_share()

    def _note_share(self) -> None:
        if len(self._stage.held) == self.share:
            self.holds.set()

    def note_begun(self) -> None:
        self.began = (time.monotonic(), time.process_time(), resident())

    async def take(self, tp: TP, batch: Batch, message: Any) -> None:
        if self._asked.is_held:
            await self.go.wait()
        await self._take(tp, batch, message)
        self.look()

    def look(self) -> None:
        held = self._stage.held
        ends = self._asked.ends
        if len(held) == self.share and all(one.reach >= ends[tp.partition] for tp, one in held.items()):
            self.taken.set()


async def _work(asked: Asked, parent: Connection) -> Worked:
    from streams.distributed.app import make_app, run_app  # noqa: PLC0415 - Faust takes long to load

    settings = WorkSettings(stage="correlate", kafka=asked.kafka, redis="", clock="event")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:  # noqa: ASYNC230 - nothing waits for it
        log = start_telemetry(nowhere)
        stage = make_stage(settings, declared(asked.thresholds), look_at(asked.kafka), log)
        app = make_app("px-correlate", stage, asked.kafka.servers, **clients_of(asked.kafka))
        watch, ended, found = _Watch(stage, asked), asyncio.Event(), list[Worked]()
        app.positions = watch.positions
        gc.collect()
        gc.freeze()
        gc.disable()  # as hub/kafka/work.py has it

        async def measure() -> None:
            try:
                await watch.holds.wait()
                if asked.is_held:
                    parent.send(None)
                    await asyncio.to_thread(parent.recv)
                    watch.note_begun()
                    watch.go.set()
                watch.look()
                await watch.taken.wait()
                await stage.settle()
                began, cpu, before = watch.began or (0.0, 0.0, 0)
                found.append(Worked(began, time.monotonic(), time.process_time() - cpu, before, resident()))
            finally:
                ended.set()

        measuring, still = asyncio.create_task(measure()), asyncio.create_task(keep_still())
        try:
            await run_app(app, stage, ended, lambda: None)
            await measuring
        finally:
            still.cancel()
    return found[0]


@contextmanager
def _profiled(path: Path | None) -> Iterator[None]:
    """Profile every thread into one file. It is by the clock, for to ask for a thread's own time costs more than
    most of what is measured: what waits (poll, acquire) shows, and is to be passed by."""
    if path is None:
        yield
        return
    profiles: list[cProfile.Profile] = []

    def begin(*_: Any) -> None:
        profile = cProfile.Profile()
        profiles.append(profile)
        profile.enable()

    threading.setprofile(begin)
    begin()
    try:
        yield
    finally:
        threading.setprofile(None)
        profiles[0].disable()
        told = [pstats.Stats(profile) for profile in profiles]
        for other in told[1:]:
            told[0].add(other)
        told[0].dump_stats(path)


def _main(asked: Asked, parent: Connection) -> None:
    with _profiled(asked.profile):
        worked = asyncio.run(_work(asked, parent))
    parent.send(worked)


def correlate(asked: Asked) -> list[Worked]:
    """Have px.events judged by so many workers, each a process. Raises RuntimeError where one fails."""
    spawn = get_context("spawn")
    pipes = [spawn.Pipe() for _ in range(asked.workers)]
    processes = [spawn.Process(target=_main, args=(asked, theirs)) for _, theirs in pipes]
    try:
        for process, (_, theirs) in zip(processes, pipes, strict=True):
            process.start()
            theirs.close()  # so that the end of the process is seen
        if asked.is_held:
            for ours, _ in pipes:
                _answer(ours, _STARTS)
            for ours, _ in pipes:
                ours.send(None)
        return [_answer(ours, _WORKS) for ours, _ in pipes]
    finally:
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()


def _answer(ours: Any, seconds: float) -> Any:
    try:
        if ours.poll(seconds):
            return ours.recv()
    except EOFError:
        pass
    raise RuntimeError("the correlate worker did not come to its end")
