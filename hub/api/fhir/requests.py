"""What a request asks for: its headers, and one resource with the conditions under which it is to be taken.

Sans-I/O: headers, URL parts and bytes in, values out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec

from connectors.fhir.codes import OLDER_TYPES
from connectors.fhir.read import READ_TYPES, content_digest
from connectors.fhir.shapes import Identifier
from connectors.json_text import BOM, NOT_JSON
from hub.api.fhir.conditions import Sought, numbers_of, read_condition
from hub.api.fhir.outcomes import FHIR_JSON, FhirRefused

ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}", re.ASCII)
_TYPES_OF_JSON: Final = frozenset((FHIR_JSON, "application/json", "application/json+fhir", "text/json"))
_XML: Final = "xml"
_ETAG: Final = re.compile(r'\s*(?:W/)?"([^"]+)"\s*')
_VERSION: Final = re.compile(r'fhirVersion\s*=\s*"?([0-9.]+)"?', re.IGNORECASE)
_RETURN: Final = re.compile(r"return\s*=\s*(minimal|representation|OperationOutcome)")
_VERSIONS: Final = frozenset(("4.0", "4.3"))  # R4 and R4B
Prefer = Literal["minimal", "representation", "OperationOutcome"]
Method = Literal["POST", "PUT"]


class Asked(msgspec.Struct, kw_only=True):
    """One resource that is to be taken. `id` is the one that it goes by, by the URL or by itself, None where only a
    search says it; `sought` is what it is searched by (a conditional request), `if_match` the version that it replaces,
    `is_new` says that it may replace none; `numbers` are hashes of its identifiers."""

    method: Method
    type: str
    id: str | None
    members: dict[str, msgspec.Raw]
    digest: bytes
    version: str | None = None  # as its sender calls it
    is_dated: bool = False  # whether it says when it was updated
    sought: Sought | None = None
    if_match: str | None = None
    is_new: bool = False
    numbers: tuple[bytes, ...] = ()


class _Meta(msgspec.Struct, rename="camel"):
    version_id: str | None = None
    last_updated: str | None = None


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str | None = None
    id: str | None = None
    meta: _Meta | None = None


_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_head: Final = msgspec.json.Decoder(_Head)


def check_headers(headers: Mapping[str, str], query: Mapping[str, str], *, has_body: bool = True) -> None:
    """Raises FhirRefused for a body that is no JSON of R4, or an answer that is wanted otherwise."""
    wanted = query.get("_format") or headers.get("accept", "")
    if wanted and _XML in wanted and "json" not in wanted and "*/*" not in wanted:
        raise FhirRefused(HTTPStatus.NOT_ACCEPTABLE, "not-supported", f"answers are {FHIR_JSON} alone")
    if not has_body:
        return
    content_type = headers.get("content-type", "")
    media = content_type.partition(";")[0].strip().lower()
    accept = {"Accept": FHIR_JSON}
    unsupported = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if media not in _TYPES_OF_JSON:
        raise FhirRefused(unsupported, "not-supported", f"send {FHIR_JSON}; nothing of it was kept", headers=accept)
    charset = re.search(r'charset\s*=\s*"?([^";\s]+)', content_type, re.IGNORECASE)
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8"):
        raise FhirRefused(unsupported, "not-supported", "FHIR's JSON is in UTF-8", headers=accept)
    version = _VERSION.search(content_type)
    if version is not None and ".".join(version[1].split(".")[:2]) not in _VERSIONS:
        mend = "this is another version of FHIR: send R4 (4.0) or R4B (4.3); nothing of it was kept"
        raise FhirRefused(unsupported, "not-supported", mend, headers=accept)


def read_prefer(headers: Mapping[str, str]) -> Prefer:
    """What the sender wants to read of it."""
    found = _RETURN.search(headers.get("prefer", ""))
    return found[1] if found is not None else "representation"  # type: ignore[return-value]  # the pattern's words


def read_if_match(text: str | None) -> str | None:
    """The version out of `W/"3"`. Raises FhirRefused."""
    if text is None:
        return None
    found = _ETAG.fullmatch(text)
    if found is None:
        raise FhirRefused(HTTPStatus.BAD_REQUEST, "value", 'If-Match names one version, as W/"3"')
    return found[1]


def read_if_none_match(text: str | None) -> bool:
    """Whether nothing may be there yet (`*`). Raises FhirRefused for a version: an update that leaves one alone is
    none."""
    if text is None:
        return False
    if text.strip() != "*":
        told = "If-None-Match is * on an update: create only; name a version by If-Match"
        raise FhirRefused(HTTPStatus.BAD_REQUEST, "not-supported", told)
    return True


def check_type(type_: str) -> None:
    """Raises FhirRefused for a type that the hub takes nothing of."""
    if type_ in READ_TYPES:
        return
    if type_ in OLDER_TYPES:
        mend = f"it is of an older FHIR: send {OLDER_TYPES[type_]} of R4"
        raise FhirRefused(HTTPStatus.UNPROCESSABLE_ENTITY, "not-supported", mend)
    raise FhirRefused(HTTPStatus.NOT_FOUND, "not-supported", "GET [base]/metadata names the types that are taken")


def read_members(body: bytes | msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    """The members of a JSON object, each as it stands; None for what is none."""
    try:
        return _members.decode(body.removeprefix(BOM) if isinstance(body, bytes) else body)
    except NOT_JSON:
        return None


def read_asked(
    method: Method,
    type_: str,
    members: dict[str, msgspec.Raw],
    *,
    id_: str | None = None,
    condition: str | None = None,
    if_match: str | None = None,
    is_new: bool = False,
) -> Asked:
    """One resource and what its URL and headers say of it. `condition` is a query. Raises FhirRefused."""
    bad = HTTPStatus.BAD_REQUEST
    whole = encode(members)
    try:
        head = _head.decode(whole)
    except NOT_JSON:
        raise FhirRefused(bad, "structure", "send the types that FHIR R4 gives them", expression=type_) from None
    if head.resource_type != type_:
        told = "the resource is of another type than its URL says"
        raise FhirRefused(bad, "invalid", told, expression=f"{type_}.resourceType")
    if id_ is not None and head.id != id_:
        told = "the resource's id is that of its URL"
        raise FhirRefused(bad, "value" if head.id else "required", told, expression=f"{type_}.id")
    if (id_ or head.id) and not ID.fullmatch(id_ or head.id or ""):
        raise FhirRefused(bad, "value", "an id is letters, digits, - and ., 64 at most", expression=f"{type_}.id")
    meta = head.meta or _Meta()
    value = msgspec.json.decode(whole)
    digest = content_digest(value)
    known = id_ or head.id
    if known is None and not (method == "PUT" and condition):
        # its content names it: sent again because an answer was lost, it is the same
        known = blake2b(type_.encode() + digest, digest_size=16).hexdigest()
    return Asked(
        method=method,
        type=type_,
        id=known,
        members=members,
        digest=digest,
        version=meta.version_id if meta.version_id and ID.fullmatch(meta.version_id) else None,
        is_dated=meta.last_updated is not None,
        sought=read_condition(type_, condition) if condition is not None else None,
        if_match=if_match,
        is_new=is_new,
        numbers=numbers_in(value.get("identifier")),
    )


def encode(members: dict[str, Any]) -> bytes:
    """A JSON object of members, each as it stands."""
    return msgspec.json.encode(members)


def numbers_in(identifiers: Any) -> tuple[bytes, ...]:
    """What a resource is found by, of its `identifier` as it stands; nothing where that is none."""
    try:
        return numbers_of(msgspec.convert(identifiers or [], list[Identifier]))
    except msgspec.ValidationError:
        return ()
