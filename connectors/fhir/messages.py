"""Communication and CommunicationRequest: what was said to whom, and what somebody is asked to say.

What a Communication means is a site's: its category, its topic or its reason names the event (table
`fhir_communication`). Without such a line a patient's is a message, and what answers one is its answer. The text of a
message is not read.
"""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.links import carried, links, own_number
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.shapes import Reference
from connectors.fhir.shapes_told import Communication, CommunicationRequest
from connectors.fhir.tables import codings

_SAID: Final = frozenset(("completed", "in-progress"))
_FROM: Final = {"Patient": "patient", "RelatedPerson": "proxy"}
_STAFF: Final = frozenset(
    ("Practitioner", "PractitionerRole", "Organization", "CareTeam", "Device", "HealthcareService")
)
_TO_PATIENTS: Final = frozenset(("reminder.delivered", "notice.given", "result.released", "estimate.sent", "bill.sent"))
_SPOKEN: Final = frozenset(("PHONE", "VERBAL", "FACE", "VIDEOCONF"))
_URGENT: Final = frozenset(("urgent", "asap", "stat"))
_OUTREACH: Final = "outreach."


def read_communication(told: Told, said: Communication) -> None:
    status = told.status(said.status)
    concepts = (*(said.category or ()), said.topic, *(said.reason_code or ()))
    mapped = told.tables.word("fhir_communication", *concepts)
    notice = told.tables.word("fhir_notice", *concepts)
    if mapped is None and notice is not None:
        mapped = "notice.given"
    type_ = _meant(told, said, status, mapped)
    names = told.person(said.subject or _patient(said), "subject")
    at = told.stamp(said.received, "received") or told.stamp(said.sent, "sent")
    version = at or told.version_time(path="sent")
    number = told.number()
    answered = _first(told, said.in_response_to)
    data = {
        **links(told, *(said.about or ()), *(said.based_on or ()), *(said.reason_reference or ()), said.encounter),
        **own_number(told, type_, (*(said.about or ()), *(said.based_on or ()), *(said.in_response_to or ())), number),
        "communication_id": number,
        "thread_id": answered or _first(told, said.part_of) or number,
        "topic": told.tables.word("fhir_topic", said.topic, *(said.category or ())),
        "urgent": said.priority in _URGENT if said.priority else None,
        "channel": _channel(told, said),
        "from": _from(told, said),
        "kind": notice if type_ == "notice.given" else None,
        "purpose": told.tables.word("fhir_purpose", *(said.reason_code or ()), *(said.category or ()), said.topic),
        # a complaint in writing is a grievance, and so is one by e-mail (42 CFR 482.13(a)(2))
        "grievance": not _is_spoken(said) if type_ == "complaint.received" else None,
    }
    told.tell(type_, names, carried(type_, data), version)


def _meant(told: Told, said: Communication, status: str, mapped: str | None) -> str:
    """The event that a Communication is."""
    if status == "not-done" and mapped is not None and mapped.startswith(_OUTREACH):
        return "outreach.failed"
    if status not in _SAID or (status == "in-progress" and not (said.sent or said.received)):
        raise PassedBy("Communication that was not made")
    whom = [named.type for r in said.recipient or () if (named := told.references.named(r)) is not None]
    staff_alone = bool(whom) and _STAFF.issuperset(t or "" for t in whom)
    if mapped is not None:
        if staff_alone and mapped in _TO_PATIENTS:
            raise PassedBy("Communication among staff")
        return mapped
    sender = told.references.named(said.sender)
    if sender is None or sender.type is None:
        raise PassedBy("Communication of nobody named, without a mapped category or topic")
    if sender.type in _FROM:
        return "message.received"
    if staff_alone:
        raise PassedBy("Communication among staff")
    return "message.answered" if said.in_response_to else "message.received"


def _patient(said: Communication) -> Reference | None:
    """Whom it is about, where its subject says it not: the patient who sent it, or to whom it was sent."""
    ends = (said.sender, *(said.recipient or ()))
    return next((r for r in ends if r is not None and _is_patient(r)), None)


def _is_patient(reference: Reference) -> bool:
    return reference.type == "Patient" or "Patient/" in (reference.reference or "")


def _first(told: Told, references: list[Reference] | None) -> str | None:
    return next((n for r in references or () if (n := told.thing(r, "Communication")) is not None), None)


def _channel(told: Told, said: Communication | CommunicationRequest) -> str | None:
    return told.tables.word("fhir_channel", *(said.medium or ()))


def _from(told: Told, said: Communication) -> str | None:
    sender = told.references.named(said.sender)
    return _FROM.get(sender.type or "", "staff") if sender is not None else None


def _is_spoken(said: Communication) -> bool:
    return any(coding.code in _SPOKEN for coding in codings(said.medium or ()))


def read_communication_request(told: Told, asked: CommunicationRequest) -> None:
    """What somebody is asked to say. That it was said is told by the Communication."""
    status = told.status(asked.status)
    type_ = told.tables.word("fhir_communication_request", *(asked.category or ()), *(asked.reason_code or ()))
    if type_ is None:
        raise PassedBy("CommunicationRequest without a mapped category or reason")
    if status != "active" or asked.do_not_perform:
        raise PassedBy("CommunicationRequest that asks for nothing now")
    names = told.person(asked.subject, "subject")
    written = told.stamp(asked.authored_on, "authoredOn")
    version = written or told.version_time(path="authoredOn")
    period = asked.occurrence_period
    until = asked.occurrence_date_time or ((period.end or period.start) if period is not None else None)
    data: dict[str, Any] = {
        **links(told, *(asked.about or ()), *(asked.based_on or ()), *(asked.reason_reference or ()), asked.encounter),
        **own_number(told, type_, (), told.number()),
        "channel": _channel(told, asked),
        "promised_for": told.awaited(until, "occurrence"),
        "requested_at": told.awaited(asked.authored_on, "authoredOn"),
        "kind": told.tables.word("fhir_callback_kind", *(asked.category or ()), *(asked.reason_code or ())),
        "purpose": told.tables.word("fhir_purpose", *(asked.reason_code or ()), *(asked.category or ())),
    }
    told.tell(type_, names, carried(type_, data), version)
