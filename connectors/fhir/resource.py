"""One resource while it is read: its times, its numbers, whom it is about, and the events made of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from connectors.fhir.codes import STATUSES, sensitivity
from connectors.fhir.references import URN, Around, Named, References, first_number, id_in
from connectors.fhir.shapes import Reference, Resource
from connectors.fhir.tables import Tables
from connectors.fhir.time import PRECISION_NAMES, Stamp, TooCoarse, read_stamp
from connectors.surveys.instruments import Instrument
from schemas.errors import Reason, Unreadable
from schemas.event import DAY, EARLIEST, HOUR, Event
from schemas.instant import write_instant
from schemas.states import MOMENTS, VERSION

ZONE_ASSUMED: Final = "zone_assumed"
BAD_TIME: Final = "bad_time"
TOO_COARSE: Final = "time_too_coarse"
AHEAD: Final = "moment_ahead"
NO_LAST_UPDATED: Final = "no_last_updated"
UNDATED: Final = "undated_facts"
MORE_ORDERS: Final = "more_orders"


class Teller(NamedTuple):
    """Whose resources are read, and by what: the system, the URL that its references may begin with, the zone of stamps
    without one and whether that is only assumed, the tables of codes, and surveys by their instruments."""

    system: str
    base: str | None
    zone: tzinfo
    assumed: bool
    tables: Tables
    instruments: Mapping[str, Instrument]

    @property
    def source(self) -> str:
        return f"fhir/{self.system}"


class PassedBy(Exception):
    """A resource that tells nothing: it is ignored, for this reason."""


class Told:
    """What is known of one resource while it is read, and the events that it has given so far."""

    def __init__(self, type_: str, read: Resource, told_by: Teller, around: Around, content: bytes) -> None:
        self.type: str = type_
        self.tables: Tables = told_by.tables
        self.instruments: Mapping[str, Instrument] = told_by.instruments
        self.content: bytes = content
        self.notes: list[str] = []
        self.events: list[Event] = []
        self.references: References = References(told_by.system, told_by.base, around, read.contained)
        self.source: str = told_by.source
        self.id: str = ""
        self._read: Resource = read
        self.around: Around = around
        self._zone: tzinfo = told_by.zone
        self._assumed: bool = told_by.assumed
        self._label: str | None = sensitivity(read.meta.security if read.meta is not None else None)
        self._bad: str | None = None  # where a stamp stands that is no time
        self.reference: str | None = self._reference()

    # -- numbers

    def _reference(self) -> str | None:
        """The resource's own reference as a number: by its id, else by the name that its bundle gives it."""
        id_ = self._read.id or id_in(self.around.full_url, self.type)
        if id_:
            return self.references.own(self.type, id_)
        url = self.around.full_url
        return url if url and url.startswith(URN) else None

    def number(self) -> str:
        """What other resources call this one: its reference, else its first identifier."""
        number = self.reference or first_number(self._read.identifier)
        if number is None:
            raise Unreadable(Reason.NO_ID, place=f"{self.type}.id", mend="give the resource an id or an identifier")
        return number

    def numbers(self, attribute: str, second: str, *types: str) -> dict[str, Any]:
        """The resource's identifier as `attribute`, and its reference as the other number of the same thing."""
        reference = self.reference
        own = first_number(self._read.identifier, *types)
        found = {attribute: own or self.number()}
        if own and reference and own != reference:
            found[second] = reference
        return found

    def thing(self, reference: Reference | None, *types: str) -> str | None:
        """The number of what is referred to, if it is, or may be, of these types: as others refer to it."""
        named = self.references.named(reference)
        if named is None or (named.type is not None and named.type not in types):
            return None
        return named.number or next(iter(named.others), None)

    def known(self, reference: Reference | None, *types: str) -> str | None:
        """The same, by its identifier where that is known here."""
        named = self.references.named(reference)
        if named is None or (named.type is not None and named.type not in types):
            return None
        return next(iter(named.others), named.number)

    # -- whom it is about

    def person(self, reference: Reference | None, path: str) -> tuple[str, ...]:
        """The numbers of the patient that a reference names."""
        named = self.references.named(reference)
        if named is not None and named.type not in (None, "Patient"):
            raise PassedBy(f"{self.type} about no patient")
        names = names_of(named)
        if not names:
            raise self.nobody(path)
        return names

    def nobody(self, path: str) -> Unreadable:
        mend = "name the patient there by Patient/id or by an identifier, or send the Patient in the same bundle"
        return Unreadable(Reason.NO_IDENTIFIER, place=f"{self.type}.{path}", mend=mend)

    # -- codes

    def status(self, status: str | None) -> str:
        """A status out of the type's value set."""
        return self.code(status, STATUSES[self.type], "status")

    def code(self, code: str | None, allowed: frozenset[str], path: str) -> str:
        if code in allowed and code is not None:
            return code
        mend = "a code of FHIR R4's value set is expected" if code else "it is required: say it"
        raise Unreadable(Reason.INVALID, place=f"{self.type}.{path}", mend=mend)

    # -- times

    def stamp(self, text: str | None, path: str) -> Stamp | None:
        """A stamp of the resource; None for none, for what is no time, and for a year or a month."""
        if not text:
            return None
        try:
            stamp: Stamp | None = read_stamp(text, self._zone)
        except TooCoarse:
            self.notes.append(TOO_COARSE)
            return None
        except (ValueError, OverflowError):
            stamp = None
        if stamp is None or stamp.time < EARLIEST:
            self.notes.append(BAD_TIME)
            self._bad = self._bad or path
            return None
        if stamp.assumed and self._assumed:
            self.notes.append(ZONE_ASSUMED)
        return stamp

    def instant(self, text: str | None, path: str) -> str | None:
        """A stamp as an attribute holds it."""
        stamp = self.stamp(text, path)
        return write_instant(stamp.time) if stamp is not None else None

    def awaited(self, text: str | None, path: str, *, holds: bool = True, exact: bool = False) -> str | None:
        """A stamp that promises are counted from, as an attribute holds it. Where it holds and is no time nobody would
        wait for anything, in silence: Unreadable is raised. A year or a month is noted alone, but where FHIR has an
        instant (`exact`)."""
        found = self.instant(text, path)
        if found is None and text and holds and (exact or self.notes[-1] == BAD_TIME):
            raise self._no_time(path)
        return found

    def _no_time(self, path: str) -> Unreadable:
        mend = "YYYY-MM-DDThh:mm:ss of 1970 or later, with an offset, is expected"
        return Unreadable(Reason.BAD_TIME, place=f"{self.type}.{path}", mend=mend)

    def last_updated(self) -> Stamp | None:
        """When this version was made, where the resource says it."""
        meta = self._read.meta
        return self.stamp(meta.last_updated if meta is not None else None, "meta.lastUpdated")

    def fact_time(self) -> Stamp:
        """When facts about somebody were told. Who somebody is has no time: what says none holds from the beginning,
        and whatever says one goes before it."""
        try:
            return self.version_time()
        except Unreadable as wrong:
            if wrong.reason is not Reason.NO_TIME:
                raise
        self.notes.append(UNDATED)
        return Stamp(0, 0, assumed=False)

    def version_time(self, named: Stamp | None = None, *, path: str | None = None, tells: bool = True) -> Stamp:
        """When this version was made: meta.lastUpdated, else what its bundle entry says of it, else the moment that
        it names itself, else when the bundle was sent. A resource that has none and stands so that nothing happened
        (`tells` is false) is passed by: nothing is lost."""
        stamp = self.last_updated()
        if stamp is not None:
            return stamp
        self.notes.append(NO_LAST_UPDATED)
        around = self.around
        stamp = self.stamp(around.modified, "meta.lastUpdated") or named or self.stamp(around.sent, "meta.lastUpdated")
        if stamp is not None:
            return stamp
        if self._bad is not None:
            raise self._no_time(self._bad)
        if not tells:
            raise PassedBy(f"{self.type} without a time, of a status that tells nothing")
        place = f"{self.type}.meta.lastUpdated" + (f", {self.type}.{path}" if path else "")
        raise Unreadable(Reason.NO_TIME, place=place, mend="say there when it happened")

    def counted_at(self) -> Stamp:
        """When the bundle that a resource stands in was made, for what is told by the whole of it."""
        sent = self.stamp(self.around.sent, "meta.lastUpdated")
        return sent if sent is not None else self.version_time()

    # -- events

    def state(
        self,
        type_: str,
        names: tuple[str, ...],
        data: dict[str, Any],
        *,
        version: Stamp,
        moment: tuple[str, Stamp | None] | None = None,
    ) -> None:
        """State how a thing stands. `moment`: what happened when it came to stand so, and when, where it says that."""
        time, precision, _ = version
        if moment is not None and moment[1] is not None:
            at = moment[1]
            if at.time > time + HOUR:
                self.notes.append(AHEAD)  # no single stamp may run the clock away
            elif at.precision < DAY or not at.time <= time < at.time + at.precision:
                # a version that was made on the day that a moment names is the finer stamp of the two
                data[MOMENTS] = {moment[0]: at.time}
                precision = at.precision
        meta = self._read.meta
        number = meta.version_id if meta is not None else None
        if number and number.isdecimal() and len(number) < 16:
            data[VERSION] = int(number)  # of versions of one instant the higher number is the later
        self.tell(type_, names, data, Stamp(time, precision, assumed=False))

    def tell(self, type_: str, names: tuple[str, ...], data: dict[str, Any], stamp: Stamp) -> None:
        """Make an event."""
        data = {name: value for name, value in data.items() if value is not None and value != ""}
        data["source"], data["origin_id"] = self.source, self.id
        if stamp.precision:
            data["time_precision"] = PRECISION_NAMES[stamp.precision]
        repeat = sum(event.type == type_ for event in self.events) if self.events else 0
        id_ = f"{self.id}/{type_}.{repeat + 1}" if repeat else f"{self.id}/{type_}"
        self.events.append(Event(id_, self.source, type_, stamp.time, data, names, None, stamp.precision, self._label))


def names_of(named: Named | None) -> tuple[str, ...]:
    """The numbers that a reference gives a person, the reference first."""
    if named is None:
        return ()
    if not named.others:
        return (named.number,) if named.number else ()
    return tuple(dict.fromkeys((*((named.number,) if named.number else ()), *named.others)))
