"""What is kept of a resource is read again as it was read in its bundle."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.api import Reading
from connectors.fhir.bundle import Piece, split_bundle
from connectors.fhir.kept import digest_of, is_kept, open_kept, read_kept, with_around, write_kept, write_whole
from connectors.fhir.read import FhirReader
from connectors.fhir.references import ALONE, Around
from schemas.message import Thing
from tests.connectors.fhir.resources import APPOINTMENT, CLAIM, ENCOUNTER, ORDER, PATIENT, REPORT, ref

BASE = "https://ehr.example/fhir"
URN = "urn:uuid:3fdc72f4-a11d-4a9d-9260-a9f745779e1d"
SUBJECTS = [
    "Patient/17",
    f"{BASE}/Patient/17",
    "https://other.example/r4/Patient/17",
    URN,
    "Patient?identifier=urn:north|100",
]


def read(raw: bytes) -> Reading:
    return read_kept(raw, "the resource", lambda system: FhirReader(system=system))[0]


def pieces(bundle: dict[str, Any]) -> list[Piece]:
    return [piece for piece in split_bundle(json.dumps(bundle).encode(), "") if isinstance(piece, Piece)]


@given(
    resources=st.lists(
        st.sampled_from([APPOINTMENT, CLAIM, ENCOUNTER, ORDER, PATIENT, REPORT]), min_size=1, max_size=6
    ),
    subject=st.sampled_from(SUBJECTS),
    url=st.sampled_from([None, "base", "other", "urn"]),
    stamped=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_kept_alone_it_reads_as_it_did_in_its_bundle(
    resources: list[Any], subject: str, url: str | None, stamped: bool
) -> None:
    entries: list[dict[str, Any]] = []
    for number, one in enumerate(resources):
        one = {**one, "subject": ref(subject)} if "subject" in one else one
        one = one if stamped else {name: part for name, part in one.items() if name != "meta"}
        name = f"{one['resourceType']}/{one['id']}"
        urls = {
            "base": f"{BASE}/{name}",
            "other": f"https://other.example/r4/{name}",
            "urn": URN if one["resourceType"] == "Patient" else f"urn:uuid:{number}",
        }
        entry = {"resource": one, "response": {"lastModified": "2026-03-02T09:00:00Z"}}
        entries.append(entry if url is None else {**entry, "fullUrl": urls[url]})
    bundle = {"resourceType": "Bundle", "type": "history", "timestamp": "2026-03-02T09:30:00Z", "entry": entries}
    reader = FhirReader()
    for piece in pieces(bundle):
        told = reader.read(piece.raw, "the resource", piece.around)
        assert read(with_around(piece.raw, piece.around)) == told


def test_of_a_bundle_only_what_is_referred_to_is_kept() -> None:
    entries = [{"resource": {"resourceType": "Patient", "id": str(n)}} for n in range(100)]
    entries.append({"resource": ORDER})
    piece = pieces({"resourceType": "Bundle", "type": "collection", "entry": entries})[-1]
    around = open_kept(with_around(piece.raw, piece.around)).around
    assert around is not None
    assert set(around.entries) == {"Patient/17"}


def test_what_nothing_stood_around_is_kept_as_it_came() -> None:
    raw = json.dumps(PATIENT).encode()
    assert with_around(raw, ALONE) == raw
    assert not is_kept(raw)
    assert read(raw) == FhirReader().read(raw, "the resource")


def test_a_server_and_versions_come_back() -> None:
    thing = Thing("north", "Patient", "17", "1", 1, b"digest", (b"number",))
    raw = write_kept(json.dumps(PATIENT).encode(), Around(sent="2026-03-02T09:30:00Z"), system="north", things=(thing,))
    reading, things = read_kept(raw, "the resource", lambda system: FhirReader(system=system))
    assert reading.source == "fhir/north"
    assert reading.events[0].identifiers[0] == "Patient/17^north"
    assert things == (thing,)
    assert digest_of(raw) == digest_of(json.dumps(PATIENT).encode())


def whole(*resources: Any) -> bytes:
    entries = [{"resource": one} for one in resources]
    bundle = msgspec.Raw(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode())
    return write_whole(bundle, "2026-03-02T09:00:00Z", system="fhir", name="transaction/1", digest=b"d", things=())


def test_what_is_taken_as_one_is_one_reading() -> None:
    reading = read(whole(PATIENT, APPOINTMENT, {"resourceType": "Condition"}))
    assert (reading.source, reading.id, reading.digest) == ("fhir/fhir", "transaction/1", b"d")
    assert [event.type for event in reading.events] == ["person.updated", "appointment.stated", "order.scheduled"]


def test_one_spoilt_entry_spoils_all() -> None:
    reading = read(whole(PATIENT, {**APPOINTMENT, "status": "nonsense"}))
    assert reading.events == ()
    assert reading.dead is not None
    assert reading.dead.place == "the resource, Bundle.entry[1].resource, Appointment.status"


def test_a_whole_of_what_tells_nothing_is_ignored() -> None:
    assert read(whole({"resourceType": "Condition"})).ignored == "no mapping for Condition"


def test_a_damaged_envelope_raises_what_a_decoder_raises() -> None:
    assert read(b'{"kept":1,"resource":7}').dead is not None
    with pytest.raises(msgspec.DecodeError):  # the live reader makes a dead letter of it
        read(b'{"kept":1,')
