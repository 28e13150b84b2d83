"""`pxhub replay` as people call it: a process of its own, from the file to the report."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from hub.bench.figure import Figure, json_reference, uncollected
from hub.bench.workload import write_lines

EVENTS: Final = 1_000_000


def run(events: int = EVENTS) -> Iterator[Figure]:
    """Write that many CloudEvents to a file, read it by the reference, then replay it."""
    with TemporaryDirectory(prefix="pxhub-bench-") as folder:
        path = Path(folder) / "events.ndjson"
        with path.open("wb") as out:
            out.writelines(write_lines(events))
        yield Figure("bytes an event in the file", path.stat().st_size / events, "bytes", "about 400")
        yield _reference(path, events)
        yield from _replay(path, events)


def _reference(path: Path, events: int) -> Figure:
    name, loads = json_reference()
    with uncollected():
        began = time.perf_counter()
        with path.open("rb") as lines:
            for line in lines:
                loads(line)
        seconds = time.perf_counter() - began
    return Figure(f"reference: reading and {name} of the same file", events / seconds, "events/s")


def _replay(path: Path, events: int) -> Iterator[Figure]:
    command = [sys.executable, "-P", "-m", "hub", "replay", str(path), "--format", "ndjson"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own
        assert process.stdout is not None  # noqa: S101 - asked for above
        report = msgspec.json.decode(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode or report["accepted"] != events:
        raise RuntimeError("the replay did not take every event")
    yield Figure("replay, whole process, start included", events / seconds, "events/s", "100,000 or more")
    yield Figure("the same, by the processor's time", events / (used.ru_utime + used.ru_stime), "events/s")
    held = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    yield Figure("memory at most, all events kept as evidence", held / events, "bytes/event")
