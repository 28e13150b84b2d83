"""A poll or an export, run as a command: into a store, in a hub that has no doors, or to a hub that runs elsewhere."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hub.poll.client import FhirClient
from hub.poll.known import claim
from hub.poll.post import Positions, PostTaker
from hub.poll.wire import Wire
from hub.serve.service import ServeSettings, Service, machine_time
from hub.site_asks import is_safe
from hub.site_fhir import FhirServer, checked_base
from hub.stored import Remembered, recall
from hub.telemetry import start_telemetry
from schemas.errors import WrongUse
from streams.embedded.reader import FILE, Reader

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

Found = TypeVar("Found")


class Given:
    """The server to ask, and what its site says."""

    def __init__(self, server: FhirServer, path: Path | None, timezone: str | None, *, declared: bool) -> None:
        self.server: FhirServer = server
        self.path: Path | None = path
        self.timezone: str | None = timezone
        self.declared: bool = declared

    def asking(self, server: FhirServer) -> Given:
        return Given(server, self.path, self.timezone, declared=self.declared)


def checked_hub(text: str) -> str:
    """The URL of a hub, without a slash at the end. Raises WrongUse."""
    url = checked_base(text)
    if url is None or not is_safe(url):
        raise WrongUse("--to: the hub's address is expected, as http://127.0.0.1:8080; beyond this machine it is https")
    return url


def run_to(
    given: Given,
    hub: str,
    state: Path,
    work: Callable[[PostTaker, FhirClient, BoundLogger], Awaitable[Found]],
) -> Found | None:
    """Do it, and post what comes; None where it was stopped by a signal."""
    client = FhirClient(given.server, machine_time)
    with closing(Positions.open(state)) as positions:
        log = start_telemetry()

        async def posting() -> Found | None:
            wire = Wire()
            taker = PostTaker(hub, given.server.name, positions, wire, machine_time)
            try:
                return await _until_stopped(work(taker, client, log))
            finally:
                await wire.close()
                await client.close()

        return asyncio.run(posting())


def run_into(given: Given, store: Path, work: Callable[[Service, FhirClient], Awaitable[Found]]) -> Found | None:
    """Do it in a hub that has no doors; None where it was stopped by a signal."""
    client = FhirClient(given.server, machine_time)
    declared = _recalled(store)
    settings = ServeSettings(
        store=store,
        site=given.path or (Path(declared.site[0]) if declared is not None and declared.site is not None else None),
        mapping=Path(declared.mapping) if declared is not None and declared.mapping is not None else None,
        timezone=given.timezone or (declared.timezone if declared is not None else None) or given.server.zone,
        clock=declared.clock if declared is not None else "log",
        takes_tests=declared.takes_tests if declared is not None else False,
    )
    with Service(settings, start_telemetry(), judged_by=declared) as service:
        claim(service.store, given.server, declared=given.declared)
        return asyncio.run(_in_service(service, client, work))


async def _in_service(
    service: Service, client: FhirClient, work: Callable[[Service, FhirClient], Awaitable[Found]]
) -> Found | None:
    taking = asyncio.create_task(service.intake.run())
    try:
        return await _until_stopped(work(service, client), taking)
    finally:
        await client.close()
        await service.intake.stop()
        await taking


async def _until_stopped(work: Awaitable[Found], *others: asyncio.Task[None]) -> Found | None:
    """What the work gives; None where a signal, or the end of another task, came before."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    working = asyncio.ensure_future(work)
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({working, waiting, *others}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


def _recalled(store: Path) -> Remembered | None:
    """What a store was served with; None where there is none yet."""
    if not (store / FILE).exists():
        return None
    with closing(Reader.open(store)) as reader:
        return recall(reader)
