"""The hub in Kafka as a test runs it: the real commands as processes, and what they say.

hub = KafkaHub(fresh_kafka, redis_url, site=clinic / "site.yaml")
hub.make_topics(4)
hub.load(clinic)
hub.work_all()
hub.alerts()
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from streams.distributed.names import ALERTS
from streams.distributed.reading import Found, read_topic

HUB: Final = [sys.executable, "-P", "-m", "hub"]
SECONDS: Final = 240.0  # after which a command is taken for one that stands still
DECIDED_APART: Final = ("person", "journey", "outreach")
"""What each runtime names after the identifier that it heard of a person first."""
ARRIVAL: Final = ("fired_at", "late_start", "reason")
"""What the order of arrival may change."""


class KafkaHub:
    """One hub in Kafka and Redis. `options` go to `load` and to every worker."""

    def __init__(self, kafka: str, redis: str, *options: str | Path) -> None:
        self.kafka: str = kafka
        self.redis: str = redis
        self._options: list[str] = [str(option) for option in options]

    def make_topics(self, partitions: int = 4) -> None:
        run("topics", "apply", "--kafka", self.kafka, "--partitions", partitions)

    def load(self, *paths: str | Path, until: str | None = None) -> None:
        last = [] if until is None else ["--until", until]
        run("load", *paths, "--kafka", self.kafka, "--redis", self.redis, *self._options, *last)

    def begin(self, stage: str, *options: str | Path, log: Path | None = None) -> Worker:
        """A worker that has said that it is ready is another thing: see `Worker.await_ready`."""
        command = ["work", stage, "--kafka", self.kafka, "--redis", self.redis, "--clock", "event"]
        return Worker([*HUB, *command, *self._options, *map(str, options)], log)

    def work_all(self) -> None:
        """Work what is there, to the end."""
        run("work", "all", "--kafka", self.kafka, "--redis", self.redis, "--clock", "event", *self._options,
            "--until-caught-up")  # fmt: skip

    def alerts(self) -> list[dict[str, Any]]:
        """All alerts in their last state."""
        return lines_of(run("alerts", "list", "--kafka", self.kafka, "--format", "ndjson"))

    def records(self, topic: str, partitions: int) -> list[Found]:
        """The committed records of a topic."""
        client = {"bootstrap.servers": self.kafka}
        return [found for partition in range(partitions) for found in read_topic(client, topic, partition)]

    def said(self, partitions: int) -> Iterator[dict[str, Any]]:
        """All that a consumer of px.alerts hears, with the id and the instant of each change."""
        for found in self.records(ALERTS, partitions):
            assert found.value is not None
            yield json.loads(found.value)


class Worker:
    """One process of `pxhub work`."""

    def __init__(self, command: Sequence[str], log: Path | None) -> None:
        self.log: Path | None = log
        if log is None:
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return
        with log.open("ab") as told:
            self._begun: int = told.tell()
            self.process = subprocess.Popen(command, stdout=told, stderr=told)

    def words(self) -> str:
        """What it has said."""
        return "" if self.log is None else self.log.read_bytes()[self._begun :].decode()

    def end(self) -> int:
        """Ask it to end, and wait for it."""
        self.process.terminate()
        return self.process.wait(SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)


@contextmanager
def ending(workers: Iterable[Worker]) -> Iterator[None]:
    """Whatever becomes of a test, none of its workers stays."""
    try:
        yield
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                worker.kill()


def run(*arguments: str | Path | int) -> str:
    """What a command of the hub says; it must succeed."""
    command = [*HUB, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS, env=dict(os.environ))
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def replayed(folder: Path, *paths: str | Path, options: Iterable[str | Path] = ()) -> list[dict[str, Any]]:
    """The alerts that `replay` gives."""
    out = folder / "replayed.ndjson"
    run("replay", *paths, *options, "--format", "json", "--alerts-out", out)
    return lines_of(out.read_text(encoding="utf-8"))


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def comparable(
    alerts: Iterable[dict[str, Any]], *, without: Sequence[str] = (), standing: bool = False
) -> dict[str, dict[str, Any]]:
    """Alerts by id, but for what each runtime names its own way."""
    return {
        alert["id"]: {name: value for name, value in alert.items() if name not in (*DECIDED_APART, *without)}
        for alert in alerts
        if not (standing and alert["state"] == "retracted")
    }
