"""A bundle to what its entries ask for, and back to the bytes that are kept.

Sans-I/O. Of a transaction and a batch each entry is a request; of every other bundle an entry states how a resource
stands, as a PUT of it would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Final

import msgspec

from connectors.api import Reading
from connectors.fhir.bundle import POINTER, split_bundle
from connectors.fhir.codes import OLDER_TYPES
from connectors.fhir.kept import needed, write_kept, write_whole
from connectors.fhir.read import content_digest
from connectors.fhir.references import id_in, restful
from connectors.json_text import NOT_JSON
from hub.api.fhir.conditions import searched
from hub.api.fhir.outcomes import FhirRefused
from hub.api.fhir.requests import ID, TYPE, Asked, encode, read_asked, read_if_match, read_if_none_match, read_members
from hub.api.fhir.versions import Planned

MOST: Final = 10_000
"""Entries of a bundle over HTTP: all of one is held in memory, several times its bytes, until it is answered."""
REQUESTS: Final = frozenset(("transaction", "batch"))
WHOLE: Final = frozenset(("transaction", "message"))
"""Bundles that are taken as one, or not at all."""
TYPES: Final = REQUESTS | WHOLE | {"history", "collection", "searchset", "document", "subscription-notification"}
_NUMBER: Final = re.compile(r"Bundle\.entry\[(\d+)\]")
_BAD: Final = HTTPStatus.BAD_REQUEST


class Request(msgspec.Struct, rename="camel"):
    """What an entry asks for."""

    method: str | None = None
    url: str | None = None
    if_match: str | None = None
    if_none_exist: str | None = None
    if_none_match: str | None = None


class Entry(msgspec.Struct):
    """One entry. `asked` is None where it holds no resource that goes by an id; `wrong` is what is wrong with it as a
    request, `planned` what comes of it."""

    number: int
    members: dict[str, msgspec.Raw]
    asked: Asked | None = None
    wrong: FhirRefused | None = None
    planned: Planned | None = None


class Bundle(msgspec.Struct):
    """A bundle that came. `digest` is of what was sent. The status that a notification begins with is no resource to
    be taken."""

    type: str
    members: dict[str, msgspec.Raw]
    entries: list[Entry]
    digest: bytes
    is_notification: bool = False


class _Envelope(msgspec.Struct, rename="camel"):
    type: str | None = None
    entry: list[msgspec.Raw] | None = None


_request: Final = msgspec.json.Decoder(Request)
_envelope: Final = msgspec.json.Decoder(_Envelope)


def read_bundle(members: dict[str, msgspec.Raw]) -> Bundle:
    """The bundle, its entries read as what they ask for. Raises FhirRefused."""
    whole = encode(members)
    try:
        envelope, digest = _envelope.decode(whole), content_digest(msgspec.json.decode(whole))
    except NOT_JSON:
        raise FhirRefused(_BAD, "structure", "send the types that FHIR R4 gives them", expression="Bundle") from None
    if envelope.type not in TYPES:
        mend = "a transaction, batch, message, history or collection is expected"
        raise FhirRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "not-supported", mend, expression="Bundle.type")
    listed = envelope.entry or []
    if len(listed) > MOST:
        mend = f"more than {MOST} entries; nothing of it was kept: send smaller bundles"
        raise FhirRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-costly", mend, expression="Bundle.entry")
    entries = [Entry(number, read_members(raw) or {}) for number, raw in enumerate(listed)]
    read = _read_request if envelope.type in REQUESTS else _read_state
    for entry in entries:
        try:
            entry.asked = read(entry)
        except FhirRefused as wrong:
            wrong.outcome["issue"][0]["expression"] = [f"Bundle.entry[{entry.number}]"]
            entry.wrong = wrong
    if envelope.type in WHOLE:
        _check_full_urls(entries)
    return Bundle(envelope.type, members, entries, digest)


def _check_full_urls(entries: Sequence[Entry]) -> None:
    """Two entries that are called alike are wrong (R4, bdl-7): nobody knows to which of them a reference leads."""
    met: set[bytes] = set()
    for entry in entries:
        url = bytes(entry.members.get("fullUrl", b"null"))
        if url in met and entry.wrong is None:
            place = f"Bundle.entry[{entry.number}].fullUrl"
            entry.wrong = FhirRefused(_BAD, "duplicate", "two entries have one fullUrl", expression=place)
        if url not in (b"null", b'""'):
            met.add(url)


def _read_request(entry: Entry) -> Asked:
    """What an entry of a transaction or a batch asks for. Raises FhirRefused."""
    try:
        request = _request.decode(entry.members.get("request", b"{}"))
    except NOT_JSON:
        raise FhirRefused(_BAD, "structure", "its request is none") from None
    if not request.method or not request.url:
        raise FhirRefused(_BAD, "required", "an entry of a transaction or batch says request.method and request.url")
    if request.method not in ("POST", "PUT"):
        raise FhirRefused(HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", "entries are created or updated alone")
    path, _, query = request.url.partition("?")
    at = path.strip("/").split("/")
    if not TYPE.fullmatch(at[0]) or len(at) > 2 or (len(at) == 2 and (query or request.method == "POST")):
        raise FhirRefused(_BAD, "value", "request.url is Type, Type/id or Type?identifier=")
    if request.method == "PUT" and len(at) == 1 and not searched(query):
        raise FhirRefused(_BAD, "value", "an update names its resource: Type/id or Type?identifier=")
    if at[0] in OLDER_TYPES:
        mend = f"it is of an older FHIR: send {OLDER_TYPES[at[0]]} of R4"
        raise FhirRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "not-supported", mend)
    members = read_members(entry.members.get("resource", b"null"))
    if members is None:
        raise FhirRefused(_BAD, "required", "an entry that is created or updated has its resource")
    return read_asked(
        "PUT" if request.method == "PUT" else "POST",
        at[0],
        members,
        id_=at[1] if len(at) == 2 else None,
        condition=request.if_none_exist if request.method == "POST" else searched(query) or None,
        if_match=read_if_match(request.if_match) if request.method == "PUT" else None,
        is_new=request.method == "PUT" and read_if_none_match(request.if_none_match),
    )


def _read_state(entry: Entry) -> Asked | None:
    """How an entry of another bundle says that a resource stands; None where it goes by no id, or is no resource."""
    members = read_members(entry.members.get("resource", b"null"))
    if members is None:
        return None
    try:
        type_ = msgspec.json.decode(members.get("resourceType", b"null"))
        id_ = msgspec.json.decode(members.get("id", b"null"))
        url = msgspec.json.decode(entry.members.get("fullUrl", b"null"))
    except NOT_JSON:
        return None
    if not isinstance(type_, str) or not TYPE.fullmatch(type_) or type_ in ("Bundle", "MessageHeader", "Parameters"):
        return None
    url = url if isinstance(url, str) else None
    known = id_ or id_in(url, type_)
    if not isinstance(known, str) or not ID.fullmatch(known) or (url and restful(url) is None and not id_):
        return None
    try:
        return read_asked("PUT", type_, {**members, "id": msgspec.Raw(msgspec.json.encode(known))}, id_=known)
    except FhirRefused:
        return None


def rewritten(bundle: Bundle) -> bytes:
    """The bundle as it is kept: each resource as it was planned, and what was found as what others refer to."""
    listed = []
    for entry in bundle.entries:
        members, planned = entry.members, entry.planned
        if planned is not None and planned.kept is not None:
            members = {**members, "resource": msgspec.Raw(planned.kept)}
        elif planned is not None and entry.asked is not None:
            found = {**entry.asked.members, "id": msgspec.Raw(msgspec.json.encode(planned.id))}
            head = {
                "resource": msgspec.Raw(encode(found)),
                "request": msgspec.Raw(b'{"method":"%s"}' % POINTER.encode()),
            }
            members = {**members, **head}
        listed.append(members)
    return msgspec.json.encode({**bundle.members, "entry": listed})


def as_one(bundle: Bundle, name: str | None, system: str, now: str) -> bytes:
    """The bytes to keep of a bundle that is taken as one. `name` is its sender's; without one it goes by its content
    and the versions that it makes."""
    planned = [entry.planned for entry in bundle.entries if entry.planned is not None]
    things = tuple(one.thing for one in planned if one.thing is not None)
    made = ",".join(f"{one.id}@{one.version}" for one in planned)
    own = name or blake2b(bundle.digest + made.encode(), digest_size=16).hexdigest()
    return write_whole(
        msgspec.Raw(rewritten(bundle)),
        now,
        system=system,
        name=f"{bundle.type}/{own}",
        digest=bundle.digest,
        things=things,
    )


def one_by_one(bundle: Bundle, system: str, now: str) -> Iterator[tuple[int, bytes]]:
    """The bytes to keep of each resource of a bundle, with the number of its entry. What cannot be read is kept as its
    whole entry: it is a dead letter."""
    for found in split_bundle(rewritten(bundle), ""):
        if isinstance(found, Reading):
            place = found.dead.place if found.dead is not None else ""
            number = _number(place, bundle.entries)
            if number is not None:
                yield number, write_kept(encode(bundle.entries[number].members), system=system)
            continue
        number = _number(found.place, bundle.entries)
        entry = bundle.entries[number] if number is not None else None
        if entry is None or entry.wrong is not None or (bundle.is_notification and entry.number == 0):
            continue
        around = found.around if found.around.sent else found.around._replace(sent=now)
        around = needed(msgspec.json.decode(found.raw), around)
        thing = entry.planned.thing if entry.planned is not None else None
        yield entry.number, write_kept(found.raw, around, system=system, things=(thing,) if thing is not None else ())


def _number(place: str, entries: Sequence[Entry]) -> int | None:
    found = _NUMBER.search(place)
    return int(found[1]) if found is not None and int(found[1]) < len(entries) else None


def response_bundle(type_: str, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The answer of a bundle: a response an entry, in their order."""
    return {
        "resourceType": "Bundle",
        "type": f"{type_}-response",
        "entry": [{"response": response} for response in entries],
    }
