"""What others take for the same work on the same broker: programs of the tests' folder, each a process of its own.

They are outside of the package, for they use what it does not need; where they or what they use is missing, the
figures that stand beside them are left out, with a word.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from hub.bench.broker import Own
from hub.bench.three_waits import Placed, told_by_key
from schemas.alert import Alert
from schemas.event import SECOND
from streams.distributed.reading import ends_of, last_by_key, read_topic

FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "tests" / "references"
_PREFIX: Final = "bench."
_SECONDS: Final = 30.0
_ENDS: Final = 900.0  # seconds that a reference may take


class Taken(NamedTuple):
    """What a reference took: seconds of the processor and of the clock; how many alerts are other ones than ours."""

    cpu: float
    wall: float
    differing: int


class _Said(msgspec.Struct):
    """Its last line."""

    events: int
    cpu: float
    wall: float


class _Alert(msgspec.Struct):
    """What it says of an alert, times in seconds."""

    threshold: str
    key: str
    state: str
    due: float
    ended: float | None


def find_reference(name: str) -> Path | None:
    path = FOLDER / f"{name}.py"
    return path if path.exists() else None


def run_reference(
    own: Own, path: Path, records: Iterable[Placed], partitions: int, expected: Iterable[Alert], *, tells_ends: bool
) -> Taken | None:
    """Give a reference records in a topic of its own; None where what it uses is not installed. Raises RuntimeError
    where it fails."""
    topic, alerts = f"{_PREFIX}{path.stem}", f"{_PREFIX}{path.stem}.alerts"
    with _topics(own, (topic, alerts), partitions):
        own.write(topic, records)
        command = [sys.executable, "-P", str(path), own.kafka.servers, topic, alerts]
        if tells_ends:
            command.append(",".join(map(str, ends_of(own.client(), topic, partitions))))
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_ENDS, check=False)  # noqa: S603 - our own
        if "ModuleNotFoundError" in ran.stderr:
            return None
        if ran.returncode:
            raise RuntimeError(f"the reference {path.stem} failed")
        said = msgspec.json.decode(ran.stdout.splitlines()[-1], type=_Said)
        found = _alerts(own, alerts, partitions)
        return Taken(said.cpu, said.wall, len(found ^ told_by_key(expected)))


def _alerts(own: Own, topic: str, partitions: int) -> set[tuple[Any, ...]]:
    found: set[tuple[Any, ...]] = set()
    for partition in range(partitions):
        for value in last_by_key(read_topic(own.client(), topic, partition)).values():
            told = msgspec.json.decode(value, type=_Alert)
            ended = None if told.ended is None else round(told.ended * SECOND)
            found.add((told.threshold, told.key, told.state, round(told.due * SECOND), ended))
    return found


@contextmanager
def _topics(own: Own, names: Sequence[str], partitions: int) -> Iterator[None]:
    client = AdminClient({**own.client(), "log_level": 2})
    own.delete(*_kin(client))
    for future in client.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        future.result()
    try:
        yield
    finally:
        own.delete(*_kin(client))


def _kin(client: AdminClient) -> list[str]:
    """Topics of references, those that they made themselves too; one that is none, so that something is named."""
    there = client.list_topics(timeout=_SECONDS).topics
    return [name for name in there if name.startswith((_PREFIX, f"reference-{_PREFIX}"))] or [f"{_PREFIX}none"]
