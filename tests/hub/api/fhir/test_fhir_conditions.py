"""Conditions of creates and updates: what is searched by, and what may be there."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fhir.shapes import Identifier
from hub.api.fhir.conditions import numbers_of, read_condition
from hub.api.fhir.outcomes import FhirRefused
from tests.hub.api.fhir.fhir_site import JSON, asks, bundle, counts, outcome, patient, post, put
from tests.hub.api.live_hub import served

pytestmark = pytest.mark.anyio
NEW = {"if-none-match": "*"}
FOUND = (
    "identifier=urn:north|100",
    "identifier=urn%3Anorth%7C100",
    "Patient?identifier=urn:north|100",
    "identifier=100",
    "identifier=urn:north|7,urn:north|100",
    "identifier=|100,100",
    "_id=17",
    "_id=16,17",
    "_format=json&identifier=urn:north|100",
)
NOT_FOUND = ("identifier=|100", "identifier=urn:south|100", "identifier=1,2", "_id=18", "identifier=urn:north\\|100")
REFUSED = (
    "identifier=urn:north|",
    "identifier=|",
    "identifier=urn:north|100,",
    "identifier=urn:north|100|7",
    "identifier:of-type=urn:t|MR|100",
    "identifier:not=urn:north|100",
    "identifier",
    "identifier=urn:north|100&_id=17",
    "_id=Patient/17",
    "_id=",
    "_format=json",
    "name=DOE",
    "",
    "identifier=" + ",".join(map(str, range(101))),
)


@pytest.mark.parametrize("query", FOUND)
async def test_one_that_is_found_is_not_made_again(tmp_path: Path, query: str) -> None:
    async with served(tmp_path) as site:
        await put(site, patient())
        answer = await post(site, "/fhir/Patient", patient("19", "900"), **{"if-none-exist": query})
        assert answer.status_code == 200
        assert answer.headers["location"].endswith("/fhir/Patient/17/_history/1")
        entry = asks("POST", "Patient", patient("19", "900"), ifNoneExist=query)
        [told] = (await post(site, "/fhir", bundle("transaction", entry))).json()["entry"]
        assert told["response"]["status"] == "200 OK"
        assert "/Patient/17/" in told["response"]["location"]


@pytest.mark.parametrize("query", NOT_FOUND)
async def test_one_that_is_not_found_is_made(tmp_path: Path, query: str) -> None:
    async with served(tmp_path) as site:
        await put(site, patient())
        assert (await post(site, "/fhir/Patient", patient("19", "900"), **{"if-none-exist": query})).status_code == 201


@pytest.mark.parametrize("query", REFUSED)
async def test_what_cannot_be_answered_exactly_is_refused_by_name(tmp_path: Path, query: str) -> None:
    async with served(tmp_path) as site:
        answer = await post(site, "/fhir/Patient", patient(), **{"if-none-exist": query})
        assert outcome(answer)[:2] == (400, "not-supported")
        assert "identifier=|value" in answer.json()["issue"][0]["diagnostics"]
        entry = asks("POST", "Patient", patient(), ifNoneExist=query)
        assert (await post(site, "/fhir", bundle("transaction", entry))).status_code == 400
        assert counts(site) == {}


async def test_a_search_of_another_type_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        answer = await post(site, "/fhir/Patient", patient(), **{"if-none-exist": "Encounter?identifier=1"})
        assert outcome(answer)[:2] == (400, "value")


async def test_several_that_one_search_finds_are_too_many(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await put(site, patient())
        await put(site, patient("18", "200"))
        for query in ("identifier=100,200", "_id=17,18"):
            answer = await post(site, "/fhir/Patient", patient(None), **{"if-none-exist": query})
            assert outcome(answer)[:2] == (412, "multiple-matches")


async def test_a_search_within_a_bundle_sees_the_entries_before(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        first = asks("PUT", "Patient/17", patient())
        second = asks("POST", "Patient", patient("19", "900"), ifNoneExist="_id=17")
        third = asks("PUT", "Patient?identifier=1,100&_format=json", patient(None, name=[{"text": "x"}]))
        told = (await post(site, "/fhir", bundle("batch", first, second, third))).json()["entry"]
        assert [one["response"]["status"] for one in told] == ["201 Created", "200 OK", "200 OK"]
        assert all("/Patient/17/" in one["response"]["location"] for one in told)


async def test_create_only_creates_and_replaces_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        answers = await asyncio.gather(*(put(site, patient(mrn=str(n)), **NEW) for n in range(6)))
        assert sorted(answer.status_code for answer in answers) == [201] + [412] * 5
        assert {outcome(answer)[:2] for answer in answers if answer.status_code == 412} == {(412, "conflict")}
        assert (await put(site, patient())).status_code == 200
        assert outcome(await put(site, patient(), **{"if-none-match": 'W/"1"'}))[:2] == (400, "not-supported")
        found = await site.client.put("/fhir/Patient?identifier=100", json=patient(None), headers=JSON | NEW)
        assert outcome(found)[:2] == (412, "conflict")
    async with served(tmp_path) as site:
        assert (await put(site, patient(mrn="300"), **NEW)).status_code == 412


async def test_a_bundle_creates_only_too(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await put(site, patient())
        there: Any = asks("PUT", "Patient/17", patient(mrn="200"), ifNoneMatch="*")
        new = asks("PUT", "Patient/18", patient("18", "300"), ifNoneMatch="*")
        assert outcome(await post(site, "/fhir", bundle("transaction", new, there))) == (
            412,
            "conflict",
            "Bundle.entry[1]",
        )
        assert counts(site) == {"accepted": 1}
        told = (await post(site, "/fhir", bundle("batch", new, there))).json()["entry"]
        assert [one["response"]["status"] for one in told] == ["201 Created", "412 Precondition Failed"]


WORDS = st.text(st.sampled_from("ab|,\\ $+&=%?é"), min_size=1, max_size=6)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), st.integers(0, 3))
def test_a_search_finds_what_it_names_and_nothing_else(pairs: list[tuple[str, str]], at: int) -> None:
    def escaped(text: str) -> str:
        for mark in "\\|,$":
            text = text.replace(mark, f"\\{mark}")
        for mark in "%&+?= ":
            text = text.replace(mark, f"%{ord(mark):02x}")
        return text

    system, value = pairs[at % len(pairs)]
    sought = read_condition("Patient", f"identifier={escaped(system)}|{escaped(value)}")
    for other_system, other_value in pairs:
        numbers = numbers_of([Identifier(system=other_system, value=other_value)])
        is_same = (system, value) == (other_system, other_value)
        assert (not set(numbers).isdisjoint(sought.numbers)) == is_same
        bare = read_condition("Patient", f"identifier={escaped(value)}")
        assert (not set(numbers).isdisjoint(bare.numbers)) == (value == other_value)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(FhirRefused):
        assert read_condition("Patient", text) is not None
