# ruff: noqa: INP001, T201 - the services of development are no package, and this is a command
"""The demo over several processes: a simulated clinic through a Kafka and a Redis of its own, one worker killed.

    python -m deploy.services.demo [--patients N]

Five workers judge the clinic's week: identify, measure, and three of correlate. One of correlate is killed in the
middle of its work. At the end the alerts in Kafka are compared with those of `pxhub replay`, which judges the same
files in one process.

Exit code 0 they are the same, 1 they differ, 2 something is missing, 75 something did not come in time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from deploy.services.programs import ensure_redis
from deploy.services.running import NotHere, Service, free_port
from deploy.services.services import kafka, redis

_PXHUB: Final = (sys.executable, "-c", "from hub.__main__ import main; main()")
_CORRELATES: Final = 3
_PATIENCE: Final = 300.0  # seconds for the whole of what is judged
_LOOK: Final = 0.05
_MIDDLE: Final = 100  # records of px.events that the one to be killed has taken


class Differs(Exception):
    """The alerts are not the same."""


class TooLate(Exception):
    """A worker did not do in time what it should."""


class Worker:
    """A worker, and what it says."""

    def __init__(self, stage: str, options: list[str]) -> None:
        command = [*_PXHUB, "work", stage, *options, "--clock", "event", "--until-caught-up"]
        command += ["--metrics", "127.0.0.1:0"]
        self.process: subprocess.Popen[str] = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own
        self.stage: str = stage
        self.lines: list[str] = []
        self.address: str = ""
        self.is_ready: threading.Event = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None  # noqa: S101 - a pipe
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            if '"metrics.opened"' in line:
                self.address = json.loads(line)["address"]
            if "pxhub ready" in line:
                self.is_ready.set()

    def numbers(self, name: str) -> dict[str, float]:
        """A family of its metrics: label to value; nothing while it starts."""
        if not self.address:
            return {}
        try:
            with urllib.request.urlopen(f"{self.address}/metrics", timeout=10) as answer:  # noqa: S310 - loopback
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        found = [line.rpartition(" ") for line in lines if line.startswith(f"{name}{{")]
        return {labels.split('"')[1]: float(value) for labels, _, value in found}


@contextmanager
def _running(service: Service) -> Iterator[Service]:
    try:
        service.start()
        yield service
    finally:
        service.kill()


@contextmanager
def _worker(stage: str, options: list[str]) -> Iterator[Worker]:
    worker = Worker(stage, options)
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()


def _pxhub(*arguments: str) -> str:
    """Run a command of the hub; what it wrote. Raises CalledProcessError."""
    command = [*_PXHUB, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - our own


def _alerts(lines: str) -> dict[str, Mapping[str, Any]]:
    """The alerts that stand. One that was taken back says when a clock passed and when evidence came, and by event time
    each partition has a clock of its own: so these alone may be others, or none."""
    alerts = [json.loads(line) for line in lines.splitlines()]
    return {alert["id"]: alert for alert in alerts if alert["state"] != "retracted"}


def _await(what: str, workers: list[Worker], is_so: Any) -> None:
    until = time.monotonic() + _PATIENCE
    while not is_so():
        failed = next((one for one in workers if one.process.poll() not in (None, 0, -9)), None)
        if failed is not None or time.monotonic() > until:
            said = "\n".join((failed or workers[0]).lines[-5:])
            raise TooLate(f"{what}: {f'a worker of {failed.stage} ended' if failed else 'not in time'}\n{said}")
        threading.Event().wait(_LOOK)


def play(folder: Path, servers: str, store: str, patients: int) -> int:
    """The whole of it; how many alerts there were. Raises Differs and TooLate."""
    clinic, said = folder / "clinic", folder / "replayed.ndjson"
    _pxhub("simulate", "--out", str(clinic), "--patients", str(patients))
    site = ["--site", str(clinic / "site.yaml")]
    _pxhub("replay", str(clinic), *site, "--format", "ndjson", "--alerts-out", str(said))
    embedded = _alerts(said.read_text(encoding="utf-8"))
    print(
        f"in one process      {len(embedded):,} alerts stand after the week of a clinic with {patients:,} people",
        flush=True,
    )
    options = ["--kafka", servers, "--redis", store]
    _pxhub("topics", "apply", "--kafka", servers)
    loaded = json.loads(_pxhub("load", str(clinic), *site, *options))
    print(f"onto px.inbound     {loaded['messages']:,} messages with {loaded['events']:,} events", flush=True)
    with ExitStack() as held:
        correlates = [held.enter_context(_worker("correlate", [*options, *site])) for _ in range(_CORRELATES)]
        measure = held.enter_context(_worker("measure", [*options, *site]))
        workers = [*correlates, measure]
        partitions = "pxhub_work_offset"
        _await("partitions", workers, lambda: all(one.numbers(partitions) for one in workers))
        shared = [sorted(one.numbers(partitions)) for one in correlates]
        print(f"three of correlate  hold partitions {'; '.join(' and '.join(p) for p in shared)}", flush=True)
        workers.append(held.enter_context(_worker("identify", [*options, *site])))
        victim = max(correlates, key=lambda one: len(one.numbers(partitions)))
        _await("events", workers, lambda: max(victim.numbers(partitions).values(), default=0) > _MIDDLE)
        victim.process.kill()
        victim.process.wait()
        print("one of them         is killed in the middle of its work; the others take its partitions", flush=True)
        _await("the end", workers, lambda: all(one.process.poll() is not None for one in workers))
    found = _alerts(_pxhub("alerts", "list", "--kafka", servers, "--format", "ndjson"))
    if found != embedded:
        missing, more = embedded.keys() - found.keys(), found.keys() - embedded.keys()
        other = [id_ for id_ in embedded.keys() & found.keys() if embedded[id_] != found[id_]]
        raise Differs(
            f"over Kafka          {len(found):,} alerts: {len(missing)} are missing, {len(more)} are too many, "
            f"{len(other)} say something else"
        )
    return len(found)


def main() -> int:
    parser = argparse.ArgumentParser(description="The demo over several processes, one of them killed.")
    parser.add_argument("--patients", type=int, default=800)
    patients = parser.parse_args().patients
    began = time.monotonic()
    try:
        ensure_redis()
        with tempfile.TemporaryDirectory(prefix="pxhub-demo-") as name, ExitStack() as held:
            folder = Path(name)
            broker = held.enter_context(_running(kafka(folder / "kafka", free_port(), heap="512m")))
            index = held.enter_context(_running(redis(folder / "redis", free_port())))
            print(
                f"\nA Kafka at 127.0.0.1:{broker.port} and a Redis at 127.0.0.1:{index.port}, ended with this",
                flush=True,
            )
            count = play(folder, f"127.0.0.1:{broker.port}", f"redis://127.0.0.1:{index.port}/0", patients)
    except NotHere as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except (TooLate, subprocess.CalledProcessError) as wrong:
        print(wrong, file=sys.stderr)
        return 75
    except Differs as wrong:
        print(wrong)
        return 1
    print(f"over Kafka          the same {count:,} alerts, field by field; {time.monotonic() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parent.parent.parent))
    sys.exit(main())
