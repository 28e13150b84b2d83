"""Heartbeats of subscriptions (Subscriptions R5 Backport): a server that falls silent is asked once how it stands.

Theory. A server that promised a heartbeat sends something in each period, a notification or a heartbeat. Where nothing
came for two of them, notifications may have been lost, the last ones among them, of which no later number tells. So the
server is asked by `$status` up to which number it counted; what that shows as missing is asked for by `$events`, as any
gap is. It is asked once a silence, for the next notification tells as much. What it answers is not counted as heard:
its side is silent until it speaks itself, and nothing of the answer goes into the log, from which `interface.silent`
is judged. When something was heard is known since the start alone: a restart begins a new period.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from connectors.fhir.notification import Notification, heartbeat_period, read_status
from hub.api.fhir.requests import ID
from hub.api.fhir.subscriptions import TRIES
from hub.api.reads import Reads
from hub.fhir_server import Askers, NotAnswered
from hub.serve.intake import Stopped
from hub.site_fhir import FhirServer
from schemas.errors import PxError
from streams.embedded.subscriptions import subscriptions_of

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_MOST: Final = 1_000  # subscriptions that are watched
_REFUSED: Final = "status_4"  # as `NotAnswered` has it
_PERIODS: Final = 2  # of silence, before the server is asked
Hear = Callable[[str, Notification, frozenset[int]], Awaitable[None]]
"""Hears a notification of a server (by its name) whose content came for these numbers."""


class Heartbeats:
    """Watches the subscriptions of servers that can be asked. `hear` takes what `$status` tells."""

    def __init__(
        self,
        reads: Reads,
        servers: Mapping[str, FhirServer],
        askers: Askers,
        hear: Hear,
        *,
        log: BoundLogger | None = None,
    ) -> None:
        self._reads: Reads = reads
        self._servers: Mapping[str, FhirServer] = servers
        self._askers: Askers = askers
        self._hear: Hear = hear
        self._log: BoundLogger | None = log
        self._watching: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._heard_at: dict[tuple[str, str], float] = {}
        self._silent: dict[tuple[str, str], asyncio.Event] = {}  # set when something comes again
        self._silences: int = 0
        self._asked: int = 0
        self._failed: int = 0

    @property
    def numbers(self) -> Mapping[str, float]:
        """What /metrics tells of it."""
        return {
            "pxhub_fhir_subscriptions_silent": len(self._silent),
            "pxhub_fhir_silences_total": self._silences,
            "pxhub_fhir_status_asked_total": self._asked,
            "pxhub_fhir_status_failed_total": self._failed,
        }

    async def start(self) -> None:
        """Watch what was heard of before the hub stopped."""
        for system, id_ in await self._reads.ask(subscriptions_of):
            if "/" not in id_:  # else a hook's (hooks.py)
                self.beat(system, id_)

    async def close(self) -> None:
        """Watch no more."""
        for task in list(self._watching.values()):
            task.cancel()
        await asyncio.gather(*self._watching.values(), return_exceptions=True)

    def beat(self, system: str, id_: str) -> None:
        """A server sent something of a subscription by itself."""
        server = self._servers.get(system)
        key = (system, id_)
        if server is None or server.base is None or not ID.fullmatch(id_):
            return
        if key not in self._watching and len(self._watching) >= _MOST:
            return  # whoever invents so many names shall not make the hub ask for them
        self._heard_at[key] = asyncio.get_running_loop().time()
        silent = self._silent.pop(key, None)
        if silent is not None:
            silent.set()
        if key not in self._watching:
            self._watching[key] = asyncio.create_task(self._watch(server, id_))

    async def _watch(self, server: FhirServer, id_: str) -> None:
        """Wait for silences, for ever; of a subscription that promises no heartbeat there is none."""
        key, loop = (server.name, id_), asyncio.get_running_loop()
        try:
            period = await self._period(server, id_)
        except NotAnswered:
            del self._watching[key]  # the next that comes is a reason to ask again
            return
        if period is None:
            return
        while True:
            left = self._heard_at[key] + _PERIODS * period - loop.time()
            if left > 0:
                await asyncio.sleep(left)
                continue
            over = self._silent[key] = asyncio.Event()
            self._silences += 1
            if self._log is not None:
                self._log.warning("fhir.subscription_silent", source_kind=f"fhir/{server.name}", seconds=period)
            await self._ask(server, id_)
            await over.wait()

    async def _period(self, server: FhirServer, id_: str) -> int | None:
        """In which period, in seconds, a subscription's server promises to be heard of; None where it promises none.
        One that does not answer is asked again until it does: it may be down for as long as nothing comes of it. Raises
        NotAnswered where it refuses."""
        for wait in chain(TRIES, repeat(TRIES[-1])):
            await asyncio.sleep(wait)
            try:
                return heartbeat_period(await self._askers.of(server).ask(f"Subscription/{id_}"))
            except NotAnswered as wrong:
                self._tell_failed(server, wrong.told)
                if wrong.told.startswith(_REFUSED):
                    raise
        raise AssertionError("tries have no end")

    async def _ask(self, server: FhirServer, id_: str) -> None:
        """Ask a silent server how its subscription stands."""
        self._asked += 1
        try:
            told = read_status(await self._askers.of(server).ask(f"Subscription/{id_}/$status"), id_)
            if told is None:
                self._tell_failed(server, "no_status")
                return
            await self._hear(server.name, told, frozenset())
        except (PxError, Stopped) as wrong:
            self._tell_failed(server, wrong.told if isinstance(wrong, NotAnswered) else type(wrong).__name__)

    def _tell_failed(self, server: FhirServer, why: str) -> None:
        self._failed += 1
        if self._log is not None:
            self._log.warning("fhir.status_not_given", source_kind=f"fhir/{server.name}", reason=why)
