"""Appointment and Encounter: when somebody is to come, and that they came."""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.codes import CLASSES, DISPOSITIONS, first_code
from connectors.fhir.resource import PassedBy, Told, names_of
from connectors.fhir.shapes import Appointment, Encounter
from connectors.fhir.time import Stamp

_ASKED: Final = frozenset(("proposed", "pending", "waitlist"))
_CAME: Final = frozenset(("arrived", "triaged", "in-progress", "onleave", "finished"))
_STARTED: Final = frozenset(("arrived", "triaged", "in-progress"))


def read_appointment(told: Told, appointment: Appointment) -> None:
    status = told.status(appointment.status)
    patients = _patients(told, appointment)
    created = None
    if status in _ASKED or status == "booked":
        created = told.stamp(appointment.created, "created")
    version = told.version_time(created)
    reason = first_code(appointment.cancelation_reason)
    based = appointment.based_on or []
    order = next((n for r in based if (n := told.known(r, "ServiceRequest")) is not None), None)
    data: dict[str, Any] = {
        **told.numbers("appointment_id", "filler_appointment_id", "PLAC"),
        "start": told.instant(appointment.start, "start"),
        "end": told.instant(appointment.end, "end"),
        "visit_type": first_code(appointment.appointment_type, *(appointment.service_type or ())),
        "order_id": order,
        "referral_id": next((n for r in based if (n := told.thing(r, "ServiceRequest")) is not None), None),
        "status": status,
    }
    if status in _ASKED:
        periods = appointment.requested_period or []
        data["requested_for"] = told.instant(periods[0].start, "requestedPeriod[0].start") if periods else None
        data["priority"] = "A" if appointment.priority is not None and 1 <= appointment.priority <= 4 else None
    if status in ("cancelled", "entered-in-error") and reason:
        data["reason"] = reason
        data["by"] = "patient" if reason.startswith("pat") else "provider" if reason.startswith("prov") else None
    for names in patients:
        told.state("appointment.stated", names, dict(data), version=version)
        if order and status == "booked" and data["start"]:
            scheduled = {"order_id": order, "appointment_id": data["appointment_id"], "start": data["start"]}
            told.tell("order.scheduled", names, scheduled, version)


def _patients(told: Told, appointment: Appointment) -> list[tuple[str, ...]]:
    """Who is to come: several in a group."""
    found: dict[tuple[str, ...], None] = {}
    lost = None
    for number, participant in enumerate(appointment.participant or ()):
        named = told.references.named(participant.actor)
        if named is None:
            lost = number if lost is None and participant.actor is not None else lost
        elif named.type in ("Patient", None) and (names := names_of(named)):
            found[names] = None
        elif named.type == "Patient":
            lost = number if lost is None else lost
    if not found and lost is not None:
        raise told.nobody(f"participant[{lost}].actor")
    if not found:
        raise PassedBy("Appointment about no patient")
    return list(found)


def read_encounter(told: Told, encounter: Encounter) -> None:
    status = told.status(encounter.status)
    names = told.person(encounter.subject, "subject")
    period = encounter.period
    start = told.stamp(period.start, "period.start") if period is not None and status in _CAME else None
    end = told.stamp(period.end, "period.end") if period is not None and status == "finished" else None
    visit = told.number()
    moment: tuple[str, Stamp | None] | None = None
    if status in _STARTED:
        moment = ("visit.started", start)
    elif status == "finished":
        moment = ("visit.ended", end)
    path = {"visit.started": "period.start", "visit.ended": "period.end"}.get(moment[0]) if moment else None
    version = told.version_time(moment[1] if moment else None, path=path)
    code = encounter.class_.code if encounter.class_ is not None else None
    class_ = CLASSES.get(code or "")
    discharge = encounter.hospitalization.discharge_disposition if encounter.hospitalization is not None else None
    disposition = first_code(discharge)
    data: dict[str, Any] = {
        "visit_id": visit,
        "class": class_,
        "observation": code == "OBSENC" if class_ is not None else None,
        "location": _location(told, encounter),
        "service": first_code(encounter.service_type),
        "disposition_code": disposition if status == "finished" else None,
        "disposition": DISPOSITIONS.get(disposition or "") if status == "finished" else None,
        "status": status,
    }
    told.state("visit.stated", names, data, version=version, moment=moment)
    if start is not None and start.time <= version.time:
        # who came for an appointment has arrived, whether or not its own resource says so
        for reference in encounter.appointment or ():
            number = told.thing(reference, "Appointment")
            if number is not None:
                came = {"appointment_id": number, "visit_id": visit, "status": "arrived"}
                told.state("appointment.stated", names, came, version=start)


def _location(told: Told, encounter: Encounter) -> str | None:
    places = [p for p in encounter.location or () if p.status in (None, "active")] or encounter.location or []
    return next((n for p in reversed(places) if (n := told.thing(p.location, "Location")) is not None), None)
