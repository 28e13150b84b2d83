"""One HL7 v2 message to events: sans-I/O, and whatever the bytes are, a Reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from hashlib import blake2b
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.api import Reading
from connectors.hl7.charset import decode
from connectors.hl7.extract import Plan, Recipe, compile_mapping
from connectors.hl7.identifiers import patient
from connectors.hl7.message import Message, Segment
from connectors.hl7.scope import Scope, order_groups, patient_groups
from connectors.hl7.time import PRECISION_NAMES, Times
from connectors.mapping.path import Path
from connectors.mapping.spec import MappingSpec
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason, Unreadable
from schemas.event import Event

ZONE_ASSUMED: Final = "zone_assumed"
_SAFE: Final = re.compile(r"[^A-Za-z0-9^_]")
_DIED: Final = frozenset({"Y", "YES", "TRUE", "1"})
_LINE_ENDS: Final = re.compile(rb"\r\n|\n")
_ALONE: Final = {"ORU": "ORU^R01", "ORM": "ORM^O01"}
"""Types that had one trigger when messages did not name it (HL7 v2.1, v2.2)."""
_MSH_7: Final = Path("MSH", 7)
_IDENTITY: Final = ("person.", "identity.")


class Hl7Reader:
    """Reads messages by a mapping. `zones` and `charsets` are the facilities' (MSH-4) by name; `default_zone` serves
    the rest. A stamp without an offset and without either is read as UTC, and noted (`zone_assumed`)."""

    def __init__(
        self,
        mapping: MappingSpec,
        *,
        zones: Mapping[str, str] | None = None,
        default_zone: str | None = None,
        charsets: Mapping[str, str] | None = None,
        authorities: Mapping[str, str] | None = None,
    ) -> None:
        self._plans: dict[str, Plan] = compile_mapping(mapping)
        self._off: frozenset[str] = mapping.off
        self._charsets: Mapping[str, str] = charsets or {}
        self._authorities: Mapping[str, str] = authorities or {}
        self._assumed: bool = default_zone is None
        self._default: Times = Times(ZoneInfo(default_zone) if default_zone else UTC)
        by_zone = {zone: Times(ZoneInfo(zone)) for zone in (zones or {}).values()}
        self._times: dict[str, Times] = {name: by_zone[zone] for name, zone in (zones or {}).items()}

    def read(self, raw: bytes, place: str) -> Reading:
        """What one message is. `place` names file and message, for dead letters."""
        facility_bytes = _facility(raw) if self._charsets else ""
        text, note = decode(raw, self._charsets.get(facility_bytes))
        notes = [note] if note else []
        try:
            return self._read(Message(text), raw, notes)
        except Unreadable as wrong:
            letter = DeadLetter(reason=wrong.reason, place=f"{place}, {wrong.place}", mend=wrong.mend)
            return Reading(dead=letter, notes=tuple(notes))

    def _read(self, message: Message, raw: bytes, notes: list[str]) -> Reading:
        header = message.segments[0]
        kind = f"{header.value(9, 1)}^{header.value(9, 2)}".rstrip("^").upper()
        sender, facility = header.value(3), header.value(4)
        digest = blake2b(_LINE_ENDS.sub(b"\r", raw.strip()), digest_size=16).digest()
        control, stamp = header.value(10), header.value(7)
        source = f"hl7/{sender}/{facility}"
        id_ = f"{control}@{stamp}" if control else digest.hex()
        plan = self._plans.get(kind)
        if plan is None and "^" not in kind:
            event_segment = message.first("EVN")  # older senders name the trigger there alone
            kind = f"{kind}^{event_segment.value(1)}" if event_segment is not None else _ALONE.get(kind, kind)
            plan = self._plans.get(kind)
        if plan is None:
            name = _SAFE.sub("", kind)[:20] or "a message without a type"
            return Reading(source, id_, digest, ignored=f"no mapping for {name}", notes=tuple(notes))
        if not control:
            notes.append("no_control_id")
        times = self._times.get(facility, self._default)
        message_ = _Header(message, kind, source, id_, facility, control, times, times is self._default and self._assumed)
        events = tuple(self._events(plan, message_, notes))
        if not events:
            name = _SAFE.sub("", kind)[:20]
            return Reading(source, id_, digest, ignored=f"nothing mapped in {name}", notes=tuple(notes))
        return Reading(source, id_, digest, events, notes=tuple(notes))

    def _events(self, plan: Plan, header: _Header, notes: list[str]) -> Iterator[Event]:
        seen: dict[str, int] = {}
        message = header.message
        for number, own in enumerate(_groups(plan.each, message), start=1):
            scope = Scope(message, header.kind, header.times, notes, own, number)
            names = self._names(scope.first("PID"))
            for recipe in plan.recipes:
                if all(test(scope) for test in recipe.when) and not (
                    recipe.unless and all(test(scope) for test in recipe.unless)
                ):
                    event = self._event(recipe, scope, header, names, seen)
                    if event is not None:
                        yield event
        died = self._death(header, notes, seen)
        if died is not None:
            yield died

    def _event(
        self, recipe: Recipe, scope: Scope, header: _Header, names: tuple[str, ...], seen: dict[str, int]
    ) -> Event | None:
        if not names:
            raise Unreadable(
                Reason.NO_IDENTIFIER, place="PID-3", mend="the message is about a patient and names none; name one there"
            )
        moment = self._time(recipe.time, scope, header)
        if moment is None:
            if recipe.own_time:
                return None
            raise self._no_time(recipe, scope)
        data: dict[str, Any] = dict(recipe.fixed)
        for attribute, extract in recipe.attributes:
            value = extract(scope)
            if value is not None and value != "":
                data[attribute] = value
        if recipe.event.startswith(_IDENTITY) and "retired" in recipe_names(recipe) and "retired" not in data:
            raise Unreadable(Reason.INVALID, place="MRG", mend="who is merged, linked or renumbered is not named")
        return self._made(recipe.event, moment, data, scope, header, names, seen)

    def _made(
        self,
        type_: str,
        moment: tuple[int, int, bool],
        data: dict[str, Any],
        scope: Scope,
        header: _Header,
        names: tuple[str, ...],
        seen: dict[str, int],
    ) -> Event:
        if moment[2] and header.assumed:
            scope.notes.append(ZONE_ASSUMED)
        mrn, _, authority = names[0].partition("^")
        data["mrn"] = mrn
        if authority:
            data["assigning_authority"] = authority
        if header.control:
            data["message_id"] = header.control
        if header.facility:
            data["facility"] = header.facility
        data["source"] = header.source
        for attribute, paths in _COMMON:
            if attribute not in data:
                for path in paths:
                    value = scope.value(path)
                    if value:
                        data[attribute] = value
                        break
        precision = moment[1]
        if precision:
            data["time_precision"] = PRECISION_NAMES[precision]
        count = seen[type_] = seen.get(type_, 0) + 1
        id_ = f"{header.id}/{type_}" if count == 1 else f"{header.id}/{type_}.{count}"
        return Event(id_, header.source, type_, moment[0], data, names, header.facility or None, precision)

    def _time(self, paths: tuple[Path, ...], scope: Scope, header: _Header) -> tuple[int, int, bool] | None:
        for path in paths:
            stamp = scope.value(path)
            if stamp:
                try:
                    return header.times.read(stamp)
                except (ValueError, OverflowError):
                    scope.notes.append("bad_time_skipped")
        return None

    def _no_time(self, recipe: Recipe, scope: Scope) -> Unreadable:
        there = [p for p in recipe.time if scope.value(p)]
        named = ", ".join(f"{p.segment}-{p.field}" for p in (there or recipe.time))
        if there:
            return Unreadable(Reason.BAD_TIME, place=named, mend="YYYYMMDDHHMMSS, with an offset at best, is expected")
        return Unreadable(Reason.NO_TIME, place=named, mend="say there when it happened")

    def _names(self, segment: Segment | None) -> tuple[str, ...]:
        names = patient(segment)
        if names and self._authorities and segment is not None:
            facility = segment.message.segments[0].value(4)
            authority = self._authorities.get(facility)
            if authority:
                names = tuple(n if "^" in n else f"{n}^{authority}" for n in names)
        return names

    def _death(self, header: _Header, notes: list[str], seen: dict[str, int]) -> Event | None:
        """PID-30: the patient has died, at PID-29 or, where that is no time, by the message's own."""
        if "person.died" in self._off:
            return None
        segment = header.message.first("PID")
        if segment is None or segment.value(30).upper() not in _DIED:
            return None
        names = self._names(segment)
        scope = Scope(header.message, header.kind, header.times, notes)
        moment = self._time((Path("PID", 29), Path("EVN", 6), Path("EVN", 2), _MSH_7), scope, header)
        if not names or moment is None:
            return None
        return self._made("person.died", moment, {}, scope, header, names, seen)


class _Header:
    """What all events of a message share."""

    __slots__ = ("assumed", "control", "facility", "id", "kind", "message", "source", "times")

    def __init__(
        self, message: Message, kind: str, source: str, id_: str, facility: str, control: str, times: Times, assumed: bool  # noqa: FBT001
    ) -> None:
        self.message: Message = message
        self.kind: str = kind
        self.source: str = source
        self.id: str = id_
        self.facility: str = facility
        self.control: str = control
        self.times: Times = times
        self.assumed: bool = assumed


_COMMON: Final = (
    ("department", (Path("AIL", 3), Path("PV1", 3))),
    ("provider", (Path("AIP", 3), Path("OBR", 16), Path("PV1", 7))),
)


def recipe_names(recipe: Recipe) -> set[str]:
    """The attributes that a recipe may give."""
    return {name for name, _ in recipe.attributes}


def _groups(each: str, message: Message) -> Iterator[list[Segment]]:
    if each == "ORDER":
        return order_groups(message)
    if each == "PID":
        return patient_groups(message)
    return iter((message.segments,))


def _facility(raw: bytes) -> str:
    """MSH-4.1 before decoding, to find the facility's character set."""
    at = raw.find(b"MSH")
    header = raw[at : at + 2048].split(raw[at + 3 : at + 4]) if at >= 0 and len(raw) > at + 4 else []
    return re.split(rb"[\^&]", header[3])[0].decode("latin-1") if len(header) > 3 else ""  # noqa: PLR2004
