"""FHIR servers that a running hub polls by itself: those of the site file that say `every:`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from hub.declared import Declared
from hub.poll.client import WAITS, FhirClient
from hub.poll.known import claim
from hub.poll.search import Asked, Poller
from hub.poll.take import Taker
from hub.serve.intake import Intake, Stopped
from hub.serve.life import Door
from hub.serve.service import Opening, ServeSettings, Service, machine_time
from hub.site import Site
from hub.site_fhir import FhirServer
from schemas.errors import StoreFailed
from schemas.event import SECOND

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_AGAIN: Final = 5.0  # seconds until a store that fails is asked again
Wait = Callable[[float], Awaitable[None]]
"""Returns after so many seconds."""


def polled_servers(site: Site) -> list[FhirServer]:
    """The servers that are polled without being asked to."""
    return [server for server in site.fhir.values() if server.asks.every is not None]


class PollCounts:
    """What all polls together did, for /metrics. `since` is when each server was last read to the end, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.polls: int = 0
        self.failed: int = 0
        self.resources: int = 0
        self._clock: Callable[[], float] = clock
        self._read: dict[str, float] = {}

    def begin(self, server: str) -> None:
        """From here on it is to be read."""
        self._read[server] = self._clock()

    def add(self, server: str, found: Sequence[Asked]) -> None:
        """Count one poll."""
        self.polls += 1
        self.resources += sum(asked.resources for asked in found)
        if any(asked.failed is not None for asked in found):
            self.failed += 1
        else:
            self._read[server] = self._clock()

    def fail(self) -> None:
        """Count one poll that came to nothing."""
        self.polls += 1
        self.failed += 1

    def numbers(self) -> Mapping[str, float]:
        """By their Prometheus names; the age is that of the server that was not read for longest."""
        return {
            "pxhub_fhir_polls_total": self.polls,
            "pxhub_fhir_polls_failed_total": self.failed,
            "pxhub_fhir_polled_resources_total": self.resources,
            "pxhub_fhir_poll_age_seconds": max((self._clock() - at for at in self._read.values()), default=0.0),
        }


async def poll_again_and_again(
    poller: Poller, server: FhirServer, counts: PollCounts, log: BoundLogger | None, wait: Wait = asyncio.sleep
) -> None:
    """Poll a server every so often until cancelled, or the hub stops."""
    assert server.asks.every is not None  # noqa: S101 - or nobody would ask for it
    every = server.asks.every / SECOND
    counts.begin(server.name)
    while True:
        pause = every
        try:
            found = await poller.poll()
        except Stopped:
            return
        except StoreFailed:
            pause = min(every, _AGAIN)  # it is told where the store is looked after
        except Exception as wrong:  # noqa: BLE001 - a poll's edge: whatever it is, the hub goes on, and so does polling
            counts.fail()
            if log is not None:
                log.warning("fhir.poll_stumbled", server=server.name, reason=type(wrong).__name__)
        else:
            counts.add(server.name, found)
            tell(log, server, found)
        await wait(pause)


def tell(log: BoundLogger | None, server: FhirServer, found: Sequence[Asked]) -> None:
    """One line of the log for a poll that brought something new."""
    resources = sum(asked.resources for asked in found)
    accepted = sum(asked.accepted for asked in found)
    dead = sum(asked.dead_letters for asked in found)
    if log is not None and (accepted or dead):
        log.info("fhir.polled", server=server.name, total=resources, messages=accepted, count=dead)


class PollDoor:
    """Servers that are polled. `address` names them."""

    def __init__(self, clients: list[FhirClient], polls: list[asyncio.Task[None]], names: str) -> None:
        self.address: str = f"polls {names}"
        self._clients: list[FhirClient] = clients
        self._polls: list[asyncio.Task[None]] = polls

    async def stop(self) -> None:
        """Ask for nothing more. What was under way is asked for again the next time."""
        for poll in self._polls:
            poll.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)
        for client in self._clients:
            with contextlib.suppress(OSError):
                await client.close()


def bind_polls(_: ServeSettings, declared: Declared, held: ExitStack) -> Opening:
    """Poll the site's FHIR servers. Keys and tokens are read before the store is touched."""
    servers = polled_servers(declared.site)
    clients = [FhirClient(server, machine_time, waits=WAITS) for server in servers]
    del held  # a client that never asked holds nothing

    async def opened(service: Service) -> Door:
        counts = PollCounts()
        service.counters.append(counts.numbers)
        polls = []
        for client in clients:
            server = client.server
            await _claimed(service.intake, server)
            poller = Poller(client, Taker(service.intake, server.name), machine_time, log=service.log)
            polls.append(asyncio.create_task(poll_again_and_again(poller, server, counts, service.log)))
        return PollDoor(clients, polls, ", ".join(server.name for server in servers))

    return opened


async def _claimed(intake: Intake, server: FhirServer) -> None:
    await intake.ask(lambda runtime: claim(runtime.store, server, declared=True))
