"""Which version of a resource a request makes: planned against what the store knows, one after the other.

Theory. The hub receives states and gives none back; of a resource it keeps which version came last, and by which
identifiers it is found, in the commit of the message itself. So a Location, an ETag and an If-Match are true after a
crash. A version goes by the sender's own `meta.versionId`, else by a count. Where a sender gives the same versionId to
other content, or names by If-Match what it replaces, it has edited what it was given and its meta are those of before:
then the version is counted and the time is that of its arrival, as a FHIR server has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Hashable
from contextlib import asynccontextmanager
from hashlib import blake2b
from http import HTTPStatus
from typing import Final

import msgspec

from hub.api.fhir.conditions import Sought
from hub.api.fhir.outcomes import FhirRefused
from hub.api.fhir.requests import Asked, encode
from schemas.message import Thing
from streams.embedded.reader import Reading
from streams.embedded.things import find_by_number, find_thing

Key = tuple[str, str, str]
_PRECONDITION: Final = HTTPStatus.PRECONDITION_FAILED


class Planned(msgspec.Struct):
    """What comes of one resource: the answer if it is taken, the bytes to keep, and the version to remember. `kept` is
    None where nothing is to be taken (If-None-Exist found it)."""

    status: HTTPStatus
    id: str
    version: str
    kept: bytes | None
    thing: Thing | None = None


class Moved(Exception):
    """A search found something else than when its turn was asked for."""


class Versions:
    """Plans the resources of one request, in their order: each sees those before it. `now` is the time of arrival as
    an instant; `keys` are what the request has its turn for."""

    def __init__(self, reading: Reading, system: str, now: str, keys: Collection[Key] | None = None) -> None:
        self._reading: Reading = reading
        self._system: str = system
        self._now: str = now
        self._keys: Collection[Key] | None = keys
        self._planned: dict[tuple[str, str], Thing] = {}

    def plan(self, asked: Asked) -> Planned:
        """Raises FhirRefused where a condition does not hold, Moved where the turn is not enough."""
        id_ = asked.id
        if asked.sought is not None:
            found = self.find(asked.type, asked.sought)
            if len(found) > 1:
                raise FhirRefused(_PRECONDITION, "multiple-matches", "several resources are found by this search")
            if found and asked.method == "POST":
                thing = self._known(asked.type, found[0])
                return Planned(HTTPStatus.OK, found[0], thing.version if thing else "1", None)
            if found:
                if id_ is not None and id_ != found[0]:
                    told = "the resource that is found by this search has another id"
                    raise FhirRefused(HTTPStatus.BAD_REQUEST, "value", told, expression=f"{asked.type}.id")
                id_ = found[0]
        if id_ is None:
            id_ = blake2b(asked.type.encode() + asked.digest, digest_size=16).hexdigest()
        if self._keys is not None and (self._system, asked.type, id_) not in self._keys:
            raise Moved
        return self._plan(asked, id_, self._known(asked.type, id_))

    def find(self, type_: str, sought: Sought) -> list[str]:
        """The ids of the resources that a search finds, those of this request among them."""
        found = {id_: True for id_ in sought.ids if self._known(type_, id_) is not None}
        for number in sought.numbers:
            stored = find_by_number(self._reading, self._system, type_, number)
            found |= {id_: True for id_ in stored if (type_, id_) not in self._planned}
        numbers = set(sought.numbers)
        if numbers:
            found |= {
                i: True
                for (t, i), thing in self._planned.items()
                if t == type_ and not numbers.isdisjoint(thing.numbers)
            }
        return list(found)

    def _known(self, type_: str, id_: str) -> Thing | None:
        planned = self._planned.get((type_, id_))
        return planned or find_thing(self._reading, self._system, type_, id_)

    def _plan(self, asked: Asked, id_: str, known: Thing | None) -> Planned:
        if asked.if_match is not None and (known is None or known.version != asked.if_match):
            raise FhirRefused(_PRECONDITION, "conflict", "If-Match names another version than the one that is known")
        if asked.is_new and known is not None:
            raise FhirRefused(_PRECONDITION, "conflict", "If-None-Match: * creates alone, and the resource is there")
        status = HTTPStatus.CREATED if known is None else HTTPStatus.OK
        members = asked.members
        if "id" not in members:
            members = {"resourceType": members["resourceType"], "id": msgspec.Raw(msgspec.json.encode(id_)), **members}
        if known is not None and known.digest == asked.digest and asked.version in (None, known.version):
            return Planned(status, id_, known.version, encode(members), known)
        if known is not None and _is_older(asked.version, known.version) and asked.if_match is None:
            return Planned(status, id_, asked.version or "", encode(members))
        count = known.count + 1 if known is not None else 1
        is_edit = known is not None and (asked.if_match is not None or asked.version == known.version)
        if is_edit or asked.version is None:
            version = str(_next(known))
            if is_edit:
                members = _with_meta(members, {"versionId": version, "lastUpdated": self._now})
            elif known is not None and not asked.is_dated:
                # nothing of its own tells it from one with the same content that came before the last one
                members = _with_meta(members, {"versionId": version})
        else:
            version = asked.version
        thing = Thing(self._system, asked.type, id_, version, count, asked.digest, asked.numbers)
        self._planned[(asked.type, id_)] = thing
        return Planned(status, id_, version, encode(members), thing)


def _is_older(version: str | None, known: str) -> bool:
    return version is not None and version.isdecimal() and known.isdecimal() and int(version) < int(known)


def _next(known: Thing | None) -> int:
    if known is None:
        return 1
    return (max(int(known.version), known.count) if known.version.isdecimal() else known.count) + 1


def _with_meta(members: dict[str, msgspec.Raw], told: dict[str, str]) -> dict[str, msgspec.Raw]:
    meta = msgspec.json.decode(members["meta"]) if "meta" in members else {}
    meta = meta if isinstance(meta, dict) else {}
    return {**members, "meta": msgspec.Raw(msgspec.json.encode({**meta, **told}))}


def keys_of(reading: Reading, system: str, asked: Collection[Asked]) -> set[Key]:
    """What a request needs its turn for: the ids that it names or that its searches find, and the identifiers that it
    searches by or brings."""
    keys: set[Key] = set()
    for one in asked:
        if one.id is not None:
            keys.add((system, one.type, one.id))
        sought = one.sought
        for number in (*one.numbers, *(sought.numbers if sought is not None else ())):
            keys.add((system, one.type, f"={number.hex()}"))
        if sought is not None:
            keys.update((system, one.type, id_) for id_ in sought.ids)
            for number in sought.numbers:
                found = find_by_number(reading, system, one.type, number)
                keys.update((system, one.type, id_) for id_ in found)
            if one.id is None:
                made = blake2b(one.type.encode() + one.digest, digest_size=16).hexdigest()
                keys.add((system, one.type, made))
    return keys


class Turns:
    """Who writes about the same thing waits for who came first; all others go on together."""

    def __init__(self) -> None:
        self._busy: set[Hashable] = set()
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def of(self, keys: Collection[Hashable]) -> AsyncIterator[None]:
        """Hold the turn for all of these."""
        while not self._busy.isdisjoint(keys):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        self._busy.update(keys)
        try:
            yield
        finally:
            self._busy.difference_update(keys)
            woken, self._waiting = self._waiting, []
            for future in woken:
                if not future.done():
                    future.set_result(None)
