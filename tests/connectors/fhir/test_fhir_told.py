"""Messages, surveys, consents, documents, tasks, plans and proxies: what each tells, and what it keeps to itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.fhir.read import FhirReader
from connectors.hl7.mappings import load_mapping
from connectors.surveys.instruments import Instrument, Scale
from schemas.event import Event
from tests.connectors.fhir.resources import at, concept, dead, event, events, read, ref, resource

PATIENT_17 = ("Patient/17^ehr",)
SENT, ARRIVED = "2026-03-02T08:00:00Z", "2026-03-02T08:05:00Z"


def told(value: Any, tables: str) -> Event:
    """The event by a site's own lines."""
    mapping = load_mapping(("site.yaml", f"tables: {tables}"))
    [only] = FhirReader(system="ehr", zone="UTC", tables=mapping.tables).read(json.dumps(value).encode(), "f").events
    return only


def said(**rest: Any) -> Any:
    return resource(
        "Communication",
        "c1",
        **{
            "status": "completed",
            "subject": ref("Patient/17"),
            "sent": SENT,
            "received": ARRIVED,
            "sender": ref("Patient/17"),
            "payload": [{"contentString": "it hurts"}],
            **rest,
        },
    )


def test_a_patients_message() -> None:
    message = event(said(medium=[concept("ELECTRONIC")], priority="urgent"))
    assert (message.type, message.identifiers, message.time) == ("message.received", PATIENT_17, at(ARRIVED))
    assert message.data == {
        "communication_id": "Communication/c1^ehr",
        "thread_id": "Communication/c1^ehr",
        "urgent": True,
        "channel": "portal",
        "from": "patient",
        "source": "fhir/ehr",
        "origin_id": "Communication/c1@1",
    }


def test_its_answer() -> None:
    answer = event(said(sender=ref("Practitioner/5"), inResponseTo=[ref("Communication/c0")]))
    assert (answer.type, answer.data["thread_id"], answer.data["from"]) == (
        "message.answered",
        "Communication/c0^ehr",
        "staff",
    )
    assert event(said(sender=ref("RelatedPerson/3"))).data["from"] == "proxy"


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"status": "preparation"}, "Communication that was not made"),
        ({"status": "not-done"}, "Communication that was not made"),
        ({"sender": ref("Practitioner/5"), "recipient": [ref("Practitioner/6")]}, "Communication among staff"),
        ({"sender": None}, "Communication of nobody named, without a mapped category or topic"),
        (
            {"category": [concept("reminder")], "recipient": [ref("Practitioner/6")]},
            "Communication among staff",
        ),
    ],
)
def test_what_is_no_message(change: dict[str, Any], reason: str) -> None:
    assert read(said(**change)).ignored == reason


def test_what_a_category_says() -> None:
    reminder = event(said(category=[concept("reminder")], about=[ref("Appointment/a1")], medium=[concept("SMSWRIT")]))
    assert (reminder.type, reminder.data["appointment_id"], reminder.data["channel"]) == (
        "reminder.delivered",
        "Appointment/a1^ehr",
        "sms",
    )
    assert "from" not in reminder.data
    moon = event(said(category=[concept("moon")], encounter=ref("Encounter/e1")))
    assert (moon.type, moon.data["kind"], moon.data["visit_id"]) == ("notice.given", "moon", "Encounter/e1^ehr")
    topic = told(
        said(topic={"text": "Lab letter"}, about=[ref("DiagnosticReport/r1")]),
        "{fhir_communication: {Lab letter: result.released}}",
    )
    assert (topic.type, topic.data["report_id"]) == ("result.released", "DiagnosticReport/r1^ehr")
    tables = "{fhir_communication: {CALL: outreach.reached}, fhir_purpose: {RES: result}}"
    call = told(said(category=[concept("CALL")], reasonCode=[concept("RES")], status="not-done"), tables)
    assert (call.type, call.data["purpose"]) == ("outreach.failed", "result")


def test_a_complaint_in_writing_is_a_grievance() -> None:
    tables = "{fhir_communication: {COMPL: complaint.received}}"
    written = told(said(category=[concept("COMPL")], medium=[concept("EMAILWRIT")]), tables)
    spoken = told(said(category=[concept("COMPL")], medium=[concept("PHONE")]), tables)
    assert (written.data["grievance"], spoken.data["grievance"]) == (True, False)
    assert written.data["complaint_id"] == "Communication/c1^ehr"


def test_what_somebody_is_asked_to_say() -> None:
    asked = resource(
        "CommunicationRequest",
        status="active",
        category=[concept("callback")],
        subject=ref("Patient/17"),
        authoredOn=SENT,
        occurrencePeriod={"start": "2026-03-02T12:00:00Z", "end": "2026-03-02T14:00:00Z"},
    )
    call = event(asked)
    assert (call.type, call.data["promised_for"], call.time) == ("callback.promised", "2026-03-02T14:00:00Z", at(SENT))
    assert read({**asked, "status": "completed"}).ignored == "CommunicationRequest that asks for nothing now"


SURVEY = resource(
    "QuestionnaireResponse",
    "q1",
    questionnaire="https://north.example/Questionnaire/nps|2",
    status="completed",
    subject=ref("Patient/17"),
    encounter=ref("Encounter/e1"),
    authored=SENT,
    item=[
        {"linkId": "nps", "answer": [{"valueInteger": 4}]},
        {
            "linkId": "g",
            "item": [
                {"linkId": "why", "answer": [{"valueString": "Nobody called me, and my name is Jane"}]},
                {"linkId": "wants_contact", "answer": [{"valueBoolean": True}]},
                {"linkId": "clean", "answer": [{"valueCoding": {"code": "3", "display": "Sometimes"}}]},
            ],
        },
    ],
)


def test_a_survey() -> None:
    answer = event(SURVEY)
    assert (answer.type, answer.time) == ("survey.answered", at(SENT))
    assert answer.data == {
        "visit_id": "Encounter/e1^ehr",
        "survey_id": "QuestionnaireResponse/q1^ehr",
        "instrument": "nps",
        "item": {"nps": 4},
        "score": 4,
        "nps": 4,
        "low": True,
        "wants_contact": True,
        "comment_id": answer.data["comment_id"],
        "source": "fhir/ehr",
        "origin_id": "QuestionnaireResponse/q1@1",
    }
    assert "Jane" not in repr(answer)
    assert read(SURVEY).notes == ("answers_without_item",)  # clean is no item of nps


CLEAN = Scale(1, 4, ("never", "sometimes", "usually", "always"))
ED = {"ed": Instrument(name="ed", items={"overall": Scale(0, 10), "clean": CLEAN}, score="overall", low={"overall": 3})}


def test_a_survey_of_a_site_is_scored_as_its_feedback_is() -> None:
    url = "https://north.example/Questionnaire/ed"
    tables = load_mapping(
        ("site", f"tables: {{fhir_instrument: {{{url}: ed}}, fhir_survey_item: {{ed#nps: score}}}}")
    ).tables
    reader = FhirReader(system="ehr", tables=tables, instruments=ED)
    [answer] = reader.read(json.dumps({**SURVEY, "questionnaire": url}).encode(), "r").events
    assert (answer.data["score"], answer.data["low"], answer.data["instrument"]) == (4, False, "ed")
    assert answer.data["item"] == {"overall": 4, "clean": 3}
    low = {**SURVEY, "questionnaire": url, "item": [{"linkId": "nps", "answer": [{"valueInteger": 11}]}]}
    letter = reader.read(json.dumps(low).encode(), "r").dead
    assert letter is not None
    assert letter.place == "r, QuestionnaireResponse.item (overall)"


def test_what_is_no_survey_or_nobodys() -> None:
    assert read({**SURVEY, "questionnaire": "Questionnaire/phq9"}).ignored == "QuestionnaireResponse of no survey"
    assert read({**SURVEY, "status": "in-progress"}).ignored == "QuestionnaireResponse that is not completed"
    nobody = {name: value for name, value in SURVEY.items() if name != "subject"}
    assert dead(nobody) == ("no_identifier", "QuestionnaireResponse.subject")


@pytest.mark.parametrize(
    "status, provision, type_",
    [
        ("active", {"type": "permit"}, "consent.given"),
        ("active", {}, "consent.given"),
        ("active", {"type": "deny"}, "consent.revoked"),
        ("inactive", {"type": "permit"}, "consent.revoked"),
        ("rejected", {}, "consent.revoked"),
    ],
)
def test_a_consent(status: str, provision: dict[str, Any], type_: str) -> None:
    consent = resource(
        "Consent",
        status=status,
        patient=ref("Patient/17"),
        dateTime=SENT,
        scope=concept("research"),
        provision=provision,
    )
    found = event(consent)
    assert (found.type, found.data["purpose"]) == (type_, "research")
    assert found.time == at(SENT) or status != "active"


def test_a_consent_that_sets_a_preference() -> None:
    consent = resource(
        "Consent", status="active", patient=ref("Patient/17"), dateTime=SENT, category=[concept("TEXTME")]
    )
    found = told(consent, "{fhir_consent: {TEXTME: preference.set}, fhir_channel: {TEXTME: sms}}")
    assert (found.type, found.data["channel"]) == ("preference.set", "sms")
    assert read({**consent, "status": "draft"}).ignored == "Consent that nobody gave yet"


DOCUMENT = resource(
    "DocumentReference",
    "d1",
    status="current",
    docStatus="final",
    type=concept("18842-5", "http://loinc.org"),
    subject=ref("Patient/17"),
    date=SENT,
    context={"encounter": [ref("Encounter/e1")], "related": [ref("ServiceRequest/o1")]},
)


def test_a_document() -> None:
    signed = event(DOCUMENT)
    assert signed.type == "document.stated"
    assert {"document_id", "kind", "visit_id", "order_id", "status", "moments"} <= signed.data.keys()
    assert (signed.data["kind"], signed.data["moments"]) == ("DS", {"document.signed": at(SENT)})
    assert event({**DOCUMENT, "status": "entered-in-error"}).data["status"] == "entered-in-error"
    assert read({**DOCUMENT, "docStatus": "preliminary"}).ignored == "DocumentReference that is not signed yet"
    assert read({**DOCUMENT, "docStatus": None}).ignored == "DocumentReference that nobody is known to have signed"
    notice, stated = events({**DOCUMENT, "type": concept("moon")})
    assert (notice.type, notice.data["kind"], stated.type) == ("notice.given", "moon", "document.stated")


@pytest.mark.parametrize(
    "code, statement, key",
    [
        ("callback", "callback.stated", "callback_id"),
        ("result-review", "review.stated", "task_id"),
        ("record-request", "record.stated", "request_id"),
        ("record-amendment", "amendment.stated", "request_id"),
        ("refill", "refill.stated", "request_id"),
        ("estimate", "estimate.stated", "request_id"),
        ("advocate", "advocate.stated", "request_id"),
        ("billing-question", "bill.stated", "task_id"),
        ("appeal", "appeal.stated", "task_id"),
        ("complaint", "complaint.stated", "complaint_id"),
        ("outreach", "outreach.stated", "task_id"),
        ("follow-up", "careplan.stated", "task_id"),
    ],
)
def test_a_task(code: str, statement: str, key: str) -> None:
    task = resource(
        "Task",
        "t1",
        status="requested",
        code=concept(code),
        authoredOn=SENT,
        restriction={"period": {"end": "2026-03-03T08:00:00Z"}},
        **{"for": ref("Patient/17")},
    )
    found = event(task)
    assert (found.type, found.data[key], found.data["status"]) == (statement, "Task/t1^ehr", "requested")


def test_a_care_plan() -> None:
    plan = resource(
        "CarePlan",
        "p1",
        status="active",
        subject=ref("Patient/17"),
        activity=[
            {"detail": {"status": "scheduled", "scheduledPeriod": {"end": "2026-03-09"}}},
            {"id": "b", "detail": {"status": "completed"}},
            {"reference": ref("Task/t1")},
        ],
    )
    due, done = events(plan)
    assert (due.data["task_id"], due.data["due"]) == ("CarePlan/p1^ehr#0", "2026-03-09T00:00:00Z")
    assert (done.data["task_id"], done.data["status"]) == ("CarePlan/p1^ehr#b", "completed")


def test_who_speaks_for_a_patient() -> None:
    related = resource(
        "RelatedPerson",
        "r1",
        patient=ref("Patient/17"),
        relationship=[concept("MTH")],
        name=[{"family": "Doe", "given": ["Ann"]}],
        telecom=[{"system": "phone", "value": "555-0100"}],
    )
    proxy = event(related)
    assert (proxy.type, proxy.identifiers, proxy.data["status"]) == ("proxy.stated", PATIENT_17, "active")
    assert (proxy.data["relation"], proxy.data["name"], proxy.data["phones"]) == ("MTH", "Ann Doe", ["555-0100"])
    assert event({**related, "period": {"end": "2026-01-01"}}).data["status"] == "inactive"
    undated = read({**related, "meta": {}})
    assert (undated.events[0].time, undated.notes) == (0, ("no_last_updated", "undated_facts"))


def test_a_misspelt_event_of_a_table_is_told() -> None:
    from schemas.declaration import WrongDeclaration

    with pytest.raises(WrongDeclaration, match=r"reminder\.delivred"):
        load_mapping(("site.yaml", "tables: {fhir_communication: {X: reminder.delivred}}"))


def test_money() -> None:
    charge = resource(
        "ChargeItem", status="billable", subject=ref("Patient/17"), enteredDate=SENT, account=[ref("Account/4")],
        priceOverride={"value": 12.5},
    )  # fmt: skip
    posted = event(charge)
    assert (posted.type, posted.data["amount"], posted.data["account_id"]) == ("charge.posted", 12.5, "Account/4^ehr")
    assert read({**charge, "status": "planned"}).ignored == "ChargeItem that charges nothing"
    bill = event(
        resource("Invoice", "i1", status="issued", subject=ref("Patient/17"), date=SENT, account=ref("Account/4"))
    )
    assert (bill.type, bill.data["statement_id"]) == ("bill.sent", "Invoice/i1^ehr")
    asked = event(
        resource("Claim", "c9", status="active", use="predetermination", patient=ref("Patient/17"), created=SENT)
    )
    assert (asked.type, asked.data["request_id"]) == ("estimate.requested", "Claim/c9^ehr")


def test_a_patient_who_read_a_result() -> None:
    audit = resource(
        "AuditEvent", action="R", recorded=SENT, outcome="0",
        agent=[{"who": ref("RelatedPerson/3"), "requestor": True}],
        entity=[{"what": ref("Patient/17")}, {"what": ref("DiagnosticReport/r1")}],
    )  # fmt: skip
    viewed = event(audit)
    assert (viewed.type, viewed.identifiers, viewed.data["report_id"]) == (
        "result.viewed", PATIENT_17, "DiagnosticReport/r1^ehr",
    )  # fmt: skip
    by_staff = {**audit, "agent": [{"who": ref("Practitioner/5"), "requestor": True}]}
    assert read(by_staff).ignored == "AuditEvent of no result that its patient read"


def test_a_read_result_belongs_to_the_order_that_is_named_beside_it() -> None:
    """Where reports come by HL7 v2, a promise counts by the order, which the report's reference does not tell."""
    asked = {"type": "ServiceRequest", "identifier": {"system": "orders", "value": "O1"}}
    audit = resource(
        "AuditEvent", action="R", recorded=SENT, outcome="0",
        agent=[{"who": ref("Patient/17"), "requestor": True}],
        entity=[{"what": ref("DiagnosticReport/r1")}, {"what": asked}],
    )  # fmt: skip
    viewed = event(audit)
    assert (viewed.data["order_id"], viewed.data["report_id"]) == ("O1^orders", "DiagnosticReport/r1^ehr")
    two = {**audit, "entity": [*audit["entity"], {"what": ref("DiagnosticReport/r2")}]}
    assert [one.data.get("order_id") for one in read(two).events] == [None, None]
