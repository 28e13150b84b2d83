"""FHIR bytes to events, beside the models of fhir.resources on a sample of the same resources.

The resources are written as bulk exports have them, eight types in turn, every one of another patient, thing and
second, so that nothing remembered from one resource makes the next one cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from connectors.api import Reading
from connectors.fhir.bundle import Piece
from connectors.fhir.files import split_resources
from connectors.fhir.read import FhirReader
from connectors.fhir.validate import faults
from hub.bench.figure import Figure, seconds_of, uncollected

RESOURCES: Final = 40_000
_SAMPLE: Final = 2_000
_CHUNK: Final = 1 << 20
_START: Final = datetime(2026, 3, 2, tzinfo=UTC)
_GOAL: Final = "15,000 or more"
_V3: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_V2: Final = "http://terminology.hl7.org/CodeSystem/v2-"
_REVIEW: Final = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/extension-reviewAction"


def run(resources: int = RESOURCES) -> Iterator[Figure]:
    """Read that many resources from one stream of NDJSON, then a sample of them through the models, then read and
    validated, as `--validate` does."""
    made = list(write_resources(resources))
    stream = b"\n".join(made)
    yield Figure("bytes a resource", len(stream) / resources, "bytes")
    reader = FhirReader(zone="UTC")
    chunks = [stream[at : at + _CHUNK] for at in range(0, len(stream), _CHUNK)]
    with uncollected():
        pieces = split_resources(chunks, "bench")
        yield _rate("bytes to events", lambda piece: _take(piece, reader), pieces, resources, _GOAL)
        yield from _by_type(made, FhirReader(zone="UTC"))
        sample = made[:_SAMPLE]
        faults(msgspec.json.decode(sample[0]))  # it loads the models at the first
        yield _rate("reference: fhir.resources R4B, validation alone, a sample", _validate, sample, len(sample))
        checking = FhirReader(zone="UTC", validates=True)
        yield _rate("bytes to events with --validate, a sample", lambda raw: _read(raw, checking), sample, len(sample))


def _by_type(made: list[bytes], reader: FhirReader) -> Iterator[Figure]:
    for number, write in enumerate(_WRITERS):
        chosen = made[number :: len(_WRITERS)]
        name = write(0)["resourceType"]
        yield _rate(f"  {name} alone", lambda raw: _read(raw, reader), chosen, len(chosen))


def _rate(name: str, work: Callable[..., object], items: Iterable[object], count: int, goal: str = "") -> Figure:
    return Figure(name, count / seconds_of(work, items), "resources/s", goal)


def _take(piece: Piece | Reading, reader: FhirReader) -> None:
    reading = piece if isinstance(piece, Reading) else reader.read(piece.raw, piece.place, piece.around)
    if not reading.events:
        raise RuntimeError("a resource of the bench gave no event")


def _read(raw: bytes, reader: FhirReader) -> None:
    _take(Piece("bench", raw), reader)


def _validate(raw: bytes) -> None:
    from fhir.resources.R4B import get_fhir_model_class  # noqa: PLC0415 - 160 ms that only this asks for

    get_fhir_model_class(raw[17 : raw.index(b'"', 17)].decode()).model_validate_json(raw)


def write_resources(count: int) -> Iterator[bytes]:
    """That many resources, the types in turn, as JSON without blanks."""
    for number in range(count):
        yield msgspec.json.encode(_WRITERS[number % len(_WRITERS)](number))


def _stamp(number: int, minutes: int = 0) -> str:
    return (_START + timedelta(seconds=37 * number, minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _resource(type_: str, number: int, **rest: Any) -> dict[str, Any]:
    meta = {"versionId": str(1 + number % 3), "lastUpdated": _stamp(number, 90), "profile": [f"http://north/{type_}"]}
    return {"resourceType": type_, "id": f"{type_[:2].lower()}{number}", "meta": meta, **rest}


def _concept(code: str, system: str, text: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": text}], "text": text}


def _of(type_: str, id_: str) -> dict[str, str]:
    return {"reference": f"{type_}/{id_}"}


def _patient(number: int) -> dict[str, Any]:
    return _resource(
        "Patient",
        number,
        identifier=[
            {"type": _concept("MR", f"{_V2}0203", "MRN"), "system": "urn:north", "value": str(5_000_000 + number)},
            {"use": "secondary", "system": "urn:member", "value": f"M{number}"},
        ],
        name=[{"use": "official", "family": f"Doe{number}", "given": ["Jo", "Q"]}],
        telecom=[{"system": "phone", "value": f"+1 555 555 {number % 10000:04d}", "use": "home"}],
        gender="female",
        birthDate="1961-04-12",
        address=[{"line": [f"{number} Main St"], "city": "Springfield", "state": "NY", "postalCode": "12345"}],
        communication=[{"language": _concept("es", "urn:ietf:bcp:47", "Spanish"), "preferred": True}],
    )


def _appointment(number: int) -> dict[str, Any]:
    return _resource(
        "Appointment",
        number,
        identifier=[{"system": "urn:sched", "value": f"A{number}"}],
        status=("booked", "arrived", "cancelled")[number % 3],
        appointmentType=_concept("FOLLOWUP", f"{_V2}0276", "Follow-up"),
        start=_stamp(number, 4000),
        end=_stamp(number, 4030),
        created=_stamp(number),
        participant=[
            {"actor": _of("Practitioner", f"d{number % 300}"), "status": "accepted"},
            {"actor": _of("Patient", f"pa{number}"), "status": "accepted"},
        ],
    )


def _order(number: int) -> dict[str, Any]:
    return _resource(
        "ServiceRequest",
        number,
        identifier=[{"type": _concept("PLAC", f"{_V2}0203", "Placer"), "system": "urn:ehr", "value": f"P{number}"}],
        status="active",
        intent="order",
        category=[_concept("108252007", "http://snomed.info/sct", "Laboratory procedure")],
        priority="stat",
        code=_concept("24323-8", "http://loinc.org", "CMP"),
        subject=_of("Patient", f"pa{number}"),
        encounter=_of("Encounter", f"en{number}"),
        authoredOn=_stamp(number),
        requester=_of("Practitioner", f"d{number % 300}"),
    )


def _report(number: int) -> dict[str, Any]:
    return _resource(
        "DiagnosticReport",
        number,
        status="final",
        basedOn=[_of("ServiceRequest", f"se{number}")],
        category=[_concept("LAB", f"{_V2}0074", "Laboratory")],
        code=_concept("24323-8", "http://loinc.org", "CMP"),
        subject=_of("Patient", f"pa{number}"),
        encounter=_of("Encounter", f"en{number}"),
        effectiveDateTime=_stamp(number, 5),
        issued=_stamp(number, 60),
        result=[_of("Observation", f"o{number}-{part}") for part in range(3)],
    )


def _observation(number: int) -> dict[str, Any]:
    return _resource(
        "Observation",
        number,
        status="final",
        category=[_concept("laboratory", "http://terminology.hl7.org/CodeSystem/observation-category", "Laboratory")],
        code=_concept("2823-3", "http://loinc.org", "Potassium"),
        subject=_of("Patient", f"pa{number}"),
        effectiveDateTime=_stamp(number, 5),
        issued=_stamp(number, 60),
        valueQuantity={"value": 3.1, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        interpretation=[_concept("L", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "Low")],
        referenceRange=[{"low": {"value": 3.5, "unit": "mmol/L"}, "high": {"value": 5.1, "unit": "mmol/L"}}],
    )


def _encounter(number: int) -> dict[str, Any]:
    period = {"start": _stamp(number), "end": _stamp(number, 80)}
    return _resource(
        "Encounter",
        number,
        status="finished",
        **{"class": {"system": _V3, "code": "IMP", "display": "inpatient"}},
        subject=_of("Patient", f"pa{number}"),
        period=period,
        location=[{"location": _of("Location", f"l{number % 40}"), "period": period}],
        hospitalization={"dischargeDisposition": _concept("home", "http://north/disposition", "Home")},
    )


def _answer(number: int) -> dict[str, Any]:
    code = {"url": f"{_REVIEW}Code", "valueCodeableConcept": _concept("A1", "https://codesystem.x12.org/306", "OK")}
    reviewed = {"url": _REVIEW, "extension": [code]}
    adjudication = {
        "category": _concept("submitted", "http://north/adjudication", "Submitted"),
        "extension": [reviewed],
    }
    return _resource(
        "ClaimResponse",
        number,
        status="active",
        type=_concept("professional", "http://terminology.hl7.org/CodeSystem/claim-type", "Professional"),
        use="preauthorization",
        patient=_of("Patient", f"pa{number}"),
        created=_stamp(number, 80),
        insurer=_of("Organization", f"i{number % 7}"),
        request=_of("Claim", f"cl{number}"),
        outcome="complete",
        preAuthRef=f"AUTH{number}",
        item=[{"itemSequence": 1, "adjudication": [adjudication]}],
    )


def _task(number: int) -> dict[str, Any]:
    return _resource(
        "Task",
        number,
        status="requested",
        intent="order",
        code=_concept("callback", "http://north/tasks", "Call back"),
        focus=_of("DiagnosticReport", f"di{number}"),
        **{"for": _of("Patient", f"pa{number}")},
        authoredOn=_stamp(number),
        lastModified=_stamp(number, 80),
        restriction={"period": {"end": _stamp(number, 300)}},
    )


_WRITERS: Final[tuple[Callable[[int], dict[str, Any]], ...]] = (
    _patient, _appointment, _order, _report, _observation, _encounter, _answer, _task,
)  # fmt: skip
