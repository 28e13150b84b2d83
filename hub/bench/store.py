"""CloudEvents into a store: read, committed, judged; beside a bare SQLite that keeps the same bytes as safely."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from connectors.cloudevents.read import CloudEventReader
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.bench.figure import Figure, uncollected
from hub.bench.workload import FIRST, write_lines
from hub.contents import CLOUDEVENTS, content
from hub.enrich import Enricher
from hub.serve.reading import LiveReader
from hub.thresholds import load_thresholds
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store

EVENTS: Final = 200_000
_BATCH: Final = 2_000


def run(events: int = EVENTS) -> Iterator[Figure]:
    """Put that many events into a store, as the service does with all that waits; then open it again."""
    lines = [line.rstrip(b"\n") for line in write_lines(events)]
    with TemporaryDirectory(prefix="pxhub-bench-") as folder:
        yield Figure(
            "reference: bare SQLite, the same bytes and commits", events / _bare(Path(folder), lines), "events/s"
        )
        seconds, size = _taken(Path(folder) / "store", lines)
        yield Figure("CloudEvents into a store, durable and judged", events / seconds, "events/s", "50,000 or more")
        yield Figure("bytes an event in the store", size / events, "bytes")
        began = time.perf_counter()
        with closing(Store.open(Path(folder) / "store")) as store:
            waits = Runtime(store, load_thresholds(None), now=FIRST, clock="event").engine.counts["waits"]
        seconds = time.perf_counter() - began
        yield Figure(f"opened again, {waits:,} waits", events / seconds, "events/s")


def _taken(folder: Path, lines: list[bytes]) -> tuple[float, int]:
    with closing(Store.open(folder)) as store, uncollected():
        runtime = Runtime(store, load_thresholds(None), now=FIRST, clock="event", content=content)
        reader = LiveReader(
            Hl7Reader(load_mapping(), default_zone="UTC"),
            CloudEventReader(times=runtime.engine.compiled.anchors),
            Enricher({}, {}, runtime.thresholds.calendars.get("clinic")),
        )
        last = FIRST + len(lines) * 3600_000_000
        began = time.perf_counter()
        for at in range(0, len(lines), _BATCH):
            runtime.take([reader.read(CLOUDEVENTS, line) for line in lines[at : at + _BATCH]], last)
            runtime.apply()
        runtime.flush()
        seconds = time.perf_counter() - began
    return seconds, sum(path.stat().st_size for path in folder.iterdir())


def _bare(folder: Path, lines: list[bytes]) -> float:
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE log (seq INTEGER PRIMARY KEY, raw BLOB)")
        began = time.perf_counter()
        for at in range(0, len(lines), _BATCH):
            db.execute("BEGIN")
            db.executemany("INSERT INTO log (raw) VALUES (?)", [(line,) for line in lines[at : at + _BATCH]])
            db.execute("COMMIT")
        return time.perf_counter() - began
