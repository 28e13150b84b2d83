"""CloudEvents over HTTP in batches, each connection waiting for each answer, beside a bare server that keeps nothing.

Servers are processes of their own; the senders' work does not count as theirs, but on a machine of two cores they
share them. The bare server is what any of this kind costs: uvicorn and Starlette, which read a body and answer 202.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.api.cloudevents import BATCH
from hub.bench.figure import Figure
from hub.bench.workload import write_lines
from hub.posting import Posting

CONNECTIONS: Final = 4
_BATCH: Final = 500
_PATH: Final = "/v1/events"


def run(events: int) -> Iterator[Figure]:
    """Both servers, the same batches over the same number of connections."""
    lines = [line.rstrip(b"\n") for line in write_lines(events)]
    batches = in_batches(lines)
    bare = events / _measured([sys.executable, "-P", "-m", "hub.bench.http"], batches)
    yield Figure("reference: a bare Starlette on uvicorn that keeps nothing", bare, "events/s")
    with TemporaryDirectory(prefix="pxhub-bench-") as folder:
        command = [sys.executable, "-P", "-m", "hub", "serve", "--store", str(Path(folder) / "store")]
        command += ["--http", "127.0.0.1:0", "--timezone", "UTC", "--clock", "event"]
        rate = events / _measured(command, batches)
    yield Figure(f"HTTP, batches of {_BATCH} over {CONNECTIONS} connections, durable and judged", rate, "events/s")
    yield Figure("the same as a share of the bare server", rate / bare, "")


def in_batches(events: list[bytes]) -> list[bytes]:
    """Bodies of so many events each."""
    return [b"[" + b",".join(events[at : at + _BATCH]) + b"]" for at in range(0, len(events), _BATCH)]


def _measured(command: list[str], batches: list[bytes]) -> float:
    """Seconds until all batches were answered."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:  # noqa: S603 - our own
        try:
            assert server.stdout is not None  # noqa: S101 - asked for above
            port = int(server.stdout.readline().rpartition(":")[2])
            return asyncio.run(_send(port, batches))
        finally:
            server.terminate()


async def _send(port: int, batches: list[bytes]) -> float:
    async def send(lane: int) -> None:
        await post_batches(port, batches[lane::CONNECTIONS])

    began = time.perf_counter()
    await asyncio.gather(*map(send, range(CONNECTIONS)))
    return time.perf_counter() - began


async def post_batches(port: int, batches: list[bytes]) -> None:
    """Post batches of events over one connection, each when the one before was answered 202."""
    posting = await Posting.open(f"http://127.0.0.1:{port}")
    for batch in batches:
        status, _ = await posting.post(_PATH, batch, {"Content-Type": BATCH})
        if status != HTTPStatus.ACCEPTED:
            raise RuntimeError(f"answered {status}")
    posting.close()


async def _answer(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)


class Bare(uvicorn.Server):
    """A server that keeps nothing, at a port of its own, and says where it listens."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(uvicorn.Config(app, port=0, http="h11", ws="none", log_config=None, access_log=False))

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"bare: 127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    Bare(Starlette(routes=[Route(_PATH, _answer, methods=["POST"])])).run()
