"""A hub of the tests that polls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub.poll.client import FhirClient
from hub.poll.known import find_position
from hub.poll.search import Asked, Poller
from hub.poll.take import Taker
from hub.site_asks import Asks
from hub.site_fhir import FhirServer
from tests.hub.api.live_hub import LiveHub, running
from tests.hub.poll.fhir_host import HOUR, SINCE, FhirHost

QUICK = (0.0, 0.0, 0.0)
NOW = SINCE + 2 * HOUR


class Polling:
    """A running hub, and a client of one server."""

    def __init__(self, hub: LiveHub, client: FhirClient) -> None:
        self.hub = hub
        self.client = client
        self.taker = Taker(hub.intake, client.server.name)

    async def poll(self, **given: Any) -> dict[str, Asked]:
        """One poll, by type."""
        found = await Poller(self.client, self.taker, lambda: self.hub.now, **given).poll()
        return {asked.type: asked for asked in found}

    async def position(self, type_: str) -> int | None:
        return await self.hub.intake.ask(lambda runtime: find_position(runtime.store, self.client.key, type_))


@contextlib.asynccontextmanager
async def polling(
    folder: Path, host: FhirHost, *, token_file: Path | None = None, **asks: Any
) -> AsyncIterator[Polling]:
    """A hub that may poll a host; `asks` are what its site file says of that."""
    types = ("Patient", "ServiceRequest")
    server = FhirServer(name="ehr", base=host.base, token_file=token_file, asks=replace(Asks(types=types), **asks))
    async with running(folder, now=NOW) as hub:
        client = FhirClient(server, lambda: hub.now, waits=QUICK)
        try:
            yield Polling(hub, client)
        finally:
            await client.close()


def run(coroutine: Any) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 60))
