"""How requests are planned: against what a store knows, each in its turn; or by themselves, where there is none.

Theory. Without a store nothing is known of what came before. What a request says is taken all the same, for a state is
told from an older one behind the door, by its versions and its content. What asks for more than that, a condition, is
refused: to guess would make somebody twice, or write over what somebody else wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Final, Protocol, TypeVar

import msgspec

from hub.api.fhir.outcomes import FhirRefused, unavailable
from hub.api.fhir.requests import Asked, encode
from hub.api.fhir.versions import Key, Moved, Planned, Turns, Versions, keys_of
from hub.api.reads import Reads
from streams.embedded.reader import Reading

Answer = TypeVar("Answer")
_TRIES: Final = 8  # searches that find something else each time: somebody else is at it
NO_SEARCH: Final = "this hub keeps no resources: send the resource with its id, without a search"
NO_VERSIONS: Final = "this hub knows no versions of a resource: send it without If-Match and If-None-Match"


class Plans(Protocol):
    """Plans the resources of one request, in their order."""

    def plan(self, asked: Asked) -> Planned:
        """What comes of a resource. Raises FhirRefused where a condition does not hold."""


class Planning(Protocol):
    """Plans requests. `is_bundle` says that it may take long."""

    def planned(
        self, system: str, now: str, asked: Sequence[Asked], plan: Callable[[Plans], Answer], *, is_bundle: bool
    ) -> AbstractAsyncContextManager[Answer]:
        """What was planned; it holds for as long as the block lasts."""


class StoredPlanning:
    """Against a store. Bundles have a reader of the store of their own: one of ten thousand entries keeps it busy for
    seconds, and no single resource waits for it."""

    def __init__(self, reads: Reads, bundle_reads: Reads) -> None:
        self._reads: Reads = reads
        self._bundle_reads: Reads = bundle_reads
        self._turns: Turns = Turns()

    @asynccontextmanager
    async def planned(
        self, system: str, now: str, asked: Sequence[Asked], plan: Callable[[Plans], Answer], *, is_bundle: bool
    ) -> AsyncIterator[Answer]:
        """What was planned in the turn for all that it concerns; the turn ends with the block."""
        reads = self._bundle_reads if is_bundle else self._reads

        def planned(reading: Reading, keys: set[Key]) -> Answer:
            return plan(Versions(reading, system, now, keys))

        for _ in range(_TRIES):
            keys = await reads.ask(lambda reader: keys_of(reader, system, asked))
            async with self._turns.of(keys):
                try:
                    answer = await reads.ask(lambda reader, keys=keys: planned(reader, keys))  # type: ignore[misc]
                except Moved:
                    continue
                yield answer
                return
        raise unavailable("others are writing about the same; nothing of it was taken")


class PlainPlanning:
    """Each request by itself."""

    @asynccontextmanager
    async def planned(
        self, system: str, now: str, asked: Sequence[Asked], plan: Callable[[Plans], Answer], *, is_bundle: bool
    ) -> AsyncIterator[Answer]:
        """What was planned of what the request says."""
        del system, now, asked
        plans = _Plain()
        yield await asyncio.to_thread(plan, plans) if is_bundle else plan(plans)


class _Plain:
    def plan(self, asked: Asked) -> Planned:
        """Raises FhirRefused for a condition: nobody knows here whether it holds."""
        if asked.sought is not None or asked.id is None:
            raise FhirRefused(HTTPStatus.NOT_IMPLEMENTED, "not-supported", NO_SEARCH)
        if asked.if_match is not None or asked.is_new:
            raise FhirRefused(HTTPStatus.PRECONDITION_FAILED, "not-supported", NO_VERSIONS)
        members = asked.members
        if "id" not in members:
            named = msgspec.Raw(msgspec.json.encode(asked.id))
            members = {"resourceType": members["resourceType"], "id": named, **members}
        status = HTTPStatus.CREATED if asked.method == "POST" else HTTPStatus.OK
        return Planned(status, asked.id, asked.version or "", encode(members))
