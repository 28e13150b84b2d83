"""What a store knows of FHIR servers: which server a name stands for, and how far each was read."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from hub.site_fhir import FhirServer
from schemas.errors import StoreFailed, WrongUse
from streams.embedded.reader import Reading
from streams.embedded.store import Store

Kind = TypeVar("Kind")
_SERVER: Final = "fhir.server:"
_POSITION: Final = "fhir.position:"
_EXPORT: Final = "fhir.export:"
_PUT: Final = "INSERT OR REPLACE INTO meta VALUES (?,?)"


class Export(msgspec.Struct):
    """How far exports of a server are. `time` is what the next one begins from (microseconds); `status` where one
    that is under way is asked about."""

    time: int | None = None
    status: str | None = None


def claim(store: Store, server: FhirServer, *, declared: bool) -> None:
    """Have a name stand for a server from here on; one that the site file has `declared` may have moved. Raises
    WrongUse where this store knows another by the name: number 17 of the two would be one person."""
    base = store.meta(_SERVER + server.name)
    if base == server.base:
        return
    if base is not None and not declared:
        raise WrongUse(f"this store knows another server as `{server.name}`: name this one otherwise, by --server NAME")
    store.write(_PUT, [(_SERVER + server.name, server.base)])


def find_position(store: Reading, server: str, type_: str) -> int | None:
    """Up to which `lastUpdated` (microseconds) a type of a server was read; None where it never was."""
    found = store.meta(f"{_POSITION}{server}:{type_}")
    return None if found is None else int(found)


def put_position(store: Store, server: str, type_: str, position: int) -> None:
    """Write it down; what was read up to there is durable."""
    store.write(_PUT, [(f"{_POSITION}{server}:{type_}", position)])


def find_export(store: Reading, server: str, over: str) -> Export:
    """How far exports of a server are; `over` says of what."""
    found = store.meta(f"{_EXPORT}{server}:{over}")
    return Export() if found is None else _decoded(found, Export)


def put_export(store: Store, server: str, over: str, export: Export) -> None:
    """Write it down."""
    store.write(_PUT, [(f"{_EXPORT}{server}:{over}", msgspec.json.encode(export))])


def _decoded(value: bytes, type_: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(value, type=type_)
    except (msgspec.MsgspecError, TypeError, ValueError) as wrong:
        raise StoreFailed("what the store knows of FHIR servers is damaged; restore a backup") from wrong
