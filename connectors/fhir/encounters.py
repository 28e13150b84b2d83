"""Encounter: that somebody came, the steps of the visit, and that they left.

An Encounter tells the whole of its visit in each version: what it was before (statusHistory, classHistory), where the
patient was (location) and who saw them (participant), with periods. Each is a step that is stated again and again, and
happened once. Without periods a change of place or class shows between two versions, and the engine tells it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from connectors.fhir.codes import first_code
from connectors.fhir.resource import Told
from connectors.fhir.shapes import Encounter, Period, Place
from connectors.fhir.tables import codings
from connectors.fhir.time import Stamp
from schemas.event import HOUR
from schemas.states import CONTENT, THINGS, told_by

_CAME: Final = frozenset(("arrived", "triaged", "in-progress", "onleave", "finished"))
_STARTED: Final = frozenset(("arrived", "triaged", "in-progress"))
_NOT_THERE: Final = frozenset(("planned", "reserved"))
_STEP: Final = "step.stated"
_STANDING: Final = {event: status for status, event in THINGS[_STEP].stands.items()}
_OBSERVED: Final = "OBSENC"


def read_encounter(told: Told, encounter: Encounter) -> None:
    status = told.status(encounter.status)
    names = told.person(encounter.subject, "subject")
    period = encounter.period
    start = told.stamp(period.start, "period.start") if period is not None and status in _CAME else None
    end = told.stamp(period.end, "period.end") if period is not None and status == "finished" else None
    numbers = told.numbers("visit_id", "visit_reference", "VN")
    visit = numbers["visit_id"]
    moment: tuple[str, Stamp | None] | None = None
    if status in _STARTED:
        moment = ("visit.started", start)
    elif status == "finished":
        moment = ("visit.ended", end)
    path = {"visit.started": "period.start", "visit.ended": "period.end"}.get(moment[0]) if moment else None
    tells = told_by("visit.stated", status) is not None
    version = told.version_time(moment[1] if moment else None, path=path, tells=tells)
    code = encounter.class_.code if encounter.class_ is not None else None
    class_ = told.tables.value("class", code)
    discharge = encounter.hospitalization.discharge_disposition if encounter.hospitalization is not None else None
    disposition = first_code(discharge)
    group = told.tables.value("fhir_disposition", disposition) or told.tables.value("disposition", disposition)
    place = _place(told, encounter)
    shared: dict[str, Any] = {
        **numbers,
        "class": class_,
        "observation": code == _OBSERVED if class_ is not None else None,
        "location": told.thing(place.location, "Location") if place is not None else None,
        "unit": _unit(told, place),
        "service": first_code(encounter.service_type),
    }
    data = {
        **shared,
        "disposition_code": disposition if status == "finished" else None,
        "disposition": group if status == "finished" else None,
        "status": status,
    }
    if status in _STARTED and not _tells_periods(encounter):
        data[CONTENT] = f"{code}|{shared['location']}"
    told.state("visit.stated", names, data, version=version, moment=moment)
    if status in _CAME and _tells_steps(encounter, status):
        _Steps(told, names, shared, version).tell(encounter, start, status)
    if start is not None and start.time <= version.time:
        # who came for an appointment has arrived, whether or not its own resource says so
        for reference in encounter.appointment or ():
            number = told.thing(reference, "Appointment")
            if number is not None:
                came = {"appointment_id": number, "visit_id": visit, "status": "arrived"}
                told.state("appointment.stated", names, came, version=start)


def _tells_periods(encounter: Encounter) -> bool:
    return bool(encounter.class_history) or any(p.period is not None for p in encounter.location or ())


def _tells_steps(encounter: Encounter, status: str) -> bool:
    return bool(
        encounter.location
        or encounter.class_history
        or encounter.status_history
        or encounter.participant
        or status == "triaged"
    )


def _place(told: Told, encounter: Encounter) -> Place | None:
    """Where the patient is, or was at last."""
    places = [p for p in encounter.location or () if p.status in (None, "active")] or encounter.location or []
    return next((p for p in reversed(places) if told.thing(p.location, "Location") is not None), None)


def _unit(told: Told, place: Place | None) -> str | None:
    return _of_place(told, "fhir_unit", place) if place is not None else None


def _of_place(told: Told, table: str, place: Place) -> str | None:
    """What a table says of a place: by its identifier, its reference, or what kind of place it is."""
    named = told.references.named(place.location)
    for number in (*(named.others if named is not None else ()), named.number if named is not None else None):
        value, _, system = (number or "").partition("^")
        if (found := told.tables.value(table, value, system or None)) is not None:
            return str(found)
    return told.tables.word(table, place.physical_type)


class _Steps:
    """Tells the steps of one visit: each with the id that every version of the visit gives it."""

    def __init__(self, told: Told, names: tuple[str, ...], shared: dict[str, Any], version: Stamp) -> None:
        self._told: Told = told
        self._names: tuple[str, ...] = names
        self._shared: dict[str, Any] = shared
        self._version: Stamp = version

    def tell(self, encounter: Encounter, start: Stamp | None, status: str) -> None:
        self._tell_places(encounter.location or (), start)
        self._tell_classes(encounter)
        triaged = [s.period for s in encounter.status_history or () if s.status == "triaged"]
        if triaged or status == "triaged":
            at = self._start(triaged[0] if triaged else None, "statusHistory.period.start") or self._version
            self._step("triaged", "", at, {})
        for attendant in encounter.participant or ():
            began = self._start(attendant.period, "participant.period.start")
            seen = any(
                self._told.tables.value("fhir_seen_by", c.code, c.system) is True for c in codings(attendant.type or ())
            )
            if began is not None and seen:
                self._step("seen", str(began.time), began, {})

    def _tell_places(self, places: Iterable[Place], start: Stamp | None) -> None:
        """Where the patient came to, and when. The first place, from the start on, is no move."""
        found = [
            (at, place)
            for place in places
            if place.status not in _NOT_THERE and (at := self._start(place.period, "location.period.start")) is not None
        ]
        found.sort(key=lambda one: one[0].time)
        for number, (at, place) in enumerate(found):
            there = {
                "location": self._told.thing(place.location, "Location"),
                "unit": _of_place(self._told, "fhir_unit", place),
                "class": None,  # of then, and the resource tells that of now
            }
            which = f"{there['location'] or ''}/{at.time}"
            if at.time > start.time if start is not None else number > 0:
                self._step("moved", which, at, there)
            step = _STANDING.get(_of_place(self._told, "fhir_place", place) or "")
            if step is not None:
                self._step(step, which, at, there)

    def _tell_classes(self, encounter: Encounter) -> None:
        """What the visit was, stage by stage, and what it is now."""
        history = encounter.class_history or []
        stages = [
            (s.class_.code, at)
            for s in history
            if s.class_ is not None and (at := self._start(s.period, "classHistory.period.start")) is not None
        ]
        stages.sort(key=lambda stage: stage[1].time)
        now = encounter.class_.code if encounter.class_ is not None else None
        if stages and now != stages[-1][0]:
            ends = [at for s in history if (at := self._end(s.period)) is not None]
            stages.append((now, max(ends, key=lambda end: end.time) if ends else self._version))
        was = stages[0][0] if stages else None
        for code, at in stages[1:]:
            if code == was:
                continue
            class_, before = (self._told.tables.value("class", c) for c in (code, was))
            there = {"class": class_, "observation": code == _OBSERVED, "location": None, "unit": None}
            if code == _OBSERVED:
                self._step("observed", str(at.time), at, there)
            self._step("moved", f"{code}/{at.time}", at, {**there, "class_changed": class_ != before})
            was = code

    def _step(self, standing: str, which: str, at: Stamp, more: dict[str, Any]) -> None:
        if at.time > self._version.time + HOUR:
            return  # no single stamp may run the clock away
        data = {**self._shared, **more, "step_id": f"{self._told.number()}/{standing}/{which}", "status": standing}
        self._told.tell(_STEP, self._names, data, at)

    def _start(self, period: Period | None, path: str) -> Stamp | None:
        return self._told.stamp(period.start, path) if period is not None else None

    def _end(self, period: Period | None) -> Stamp | None:
        return self._told.stamp(period.end, "classHistory.period.end") if period is not None else None
