"""What cannot be taken: a dead letter with the place and the mend, and no value of a patient in either."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from connectors.fhir.read import FhirReader
from tests.connectors.fhir.resources import (
    APPOINTMENT,
    CLAIM,
    ENCOUNTER,
    ORDER,
    PATIENT,
    REPORT,
    concept,
    dead,
    event,
    read,
    ref,
    resource,
    response,
)


def without(value: Any, *names: str) -> Any:
    return {name: part for name, part in value.items() if name not in names}


TIMELESS = without(ORDER, "meta", "authoredOn")
CASES: dict[str, tuple[Any, str, str]] = {
    "not JSON": (b"{oops", "unreadable", "f.json"),
    "cut short": (b'{"resourceType":"Patient","id":"1', "unreadable", "f.json"),
    "no UTF-8": (b'{"resourceType":"Patient","id":"\xff"}', "unreadable", "f.json"),
    "nested beyond reason": (b'{"resourceType":"Patient","x":' + b"[" * 5000, "unreadable", "f.json"),
    "nested beyond reason, and whole": (
        b'{"resourceType":"Patient","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "unreadable",
        "f.json",
    ),
    "a message for nobody": (
        resource("Communication", status="completed", category=[{"text": "reminder"}]),
        "no_identifier",
        "Communication.subject",
    ),
    "a task of an unknown status": (resource("Task", status="weird"), "invalid", "Task.status"),
    "a task for whom nobody knows": (
        resource("Task", status="requested", code={"text": "callback"}, **{"for": ref("#gone")}),
        "no_identifier",
        "Task.for",
    ),
    "a document of R5": (
        resource("DocumentReference", status="current", docStatus="final", context=[ref("Encounter/1")]),
        "invalid",
        "DocumentReference.context",
    ),
    "a consent of R5": (resource("Consent", status="active", decision="permit"), "invalid", "Consent.decision"),
    "an observation of STU3": (
        resource("Observation", status="final", context=ref("Encounter/1")),
        "invalid",
        "Observation.context",
    ),
    "an eligibility of STU3": (resource("EligibilityResponse"), "invalid", "resourceType"),
    "an activity of an unknown status": (
        resource("CarePlan", status="active", subject=ref("Patient/1"), activity=[{"detail": {"status": "soon"}}]),
        "invalid",
        "CarePlan.activity[0].detail.status",
    ),
    "an array": (b"[]", "invalid", "f.json"),
    "no resourceType": ({"id": "1"}, "invalid", "resourceType"),
    "a resourceType that is no text": ({"resourceType": 5}, "invalid", "resourceType"),
    "a resourceType that is no name": ({"resourceType": "Doe, Jane"}, "invalid", "resourceType"),
    "an id of another type": ({**ORDER, "id": 7}, "invalid", "ServiceRequest.id"),
    "a period of another type": ({**ENCOUNTER, "period": {"start": 5}}, "invalid", "Encounter.period.start"),
    "an object where a list belongs": ({**PATIENT, "identifier": {}}, "invalid", "Patient.identifier"),
    "a list in a list": ({**PATIENT, "identifier": [{"value": 1}]}, "invalid", "Patient.identifier[0].value"),
    "an unknown status": ({**ORDER, "status": "bogus"}, "invalid", "ServiceRequest.status"),
    "no status": (without(REPORT, "status"), "invalid", "DiagnosticReport.status"),
    "an unknown intent": ({**ORDER, "intent": "wish"}, "invalid", "ServiceRequest.intent"),
    "an unknown use": ({**CLAIM, "use": "complete"}, "invalid", "Claim.use"),
    "an unknown verdict": (response("Z9"), "invalid", "ClaimResponse.item.adjudication.extension"),
    "an unknown link": (
        {**PATIENT, "link": [{"type": "same", "other": ref("Patient/2")}]},
        "invalid",
        "Patient.link[0].type",
    ),
    "nobody": (without(ORDER, "subject"), "no_identifier", "ServiceRequest.subject"),
    "a name alone": ({**ORDER, "subject": {"display": "Jane Doe"}}, "no_identifier", "ServiceRequest.subject"),
    "a contained patient that is not there": (
        {**ORDER, "subject": ref("#p")},
        "no_identifier",
        "ServiceRequest.subject",
    ),
    "a urn that leads nowhere": (
        {**ORDER, "subject": ref("urn:uuid:3fdc72f4-a11d-4a9d-9260-a9f745779e1d")},
        "no_identifier",
        "ServiceRequest.subject",
    ),
    "a participant that leads nowhere": (
        {**APPOINTMENT, "participant": [{"actor": ref("#p")}]},
        "no_identifier",
        "Appointment.participant[0].actor",
    ),
    "a patient without id and number": (without(PATIENT, "id", "identifier"), "no_identifier", "Patient.identifier"),
    "an order without id and number": (without(ORDER, "id", "identifier"), "no_id", "ServiceRequest.id"),
    "no time at all": (TIMELESS, "no_time", "ServiceRequest.meta.lastUpdated, ServiceRequest.authoredOn"),
    "a time that is none": (
        {**TIMELESS, "meta": {"lastUpdated": "yesterday"}},
        "bad_time",
        "ServiceRequest.meta.lastUpdated",
    ),
    "a day that is none": ({**TIMELESS, "authoredOn": "2026-02-30"}, "bad_time", "ServiceRequest.authoredOn"),
    "a year": ({**TIMELESS, "authoredOn": "2026"}, "no_time", "ServiceRequest.meta.lastUpdated, "),
    "R5 by an element": ({**ENCOUNTER, "actualPeriod": {}}, "invalid", "Encounter.actualPeriod"),
    "R5 by a type": ({**ENCOUNTER, "class": [{"coding": []}]}, "invalid", "Encounter.class"),
    "R5 by a status": ({**ENCOUNTER, "status": "completed"}, "invalid", "Encounter.status"),
    "R5 by a CodeableReference": ({**ORDER, "code": {"concept": {}}}, "invalid", "ServiceRequest.code.concept"),
    "STU3 by a type": (resource("ReferralRequest", status="active"), "invalid", "resourceType"),
    "STU3 by an element": ({**REPORT, "context": ref("Encounter/1")}, "invalid", "DiagnosticReport.context"),
    "a bundle where one resource belongs": ({"resourceType": "Bundle"}, "invalid", "f.json"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_a_dead_letter_with_its_place(name: str) -> None:
    value, reason, place = CASES[name]
    found = dead(value)
    assert found[0] == reason
    assert found[1].startswith(place)
    letter = read(value).dead
    assert letter is not None
    for held in ("Jane", "Doe", "17", "1974", "100", "444", "bogus", "Z9", "yesterday"):
        assert held not in letter.place + letter.mend


def test_what_is_strange_to_r4_spoils_nothing() -> None:
    told = event({**ORDER, "epicThing": {"x": 1}, "_status": {"id": "s"}, "note": 5, "subject": {**ref("Patient/17")}})
    assert told.type == "order.stated"


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:60-14:00", "0001-01-01T00:00:00+14:00", "2026-02-30", "9999-12-31T23:59:60Z"]
)
def test_times_beyond_the_calendar_are_none(text: str) -> None:
    told = read({**APPOINTMENT, "end": text})
    assert told.events
    assert "end" not in told.events[0].data
    assert "bad_time" in told.notes


CALL = resource(
    "Task", "t1", status="requested", intent="order", code=concept("callback", "urn:t"), **{"for": ref("Patient/17")}
)
ASKED = resource(
    "CommunicationRequest", "c1", status="active", category=[concept("callback", "urn:t")], subject=ref("Patient/17")
)
PLAN = resource(
    "ServiceRequest",
    "d1",
    status="active",
    intent="order",
    category=[concept("DISCHARGE", "urn:t")],
    subject=ref("Patient/17"),
)
TABLES = {
    "fhir_task": {"callback": "callback"},
    "fhir_communication_request": {"callback": "callback.promised"},
    "fhir_request": {"DISCHARGE": "discharge"},
}
CARE = resource("CarePlan", "p1", status="active", intent="plan", subject=ref("Patient/17"))


def activity(until: str, status: str = "scheduled") -> dict[str, Any]:
    return {**CARE, "activity": [{"detail": {"status": status, "scheduledPeriod": {"end": until}}}]}


AWAITED: dict[str, tuple[Any, str]] = {
    "a visit's start": ({**APPOINTMENT, "start": "soon"}, "Appointment.start"),
    "a visit's start as a month": ({**APPOINTMENT, "start": "2026-03"}, "Appointment.start"),
    "when a visit is asked for": (
        {**APPOINTMENT, "status": "pending", "requestedPeriod": [{"start": "soon"}]},
        "Appointment.requestedPeriod[0].start",
    ),
    "a call's time": ({**CALL, "restriction": {"period": {"end": "soon"}}}, "Task.restriction.period.end"),
    "when a call was asked for": ({**CALL, "authoredOn": "soon"}, "Task.authoredOn"),
    "a promised call": ({**ASKED, "occurrenceDateTime": "soon"}, "CommunicationRequest.occurrence"),
    "when somebody is to go home": ({**PLAN, "occurrenceDateTime": "soon"}, "ServiceRequest.occurrence"),
    "a task of a plan": (activity("soon"), "CarePlan.activity[0].detail.scheduledPeriod.end"),
}
STANDS: dict[str, Any] = {
    "a cancelled visit": {**APPOINTMENT, "status": "cancelled", "start": "soon"},
    "a call that was made": {**CALL, "status": "completed", "restriction": {"period": {"end": "soon"}}},
    "a call by a month": {**CALL, "restriction": {"period": {"end": "2026-03"}}},
    "nobody goes home": {**PLAN, "status": "revoked", "occurrenceDateTime": "soon"},
    "a task that is done": activity("soon", "completed"),
    "a visit without a start": without(APPOINTMENT, "start"),
}


@pytest.mark.parametrize("name", AWAITED)
def test_what_promises_are_counted_from_is_a_time_or_a_dead_letter(name: str) -> None:
    value, place = AWAITED[name]
    letter = FhirReader(tables=TABLES).read(value, "f.json").dead
    assert letter is not None
    assert (letter.reason, letter.place) == ("bad_time", f"f.json, {place}")
    assert "soon" not in letter.mend


@pytest.mark.parametrize("name", STANDS)
def test_what_is_over_or_says_no_time_is_taken(name: str) -> None:
    told = FhirReader(tables=TABLES).read(STANDS[name], "f.json")
    assert told.dead is None
    assert told.events


def test_null_is_absent() -> None:
    assert "visit_id" not in event({**ORDER, "encounter": None}).data


def test_a_stamp_without_an_offset_is_the_sites_and_noted_without_one() -> None:
    naive = {**ORDER, "meta": {"lastUpdated": "2026-03-02T10:00:00"}}
    assert "zone_assumed" in read(naive, zone=None).notes
    told = read(naive, zone="America/New_York")
    assert "zone_assumed" not in told.notes
    assert told.events[0].time - event(ORDER).time == 5 * 3600 * 1_000_000


@pytest.mark.parametrize("seed", range(60))
def test_spoilt_bytes_and_spoilt_types_never_raise(seed: int) -> None:
    random = Random(seed)
    reader = FhirReader()
    for good in (PATIENT, APPOINTMENT, ORDER, REPORT, ENCOUNTER, CLAIM, response("A1")):
        raw = bytearray(json.dumps(good).encode())
        for _ in range(random.randint(1, 4)):
            raw[random.randrange(len(raw))] = random.randrange(256)
        for reading in [
            *reader.read_all(bytes(raw), "f"),
            reader.read(json.dumps(_spoilt(good, random)).encode(), "f"),
        ]:
            assert [bool(reading.events), reading.ignored is not None, reading.dead is not None].count(True) == 1


def _spoilt(value: Any, random: Random) -> Any:
    """The same with a part of another type somewhere."""
    if random.random() < 0.08:
        return random.choice(
            [
                None,
                5,
                -1,
                "",
                "x",
                [],
                {},
                [None],
                {"x": 1},
                True,
                "9999-99-99",
                "0001-01-01",
                "9999-12-31T23:59:60-12:00",
            ]
        )
    if isinstance(value, dict):
        return {name: _spoilt(part, random) if name != "resourceType" else part for name, part in value.items()}
    return [_spoilt(part, random) for part in value] if isinstance(value, list) else value
