"""Bundles and files: each resource with its place, and references that lead across."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from connectors.api import Reading
from connectors.fhir.bundle import Piece
from connectors.fhir.files import looks_like_fhir, split_resources
from connectors.fhir.read import FhirReader
from tests.connectors.fhir.resources import (
    APPOINTMENT,
    ENCOUNTER,
    ORDER,
    PATIENT,
    REPORT,
    at,
    bundle,
    event,
    read_all,
    ref,
    resource,
)

URN = "urn:uuid:3fdc72f4-a11d-4a9d-9260-a9f745779e1d"
OTHER = "urn:uuid:77831928-2a35-4c08-9496-8232323bf48c"


def without(value: Any, *names: str) -> Any:
    return {name: part for name, part in value.items() if name not in names}


REFERENCES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "relative": (ref("Patient/17"), ("Patient/17^ehr",)),
    "of a version": (ref("Patient/17/_history/3"), ("Patient/17^ehr",)),
    "absolute, of our server": (ref("https://ehr.example/fhir/Patient/17"), ("Patient/17^ehr",)),
    "absolute, of another": (ref("https://b.example/r4/Patient/17"), ("Patient/17^https://b.example/r4",)),
    "logical": ({"identifier": {"system": "urn:north", "value": "100"}}, ("100^urn:north",)),
    "logical, and relative": (
        {**ref("Patient/17"), "identifier": {"system": "urn:north", "value": "100"}},
        ("Patient/17^ehr", "100^urn:north"),
    ),
    "contained": (ref("#p"), ("5^urn:x",)),
    "by search": (ref("Patient?identifier=urn:north|100"), ("100^urn:north",)),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_is_an_identifier(name: str) -> None:
    subject, names = REFERENCES[name]
    contained = [{"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:x", "value": "5"}]}]
    told = event({**ORDER, "subject": subject, "contained": contained}, base="https://ehr.example/fhir/")
    assert told.identifiers == names


def test_urns_are_resolved_within_a_transaction() -> None:
    new = [
        {"fullUrl": URN, "resource": without(PATIENT, "id"), "request": {"method": "POST", "url": "Patient"}},
        {"fullUrl": OTHER, "resource": without({**ORDER, "subject": ref(URN)}, "id")},
        {"resource": {**REPORT, "subject": ref(URN), "basedOn": [ref(OTHER)]}},
    ]
    patient, order, report = (reading.events[0] for reading in read_all(bundle(*new, type_="transaction")))
    assert patient.identifiers[0] == URN
    assert order.identifiers == report.identifiers == (URN, "100^urn:north", "M9^urn:member")
    assert order.data["filler_order_id"] == OTHER
    assert report.data["order_id"] == order.data["order_id"] == "P1^urn:ehr"


def test_a_urn_leads_to_the_id_of_its_entry() -> None:
    patient, order = read_all(bundle({"fullUrl": URN, "resource": PATIENT}, {**ORDER, "subject": ref(URN)}))
    assert patient.events[0].identifiers == order.events[0].identifiers


def test_the_base_of_an_entry_is_its_own_server() -> None:
    base = "https://whoever.example/fhir"
    entries = [
        {"fullUrl": f"{base}/ServiceRequest/o1", "resource": {**ORDER, "subject": ref(f"{base}/Patient/17")}},
        {"fullUrl": f"{base}/Encounter/e1", "resource": ENCOUNTER},
    ]
    assert {r.events[0].identifiers for r in read_all(bundle(*entries))} == {("Patient/17^ehr",)}


def test_the_same_number_of_two_servers_is_two_persons() -> None:
    one, other = "https://a.example/fhir", "https://b.example/fhir"
    entries = [
        {"fullUrl": f"{one}/Patient/17", "resource": {**PATIENT, "identifier": [{"value": "1"}]}},
        {"fullUrl": f"{other}/Patient/17", "resource": {**PATIENT, "identifier": [{"value": "2"}]}},
        {"fullUrl": f"{one}/ServiceRequest/o1", "resource": ORDER},
        {"fullUrl": f"{other}/ServiceRequest/o1", "resource": ORDER},
        {"fullUrl": f"{one}/DiagnosticReport/r1", "resource": {**REPORT, "subject": ref(f"{other}/Patient/17")}},
        REPORT,
    ]
    ours, theirs = ("Patient/17^ehr", "1"), (f"Patient/17^{other}", "2")
    assert [r.events[0].identifiers for r in read_all(bundle(*entries))] == [ours, theirs, ours, theirs, theirs, ours]
    assert len({r.id for r in read_all(bundle(*entries[:4]))}) == 4
    told = [r.events[0].identifiers for r in read_all(bundle(*entries[:4]), base=other)]
    assert told == [(f"Patient/17^{one}", "1"), ("Patient/17^ehr", "2")] * 2


def test_every_resource_has_its_place_and_a_spoilt_one_costs_itself_alone() -> None:
    whole = bundle(
        {"resource": {**ORDER, "status": "bogus"}}, {"fullUrl": 5, "resource": ORDER}, {"resource": 7}, ORDER
    )
    first, second, third, last = read_all(whole)
    places = [reading.dead.place for reading in (first, second, third) if reading.dead is not None]
    assert places == [
        "f.json, Bundle.entry[0].resource, ServiceRequest.status",
        "f.json, Bundle.entry[1]",
        "f.json, Bundle.entry[2].resource",
    ]
    assert last.events


def test_a_bundle_in_a_bundle() -> None:
    [inner] = read_all(bundle(bundle({**ORDER, "status": "bogus"})))
    assert inner.dead is not None
    assert inner.dead.place.startswith("f.json, Bundle.entry[0].resource, Bundle.entry[0].resource, ")
    deep: Any = ORDER
    for _ in range(9):
        deep = bundle(deep)
    [letter] = read_all(deep)
    assert letter.dead is not None


def test_entries_without_a_resource() -> None:
    gone = {"request": {"method": "DELETE", "url": "Appointment/1"}}
    answered = {"response": {"status": "201"}}
    assert [r.ignored for r in read_all(bundle(gone, answered, type_="history"))] == ["a deletion names no patient"]
    assert [r.ignored for r in read_all(bundle(answered))] == ["Bundle without resources"]


def test_a_version_without_a_stamp_takes_its_entrys_then_its_bundles() -> None:
    timeless = without(APPOINTMENT, "meta", "basedOn")
    entry = {"resource": timeless, "response": {"status": "200", "lastModified": "2026-03-02T07:00:00Z"}}
    sent = "2026-03-02T08:00:00Z"
    first, second = (r.events[0] for r in read_all(bundle(entry, timeless, type_="history", timestamp=sent)))
    assert (first.time, second.time) == (at("2026-03-02T07:00:00Z"), at(sent))


def pieces(text: bytes, size: int = 1 << 20, **limits: Any) -> list[Reading]:
    chunks = [text[n : n + size] for n in range(0, len(text), size)]
    reader = FhirReader(system="ehr")
    return [
        reader.read(p.raw, p.place, p.around) if isinstance(p, Piece) else p
        for p in split_resources(chunks, "f", **limits)
    ]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_a_file_is_a_resource_a_bundle_or_ndjson_however_printed(size: int) -> None:
    line = json.dumps(ORDER).encode()
    assert [r.id for r in pieces(line, size)] == ["ServiceRequest/o1@1"]
    assert [r.id for r in pieces(b"\xef\xbb\xbf" + json.dumps(bundle(ORDER, PATIENT), indent=2).encode(), size)] == [
        "ServiceRequest/o1@1",
        "Patient/17@1",
    ]
    spoilt = [line, b"", b"{broken", json.dumps(bundle(PATIENT)).encode() + b"\r", b'{"id":1}']
    first, second, third, fourth = pieces(b"\n".join(spoilt), size)
    assert (first.id, third.id) == ("ServiceRequest/o1@1", "Patient/17@1")
    assert second.dead is not None
    assert second.dead.place == "f, line 3"
    assert fourth.dead is not None
    assert fourth.dead.place == "f, line 5, resourceType"


def test_ndjson_that_begins_spoilt_loses_one_line() -> None:
    first, second = pieces(b'{"resourceType":"Patient",\n' + json.dumps(ORDER).encode())
    assert first.dead is not None
    assert first.dead.place == "f, line 1"
    assert second.events


def test_what_is_too_large_is_one_dead_letter() -> None:
    line = json.dumps(ORDER).encode()
    large, after = pieces(line + b" " * 5000 + b"\n" + line, largest=4000)
    assert large.dead is not None
    assert large.dead.reason.value == "too_large"
    assert after.events
    [printed] = pieces(json.dumps(ORDER, indent=1).encode() + b"\n" * 3, largest=500)
    assert printed.dead is not None
    assert printed.dead.reason.value == "too_large"


def test_fhir_is_told_by_its_resource_type() -> None:
    assert looks_like_fhir(json.dumps(ORDER).encode())
    assert looks_like_fhir(b'\xef\xbb\xbf\n{"id": "x\\"}", "meta": {"a": [1]}, "resourceType": "Pat')
    carried = {"specversion": "1.0", "id": "1", "data": ORDER}
    assert not looks_like_fhir(json.dumps(carried).encode())
    assert not looks_like_fhir(json.dumps({"data": ORDER} | carried).encode())
    assert not looks_like_fhir(b'{"a": {"resourceType": "Patient"}}')
    assert not looks_like_fhir(b"MSH|^~\\&|")


def test_a_large_bundle_costs_as_much_an_entry_as_a_small_one() -> None:
    def cost(count: int) -> float:
        entries = [
            {"fullUrl": f"urn:uuid:{n}", "resource": resource("Observation", str(n)) if n % 2 else PATIENT}
            for n in range(count)
        ]
        entries.append({"fullUrl": "urn:uuid:x", "resource": {**ORDER, "subject": ref(f"urn:uuid:{count - 2}")}})
        raw = json.dumps(bundle(*entries)).encode()
        began = time.process_time()
        assert len(list(FhirReader().read_all(raw, "f"))) == count + 1
        return (time.process_time() - began) / count

    cost(1_000)
    assert cost(50_000) < 4 * cost(5_000)
