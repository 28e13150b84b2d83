"""The simulated week over a real socket into a real `pxhub serve`: alerts as they fire, then what stands."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from connectors.hl7.mllp import Framer, write_frame
from hub.replay import ReplayResult
from hub.simulate import SITE_FILE, Simulation
from hub.store_replay import raw_in_order, report_of_store
from hub.stored import Judged, judge_log
from schemas.errors import PxError

_WINDOW: Final = 256  # messages in flight: the hub commits together what waits together
_READ: Final = 1 << 16
_LOOK: Final = 0.1  # seconds between looks at the alerts
_PAGE: Final = 1000
_READY: Final = re.compile(r"pxhub ready: mllp://[^:]+:(\d+), (http://\S+)")
_PATIENCE: Final = 60.0  # seconds that the server may take to come or to go

Tell = Callable[[dict[str, Any]], None]
"""Told of each change of an alert, as the HTTP API gives it."""


class DemoFailed(PxError):
    """The server of the demo did not do as it should."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a week: the result as a replay gives it, how long the sending took, and how the server ended."""

    result: ReplayResult
    seconds: float
    changes: int


def play_live(simulation: Simulation, folder: Path, tell: Tell) -> Played:
    """Send the messages of the clinic in `folder` to a server of our own, and stop it when all of it is judged."""
    store = folder / "store"
    command = [sys.executable, "-P", "-m", "hub", "serve", "--store", store, "--site", folder / SITE_FILE]
    command += ["--clock", "event", "--take-tests", "--mllp", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    messages = list(raw_in_order([str(path) for path in sorted(folder.glob("*.hl7"))], folder / SITE_FILE))
    with subprocess.Popen(  # noqa: S603 - our own
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - asked for above
            ready = _READY.match(server.stdout.readline())
            if ready is None:
                raise DemoFailed("the demo's server did not start: run pxhub doctor")
            began = time.monotonic()
            changes = asyncio.run(_send_and_listen(int(ready[1]), ready[2], messages, tell))
            seconds = time.monotonic() - began
        finally:
            server.terminate()
            code = server.wait(_PATIENCE)
    if code != 0:
        raise DemoFailed(f"the demo's server ended with {code}")
    return Played(result=_result_of(store, simulation), seconds=seconds, changes=changes)


async def _send_and_listen(port: int, http: str, messages: Sequence[bytes], tell: Tell) -> int:
    sending = asyncio.create_task(_send(port, messages))
    async with httpx2.AsyncClient(base_url=http, timeout=_PATIENCE) as client:
        after, changes = "", 0
        while True:
            over = sending.done()
            page = (
                await client.get("/v1/alerts", params={"limit": _PAGE} | ({"after": after} if after else {}))
            ).json()
            for change in page["alerts"]:
                tell(change)
            changes += len(page["alerts"])
            after = page["next"]
            if page["more"]:
                continue
            if over:
                await sending
                return changes
            await asyncio.wait({sending}, timeout=_LOOK)


async def _send(port: int, messages: Sequence[bytes]) -> None:
    """All messages over one connection, in their order, a window of them in flight."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    framer, answered = Framer(), 0

    async def hear(until: int) -> None:
        nonlocal answered
        while answered < until:
            answers = framer.feed(await reader.read(_READ))
            if any(b"MSA|AA" not in answer and b"MSA|CA" not in answer for answer in answers):
                raise DemoFailed("a message of the demo was not acknowledged")
            answered += len(answers)

    for number, message in enumerate(messages):
        writer.write(write_frame(message))
        if number - answered >= _WINDOW:
            await writer.drain()
            await hear(number - _WINDOW // 2)
    await hear(len(messages))
    writer.close()


def _result_of(store: Path, simulation: Simulation) -> ReplayResult:
    """What the store holds, as a replay gives it."""
    judged = Judged(store)
    engine = judge_log(judged.reader, judged.thresholds)
    engine.advance(simulation.end * 1_000_000)
    alerts = sorted(engine.alerts.values(), key=lambda a: (a.started_at, a.id))
    report = report_of_store(judged.reader, engine)
    judged.close()
    return ReplayResult(
        report=report,
        alerts=alerts,
        dead_letters=[],
        assumed_utc=0,
        engine=engine,
        zone=judged.zone,
        thresholds=judged.thresholds,
    )
