"""What a reference names: a resource of the same server, of another one, of the same bundle, or one that is contained.

A number is written `value^authority`. A reference is a number too: `Patient/17^{system}`, so what is about a patient
that was not seen yet belongs to that reference's person, who unites with the numbers of the resource when it comes.
An absolute URL is of the same server where its base is the reader's; a reader that was told none takes that of the
bundle's first `fullUrl`. Else the base is its authority, also for what came under such a `fullUrl`, and for what that
refers to: number 17 of two servers is two persons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from connectors.fhir.codes import NO_PERSON, NO_PERSON_SYSTEMS, codes
from connectors.fhir.shapes import Concept, Contained, Identifier, Reference

_RESTFUL: Final = re.compile(r"(?:(.+)/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[^/]+)?")
_PLAIN: Final = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")  # as nearly all are
_SEARCH: Final = re.compile(r"(?:.*/)?([A-Z][A-Za-z]+)\?(?:.*&)?identifier=([^&]+)(?:&.*)?")
URN: Final = ("urn:uuid:", "urn:oid:")


class Named(NamedTuple):
    """What a reference leads to. `type` is None where nothing says it, `number` is the reference as a number;
    `others` are the numbers of what it leads to, `kinds` the codes of a Coverage's type, as far as they are known
    here."""

    type: str | None
    number: str | None
    others: tuple[str, ...] = ()
    flags: tuple[str, ...] | None = None
    kinds: tuple[tuple[str | None, str], ...] = ()


_UNMET: Final = Named(None, None)


class Entry(NamedTuple):
    """A resource of a bundle, as far as references to it ask. `base` is its fullUrl's; `flags` are an Observation's
    interpretations, `kinds` system and code of a Coverage's type."""

    type: str
    id: str | None
    base: str | None
    numbers: tuple[str, ...]
    flags: tuple[str, ...] | None
    kinds: tuple[tuple[str | None, str], ...] = ()


class Around(NamedTuple):
    """What a resource came in. `entries` are those of its bundle by fullUrl, and by `Type/id` behind their base where
    they have one; `full_url` is its own; `home` is the base of the bundle's first; `modified` and `sent` are stamps of
    the entry and of the bundle. `slots` are the free slots of a search's first page, each with its schedule's reference
    and its start; `slot` says which of them this one is."""

    entries: Mapping[str, Entry] = {}
    full_url: str | None = None
    home: str | None = None
    modified: str | None = None
    sent: str | None = None
    slots: Sequence[tuple[str, str]] | None = None
    slot: int = -1


ALONE: Final = Around()


class References:
    """Reads the references of one resource."""

    __slots__ = ("_around", "_contained", "_home", "_met", "_own", "_system")

    def __init__(self, system: str, base: str | None, around: Around, contained: Iterable[Contained] | None) -> None:
        own = restful(around.full_url) if around.full_url else None
        self._system: str = system
        self._home: str | None = base or around.home
        self._own: str | None = own[0] if own else None
        self._around: Around = around
        self._contained: dict[str, Contained] = {c.id: c for c in contained if c.id} if contained else {}
        self._met: dict[str, Named | None] = {}

    def own(self, type_: str, id_: str) -> str:
        """The number of the resource itself."""
        return self._number(self._own, type_, _escaped(id_))

    def _number(self, base: str | None, type_: str, id_: str) -> str:
        authority = self._system if base is None or base == self._home else base
        return f"{type_}/{id_}^{authority}"

    def named(self, reference: Reference | None) -> Named | None:
        """What a reference leads to; None for none, for a text alone, and for what leads nowhere."""
        if reference is None:
            return None
        text = (reference.reference or "").strip()
        if reference.identifier is None and reference.type is None and text:
            met = self._met.get(text, _UNMET)
            if met is _UNMET:
                met = self._met[text] = self._resolved(text)
            return met
        logical = number_of(reference.identifier)
        others = (logical,) if logical else ()
        found = self._resolved(text) if text else None
        if found is None:
            return Named(reference.type, None, others) if others else None
        return found._replace(type=found.type or reference.type, others=tuple(dict.fromkeys((*found.others, *others))))

    def _resolved(self, text: str) -> Named | None:
        if text.startswith("#"):
            inner = self._contained.get(text[1:])
            if inner is None:
                return None
            return Named(
                inner.resource_type,
                None,
                numbers_of(inner.identifier, inner.resource_type),
                flags_of(inner.interpretation),
                kinds_of(inner.type) if inner.resource_type == "Coverage" else (),
            )
        at = restful(text)
        base = (at[0] or self._own) if at is not None else None
        if at is not None and not self._around.entries:
            return Named(at[1], self._number(base, at[1], at[2]))  # as in most: an id holds nothing to be escaped
        entry = self._entry(text, at, base)
        if entry is not None:
            number = self._number(entry.base, entry.type, _escaped(entry.id)) if entry.id else text
            return Named(entry.type, number, entry.numbers, entry.flags, entry.kinds)
        if text.startswith(URN):
            return None  # it was to be found in the bundle, and nowhere else
        asked = _SEARCH.fullmatch(text)
        if asked is not None:
            return Named(asked[1], None, (_searched(asked[2]),))
        return Named(at[1], self._number(base, at[1], at[2])) if at is not None else None

    def _entry(self, text: str, at: tuple[str | None, str, str] | None, base: str | None) -> Entry | None:
        entries = self._around.entries
        if not entries:
            return None
        found = entries.get(text)
        if found is not None or at is None:
            return found
        name = f"{at[1]}/{at[2]}"
        near = base or self._around.home
        found = entries.get(f"{near}/{name}") if near else None
        return found or (entries.get(name) if base in (None, self._home) else None)


@lru_cache(maxsize=16_384)
def restful(text: str | None) -> tuple[str | None, str, str] | None:
    """Base, type and id of a reference or a URL; None for what is neither."""
    if text and _PLAIN.fullmatch(text):
        type_, _, id_ = text.partition("/")
        return None, type_, id_
    found = _RESTFUL.fullmatch(text) if text else None
    return (found[1].rstrip("/") if found[1] else None, found[2], found[3]) if found else None


def id_in(url: str | None, type_: str) -> str | None:
    """The id that a fullUrl gives a resource of this type."""
    at = restful(url)
    return at[2] if at is not None and at[1] == type_ else None


def _searched(text: str) -> str:
    system, mark, value = unquote(text).rpartition("|")
    return f"{_escaped(value)}^{system}" if mark and system else _escaped(value)


def _escaped(value: str) -> str:
    """A number that holds the mark between number and authority keeps it escaped, as HL7 v2 does."""
    return value.replace("^", "\\S\\")


def number_of(identifier: Identifier | None) -> str | None:
    """An identifier as a number; None without a value."""
    if identifier is None or not (value := (identifier.value or "").strip()):
        return None
    system = (identifier.system or "").strip()
    return f"{_escaped(value)}^{system}" if system else _escaped(value)


def numbers_of(identifiers: Any, type_: str | None = None) -> tuple[str, ...]:
    """The numbers in an `identifier` element that was not decoded yet; none where it is no such element."""
    try:
        found = msgspec.convert(identifiers or [], list[Identifier])
    except msgspec.ValidationError:
        return ()
    if type_ == "Patient":
        return person_numbers(found)
    first = first_number(found, "PLAC")
    return (first,) if first is not None else ()


def flags_of(interpretation: Any) -> tuple[str, ...] | None:
    """The codes in an `interpretation` element; None where there is none."""
    try:
        found = msgspec.convert(interpretation or [], list[Concept])
    except msgspec.ValidationError:
        return None
    told = tuple(code for concept in found for code in codes(concept))
    return told or None


def kinds_of(concept: Any) -> tuple[tuple[str | None, str], ...]:
    """System and code of each coding of a concept that was not decoded yet; none where it is no concept."""
    try:
        found = msgspec.convert(concept, Concept | None)
    except msgspec.ValidationError:
        return ()
    listed = (found.coding or ()) if found is not None else ()
    return tuple((coding.system, coding.code) for coding in listed if coding is not None and coding.code)


def first_number(identifiers: Iterable[Identifier] | None, *types: str) -> str | None:
    """The number of the first of these types, else the first that has none of the other parties' (FILL)."""
    usable = [(codes(i.type), n) for i in identifiers or () if (n := number_of(i)) is not None]
    for wanted in types:
        for told, number in usable:
            if wanted in told:
                return number
    return next((n for told, n in usable if "FILL" not in told), usable[0][1] if usable else None)


def person_numbers(identifiers: Iterable[Identifier] | None) -> tuple[str, ...]:
    """A Patient's numbers, medical record numbers first. Government papers and numbers that are no longer valid
    name nobody."""
    first: list[str] = []
    others: list[str] = []
    for identifier in identifiers or ():
        told = codes(identifier.type)
        number = number_of(identifier)
        if number is None or identifier.use == "old" or identifier.system in NO_PERSON_SYSTEMS:
            continue
        if not NO_PERSON.isdisjoint(told):
            continue
        (first if "MR" in told else others).append(number)
    return tuple(dict.fromkeys(first + others))
