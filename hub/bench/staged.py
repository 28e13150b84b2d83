"""All stages as processes, as `pxhub work all` starts them, beside a bare consumer of what they are given: the whole
path of what was loaded, and how long an event takes to its alert."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from hub.bench.broker import Own
from hub.bench.figure import Figure
from hub.bench.three_waits import (
    CLOSED,
    SOON,
    declare,
    declared,
    differing,
    judge,
    read_lines,
    write_orders,
    write_soon,
)
from hub.kafka.alerts import alerts_of
from hub.kafka.load import load
from hub.replay import ReplayOptions
from schemas.alert import alert_id
from schemas.event import SECOND
from schemas.instant import read_instant
from schemas.message import Message
from streams.distributed.inbound import read_inbound, write_message
from streams.distributed.names import ALERTS, COUNTED, INBOUND, TASKS
from streams.distributed.reading import read_topic
from streams.distributed.topics import PARTITIONS
from streams.distributed.wire import decode

LOADED: Final = 200_000
A_SECOND: Final = 5_000
LATENCIES: Final = 20 * A_SECOND
_WARM: Final = 5 * A_SECOND  # what is measured is a hub that runs, not its first seconds
_AT_ONCE: Final = 50  # events that are written together, a hundredth of a second of them
_OPENS: Final = 120.0  # seconds
_ENDS: Final = 1800.0
_SEEN: Final = 60.0


class Stages:
    """The processes of `pxhub work all`, and what they tell."""

    def __init__(self, own: Own, thresholds: Path, *more: str) -> None:
        command = [sys.executable, "-P", "-m", "hub", "work", "all", "--kafka", own.kafka.servers, "--redis", own.redis]
        command += ["--thresholds", str(thresholds), "--timezone", "UTC", *more]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own
        self._opened: dict[tuple[str, int], int] = {}
        self._is_open = threading.Event()
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - asked for above
        for line in self._process.stderr:
            if '"partition.opened"' not in line:
                continue
            fact = msgspec.json.decode(line)
            self._opened[fact["topic"], fact["partition"]] = read_instant(fact["timestamp"])
            if {INBOUND, COUNTED} <= {topic for topic, _ in self._opened} and len(self._opened) >= PARTITIONS + 2:
                self._is_open.set()

    def await_open(self) -> None:
        if not self._is_open.wait(_OPENS):
            raise RuntimeError("the workers did not take their partitions")

    def began(self) -> int:
        """When px.inbound was begun with, in microseconds since 1970."""
        return self._opened[INBOUND, 0]

    def await_end(self) -> None:
        if self._process.wait(_ENDS):
            raise RuntimeError("the workers failed")

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listening.join(10)
        assert self._process.stderr is not None  # noqa: S101 - asked for above
        self._process.stderr.close()


@contextmanager
def staged(own: Own, thresholds: Path, *more: str) -> Iterator[Stages]:
    stages = Stages(own, thresholds, *more)
    try:
        yield stages
    finally:
        stages.end()


def read_bare(client: dict[str, str], topic: str, partitions: int) -> tuple[float, float]:
    """Seconds of the processor and of the clock that a bare consumer takes to read a topic and decode its records."""
    read: Callable[[bytes], Any] = read_inbound if topic == INBOUND else decode
    wall, cpu = time.monotonic(), time.process_time()
    for partition in range(partitions):
        for record in read_topic(client, topic, partition):
            read(record.value or b"")
    return time.process_time() - cpu, time.monotonic() - wall


def bare(own: Own, topic: str, partitions: int) -> tuple[float, float]:
    """The same, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(read_bare, own.client(), topic, partitions).result()


def whole_path(own: Own, count: int) -> Iterator[Figure]:
    """From px.inbound, filled as `pxhub load` does, to the last alert."""
    own.renew()
    with TemporaryDirectory(prefix="pxhub-bench-") as folder:
        thresholds, lines = declare(Path(folder)), Path(folder) / "orders.ndjson"
        with lines.open("wb") as out:
            out.writelines(write_orders(count))
        options = ReplayOptions(
            paths=[str(lines)], thresholds=thresholds, mapping=None, site=None, until=CLOSED, timezone="UTC"
        )
        load(own.kafka, options)
        _, seconds = bare(own, INBOUND, 1)
        yield Figure("reference: a bare consumer of px.inbound that decodes", count / seconds, "events/s")
        with staged(own, thresholds, "--clock", "event", "--until-caught-up") as stages:
            stages.await_end()
            began = stages.began()
        expected = judge(read_lines(write_orders(count)), declared(thresholds).thresholds)
    wrong = differing(alerts_of(own.kafka), expected)
    wall = own.last_stamp(ALERTS, PARTITIONS) / 1000 - began / SECOND
    yield Figure("inbound to alert, all stages, as processes", count / wall, "events/s", "40,000 or more, on 2 cores")
    yield Figure(f"alerts that differ, of {len(expected):,}", wrong, "", "none")


def latency(own: Own, count: int) -> Iterator[Figure]:
    """From an event's being written to px.inbound to its alert's being read, committed, from px.alerts."""
    own.renew()
    seconds = count / A_SECOND
    due = time.time_ns() // 1000  # noqa: TID251 - what is measured is the clock
    events = _written(count + _WARM, due)
    alerting = [(id_, value) for id_, value in events if id_ is not None]
    warm = [id_ for id_, _ in events[:_WARM] if id_ is not None]
    told = _Watch(own, TASKS, 1)
    _write(own, TASKS, events, told.produced, only_alerts=True)
    late = told.latencies([id_ for id_, _ in alerting[len(warm) :]])
    yield Figure("reference: producer to consumer, nothing between, 99th percentile", _share(late, 99), "ms")
    with (
        TemporaryDirectory(prefix="pxhub-bench-") as folder,
        staged(own, declare(Path(folder), SOON), "--clock", "log") as stages,
    ):
        stages.await_open()
        told = _Watch(own, ALERTS, PARTITIONS)
        _write(own, INBOUND, events[:_WARM], told.produced)
        told.latencies(warm)
        _write(own, INBOUND, events[_WARM:], told.produced)
        late = told.latencies([id_ for id_, _ in alerting[len(warm) :]])
    name = f"event to alert, {A_SECOND:,} events/s for {seconds:g} s"
    yield Figure(f"{name}, 50th percentile", _share(late, 50), "ms")
    yield Figure(f"{name}, 99th percentile", _share(late, 99), "ms", "250 or less")


def _written(count: int, now: int) -> list[tuple[str | None, bytes]]:
    """Records of px.inbound, each with the id of the alert that it makes."""
    found: list[tuple[str | None, bytes]] = []
    for line, event in zip(*(write_soon(count, now), read_lines(write_soon(count, now))), strict=True):
        digest = blake2b(line, digest_size=16).digest()
        message = Message("cloudevents", line, event.source, event.id, digest, (event,))
        id_ = alert_id("held.long", event.source, event.id) if event.type == "contact.ended" else None
        found.append((id_, write_message(message, digest)))
    return found


def _write(
    own: Own,
    topic: str,
    events: Sequence[tuple[str | None, bytes]],
    produced: dict[bytes, float],
    *,
    only_alerts: bool = False,
) -> None:
    """Write events at their pace, and note when."""
    producer = Producer({**own.client(), "acks": "all", "enable.idempotence": True, "linger.ms": 1, "log_level": 2})
    begun, pause = time.monotonic(), threading.Event()
    for at in range(0, len(events), _AT_ONCE):
        pause.wait(max(0.0, begun + at / A_SECOND - time.monotonic()))
        for id_, value in events[at : at + _AT_ONCE]:
            if id_ is not None:
                produced[id_.encode()] = time.monotonic()
            if id_ is not None or not only_alerts:
                producer.produce(topic, value, None if id_ is None else id_.encode(), 0)
        producer.poll(0)
    producer.flush(_SEEN)


class _Watch:
    """Reads a topic's committed records in a thread, and notes when each key was seen first."""

    def __init__(self, own: Own, topic: str, partitions: int) -> None:
        self.produced: dict[bytes, float] = {}
        self._seen: dict[bytes, float] = {}
        self._news = threading.Condition()
        self._consumer = Consumer(
            {
                **own.client(),
                "group.id": "px-bench",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
                "log_level": 2,
            }
        )
        self._consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            message = self._consumer.poll(1.0)
            if message is None or message.error() is not None:
                continue
            key = message.key()
            with self._news:
                self._seen.setdefault(key if isinstance(key, bytes) else b"", time.monotonic())
                self._news.notify_all()

    def latencies(self, ids: Sequence[str]) -> list[float]:
        """Milliseconds from written to seen, in order. Raises RuntimeError where one is never seen."""
        keys = [id_.encode() for id_ in ids]
        with self._news:
            if not self._news.wait_for(lambda: len(self._seen) >= len(self.produced), _SEEN):
                raise RuntimeError("not every alert came")
            return sorted((self._seen[key] - self.produced[key]) * 1000 for key in keys)


def _share(ordered: Sequence[float], share: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]
