"""The search of a conditional create or update: what can be answered exactly, and nothing beside it.

Theory. Of a resource its id and its identifiers are known, each by a hash of `system|value` and of the value alone. So
a search for an id, an identifier with or without its system, or one of several, finds what a server with all resources
would find. What needs more (any value of a system, a modifier, another element) is refused: a guess would make somebody
twice, or make two people one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, NoReturn
from urllib.parse import unquote_plus

import msgspec

from connectors.fhir.shapes import Identifier
from hub.api.fhir.outcomes import FhirRefused
from streams.embedded.things import number_hash

SUPPORTED: Final = "identifier=system|value, identifier=|value, identifier=value, _id=id, or several of one by commas"
"""What a search may ask, in the words of answers and of the CapabilityStatement."""
_GENERAL: Final = frozenset(("_format", "_pretty"))  # how the answer is to be written: no search (R4, 3.1.0.1.11)
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_BEFORE: Final = re.compile(r"/?([A-Za-z]{1,64})?\?", re.ASCII)
_PIECE: Final = re.compile(r"\\([\\|,$])|([|,])|(.)", re.DOTALL)  # R4, 3.1.1.4.0: what a backslash stands before
_MOST: Final = 100  # alternatives of one search


class Sought(msgspec.Struct, frozen=True):
    """What a search asks for, any of it: hashes of identifiers, and ids."""

    numbers: tuple[bytes, ...] = ()
    ids: tuple[str, ...] = ()


def searched(query: str) -> str:
    """A query of a URL without what is no search in it."""
    return "&".join(part for part in query.split("&") if part and part.partition("=")[0] not in _GENERAL)


def read_condition(type_: str, query: str) -> Sought:
    """What a condition searches for: a query, or a type and a query. Raises FhirRefused for what cannot be answered
    exactly."""
    head = _BEFORE.match(query)
    if head is not None:
        if head[1] not in (None, type_):
            raise FhirRefused(HTTPStatus.BAD_REQUEST, "value", "the search is of another type than the resource")
        query = query[head.end() :]
    parts = searched(query).split("&")
    name, equals, text = (unquote_plus(part) for part in parts[0].partition("="))
    if len(parts) != 1 or not equals or name not in ("identifier", "_id"):
        _refuse(type_)
    tokens = list(_tokens(text))
    if len(tokens) > _MOST:
        _refuse(type_)
    if name == "_id":
        ids = [value for system, value in tokens if system is None and _ID.fullmatch(value)]
        if len(ids) != len(tokens):
            _refuse(type_)
        return Sought(ids=tuple(dict.fromkeys(ids)))
    if any(not value for _, value in tokens):
        _refuse(type_)
    return Sought(numbers=tuple(dict.fromkeys(number_hash(_text(system, value)) for system, value in tokens)))


def numbers_of(identifiers: list[Identifier]) -> tuple[bytes, ...]:
    """What a resource is found by: each identifier with its system, and by its value alone."""
    texts: dict[str, None] = {}
    for identifier in identifiers:
        if identifier.value:
            texts[_text(identifier.system or "", identifier.value)] = None
            texts[_text(None, identifier.value)] = None
    return tuple(number_hash(text) for text in texts)


def _refuse(type_: str) -> NoReturn:
    told = f"{type_} is searched by {SUPPORTED}; a `|`, `,` or `\\` in a value has a `\\` before it"
    raise FhirRefused(HTTPStatus.BAD_REQUEST, "not-supported", told)


def _tokens(text: str) -> Iterator[tuple[str | None, str]]:
    """The alternatives of a token search: system, None where none is asked for, and value; an empty value for what is
    no `system|value`."""
    system: str | None = None
    held = ""
    is_spoilt = False
    for found in _PIECE.finditer(text):
        mark = found[2]
        if mark == ",":
            yield system, "" if is_spoilt else held
            system, held, is_spoilt = None, "", False
        elif mark == "|":
            is_spoilt = is_spoilt or system is not None
            system, held = held, ""
        else:
            held += found[1] or found[3]
    yield system, "" if is_spoilt else held


def _text(system: str | None, value: str) -> str:
    """What is hashed of an identifier: a `|` in a value must not look like the end of a system."""
    value = value.replace("\\", "\\\\").replace("|", "\\|")
    if system is None:
        return value
    return f"{system}|{value}"
