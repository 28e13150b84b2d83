"""A bundle to its resources, each with its place and what its references may lead to.

One pass makes the index of the entries, one gives them: a bundle of fifty thousand is as quick an entry as one of
five. An entry that is spoilt costs itself alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import msgspec

from connectors.api import Reading, dead
from connectors.fhir.references import ALONE, Around, Entry, flags_of, id_in, kinds_of, numbers_of, restful
from connectors.json_text import BOM, NOT_JSON, is_json
from schemas.errors import Reason

DEEPEST: Final = 4  # bundles in bundles
_ABSENT: Final = (b"", b"null")
NO_RESOURCES: Final = "Bundle without resources"
DELETED: Final = "a deletion names no patient"
KNOWN: Final = "it was known before"
POINTER: Final = "pxhub-known"
"""The method of an entry that others refer to, and that is not to be taken: a conditional create that found one. It is
no method of HTTP, so no sender has it."""


class Piece(NamedTuple):
    """One resource as it stands in its input."""

    place: str
    raw: bytes | msgspec.Raw
    around: Around = ALONE


class _Modified(msgspec.Struct, gc=False, rename="camel"):
    last_modified: str | None = None


class _Request(msgspec.Struct, gc=False):
    method: str | None = None


class _Entry(msgspec.Struct, rename="camel"):
    full_url: str | None = None
    resource: msgspec.Raw = msgspec.Raw()
    request: _Request | None = None
    response: _Modified | None = None


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str
    type: Any = None
    timestamp: str | None = None
    meta: Any = None
    link: Any = None
    entry: list[msgspec.Raw] | None = None


class _Head(msgspec.Struct, gc=False, rename="camel"):
    resource_type: str | None = None
    id: str | None = None


class _Known(msgspec.Struct, gc=False):
    identifier: Any = None
    interpretation: Any = None
    type: Any = None


class _To(msgspec.Struct, gc=False):
    reference: str


class _Slot(msgspec.Struct, gc=False):
    schedule: _To
    start: str
    status: Literal["free"]


_head: Final = msgspec.json.Decoder(_Head)
_entry: Final = msgspec.json.Decoder(_Entry)
_known: Final = msgspec.json.Decoder(_Known)
_slot: Final = msgspec.json.Decoder(_Slot)
_EARLIER: Final = frozenset(("previous", "prev"))
_ASKED_FOR: Final = frozenset(
    ("Patient", "ServiceRequest", "Claim", "Observation", "DiagnosticReport", "Appointment", "Account", "Coverage")
)
"""Types whose numbers, interpretation or kind other resources ask for."""


def split_bundle(raw: bytes | msgspec.Raw, place: str, depth: int = 0) -> Iterator[Piece | Reading]:
    """The resources of a bundle; what is no bundle is one resource. `place` is said before `Bundle.entry[3].resource`.
    A reading stands for what cannot be given."""
    if isinstance(raw, bytes):
        raw = raw.removeprefix(BOM)
    if type_of(raw) != "Bundle":
        yield Piece(place, raw)
        return
    if depth >= DEEPEST:
        yield dead(Reason.INVALID, place, "bundles stand in bundles: send the inner ones by themselves")
        return
    try:
        bundle = msgspec.json.decode(raw, type=_Bundle)
    except NOT_JSON as wrong:
        yield _refused(raw, wrong, place)
        return
    entries: list[_Entry | None] = []
    index: dict[str, Entry] = {}
    home: str | None = None
    slots: list[tuple[str, str]] | None = [] if _is_first_page(bundle) else None
    numbers: dict[int, int] = {}  # which of the free slots an entry is
    sent = bundle.timestamp or _last_updated(bundle.meta)
    for text in bundle.entry or ():
        try:
            entry = _entry.decode(text)
        except NOT_JSON:
            entries.append(None)
            continue
        entries.append(entry)
        at = restful(entry.full_url)
        base = at[0] if at is not None else None
        home = home or base
        if _index(entry, base, index) == "Slot" and slots is not None and (free := _free(entry)) is not None:
            numbers[len(entries) - 1] = len(slots)
            slots.append(free)
    given = False
    for number, found in enumerate(entries):
        around = ALONE
        if found is not None:
            modified = found.response.last_modified if found.response is not None else None
            around = Around(index, found.full_url, home, modified, sent, slots, numbers.get(number, -1))
        for piece in _of_entry(found, f"{place}, Bundle.entry[{number}]", around, depth):
            given = True
            yield piece
    if not given:
        yield Reading(ignored=NO_RESOURCES)


def _of_entry(entry: _Entry | None, place: str, around: Around, depth: int) -> Iterator[Piece | Reading]:
    """What one entry holds; nothing where it only answers a request."""
    if entry is None:
        yield dead(Reason.INVALID, place, "send the type that FHIR R4 gives it")
    elif _is_absent(entry.resource):
        if entry.request is not None and entry.request.method == "DELETE":
            yield Reading(ignored=DELETED)
    elif entry.request is not None and entry.request.method == POINTER:
        yield Reading(ignored=KNOWN)
    elif type_of(entry.resource) == "Bundle":
        yield from split_bundle(entry.resource, f"{place}.resource", depth + 1)
    else:
        yield Piece(f"{place}.resource", entry.resource, around)


def _is_absent(resource: msgspec.Raw) -> bool:
    return bytes(resource) in _ABSENT


def type_of(raw: bytes | msgspec.Raw) -> str | None:
    """The resourceType of a JSON object; None for anything else."""
    try:
        return _head.decode(raw).resource_type
    except NOT_JSON:
        return None


def _is_first_page(bundle: _Bundle) -> bool:
    """Whether a bundle may hold the first of what was asked for: neither a history nor a later page."""
    links = bundle.link if isinstance(bundle.link, list) else []
    relations = {str(link.get("relation")) for link in links if isinstance(link, dict)}
    return bundle.type != "history" and relations.isdisjoint(_EARLIER)


def _last_updated(meta: Any) -> str | None:
    stamp = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return stamp if isinstance(stamp, str) else None


def _free(entry: _Entry) -> tuple[str, str] | None:
    """A free slot's schedule and start."""
    try:
        slot = _slot.decode(entry.resource)
    except NOT_JSON:
        return None
    return slot.schedule.reference, slot.start


def _index(entry: _Entry, base: str | None, index: dict[str, Entry]) -> str | None:
    """Note what references may lead to; returns the type of the resource."""
    try:
        head = _head.decode(entry.resource)
        known = _known.decode(entry.resource) if head.resource_type in _ASKED_FOR else _Known()
    except NOT_JSON:
        return None
    if head.resource_type is None:
        return None
    numbers = numbers_of(known.identifier, head.resource_type)
    id_ = head.id or id_in(entry.full_url, head.resource_type)
    kinds = kinds_of(known.type) if head.resource_type == "Coverage" else ()
    found = Entry(head.resource_type, id_, base, numbers, flags_of(known.interpretation), kinds)
    # The first of several versions in a history serves as well as another: a number stays what it is.
    if entry.full_url:
        index.setdefault(entry.full_url, found)
    if id_:
        name = f"{head.resource_type}/{id_}"
        index.setdefault(f"{base}/{name}" if base else name, found)
    return found.type


def _refused(raw: bytes | msgspec.Raw, wrong: Exception, place: str) -> Reading:
    if isinstance(wrong, msgspec.ValidationError) and is_json(raw):
        return dead(Reason.INVALID, f"{place}, {path_of(wrong, 'Bundle')}", "send the type that FHIR R4 gives it")
    return dead(Reason.UNREADABLE, place, "one whole JSON object is expected")


def path_of(wrong: Exception, type_: str) -> str:
    """The FHIRPath out of msgspec's message; the rest may quote values."""
    message = str(wrong)
    at = message.rfind("`$")
    if at < 0:
        return type_
    return type_ + message[at + 2 :].rstrip("`").replace("[...]", "")
