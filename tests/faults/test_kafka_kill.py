"""kill -9 of whatever a hub in Kafka is made of, at any moment: in the end the alerts are those of an undisturbed
replay, each was said once, and no message that Kafka took is missing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from deploy.services.running import Service
from hub.kafka.load import load
from hub.kafka.settings import read_kafka_settings
from hub.replay import ReplayOptions
from schemas.errors import TryAgain
from streams.distributed.names import ALERTS, COUNTED, DEAD_LETTERS, EVENTS
from streams.distributed.reading import ends_of
from streams.distributed.wire import CONTROL
from tests.kafka.running import KafkaHub, Worker, comparable, ending, replayed
from tests.kafka.test_parity import written
from tests.services import own_kafka, own_redis

KILLS = int(os.environ.get("PXHUB_KILLS", "5"))
PARTITIONS = 2
STAGES = ("identify", "correlate", "measure")
VICTIMS = (*STAGES, "redis", "broker")
PATIENCE = 120.0  # seconds


def put(hub: KafkaHub, path: Path) -> None:
    """Load a file, without a process."""
    while True:
        try:
            load(read_kafka_settings(hub.kafka, {}), ReplayOptions(paths=[str(path)]))
        except TryAgain:
            continue  # as who loads is told to; what came before counts once
        return


def pieces(lines: list[bytes], count: int, folder: Path) -> list[Path]:
    """The lines in files, one after the other."""
    found = []
    for number in range(count):
        path = folder / f"piece{number}.ndjson"
        path.write_bytes(
            b"".join(line + b"\n" for line in lines[len(lines) * number // count : len(lines) * (number + 1) // count])
        )
        found.append(path)
    return found


def supervise(hub: KafkaHub, workers: dict[str, Worker], folder: Path) -> None:
    """As a supervisor does: who met a service that was away as it began is begun again; nobody else may have ended."""
    for stage, worker in workers.items():
        code = worker.process.poll()
        if code is None:
            continue
        told = worker.words()
        assert code == 75 and f"pxhub ready: work {stage}" not in told, (code, told[-3000:])  # noqa: PT018 - one thing
        workers[stage] = hub.begin(stage, log=folder / f"{stage}.log")


def await_true(
    question: Callable[[], bool], workers: dict[str, Worker], meanwhile: Callable[[], object] = lambda: None
) -> None:
    until = time.monotonic() + PATIENCE
    while not question():
        meanwhile()
        with contextlib.suppress(subprocess.TimeoutExpired):
            next(iter(workers.values())).process.wait(0.2)  # none ends by itself: other processes are watched
        assert time.monotonic() < until, {stage: worker.words()[-1500:] for stage, worker in workers.items()}


def length(hub: KafkaHub, topic: str, partitions: int) -> int:
    """How far a topic reaches; what cannot be asked now is not further than it was."""
    try:
        return sum(ends_of({"bootstrap.servers": hub.kafka}, topic, partitions))
    except TryAgain:
        return -1


def check(hub: KafkaHub, whole: dict[str, dict[str, Any]], lines: list[bytes]) -> None:
    """The alerts of a replay, each said once; every message is on px.events, once; no dead letters. What a replay says
    and takes back for a merge is not said where identify knew of the merge before: only what stands is compared."""
    assert comparable(hub.alerts(), standing=True) == whole
    told: dict[tuple[str, str, str], dict[str, Any]] = {}
    for alert in hub.said(PARTITIONS):
        kept = {name: value for name, value in alert.items() if name not in ("person", "journey", "key")}
        assert told.setdefault((alert["id"], alert["state"], alert["at"]), kept) == kept
    events = [json.loads(found.value or b"") for found in hub.records(EVENTS, PARTITIONS)]
    ids = sorted(event["id"] for event in events if event["type"] not in CONTROL)
    assert ids == sorted(json.loads(line)["id"] for line in lines)
    assert hub.records(DEAD_LETTERS, 1) == []


@contextmanager
def running(hub: KafkaHub, folder: Path) -> Iterator[dict[str, Worker]]:
    """A worker of each stage; whoever is put into it is ended too."""
    workers = {stage: hub.begin(stage, log=folder / f"{stage}.log") for stage in STAGES}
    with ending(workers.values()):
        yield workers


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_again_and_again(tmp_path: Path) -> None:
    random = Random(11)
    lines = written(list(range(60)), random)
    (tmp_path / "whole.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    whole = comparable(replayed(tmp_path, tmp_path / "whole.ndjson"), standing=True)
    assert len(whole) > 30
    rounds = [victim for _ in range(KILLS // len(VICTIMS) + 1) for victim in random.sample(VICTIMS, len(VICTIMS))]
    with own_kafka(tmp_path / "kafka") as broker, own_redis(tmp_path / "redis") as redis:
        hub = KafkaHub(f"127.0.0.1:{broker.port}", f"redis://127.0.0.1:{redis.port}/0")
        hub.make_topics(PARTITIONS)
        files = pieces(lines, KILLS + 1, tmp_path)
        with running(hub, tmp_path) as workers:
            supervised = partial(supervise, hub, workers, tmp_path)
            for victim, piece in zip(rounds[:KILLS], files[:KILLS], strict=True):
                at = length(hub, EVENTS, PARTITIONS)
                counted = length(hub, COUNTED, 1)
                put(hub, piece)
                if victim in ("measure", "correlate") or random.random() < 0.5:
                    # what is worked now is cut off somewhere between identify and the alerts
                    await_true(lambda at=at: length(hub, EVENTS, PARTITIONS) > at, workers, supervised)
                    if random.random() < 0.5:
                        await_true(lambda counted=counted: length(hub, COUNTED, 1) > counted, workers, supervised)
                kill(victim, hub, workers, broker, redis, tmp_path)
            put(hub, files[-1])
            supervised()
            for worker in workers.values():
                worker.kill()
        hub.work_all()
        check(hub, whole, lines)
        assert hub.records(ALERTS, PARTITIONS)


def kill(victim: str, hub: KafkaHub, workers: dict[str, Worker], broker: Service, redis: Service, folder: Path) -> None:
    if victim == "broker":
        broker.kill()
        broker.start()
    elif victim == "redis":
        redis.kill()
        for left in ("appendonlydir", "dump.rdb"):  # it comes back empty
            path = redis.folder / left
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        redis.start()
    else:
        workers[victim].kill()
        workers[victim] = hub.begin(victim, log=folder / f"{victim}.log")
