"""From the instant that a wait is due to the line of its alert on the stream, beside a bare server's timers.

Servers are processes of their own. The bare one sends its lines when timers of its event loop ring, and keeps nothing:
what a line on a stream costs on this machine, whoever sends it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from hub.bench.figure import Figure
from hub.bench.http import Bare, in_batches, post_batches
from schemas.event import SECOND
from schemas.instant import read_instant, write_instant

WAITS: Final = 100_000
_ALERTS: Final = 2_000
_A_SECOND: Final = 100
_AHEAD: Final = 8  # seconds until the first is due: by then all that fall due are told
_STREAM: Final = "/v1/alerts/stream"
_DECLARED: Final = """
version: 1
thresholds:
  - {id: long, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 30 days}
  - {id: soon, kind: wait, key: callback_id, start: callback.promised, satisfied_by: callback.made,
     after: {attribute: promised_for, plus: 1s}}
"""
_encode: Final = msgspec.json.Encoder().encode


def run(waits: int = WAITS) -> Iterator[Figure]:
    """The bare server's lines, then a hub's with so many open waits."""
    late = _measured([sys.executable, "-P", "-m", "hub.bench.due"], 0)
    yield Figure("reference: a line by a timer of a bare server, 99th percentile", _percentile(late, 99), "ms")
    with TemporaryDirectory(prefix="pxhub-bench-") as folder:
        declared = Path(folder) / "bench.yaml"
        declared.write_text(_DECLARED)
        command = [sys.executable, "-P", "-m", "hub", "serve", "--store", str(Path(folder) / "store")]
        command += ["--http", "127.0.0.1:0", "--timezone", "UTC", "--thresholds", str(declared)]
        late = _measured(command, waits)
    for share in (50, 99):
        goal = "100 or less, at 100,000" if share == 99 else ""
        name = f"due to the line of its alert, {waits:,} open waits, {share}th percentile"
        yield Figure(name, _percentile(late, share), "ms", goal)


def _percentile(ordered: list[float], share: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


def _measured(command: list[str], waits: int) -> list[float]:
    """Milliseconds by which each line came after its instant, in order."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:  # noqa: S603 - our own
        try:
            assert server.stdout is not None  # noqa: S101 - asked for above
            port = int(server.stdout.readline().rpartition(":")[2])
            return sorted(asyncio.run(_watch(port, waits)))
        finally:
            server.terminate()


async def _watch(port: int, waits: int) -> list[float]:
    if waits:
        stamp = write_instant(_now())
        await post_batches(
            port, in_batches([_event("result.final", stamp, {"order_id": f"o{n}"}, n) for n in range(waits)])
        )
        first = _now() + (_AHEAD - 1) * SECOND
        dues = [write_instant(first + n * SECOND // _A_SECOND) for n in range(_ALERTS)]
        stamp = write_instant(_now())
        soon = [{"callback_id": f"c{n}", "promised_for": due} for n, due in enumerate(dues)]
        await post_batches(
            port, in_batches([_event("callback.promised", stamp, data, n) for n, data in enumerate(soon)])
        )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {_STREAM} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())
    late: list[float] = []
    while len(late) < _ALERTS:
        line = await reader.readline()
        if line.startswith(b"data:"):
            now = _now()
            alert = msgspec.json.decode(line[5:])
            if alert.get("threshold") == "soon":  # the stream opens with an event of its own
                late.append((now - read_instant(alert["due_at"])) / 1000)
    writer.close()
    return late


def _now() -> int:
    return time.time_ns() // 1000  # noqa: TID251 - what is measured is the clock


def _event(type_: str, time_: str, data: dict[str, Any], number: int) -> bytes:
    event = {"specversion": "1.0", "id": f"{type_}{number}", "source": "bench", "type": type_, "time": time_}
    return _encode(event | {"data": data | {"mrn": str(number % 20_000), "assigning_authority": "NORTH"}})


async def _by_timers(_: Request) -> EventSourceResponse:
    async def lines() -> AsyncIterator[dict[str, str]]:
        first = _now() + SECOND
        for number in range(_ALERTS):
            due = first + number * SECOND // _A_SECOND
            await asyncio.sleep((due - _now()) / SECOND)
            yield {"data": _encode({"threshold": "soon", "due_at": write_instant(due)}).decode()}

    return EventSourceResponse(lines())


if __name__ == "__main__":
    Bare(Starlette(routes=[Route(_STREAM, _by_timers, methods=["GET"])])).run()
