"""How long until alerts flow again when a worker dies with half of the partitions, over a broker that runs already.

    python -m hub.bench.rebalance --kafka 127.0.0.1:19092 --redis redis://127.0.0.1:16379/0 --waits 1000000

It deletes and makes the topics of that broker anew, writes one event a wait onto px.events, has workers of `correlate`
read them, kills one, and looks at px.alerts while each partition is given a promise to break several times a second.
Counted from the broker's noticing, which is when the group begins to share out its partitions anew.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from hub.bench.figure import Figure
from schemas.event import HOUR, SECOND, Attribute, Event
from schemas.instant import write_instant
from streams.distributed.names import ALERTS, EVENTS
from streams.distributed.wire import write_event, write_tick

_FIRST: Final = 1_772_442_000 * SECOND  # Monday 2026-03-02, 09:00 UTC
_WITHIN: Final = 10 * HOUR
_A_PERSON: Final = 4
_EVERY: Final = 0.2  # seconds between two promises that are broken on each partition
_LOOK: Final = 0.05
_REST: Final = 20.0  # seconds of little load, in which what is kept comes up to the log, before one is killed
_THRESHOLDS: Final = """version: 1
thresholds:
  - id: bench.told
    title: A result within 10 hours
    kind: wait
    key: order_id
    start: {event: order.placed}
    satisfied_by: [{event: result.final}]
    within: 10h
    severity: high
    source: the benchmark
"""
_GROUP: Final = "px-correlate"
_GROUPS: Final = (_GROUP, "px-identify", "px-measure")


class Running:
    """A worker of `correlate`; its facts are kept as they come."""

    def __init__(self, kafka: str, redis: str, thresholds: Path) -> None:
        command = [sys.executable, "-c", "from hub.__main__ import main; main()", "work", "correlate"]
        command += ["--kafka", kafka, "--redis", redis, "--thresholds", str(thresholds), "--metrics", "127.0.0.1:0"]
        self.process: subprocess.Popen[str] = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603
        self.facts: list[dict[str, Any]] = []
        self.opened: dict[int, float] = {}
        self.address: str = ""
        self._has_address: threading.Event = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None  # noqa: S101 - a pipe
        for line in self.process.stderr:
            if not line.startswith("{"):
                continue
            fact = json.loads(line)
            self.facts.append(fact)
            if fact["event"] == "partition.opened":
                self.opened[fact["partition"]] = time.monotonic()
            if fact["event"] == "metrics.opened":
                self.address = fact["address"]
                self._has_address.set()

    def numbers(self) -> dict[str, float]:
        """What /metrics tells, summed over the partitions."""
        self._has_address.wait()
        found: dict[str, float] = {}
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=30) as answer:  # noqa: S310 - loopback
            for line in answer.read().decode().splitlines():
                if not line.startswith("#"):
                    name, _, value = line.rpartition(" ")
                    name = name.partition("{")[0]
                    found[name] = found.get(name, 0.0) + float(value)
        return found

    def partitions(self) -> set[int]:
        """Which it holds now."""
        self._has_address.wait()
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=30) as answer:  # noqa: S310 - loopback
            lines = answer.read().decode().splitlines()
        return {int(line.split('"')[1]) for line in lines if line.startswith("pxhub_work_offset{")}

    def cpu(self) -> float:
        """Seconds of the processor that it took up to now."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def running(kafka: str, redis: str, thresholds: Path) -> Iterator[Running]:
    """A worker, killed at the end."""
    one = Running(kafka, redis, thresholds)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()


def _placed(number: int, partition: int, at: int, clock: int) -> tuple[bytes, bytes]:
    person = f"{number // _A_PERSON:08d}^NORTH" if partition < 0 else f"probe{number}-{partition}^NORTH"
    data: dict[str, Attribute] = {"order_id": f"O{number}-{partition}^NORTH", "category": "LAB", "priority": "R"}
    event = Event(f"e{number}-{partition}", "hl7/LAB/NORTH", "order.placed", at, data, (person,))
    return blake2b(person.encode(), digest_size=8).hexdigest().encode(), write_event(event, write_instant(clock))


def fill(kafka: str, waits: int, partitions: int) -> None:
    """Make the topics anew, and write an event a wait and a tick."""
    admin = AdminClient({"bootstrap.servers": kafka})
    names = [name for name in admin.list_topics(timeout=30).topics if name.startswith("px.")]
    for future in admin.delete_topics(names).values() if names else ():
        future.result()
    while groups := [one.group_id for one in admin.list_consumer_groups().result().valid if one.group_id in _GROUPS]:
        for future in admin.delete_consumer_groups(groups).values():
            with suppress(KafkaException):  # members that were killed count until their session ends
                future.result()
        threading.Event().wait(_EVERY)
    command = [sys.executable, "-c", "from hub.__main__ import main; main()", "topics", "apply", "--kafka", kafka]
    command += ["--partitions", str(partitions)]
    while subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:  # noqa: S603 - our own
        pass  # a broker learns a little later what its controller deleted
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    for number in range(waits):
        key, value = _placed(number, -1, _FIRST, _FIRST)
        _put(producer, key, value, number // _A_PERSON % partitions)
    for partition in range(partitions):
        _put(producer, None, write_tick(_FIRST, "tick/0"), partition)
    producer.flush()


def _put(producer: Producer, key: bytes | None, value: bytes, partition: int) -> None:
    while True:
        try:
            producer.produce(EVENTS, value, key, partition)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


class Probes:
    """Breaks a promise on each partition several times a second, and notes when it is told of."""

    def __init__(self, kafka: str, partitions: int) -> None:
        self.told: dict[int, list[float]] = {number: [] for number in range(partitions)}
        self._ended: threading.Event = threading.Event()
        self._kafka: str = kafka
        self._partitions: int = partitions
        self._threads: list[threading.Thread] = [
            threading.Thread(target=what, daemon=True) for what in (self._break, self._read)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def await_told(self, partitions: set[int], since: float) -> dict[int, float]:
        """When each was told of for the first time since."""
        while True:
            found = {p: next((at for at in list(self.told[p]) if at > since), None) for p in partitions}
            if all(at is not None for at in found.values()):
                return {p: at for p, at in found.items() if at is not None}
            self._ended.wait(0.02)

    def _break(self) -> None:
        producer = Producer({"bootstrap.servers": self._kafka, "linger.ms": 0})
        number = 0
        while not self._ended.wait(_EVERY):
            number += 1
            clock = _FIRST + 2 * number * SECOND
            for partition in range(self._partitions):
                key, value = _placed(number, partition, clock - _WITHIN - SECOND, clock - 2 * SECOND)
                _put(producer, key, value, partition)
                _put(producer, None, write_tick(clock, f"tick/{number}"), partition)
            producer.flush()

    def _read(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._kafka,
                "group.id": "px-bench",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            }
        )
        topic = consumer.list_topics(ALERTS, timeout=30).topics[ALERTS]
        ends = [TopicPartition(ALERTS, p) for p in topic.partitions]
        for one in ends:
            one.offset = consumer.get_watermark_offsets(one, 30)[1]
        consumer.assign(ends)
        while not self._ended.is_set():
            for message in consumer.consume(1000, 0.02):
                value = message.value()
                if message.error() is None and value is not None:
                    order = str(json.loads(value)["key"])
                    partition = order.partition("^")[0].rpartition("-")[2]
                    if partition.isdecimal():
                        self.told[int(partition)].append(time.monotonic())
        consumer.close()


def _await_shared_anew(kafka: str, members: int) -> float:
    """When the group of correlate no longer counts so many members that stand."""
    admin = AdminClient({"bootstrap.servers": kafka})
    while True:
        told = admin.describe_consumer_groups([_GROUP])[_GROUP].result()
        if told.state.name != "STABLE" or len(told.members) < members:
            return time.monotonic()
        threading.Event().wait(_LOOK)


def _silences(told: list[float], since: float) -> list[float]:
    """Seconds between what was told, of what was told since."""
    return [after - before for before, after in pairwise(sorted(told)) if after > since]


def run(kafka: str, redis: str, waits: int, partitions: int, workers: int) -> Iterator[Figure]:
    """Measure. `workers` read the waits; with more than one, one of them is killed then."""
    fill(kafka, waits, partitions)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        thresholds = Path(folder) / "bench.yaml"
        thresholds.write_text(_THRESHOLDS, encoding="utf-8")
        ours = [held.enter_context(running(kafka, redis, thresholds)) for _ in range(workers)]
        while sum(one.numbers().get("pxhub_work_waits_open", 0) for one in ours) < waits:
            threading.Event().wait(_EVERY)
        seconds = time.monotonic() - min(min(one.opened.values()) for one in ours if one.opened)
        yield Figure(f"{waits:,} waits opened by {workers} workers", waits / seconds, "events/s", "")
        yield Figure("of the processor", waits / sum(one.cpu() for one in ours), "events/CPU s", "")
        if workers == 1:
            return
        while not all(one.partitions() for one in ours) or sum(len(one.partitions()) for one in ours) < partitions:
            threading.Event().wait(_EVERY)
        probes = Probes(kafka, partitions)
        probes.start()
        probes.await_told(set(range(partitions)), time.monotonic() + _REST)
        dying, left = ours[0], ours[1]
        lost = dying.partitions()
        killed = time.monotonic()
        dying.process.kill()
        noticed = _await_shared_anew(kafka, workers)
        used = left.cpu()
        again = probes.await_told(lost, killed + 1)
        used = left.cpu() - used
        kept = set(range(partitions)) - lost
        probes.await_told(kept, max(again.values()))
        probes.stop()
        yield Figure("the broker notices, after", noticed - killed, "s", "10 (the session)")
        stood = [left.opened[p] - noticed for p in lost]
        yield Figure(f"{len(lost)} partitions stand again, after the noticing", max(stood), "s", "")
        yield Figure("all tell of alerts again, after the noticing", max(again.values()) - noticed, "s", "under 10")
        silences = [max(_silences(probes.told[p], killed), default=0.0) for p in kept]
        yield Figure("of the processor, for that", used, "CPU s", "")
        yield Figure("the longest silence of a partition that was kept", max(silences, default=0.0), "s", "")


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--waits", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    for figure in run(asked.kafka, asked.redis, asked.waits, asked.partitions, asked.workers):
        sys.stdout.write(f"{figure}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
