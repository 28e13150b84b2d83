"""One resource while it is read: its times, its numbers, whom it is about, and the events made of it."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final

from connectors.fhir.codes import STATUSES, sensitivity
from connectors.fhir.references import URN, Around, Named, References, first_number, id_in
from connectors.fhir.shapes import Reference, Resource
from connectors.fhir.time import PRECISION_NAMES, Stamp, TooCoarse, read_stamp
from schemas.errors import Reason, Unreadable
from schemas.event import DAY, EARLIEST, HOUR, Event
from schemas.instant import write_instant

ZONE_ASSUMED: Final = "zone_assumed"
BAD_TIME: Final = "bad_time"
TOO_COARSE: Final = "time_too_coarse"
AHEAD: Final = "moment_ahead"
NO_LAST_UPDATED: Final = "no_last_updated"
MORE_ORDERS: Final = "more_orders"


class PassedBy(Exception):
    """A resource that tells nothing: it is ignored, for this reason."""


class Told:
    """What is known of one resource while it is read, and the events that it has given so far."""

    def __init__(
        self, type_: str, read: Resource, *, system: str, base: str | None, around: Around, zone: tzinfo, assumed: bool
    ) -> None:
        self.type: str = type_
        self.notes: list[str] = []
        self.events: list[Event] = []
        self.references: References = References(system, base, around, read.contained)
        self.source: str = f"fhir/{system}"
        self.id: str = ""
        self._read: Resource = read
        self._around: Around = around
        self._zone: tzinfo = zone
        self._assumed: bool = assumed
        self._label: str | None = sensitivity(read.meta.security if read.meta is not None else None)
        self._bad: str | None = None  # where a stamp stands that is no time

    # -- numbers

    @property
    def reference(self) -> str | None:
        """The resource's own reference as a number: by its id, else by the name that its bundle gives it."""
        id_ = self._read.id or id_in(self._around.full_url, self.type)
        if id_:
            return self.references.own(self.type, id_)
        url = self._around.full_url
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

    def version_time(self, named: Stamp | None = None, *, path: str | None = None) -> Stamp:
        """When this version was made: meta.lastUpdated, else what its bundle entry says of it, else the moment that
        it names itself, else when the bundle was sent."""
        meta = self._read.meta
        stamp = self.stamp(meta.last_updated if meta is not None else None, "meta.lastUpdated")
        if stamp is not None:
            return stamp
        self.notes.append(NO_LAST_UPDATED)
        around = self._around
        stamp = self.stamp(around.modified, "meta.lastUpdated") or named or self.stamp(around.sent, "meta.lastUpdated")
        if stamp is not None:
            return stamp
        if self._bad is not None:
            mend = "YYYY-MM-DDThh:mm:ss of 1970 or later, with an offset, is expected"
            raise Unreadable(Reason.BAD_TIME, place=f"{self.type}.{self._bad}", mend=mend)
        place = f"{self.type}.meta.lastUpdated" + (f", {self.type}.{path}" if path else "")
        raise Unreadable(Reason.NO_TIME, place=place, mend="say there when it happened")

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
                data["moments"] = {moment[0]: at.time}
                precision = at.precision
        self.tell(type_, names, data, Stamp(time, precision, assumed=False))

    def tell(self, type_: str, names: tuple[str, ...], data: dict[str, Any], stamp: Stamp) -> None:
        """Make an event."""
        data = {name: value for name, value in data.items() if value is not None and value != ""}
        data["source"], data["origin_id"] = self.source, self.id
        if stamp.precision:
            data["time_precision"] = PRECISION_NAMES[stamp.precision]
        repeat = sum(event.type == type_ for event in self.events)
        id_ = f"{self.id}/{type_}.{repeat + 1}" if repeat else f"{self.id}/{type_}"
        self.events.append(Event(id_, self.source, type_, stamp.time, data, names, None, stamp.precision, self._label))


def names_of(named: Named | None) -> tuple[str, ...]:
    """The numbers that a reference gives a person, the reference first."""
    if named is None:
        return ()
    return tuple(dict.fromkeys((*((named.number,) if named.number else ()), *named.others)))
