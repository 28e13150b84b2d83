"""Which version of each resource came of a server, for who asks the hub's FHIR door about it later.

Law: what a poll brought is known to the door as what was posted there: by its id, its version and its identifiers. It
is kept as it came, whatever its version is called here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from connectors.fhir.bundle import Piece
from connectors.fhir.read import READ_TYPES, content_digest
from connectors.fhir.references import id_in
from hub.api.fhir.requests import ID, Asked, numbers_in
from hub.api.fhir.versions import Versions
from schemas.message import Thing
from streams.embedded.reader import Reading

_NO_MEMBERS: Final = {"id": msgspec.Raw(b'""')}  # what came is kept as it is, and not as it is planned


def asked_of(piece: Piece, value: Any) -> Asked | None:
    """What a resource would ask for if it were put; None for one that goes by no id, or that nobody may put."""
    type_ = value.get("resourceType") if isinstance(value, dict) else None
    if not isinstance(type_, str) or type_ not in READ_TYPES:
        return None
    id_ = value.get("id") or id_in(piece.around.full_url, type_)
    if not isinstance(id_, str) or not ID.fullmatch(id_):
        return None
    meta = value.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return Asked(
        method="PUT",
        type=type_,
        id=id_,
        members=_NO_MEMBERS,
        digest=content_digest(value),
        version=version if isinstance(version, str) and ID.fullmatch(version) else None,
        numbers=numbers_in(value.get("identifier")),
    )


def plan_things(reading: Reading, system: str, asked: Sequence[Asked | None]) -> list[tuple[Thing, ...]]:
    """The version that each makes, in their order; none for an older one than is known."""
    versions = Versions(reading, system, "")
    planned = [versions.plan(one).thing if one is not None else None for one in asked]
    return [(thing,) if thing is not None else () for thing in planned]
