"""One HL7 v2 message to events: sans-I/O, and whatever the bytes are, a Reading."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from hashlib import blake2b
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.api import Reading
from connectors.hl7.charset import decode
from connectors.hl7.extract import BAD_TIME
from connectors.hl7.identifiers import patient
from connectors.hl7.message import Fields, Message
from connectors.hl7.plan import Plan, Plans, Recipe
from connectors.hl7.scope import Read, Scope, groups, reader
from connectors.hl7.time import PRECISION_NAMES, Stamp, Times
from connectors.mapping.path import Path
from connectors.mapping.spec import MappingSpec
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason, Unreadable
from schemas.event import EARLIEST, Event

ZONE_ASSUMED: Final = "zone_assumed"
NO_CONTROL_ID: Final = "no_control_id"
_KINDS: Final = 1000  # spellings of MSH-9 that are remembered
_SAFE: Final = re.compile(r"[^A-Za-z0-9^_]")
_DIED: Final = frozenset({"Y", "YES", "TRUE", "1"})
_ALONE: Final = {"ORU": "ORU^R01", "ORM": "ORM^O01"}
"""Types that had one trigger when messages did not name it (HL7 v2.1, v2.2)."""
_MEND_TIME: Final = "YYYYMMDDHHMMSS of 1970 or later, with an offset at best, is expected"
_DEATH_TIMES: Final = [reader(Path(*at)) for at in (("PID", 29), ("EVN", 6), ("EVN", 2), ("MSH", 7))]


class Hl7Reader:
    """Reads messages by a mapping. `zones`, `charsets` and `authorities` are the facilities' (MSH-4) by name;
    `default_zone` serves the rest. A stamp without an offset and without either is read as UTC, and noted
    (`zone_assumed`). An authority is given to identifiers that name none."""

    def __init__(
        self,
        mapping: MappingSpec,
        *,
        zones: Mapping[str, str] | None = None,
        default_zone: str | None = None,
        charsets: Mapping[str, str] | None = None,
        authorities: Mapping[str, str] | None = None,
    ) -> None:
        self._plans: Plans = Plans(mapping)
        self._kinds: dict[str, str] = {}
        self._tells_death: bool = "person.died" not in mapping.off
        self._charsets: Mapping[str, str] = charsets or {}
        self._authorities: Mapping[str, str] = authorities or {}
        self._assumed: bool = default_zone is None
        self._default: Times = Times(ZoneInfo(default_zone) if default_zone else UTC)
        by_zone = {zone: Times(ZoneInfo(zone)) for zone in (zones or {}).values()}
        self._times: dict[str, Times] = {name: by_zone[zone] for name, zone in (zones or {}).items()}

    def read(self, raw: bytes, place: str) -> Reading:
        """What one message is. `place` names file and message, for dead letters."""
        text, codec, note = decode(raw, self._charsets)
        notes = [note] if note is not None else []
        source, id_, digest = "", "", content_digest(raw)
        try:
            message = Message(text, codec)
            head = _Head(message, digest, self._kinds)
            source, id_ = head.source, head.id
            return self._read(head, notes)
        except Unreadable as wrong:
            letter = DeadLetter(reason=wrong.reason, place=f"{place}, {wrong.place}", mend=wrong.mend)
            return Reading(source, id_, digest, dead=letter, notes=tuple(dict.fromkeys(notes)))

    def _read(self, head: _Head, notes: list[str]) -> Reading:
        by_name = head.message.by_name
        if "BHS" in by_name or "FHS" in by_name or "BTS" in by_name or "FTS" in by_name:
            mend = "a line of a batch stands inside the message: whether what follows belongs to it, nobody can say"
            raise Unreadable(Reason.UNREADABLE, place="MSH", mend=mend)
        if len(by_name["MSH"]) > 1:
            mend = "a second header stands inside the message: send each message in a frame of its own"
            raise Unreadable(Reason.UNREADABLE, place="MSH", mend=mend)
        plan = self._plans.find(head.kind, head.message)
        if plan is None:
            head.kind = _older_kind(head.message, head.kind)
            plan = self._plans.find(head.kind, head.message)
        if plan is None:
            if not head.kind:
                raise Unreadable(Reason.INVALID, place="MSH-9", mend="name the message type there, such as ADT^A01")
            told = f"no mapping for {_SAFE.sub('', head.kind)[:20]}"
            return Reading(head.source, head.id, head.digest, ignored=told, notes=tuple(notes))
        if not head.control:
            notes.append(NO_CONTROL_ID)
        events = tuple(self._events(plan, head, notes))
        told_once = tuple(dict.fromkeys(notes)) if notes else ()
        if not events:
            told = f"nothing mapped in {_SAFE.sub('', head.kind)[:20]}"
            return Reading(head.source, head.id, head.digest, ignored=told, notes=told_once)
        return Reading(head.source, head.id, head.digest, events, notes=told_once)

    def _events(self, plan: Plan, head: _Head, notes: list[str]) -> list[Event]:
        events: list[Event] = []
        seen: set[str] = set()
        message, kind = head.message, head.kind
        times = self._times.get(head.facility, self._default)
        first: Scope | None = None
        for number, own in enumerate(groups(plan.each, message, kind), start=1):
            scope = Scope(message, kind, times, notes, own, number)
            first = first or scope
            for recipe in plan.recipes:
                if recipe.when is not None and not recipe.when(scope):
                    continue
                if recipe.unless is not None and recipe.unless(scope):
                    continue
                event = self._event(recipe, plan, scope, head, seen)
                if event is not None:
                    events.append(event)
            if plan.specimens and len(scope.lines("SPM")) > 1:
                events += self._further(plan, scope, head, seen)
        if self._tells_death:
            segment = first["PID"] if first is not None else message.first("PID")
            if len(segment) > 30 and message.value(segment, 30).upper() in _DIED:
                died = self._death(plan, Scope(message, kind, times, notes, None, 1), head, seen)
                events += [died] if died is not None else []
        return events

    def _further(self, plan: Plan, scope: Scope, head: _Head, seen: set[str]) -> list[Event]:
        """What an order's specimens behind its first give."""
        told = (
            self._event(recipe, plan, further, head, seen)
            for further in scope.further_specimens()
            for recipe in plan.specimens
            if (recipe.when is None or recipe.when(further)) and not (recipe.unless and recipe.unless(further))
        )
        return [event for event in told if event is not None]

    def _event(self, recipe: Recipe, plan: Plan, scope: Scope, head: _Head, seen: set[str]) -> Event | None:
        common = scope.memo.get("common")
        if common is None:
            common = self._common(plan, scope, head)
        stamp = _first_time(recipe.times, scope)
        if stamp is None:
            if recipe.own_time:
                return None
            raise _no_time(recipe, scope)
        key = recipe.groups
        shared = scope.shared.get(key)
        if shared is None:
            shared = scope.shared[key] = self._shared(key, plan, scope, common)
        data = shared.copy()
        for name, function in recipe.own:
            value = function(scope)
            if value is not None and value != "":
                data[name] = value
            else:
                data.pop(name, None)
        for name in recipe.absent:
            data.pop(name, None)
        if recipe.fixed:
            data.update(recipe.fixed)
        if recipe.may_retire and "retired" not in data:
            raise Unreadable(Reason.INVALID, place="MRG", mend="who is merged, linked or renumbered is not named")
        return self._made(recipe.event, stamp, data, scope, head, seen)

    def _shared(self, names: tuple[str, ...], plan: Plan, scope: Scope, common: dict[str, Any]) -> dict[str, Any]:
        """What events of these groups have alike: what every event has, and the attributes of the groups."""
        shared = common.copy()
        for group in names:
            key = "@" + group
            values = scope.memo.get(key)
            if values is None:
                values = scope.memo[key] = {
                    name: value
                    for name, function in plan.groups[group]
                    if (value := function(scope)) is not None and value != ""
                }
            shared.update(values)
        return shared

    def _made(self, type_: str, stamp: Stamp, data: dict[str, Any], scope: Scope, head: _Head, seen: set[str]) -> Event:
        time, precision, assumed = stamp
        if (assumed or scope.assumed) and self._assumed and scope.times is self._default:
            scope.notes.append(ZONE_ASSUMED)
        if precision:
            data["time_precision"] = PRECISION_NAMES[precision]
        # The suffix follows from the type and the group, so it is the same under a mended mapping.
        id_ = unique = f"{head.id}/{type_}" if scope.number == 1 else f"{head.id}/{type_}.{scope.number}"
        repeat = 1
        while unique in seen:
            repeat += 1
            unique = f"{id_}-{repeat}"
        seen.add(unique)
        memo = scope.memo
        return Event(
            unique, head.source, type_, time, data, memo["names"], head.facility or None, precision, memo["label"]
        )

    def _common(self, plan: Plan, scope: Scope, head: _Head) -> dict[str, Any]:
        """What every event of a scope has; who it is about and whether that is sensitive is kept beside it."""
        names = self._names(scope["PID"], head)
        if not names:
            mend = "the message is about a patient and names none: name one there"
            raise Unreadable(Reason.NO_IDENTIFIER, place="PID-3", mend=mend)
        mrn, _, authority = names[0].partition("^")
        common: dict[str, Any] = {"mrn": mrn, "source": head.source}
        if authority:
            common["assigning_authority"] = authority
        if head.control:
            common["message_id"] = head.control
        if head.facility:
            common["facility"] = head.facility
        for name, function in plan.common:
            value = function(scope)
            if value:
                common[name] = value
        memo = scope.memo
        memo["names"], memo["common"], memo["label"] = names, common, None
        for label, when, unless in plan.labels:
            if when(scope) and not unless(scope):
                memo["label"] = label
                break
        return common

    def _names(self, segment: Fields, head: _Head) -> tuple[str, ...]:
        names = patient(head.message, segment)
        if names and self._authorities:
            authority = self._authorities.get(head.facility)
            if authority:
                names = tuple(dict.fromkeys(n if "^" in n else f"{n}^{authority}" for n in names))
        return names

    def _death(self, plan: Plan, scope: Scope, head: _Head, seen: set[str]) -> Event | None:
        """PID-30: the patient has died, at PID-29 or, where that is no time, by the message's own."""
        if not self._names(scope["PID"], head):
            return None
        data = self._common(plan, scope, head)
        stamp = _first_time(_DEATH_TIMES, scope)
        return self._made("person.died", stamp, data, scope, head, seen) if stamp is not None else None


class _Head:
    """What all events of a message share, from its header."""

    __slots__ = ("control", "digest", "facility", "id", "kind", "message", "source")

    def __init__(self, message: Message, digest: bytes, kinds: dict[str, str]) -> None:
        header, value = message.header, message.value
        self.message: Message = message
        self.digest: bytes = digest
        written = header[9] if len(header) > 9 else ""
        kind = kinds.get(written) if message.component == "^" else None
        if kind is None:
            kind = _kind(message, header)
            if message.component == "^" and len(kinds) < _KINDS:
                kinds[written] = kind
        self.kind: str = kind
        # HD: a namespace, else a universal id alone (HL7 v2.5.1, chapter 2A).
        self.facility: str = value(header, 4) or value(header, 4, 2)
        self.control: str = value(header, 10)
        self.source: str = f"hl7/{value(header, 3) or value(header, 3, 2)}/{self.facility}"
        # Without a control id the content is what tells a message from another.
        self.id: str = f"{self.control}@{value(header, 7)}" if self.control else digest.hex()


def _kind(message: Message, header: Fields) -> str:
    """MSH-9 as `ADT^A01`, the trigger from its third component where the second is empty."""
    type_ = message.value(header, 9)
    trigger = message.value(header, 9, 2) or message.value(header, 9, 3).partition("_")[2][:3]
    return (f"{type_}^{trigger}" if trigger else type_).upper()


def content_digest(raw: bytes) -> bytes:
    """A message's content, whatever its line ends, blank lines and frame are."""
    raw = raw.strip(b"\r\n\x0b\x1c \t")
    if b"\n" in raw:
        raw = raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    while b"\r\r" in raw:
        raw = raw.replace(b"\r\r", b"\r")
    return blake2b(raw, digest_size=16).digest()


def _older_kind(message: Message, kind: str) -> str:
    """The type of a message that names no trigger in MSH-9: older senders name it in EVN-1 alone."""
    if "^" in kind or not kind:
        return kind
    trigger = message.value(message.first("EVN"), 1).upper()
    return f"{kind}^{trigger}" if trigger else _ALONE.get(kind, kind)


def _first_time(reads: list[Read], scope: Scope) -> Stamp | None:
    for read in reads:
        stamp = read(scope)
        if stamp:
            try:
                found = scope.times.read(stamp)
            except ValueError:
                scope.notes.append(BAD_TIME)
                continue
            if found[0] >= EARLIEST:
                return found
            scope.notes.append(BAD_TIME)
    return None


def _no_time(recipe: Recipe, scope: Scope) -> Unreadable:
    there = [path for path in recipe.paths if scope.value(path)]
    named = ", ".join(map(str, there or recipe.paths))
    if there:
        return Unreadable(Reason.BAD_TIME, place=named, mend=_MEND_TIME)
    return Unreadable(Reason.NO_TIME, place=named, mend="say there when it happened")
