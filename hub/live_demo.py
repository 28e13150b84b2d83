"""The simulated week into a real `pxhub serve`: HL7 v2 over MLLP, FHIR and calls over HTTP, interleaved by time; alerts
as they fire, then what stands."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx2

from connectors.hl7.mllp import Framer, write_frame
from hub.deliveries import VOICES, Delivery, deliveries, in_parts
from hub.posting import Posting
from hub.replay import ReplayResult
from hub.simulate import SECRET_FILE, SITE_FILE, Simulation
from hub.store_replay import report_of_store
from hub.stored import judge_log, recall, thresholds_of
from hub.unseen import Alone, heard_alone, unseen_alone
from schemas.errors import PxError
from schemas.event import SECOND
from streams.embedded.reader import Reader

_TOGETHER: Final = 256  # deliveries that are under way at once, whoever sends them: the hub commits what waits together
_SPAN: Final = 10 * 60 * SECOND  # so that none misses what another has told since
_CONNECTIONS: Final = 8  # of the portal, and of the contact center
_HOOK: Final = "/v1/hooks/main-line"
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
    """What came of a week: the result as a replay gives it, how long the sending took, how many changes of alerts were
    told meanwhile, and what each voice alone would have said of the threshold that no voice could judge alone."""

    result: ReplayResult
    seconds: float
    changes: int
    alone: Alone | None


def play_live(simulation: Simulation, folder: Path, tell: Tell) -> Played:
    """Send what the clinic in `folder` says to a server of our own, and stop it when all of it is judged."""
    store = folder / "store"
    command = [sys.executable, "-P", "-m", "hub", "serve", "--store", store, "--site", folder / SITE_FILE]
    command += ["--clock", "event", "--take-tests", "--mllp", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    said = list(deliveries(folder, ZoneInfo(simulation.zone)))
    secret = (folder / SECRET_FILE).read_text(encoding="ascii").strip()
    with subprocess.Popen(  # noqa: S603 - our own
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - asked for above
            ready = _READY.match(server.stdout.readline())
            if ready is None:
                raise DemoFailed("the demo's server did not start: run pxhub doctor")
            began = time.monotonic()
            changes = asyncio.run(_send_and_listen(_Sender(int(ready[1]), ready[2], secret), said, tell))
            seconds = time.monotonic() - began
        finally:
            server.terminate()
            code = server.wait(_PATIENCE)
    if code != 0:
        raise DemoFailed(f"the demo's server ended with {code}")
    result, alone = _result_of(store, simulation)
    return Played(result=result, seconds=seconds, changes=changes, alone=alone)


async def _send_and_listen(sender: _Sender, said: Sequence[Delivery], tell: Tell) -> int:
    sending = asyncio.create_task(sender.send(said))
    async with httpx2.AsyncClient(base_url=sender.http, timeout=_PATIENCE) as client:
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


class _Sender:
    """The clinic's systems: each sends by its own protocol, and none runs ahead of the others by more than a few."""

    def __init__(self, port: int, http: str, secret: str) -> None:
        self.http: str = http
        self._port: int = port
        self._key: dict[str, str] = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    async def send(self, said: Sequence[Delivery]) -> None:
        """All deliveries in order of time, so many at once; raises DemoFailed for one that is not taken."""
        mllp = await asyncio.open_connection("127.0.0.1", self._port)
        portal = [await Posting.open(self.http) for _ in range(_CONNECTIONS)]
        calls = [await Posting.open(self.http) for _ in range(_CONNECTIONS)]
        for part in in_parts(said, most=_TOGETHER, span=_SPAN):
            bodies = {voice: [d.body for d in part if d.voice == voice] for voice in VOICES}
            await asyncio.gather(
                _send_hl7(*mllp, bodies["hl7"]),
                _in_turn(portal, bodies["fhir"], _post_fhir),
                _in_turn(calls, bodies["calls"], self._post_call),
            )
        mllp[1].close()
        for posting in (*portal, *calls):
            posting.close()

    async def _post_call(self, posting: Posting, body: bytes) -> None:
        """As an EventBridge API destination does: its connection holds the key."""
        status, answer = await posting.post(_HOOK, body, self._key)
        if status != HTTPStatus.ACCEPTED or json.loads(answer)["outcome"] not in ("accepted", "ignored"):
            raise DemoFailed("a call of the demo was not taken")


async def _send_hl7(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: Sequence[bytes]) -> None:
    """Messages over one connection, in their order, all of them in flight."""
    framer, answered = Framer(), 0
    for message in messages:
        writer.write(write_frame(message))
    while answered < len(messages):
        answers = framer.feed(await reader.read(_READ))
        if any(b"MSA|AA" not in answer and b"MSA|CA" not in answer for answer in answers):
            raise DemoFailed("a message of the demo was not acknowledged")
        answered += len(answers)


async def _post_fhir(posting: Posting, bundle: bytes) -> None:
    """A batch: the answer has a response for each entry."""
    status, answer = await posting.post("/fhir", bundle, {"Content-Type": "application/fhir+json"})
    if status != HTTPStatus.OK or any(
        not entry["response"]["status"].startswith("2") for entry in json.loads(answer)["entry"]
    ):
        raise DemoFailed("a resource of the demo was not taken")


async def _in_turn(
    postings: Sequence[Posting], bodies: Sequence[bytes], post: Callable[[Posting, bytes], Awaitable[None]]
) -> None:
    """Post all bodies, begun in their order, one over each connection at once."""
    waiting = iter(bodies)

    async def one_after_another(posting: Posting) -> None:
        for body in waiting:
            await post(posting, body)

    await asyncio.gather(*map(one_after_another, postings[: len(bodies)]))


def _result_of(store: Path, simulation: Simulation) -> tuple[ReplayResult, Alone | None]:
    """What the store holds, as a replay gives it; and what each voice alone makes of it."""
    reader = Reader.open(store)
    declared = recall(reader)
    if declared is None:
        raise DemoFailed("the demo's server took nothing")
    thresholds, _ = thresholds_of(declared)
    engine = judge_log(reader, thresholds)
    engine.advance(simulation.end * SECOND)
    alerts = sorted(engine.alerts.values(), key=lambda a: (a.started_at, a.id))
    report = report_of_store(reader, engine)
    unseen = unseen_alone(alerts, engine)
    alone = heard_alone(reader, thresholds, unseen[0].threshold, alerts, simulation.end * SECOND) if unseen else None
    reader.close()
    result = ReplayResult(
        report=report,
        alerts=alerts,
        dead_letters=[],
        assumed_utc=0,
        engine=engine,
        zone=simulation.zone,
        thresholds=thresholds,
    )
    return result, alone
