"""A store with many open waits opened again, as after a kill: what a service does before it is ready."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hub.bench.figure import Figure, uncollected
from hub.bench.workload import FIRST
from schemas.event import Event
from schemas.message import Message
from streams.core.thresholds import read_thresholds
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store

WAITS: Final = 100_000
_BATCH: Final = 2_000
_RAW: Final = b" " * 300  # bytes of a message, about
_DECLARED: Final = """
thresholds:
  - {id: told, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 30 days}
"""


def run(waits: int = WAITS) -> Iterator[Figure]:
    """Open a wait each for so many persons, stop without a word, and open the store again."""
    thresholds, _ = read_thresholds([("bench.yaml", _DECLARED)], default_zone="UTC")
    with TemporaryDirectory(prefix="pxhub-bench-") as folder:
        path = Path(folder) / "store"
        with closing(Store.open(path)) as store, uncollected():
            runtime = Runtime(store, thresholds, now=FIRST)
            began = time.perf_counter()
            for at in range(0, waits, _BATCH):
                runtime.take([_message(number) for number in range(at, min(at + _BATCH, waits))], FIRST + at)
                runtime.apply()
            yield Figure("persons heard of for the first time", waits / (time.perf_counter() - began), "events/s")
        began = time.perf_counter()
        with closing(Store.open(path)) as store:
            found = Runtime(store, thresholds, now=FIRST + waits).engine.counts["waits"]
        seconds = time.perf_counter() - began
        yield Figure(f"opened again with {found:,} open waits", seconds, "s", "10 or less, at 1,000,000")


def _message(number: int) -> Message:
    id_ = f"e{number}"
    event = Event(id_, "lab", "result.final", FIRST, {"order_id": f"o{number}"}, (f"{number}^NORTH",), "NORTH")
    return Message("cloudevents", _RAW, "lab", id_, id_.encode(), (event,))
