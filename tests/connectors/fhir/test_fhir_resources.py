"""Each type of resource: what it states, whom it is about, and when."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.event import DAY
from tests.connectors.fhir.resources import (
    APPOINTMENT,
    CLAIM,
    ENCOUNTER,
    ORDER,
    PATIENT,
    REPORT,
    SEEN,
    at,
    bundle,
    concept,
    event,
    events,
    read,
    read_all,
    ref,
    resource,
    response,
)

WHO = ("Patient/17^ehr",)


def test_a_patient_names_its_reference_and_its_numbers_together() -> None:
    told = event(PATIENT)
    assert told.type == "person.updated"
    assert told.identifiers == ("Patient/17^ehr", "100^urn:north", "M9^urn:member")
    assert (told.data["mrn"], told.data["assigning_authority"]) == ("100", "urn:north")
    assert (told.data["language"], told.data["birth_date"]) == ("es-MX", "1974-12-25")
    assert told.data["phones"] == ["(03) 5555 6473"]
    assert (told.time, told.source) == (at(SEEN), "fhir/ehr")
    assert (told.id, told.data["origin_id"]) == ("Patient/17@1/person.updated", "Patient/17@1")


def test_a_patient_who_died() -> None:
    _, died = events({**PATIENT, "deceasedDateTime": "2026-03-01T23:00:00-05:00"})
    assert (died.type, died.time) == ("person.died", at("2026-03-02T04:00:00Z"))
    _, died = events({**PATIENT, "deceasedBoolean": True})
    assert died.time == at(SEEN)
    _, died = events({**PATIENT, "deceasedDateTime": "2026"})
    assert died.time == at(SEEN)


@pytest.mark.parametrize(
    "kind, type_, surviving, retired",
    [
        ("replaced-by", "person.merged", "Patient/18^ehr", "Patient/17^ehr"),
        ("replaces", "person.merged", "Patient/17^ehr", "Patient/18^ehr"),
        ("seealso", "person.linked", "Patient/17^ehr", "Patient/18^ehr"),
    ],
)
def test_patients_who_turn_out_to_be_one(kind: str, type_: str, surviving: str, retired: str) -> None:
    link = [{"other": ref("Patient/18"), "type": kind}]
    _, told = events({**PATIENT, "identifier": [], "link": link})
    assert (told.type, told.data["surviving"], told.data["retired"]) == (type_, [surviving], [retired])


def test_an_appointment() -> None:
    told, scheduled = events(APPOINTMENT)
    assert (told.type, told.identifiers, told.time) == ("appointment.stated", WHO, at(SEEN))
    assert told.data == {
        "appointment_id": "A77^urn:sched",
        "filler_appointment_id": "Appointment/a1^ehr",
        "start": "2026-03-10T14:00:00Z",
        "end": "2026-03-10T14:30:00Z",
        "visit_type": "FOLLOWUP",
        "order_id": "ServiceRequest/o1^ehr",
        "referral_id": "ServiceRequest/o1^ehr",
        "status": "booked",
        "source": "fhir/ehr",
        "origin_id": "Appointment/a1@1",
        "version": 1,
    }
    assert (scheduled.type, scheduled.data["order_id"]) == ("order.scheduled", "ServiceRequest/o1^ehr")


def test_an_appointment_that_was_called_off() -> None:
    told = event({**APPOINTMENT, "status": "cancelled", "cancelationReason": concept("pat-crs")})
    assert (told.data["reason"], told.data["by"]) == ("pat-crs", "patient")


def test_an_appointment_of_a_group_is_one_of_each() -> None:
    both = [{"actor": ref("Patient/17")}, {"actor": ref("Patient/18")}]
    told = events({**APPOINTMENT, "basedOn": [], "participant": both})
    assert [e.identifiers[0] for e in told] == ["Patient/17^ehr", "Patient/18^ehr"]
    assert len({e.id for e in told}) == 2


def test_an_order() -> None:
    told = event(ORDER)
    assert (told.type, told.identifiers) == ("order.stated", WHO)
    assert (told.data["order_id"], told.data["filler_order_id"]) == ("P1^urn:ehr", "ServiceRequest/o1^ehr")
    assert (told.data["category"], told.data["category_code"]) == ("LAB", "108252007")
    assert (told.data["priority"], told.data["visit_id"], told.data["slow"]) == ("S", "Encounter/e1^ehr", False)
    assert told.data["moments"] == {"order.placed": at("2026-03-02T08:00:00Z")}
    assert told.time == at(SEEN)


def test_an_order_of_a_day_is_no_finer_than_the_day() -> None:
    told = event({**ORDER, "authoredOn": "2026-02-20"}, zone="America/New_York")
    assert told.data["moments"] == {"order.placed": at("2026-02-20T05:00:00Z")}
    assert (told.precision, told.data["time_precision"]) == (DAY, "day")
    same_day = event({**ORDER, "authoredOn": "2026-03-02"})
    assert "moments" not in same_day.data  # the version of that day is the finer stamp
    assert same_day.precision == 0


def test_a_referral_is_no_order() -> None:
    told = event({**ORDER, "category": [concept("3457005")], "performer": [ref("Organization/7")]})
    assert told.type == "referral.stated"
    assert (told.data["referral_id"], told.data["to"]) == ("P1^urn:ehr", "Organization/7^ehr")
    assert told.data["referral_reference"] == "ServiceRequest/o1^ehr"
    assert "referral.requested" in told.data["moments"]


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"intent": "proposal"}, "ServiceRequest that is no order"),
        ({"intent": "plan"}, "ServiceRequest that is no order"),
        ({"doNotPerform": True}, "ServiceRequest of what is not to be done"),
        ({"subject": {"reference": "Group/4"}}, "ServiceRequest about no patient"),
    ],
)
def test_what_is_no_order(change: dict[str, Any], reason: str) -> None:
    assert read({**ORDER, **change}).ignored == reason


def test_a_report() -> None:
    told = event(REPORT)
    assert (told.type, told.data["report_id"]) == ("result.stated", "DiagnosticReport/r1^ehr")
    assert (told.data["order_id"], told.data["category"], told.data["slow"]) == ("ServiceRequest/o1^ehr", "LAB", True)
    assert told.data["moments"] == {"result.final": at("2026-03-02T09:30:00Z")}
    assert "abnormal" not in told.data


def test_a_report_that_answers_several_orders() -> None:
    two = {**REPORT, "basedOn": [ref("ServiceRequest/o1"), ref("ServiceRequest/o2")]}
    first, second = events(two)
    assert (first.data["order_id"], second.data["order_id"]) == ("ServiceRequest/o1^ehr", "ServiceRequest/o2^ehr")
    assert (second.type, second.time) == ("result.final", at("2026-03-02T09:30:00Z"))
    assert "report_id" not in second.data
    reading = read({**two, "issued": None})
    assert (len(reading.events), reading.notes) == (1, ("more_orders",))


def test_a_report_that_was_cancelled_happens_when_its_version_was_made() -> None:
    told = event({**REPORT, "status": "cancelled"})
    assert "moments" not in told.data
    assert told.time == at(SEEN)


def test_a_report_is_abnormal_by_its_observations() -> None:
    high = resource("Observation", "h", interpretation=[concept("HH")])
    normal = resource("Observation", "n", interpretation=[concept("N")])
    both = {**REPORT, "result": [ref("Observation/h"), ref("Observation/n")]}
    told = read_all(bundle(both, high, normal))[0].events[0]
    assert (told.data["abnormal"], told.data["critical"]) == (True, True)
    told = read_all(bundle({**REPORT, "result": [ref("Observation/n")]}, normal))[0].events[0]
    assert (told.data["abnormal"], told.data["critical"]) == (False, False)
    told = read_all(bundle({**REPORT, "result": [ref("Observation/n"), ref("Observation/elsewhere")]}, normal))
    assert "abnormal" not in told[0].events[0].data
    contained = {**REPORT, "contained": [{**high, "id": "x"}], "result": [ref("#x")]}
    assert event(contained).data["critical"] is True


def test_a_visit_that_ended_and_the_appointment_it_was_for() -> None:
    told, came = events(ENCOUNTER)
    assert (told.type, told.data["visit_id"]) == ("visit.stated", "Encounter/e1^ehr")
    assert (told.data["class"], told.data["observation"], told.data["location"]) == ("O", True, "Location/2^ehr")
    assert (told.data["disposition_code"], told.data["disposition"]) == ("snf", "transfer")
    assert told.data["moments"] == {"visit.ended": at("2026-03-02T09:00:00Z")}
    assert (came.type, came.data["status"], came.time) == ("appointment.stated", "arrived", at("2026-03-01T08:00:00Z"))
    assert came.data["appointment_id"] == "Appointment/a1^ehr"


def test_a_visit_that_began() -> None:
    told = events({**ENCOUNTER, "status": "in-progress", "period": {"start": "2026-03-02T07:00:00Z"}})[0]
    assert told.data["moments"] == {"visit.started": at("2026-03-02T07:00:00Z")}
    assert "disposition" not in told.data


def test_a_moment_that_lies_ahead_of_its_version_is_not_believed() -> None:
    reading = read({**ENCOUNTER, "period": {"end": "2027-01-01T00:00:00Z"}})
    assert "moments" not in reading.events[0].data
    assert "moment_ahead" in reading.notes


def test_an_authorization_that_is_asked_for() -> None:
    told = event(CLAIM)
    assert (told.type, told.data["authorization_id"]) == ("authorization.stated", "PA1^urn:prov")
    assert told.data["payer_number"] == "Claim/c1^ehr"  # until the payer's own comes: both name the request
    assert (told.data["urgent"], told.data["payer"]) == (True, "789^urn:npi")
    assert told.data["order_id"] == "ServiceRequest/o1^ehr"
    assert told.data["moments"] == {"authorization.requested": at("2026-03-02T09:00:00Z")}
    assert event({**CLAIM, "priority": concept("normal")}).data["urgent"] is False
    assert read({**CLAIM, "use": "claim"}).ignored == "Claim that asks for no authorization"


@pytest.mark.parametrize(
    "verdicts, type_, extent",
    [
        (["A1"], "approved", "total"),
        (["A1", "A6"], "approved", "modified"),
        (["A2"], "approved", "partial"),
        (["A1", "A3"], "approved", "partial"),
        (["A3"], "denied", None),
        (["A4"], "pended", None),
        (["A1", "CT"], "pended", None),
        (["NA"], "not_required", None),
        (["C"], "cancelled", None),
    ],
)
def test_an_authorization_that_is_answered(verdicts: list[str], type_: str, extent: str | None) -> None:
    told = event(response(*verdicts))
    assert (told.type, told.data.get("extent")) == (f"authorization.{type_}", extent)
    assert (told.data["authorization_id"], told.data["payer_number"]) == ("Claim/c1^ehr", "AUTH1")
    assert told.data["valid_until"] == "2026-06-01T00:00:00Z"
    assert told.time == at(SEEN)


def test_processing_that_is_complete_is_no_verdict() -> None:
    assert read(response()).ignored == "ClaimResponse without a review action"
    assert read(response("A1", status="draft")).ignored == "ClaimResponse that is not active"


@pytest.mark.parametrize("status, type_", [("accepted", "accepted"), ("rejected", "rejected"), ("completed", "closed")])
def test_a_task_that_answers_a_referral(status: str, type_: str) -> None:
    task = resource("Task", status=status, focus=ref("ServiceRequest/o1"), lastModified="2026-03-02T09:00:00Z")
    told = event({**task, "for": ref("Patient/17")})
    assert (told.type, told.data["referral_id"]) == (f"referral.{type_}", "ServiceRequest/o1^ehr")
    assert told.time == at("2026-03-02T09:00:00Z")


@pytest.mark.parametrize("type_", ["Practitioner", "Condition", "MedicationRequest", "Coverage"])
def test_types_that_tell_nothing(type_: str) -> None:
    assert read(resource(type_)).ignored == f"no mapping for {type_}"


def test_what_is_marked_as_sensitive_is_labelled() -> None:
    meta = {**ORDER["meta"], "security": [{"code": "R"}]}
    assert event({**ORDER, "meta": meta}).sensitivity == "restricted"
    meta["security"].append({"code": "HIV"})
    assert event({**ORDER, "meta": meta}).sensitivity == "protected"
    assert event(ORDER).sensitivity is None
