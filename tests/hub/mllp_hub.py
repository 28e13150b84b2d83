"""A real listener over a real intake and store, in the test's own loop; and a plain sender for it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from connectors.cloudevents.read import CloudEventReader
from connectors.hl7.ack import Answer, find_answer
from connectors.hl7.mappings import load_mapping
from connectors.hl7.mllp import Framer, write_frame
from connectors.hl7.read import Hl7Reader
from hub.enrich import Enricher
from hub.listen.mllp import MllpListener, MllpSettings
from hub.serve.intake import Intake
from hub.serve.reading import LiveReader
from hub.serve.service import machine_time
from hub.thresholds import load_thresholds
from schemas.threshold import ThresholdSet
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from tests.connectors.messages import PID, message

WAIT = 20.0  # seconds after which a test that waits has failed


@lru_cache(maxsize=1)
def thresholds() -> ThresholdSet:
    return load_thresholds(None)


def adt(control: str, *, version: str = "2.5.1") -> bytes:
    return message("ADT^A01^ADT_A01", "EVN||20260302120000", PID, "PV1|1|I", control=control, version=version)


def dead(control: str) -> bytes:
    """About a patient, and naming none."""
    return message("ADT^A01^ADT_A01", "EVN||20260302120000", "PID|1", "PV1|1|I", control=control)


def sign(folder: Path, *names: str) -> Path:
    """A certificate and its key for each name: each signs itself, for this machine."""
    for name in names:
        options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        told = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run(["openssl", "req", "-x509", *options, *told, *files], check=True, capture_output=True)
    return folder


class Hub:
    def __init__(self, store: Store, intake: Intake, listener: MllpListener, taking: asyncio.Task[None]) -> None:
        self.store = store
        self.intake = intake
        self.listener = listener
        self.taking = taking
        self.senders: list[Sender] = []

    def outcomes(self) -> list[tuple[str, str]]:
        """Id (without its stamp) and outcome of what the log holds, in its order."""
        reader = self.store.reader()
        try:
            return [(entry.id.partition("@")[0], entry.outcome) for entry in reader.entries()]
        finally:
            reader.close()

    async def sender(self, **options: Any) -> Sender:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port, **options)
        sender = Sender(reader, writer)
        self.senders.append(sender)
        return sender


class Sender:
    """Sends bytes as it is told to, and reads what comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._framer = Framer()
        self._answers: list[bytes] = []

    async def send(self, *messages: bytes) -> None:
        self.writer.write(b"".join(map(write_frame, messages)))
        await self.writer.drain()

    async def raw_answer(self) -> bytes | None:
        """The next answer; None when the other side has closed."""
        while not self._answers:
            data = await asyncio.wait_for(self.reader.read(1 << 16), WAIT)
            if not data:
                return None
            self._answers += self._framer.feed(data)
        return self._answers.pop(0)

    async def answer(self) -> Answer | None:
        raw = await self.raw_answer()
        return None if raw is None else find_answer(raw)

    async def answers(self, count: int) -> list[tuple[str, str]]:
        found = [await self.answer() for _ in range(count)]
        return [("closed", "") if answer is None else (answer.code, answer.control) for answer in found]

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):  # the other side was first
            await self.writer.wait_closed()


@asynccontextmanager
async def hub(folder: Path, **settings: Any) -> AsyncIterator[Hub]:
    store = Store.open(folder / "store")
    runtime = Runtime(store, thresholds(), now=machine_time())
    cloud = CloudEventReader(times=runtime.engine.compiled.anchors)
    reader = LiveReader(Hl7Reader(load_mapping(), default_zone="UTC"), cloud, Enricher({}, {}, None))
    intake = Intake(runtime, reader, machine_time)
    taking = asyncio.create_task(intake.run())
    listener = await MllpListener.open(intake, MllpSettings(port=0, **settings))
    standing = Hub(store, intake, listener, taking)
    try:
        yield standing
    finally:
        for sender in standing.senders:
            await sender.close()
        async with asyncio.timeout(WAIT):
            await listener.stop()
            await intake.stop()
            await taking
        store.close()
