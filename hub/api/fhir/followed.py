"""What is kept of servers that tell of changes: which notifications came, who knocked, who fell silent; in a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from connectors.fhir.notification import Notification
from hub.api.fhir.heartbeats import Heartbeats
from hub.api.fhir.hooks import Hooks
from hub.api.fhir.subscriptions import PATIENCE, Subscriptions, Take
from hub.api.reads import Reads
from hub.fhir_server import Askers, Connect, PlainAsker
from hub.serve.intake import Intake
from hub.site_fhir import FhirServer

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


class Followed:
    """Follows `servers`, those of the site file; `connect` makes who asks one, `patience` is how long a gap of
    notifications may close by itself, in seconds."""

    def __init__(
        self,
        intake: Intake,
        reads: Reads,
        clock: Callable[[], int],
        servers: Mapping[str, FhirServer],
        *,
        connect: Connect = PlainAsker,
        log: BoundLogger | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._askers: Askers = Askers(connect)
        self._subscriptions: Subscriptions = Subscriptions(
            intake, reads, clock, servers, self._askers, log=log, patience=patience
        )
        self._hooks: Hooks = Hooks(intake, reads, clock, servers, self._askers, log=log)
        self._heartbeats: Heartbeats = Heartbeats(reads, servers, self._askers, self._subscriptions.hear, log=log)
        self._subscriptions.beat = self._heartbeats.beat

    @property
    def numbers(self) -> Mapping[str, float]:
        """What /metrics tells of it."""
        return {**self._subscriptions.numbers, **self._hooks.numbers, **self._heartbeats.numbers}

    async def start(self, take: Take) -> None:
        """Begin; `take` takes what a server answers, as a notification is taken."""
        self._subscriptions.take = self._hooks.take = take
        await self._subscriptions.start()
        await self._hooks.start()
        await self._heartbeats.start()

    async def close(self) -> None:
        """End it."""
        await self._heartbeats.close()
        await self._subscriptions.close()
        await self._hooks.close()
        await self._askers.close()

    async def hear(self, system: str, told: Notification, came: frozenset[int]) -> None:
        """Keep the numbers of a notification whose resources are durable. Raises StoreFailed and Stopped."""
        await self._subscriptions.hear(system, told, came)

    async def knock(self, server: FhirServer, id_: str) -> None:
        """Note that a subscription's server has something. Raises StoreFailed and Stopped."""
        await self._hooks.knock(server, id_)
