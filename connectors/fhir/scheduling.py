"""Appointment and Slot: when somebody is to come, and how far ahead there is room."""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.codes import first_code
from connectors.fhir.resource import PassedBy, Told, names_of
from connectors.fhir.shapes import Appointment, Concept, Slot
from schemas.event import DAY, HOUR

_ASKED: Final = frozenset(("proposed", "pending", "waitlist"))
_AHEAD: Final = _ASKED | {"booked"}
_TRANSLATOR: Final = frozenset(("translator", "interpreter"))
_GONE: Final = frozenset(("cancelled", "entered-in-error", "noshow"))
THIRD: Final = 3  # the third next is the usual measure: the first free one is often a slot that somebody gave back


def read_appointment(told: Told, appointment: Appointment) -> None:
    status = told.status(appointment.status)
    patients, interpreters = _participants(told, appointment)
    created = None
    if status in _AHEAD:
        created = told.stamp(appointment.created, "created")
    version = told.version_time(created)
    based = appointment.based_on or []
    order = next((n for r in based if (n := told.known(r, "ServiceRequest")) is not None), None)
    reasons = appointment.reason_reference or []
    kinds = (appointment.appointment_type, *(appointment.service_type or ()))
    data: dict[str, Any] = {
        **told.numbers("appointment_id", "filler_appointment_id", "PLAC"),
        "start": told.awaited(appointment.start, "start", holds=status in _AHEAD, exact=True),
        "end": told.instant(appointment.end, "end"),
        "visit_type": first_code(*kinds),
        "visit_kind": told.tables.word("fhir_visit_kind", *kinds, *(appointment.service_category or ())),
        "specialty": told.tables.word("fhir_specialty", *(appointment.specialty or ()), *kinds),
        "order_id": order,
        "referral_id": next((n for r in based if (n := told.known(r, "ServiceRequest")) is not None), None),
        "report_id": next((n for r in reasons if (n := told.thing(r, "DiagnosticReport")) is not None), None),
        "interpreter_needed": True if interpreters else None,
        "status": status,
    }
    if status in _ASKED:
        periods = appointment.requested_period or []
        data["requested_for"] = told.awaited(periods[0].start, "requestedPeriod[0].start") if periods else None
        data["priority"] = "A" if appointment.priority is not None and 1 <= appointment.priority <= 4 else None
    reason = first_code(appointment.cancelation_reason)
    if status in ("cancelled", "entered-in-error") and reason:
        data["reason"] = reason
        data["by"] = "patient" if reason.startswith("pat") else "provider" if reason.startswith("prov") else None
    begins = told.stamp(appointment.start, "start")
    if status == "cancelled" and begins is not None:
        notice = begins.time - version.time  # below zero where it had begun
        data["notice_hours"] = notice // HOUR if notice % HOUR == 0 else round(notice / HOUR, 4)
    for names in patients:
        told.state("appointment.stated", names, dict(data), version=version)
        if order and status == "booked" and data["start"]:
            scheduled = {"order_id": order, "appointment_id": data["appointment_id"], "start": data["start"]}
            told.tell("order.scheduled", names, scheduled, version)
        for standing in interpreters if status not in _GONE else ():
            found = {"appointment_id": data["appointment_id"], "status": standing}
            told.state("interpreter.stated", names, found, version=version)


def _participants(told: Told, appointment: Appointment) -> tuple[list[tuple[str, ...]], list[str]]:
    """Who is to come, several in a group, and how it stands with an interpreter, where one is asked for."""
    found: dict[tuple[str, ...], None] = {}
    interpreters: list[str] = []
    lost = None
    for number, participant in enumerate(appointment.participant or ()):
        if participant.type is not None and first_code(*participant.type) in _TRANSLATOR:
            interpreters.append(participant.status or "needs-action")
            continue
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
    return list(found), interpreters[:1]


def read_slot(told: Told, slot: Slot) -> None:
    """How many days ahead the third free slot of a clinic is. One slot says nothing of it: the bundle that a search for
    a clinic's free slots answers with does, at its third slot."""
    if told.status(slot.status) != "free":
        raise PassedBy("Slot that is not free")
    slots = told.around.slots
    if slots is None:
        raise PassedBy("Slot alone: the third next is told by a bundle of a clinic's free slots")
    clinic = told.thing(slot.schedule, "Schedule")
    start = told.stamp(slot.start, "start")
    counted = told.counted_at()
    if clinic is None or start is None:
        raise PassedBy("Slot without schedule or start")
    later = sorted(
        (stamp.time, number)
        for number, (schedule, text) in enumerate(slots)
        if schedule == (slot.schedule.reference if slot.schedule is not None else None)
        and (stamp := told.stamp(text, "start")) is not None
        and stamp.time >= counted.time
    )
    if len(later) < THIRD or later[THIRD - 1][0] != start.time or told.around.slot != later[THIRD - 1][1]:
        raise PassedBy("Slot that is not its clinic's third next")
    kinds: tuple[Concept | None, ...] = (
        slot.appointment_type,
        *(slot.service_type or ()),
        *(slot.specialty or ()),
        *(slot.service_category or ()),
    )
    data = {
        "clinic": clinic,
        "visit_kind": told.tables.word("fhir_visit_kind", *kinds),
        "third_next_days": (start.time - counted.time) // DAY,
    }
    told.tell("slots.counted", (), data, counted)
