"""Resources for the tests, as servers send them, and what a reader makes of them."""

from __future__ import annotations

import json
from typing import Any

from connectors.api import Reading
from connectors.fhir.read import FhirReader
from schemas.event import Event
from schemas.instant import read_instant

SEEN = "2026-03-02T10:00:00Z"
SNOMED = "http://snomed.info/sct"


def resource(
    type_: str, id_: str | None = "1", *, seen: str | None = SEEN, version: str | None = "1", **rest: Any
) -> Any:
    """A resource of that type, with its version; `seen` is its meta.lastUpdated."""
    meta = {k: v for k, v in {"versionId": version, "lastUpdated": seen}.items() if v is not None}
    return {"resourceType": type_} | ({"id": id_} if id_ else {}) | ({"meta": meta} if meta else {}) | rest


def concept(code: str, system: str = SNOMED) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def ref(text: str) -> dict[str, Any]:
    return {"reference": text}


PATIENT = resource(
    "Patient",
    "17",
    identifier=[
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "444222222"},
        {"system": "urn:member", "value": "M9"},
        {"type": concept("MR", "http://terminology.hl7.org/CodeSystem/v2-0203"), "system": "urn:north", "value": "100"},
    ],
    name=[{"family": "Doe", "given": ["Jane"]}],
    telecom=[{"system": "phone", "value": "(03) 5555 6473"}, {"system": "email", "value": "x@y"}],
    birthDate="1974-12-25",
    deceasedBoolean=False,
    communication=[{"language": concept("es-MX", "urn:ietf:bcp:47"), "preferred": True}],
)
APPOINTMENT = resource(
    "Appointment",
    "a1",
    status="booked",
    identifier=[{"system": "urn:sched", "value": "A77"}],
    appointmentType=concept("FOLLOWUP"),
    basedOn=[ref("ServiceRequest/o1")],
    start="2026-03-10T09:00:00-05:00",
    end="2026-03-10T09:30:00-05:00",
    participant=[
        {"actor": ref("Practitioner/5"), "status": "accepted"},
        {"actor": ref("Patient/17"), "status": "accepted"},
    ],
)
ORDER = resource(
    "ServiceRequest",
    "o1",
    status="active",
    intent="order",
    identifier=[
        {"type": concept("FILL", "http://terminology.hl7.org/CodeSystem/v2-0203"), "system": "urn:lab", "value": "F1"},
        {"type": concept("PLAC", "http://terminology.hl7.org/CodeSystem/v2-0203"), "system": "urn:ehr", "value": "P1"},
    ],
    category=[concept("108252007")],
    priority="stat",
    code=concept("GLU"),
    subject=ref("Patient/17"),
    encounter=ref("Encounter/e1"),
    authoredOn="2026-03-02T08:00:00Z",
)
REPORT = resource(
    "DiagnosticReport",
    "r1",
    status="final",
    basedOn=[ref("ServiceRequest/o1")],
    category=[concept("MB", "http://terminology.hl7.org/CodeSystem/v2-0074")],
    code=concept("GLU"),
    subject=ref("Patient/17"),
    issued="2026-03-02T09:30:00Z",
)
ENCOUNTER = {
    **resource("Encounter", "e1", status="finished", subject=ref("Patient/17"), appointment=[ref("Appointment/a1")]),
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OBSENC"},
    "period": {"start": "2026-03-01T08:00:00Z", "end": "2026-03-02T09:00:00Z"},
    "hospitalization": {"dischargeDisposition": concept("snf")},
    "location": [{"location": ref("Location/9"), "status": "completed"}, {"location": ref("Location/2")}],
}
CLAIM = resource(
    "Claim",
    "c1",
    status="active",
    use="preauthorization",
    identifier=[{"system": "urn:prov", "value": "PA1"}],
    patient=ref("Patient/17"),
    created="2026-03-02T09:00:00Z",
    insurer={"identifier": {"system": "urn:npi", "value": "789"}},
    priority=concept("stat"),
    item=[
        {
            "sequence": 1,
            "extension": [
                {
                    "url": "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-requestedService",
                    "valueReference": ref("ServiceRequest/o1"),
                }
            ],
        }
    ],
)
PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-reviewAction"


def response(*verdicts: str, **rest: Any) -> Any:
    """A ClaimResponse with a verdict an item, as PAS 2 has them."""
    items = [
        {
            "itemSequence": number,
            "adjudication": [
                {
                    "category": concept("submitted"),
                    "extension": [
                        {
                            "url": PAS,
                            "extension": [
                                {"url": f"{PAS}Code", "valueCodeableConcept": concept(verdict, "https://x12.org/306")}
                            ],
                        }
                    ],
                }
            ],
        }
        for number, verdict in enumerate(verdicts, start=1)
    ]
    return resource(
        "ClaimResponse",
        "cr1",
        **{
            "status": "active",
            "use": "preauthorization",
            "patient": ref("Patient/17"),
            "created": "2026-03-02",
            "request": ref("Claim/c1"),
            "outcome": "complete",
            "preAuthRef": "AUTH1",
            "preAuthPeriod": {"end": "2026-06-01"},
            "item": items,
            **rest,
        },
    )


def read(value: Any, **settings: Any) -> Reading:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return FhirReader(**{"system": "ehr", "zone": "UTC", **settings}).read(raw, "f.json")


def events(value: Any, **settings: Any) -> list[Event]:
    reading = read(value, **settings)
    assert reading.dead is None, reading.dead
    assert reading.ignored is None, reading.ignored
    return list(reading.events)


def event(value: Any, **settings: Any) -> Event:
    [only] = events(value, **settings)
    return only


def dead(value: Any, **settings: Any) -> tuple[str, str]:
    """Reason and place of a dead letter."""
    letter = read(value, **settings).dead
    assert letter is not None
    return letter.reason.value, letter.place.removeprefix("f.json, ")


def bundle(*resources: Any, type_: str = "collection", **rest: Any) -> Any:
    """A bundle of resources; one that is an entry already, with its fullUrl, stays as it is."""
    entries = [r if "resourceType" not in r else {"resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": type_, "entry": entries, **rest}


def read_all(value: Any, **settings: Any) -> list[Reading]:
    reader = FhirReader(**{"system": "ehr", "zone": "UTC", **settings})
    return list(reader.read_all(json.dumps(value).encode(), "f.json"))


def at(text: str) -> int:
    return read_instant(text)
