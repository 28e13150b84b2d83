"""Whatever JSON comes, it is read as a request or refused in FHIR; and versions are what a plain model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.fhir.kept import is_kept, read_kept
from connectors.fhir.read import FhirReader
from hub.api.fhir.bundles import TYPES, as_one, one_by_one, read_bundle
from hub.api.fhir.conditions import read_condition
from hub.api.fhir.outcomes import FhirRefused
from hub.api.fhir.requests import encode, read_asked, read_members
from hub.api.fhir.versions import Versions
from schemas.message import Thing
from streams.embedded.reader import Reading
from streams.embedded.store import Store
from streams.embedded.things import find_by_number, find_thing, number_hash, write_things
from tests.hub.api.fhir.fhir_site import appointment, patient

NOW = "2026-03-02T09:00:00Z"
LEAF = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False, allow_infinity=False)
)
ANY = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner), max_leaves=8
)
URLS = st.sampled_from(["Patient", "Patient/17", "Appointment/a1", "Patient?identifier=urn:north|1", "//", "a b", ""])
RESOURCE = st.sampled_from([patient(), patient(None), appointment(), appointment(None, "x"), {"resourceType": "X"}])
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "fullUrl": st.sampled_from(["urn:uuid:1", "https://a.example/Patient/17"]) | ANY,
        "resource": RESOURCE | ANY,
        "request": st.fixed_dictionaries(
            {}, optional={"method": st.sampled_from(["POST", "PUT", "GET", "HEAD"]) | ANY, "url": URLS | ANY}
        )
        | ANY,
        "response": ANY,
    },
)


class Nothing(Reading):
    """A store that holds nothing."""

    def __init__(self) -> None:
        pass

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return []


@given(st.sampled_from(sorted(TYPES)), st.lists(ENTRY, max_size=5), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_bundle_is_read_or_refused(type_: str, entries: list[Any], whole: bool) -> None:
    body = json.dumps({"resourceType": "Bundle", "type": type_, "entry": entries}).encode()
    members = read_members(body)
    assert members is not None
    try:
        bundle = read_bundle(members)
    except FhirRefused:
        return
    versions = Versions(Nothing(), "fhir", NOW)
    for entry in bundle.entries:
        if entry.asked is not None:
            entry.planned = versions.plan(entry.asked)
    kept = [as_one(bundle, None, "fhir", NOW)] if whole else [raw for _, raw in one_by_one(bundle, "fhir", NOW)]
    for raw in kept:
        assert is_kept(raw)
        read_kept(raw, "the resource", lambda system: FhirReader(system=system))


@given(ANY | RESOURCE)
@settings(max_examples=200, deadline=None)
def test_any_resource_is_read_or_refused(value: Any) -> None:
    members = read_members(json.dumps(value).encode())
    if members is None:
        return
    try:
        asked = read_asked("PUT", "Patient", members, id_="17")
    except FhirRefused:
        return
    assert asked.id == "17"
    assert msgspec.json.decode(encode(asked.members)) == value


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_versions_are_those_of_a_plain_model(told: list[tuple[str, str]]) -> None:
    """What is told again is no version; all else is one more; a number finds those that have it now."""
    known: dict[str, Thing] = {}
    versions = Versions(Nothing(), "fhir", NOW)
    model: dict[str, tuple[int, str]] = {}
    for id_, mrn in told:
        members = read_members(json.dumps(patient(id_, mrn)).encode())
        assert members is not None
        planned = versions.plan(read_asked("PUT", "Patient", members, id_=id_))
        count, last = model.get(id_, (0, ""))
        count += mrn != last
        model[id_] = (count, mrn)
        assert planned.version == str(count)
        assert planned.thing is not None
        known[id_] = planned.thing
    for mrn in "xyz":
        found = sorted(versions.find("Patient", read_condition("Patient", f"identifier=urn:north|{mrn}")))
        assert found == sorted(id_ for id_, (_, last) in model.items() if last == mrn)


def test_a_version_of_before_takes_no_later_ones_place(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    one, two = (number_hash(text) for text in ("one", "two"))
    old = Thing("fhir", "Patient", "17", "1", 1, b"1", (one,))
    new = Thing("fhir", "Patient", "17", "2", 2, b"2", (two,))
    for thing in (new, old):
        write_things(store._db, [(thing, 1)])
    assert find_thing(store, "fhir", "Patient", "17") == new
    assert find_by_number(store, "fhir", "Patient", one) == []
    assert find_by_number(store, "fhir", "Patient", two) == ["17"]
    store.close()
