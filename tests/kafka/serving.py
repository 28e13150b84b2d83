"""A real `pxhub serve --kafka` in a process of its own, and what stands on the topics."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest

from hub.__main__ import main
from hub.kafka.settings import read_kafka_settings
from streams.distributed.inbound import Told, read_inbound
from streams.distributed.reading import Found, read_topic
from tests.faults.served import ADDRESS, READY


def make_topics(kafka: str) -> None:
    """The topics as they are declared."""
    with pytest.raises(SystemExit) as ended:
        main(["topics", "apply", "--kafka", kafka])
    assert not ended.value.code


def client_of(kafka: str) -> dict[str, str]:
    return read_kafka_settings(kafka, {}).for_confluent()


def records(kafka: str, topic: str, partition: int = 0) -> list[Found]:
    """All that is there now."""
    return list(read_topic(client_of(kafka), topic, partition))


def inbound(kafka: str) -> list[Told]:
    """The messages that are on px.inbound now."""
    found = [read_inbound(record.value or b"") for record in records(kafka, "px.inbound")]
    return [told for told in found if isinstance(told, Told)]


class ServedKafka:
    """One process. `ports` by scheme once it is ready; `log` is what it said."""

    def __init__(self, folder: Path, kafka: str, redis: str, *options: str | Path) -> None:
        command: list[Any] = [sys.executable, "-P", "-m", "hub", "serve", "--kafka", kafka, "--redis", redis]
        command += ["--timezone", "America/New_York", "--mllp", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]
        self.log = folder / f"served-{len(list(folder.glob('served-*.log')))}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        ready = READY.match(self.process.stdout.readline())
        assert ready is not None, self.log.read_text()
        self.ports = {scheme: int(port) for scheme, port in ADDRESS.findall(ready[1])}
        self.base = f"http://127.0.0.1:{self.ports['http']}"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self._end()

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def _end(self) -> int:
        code = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()  # where it has not ended
        self._end()
