"""One resource over HTTP: created, updated, under a condition, refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.hub.api.fhir.fhir_site import JSON, appointment, counts, events, outcome, patient, post, put
from tests.hub.api.live_hub import served

pytestmark = pytest.mark.anyio


async def test_a_create_says_where_it_is_and_which_version(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        answer = await post(site, "/fhir/Patient", patient())
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{site.door.address}/fhir/Patient/17/_history/1"
        assert answer.headers["etag"] == 'W/"1"'
        assert answer.json() == patient(meta={"versionId": "1"})
        assert [(event.source, event.type) for event in events(site)] == [("fhir/fhir", "person.updated")]


async def test_one_without_an_id_goes_by_its_content(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        first = await post(site, "/fhir/Patient", patient(None))
        again = await post(site, "/fhir/Patient", patient(None))
        other = await post(site, "/fhir/Patient", patient(None, "200"))
        assert [answer.status_code for answer in (first, again, other)] == [201, 200, 201]
        assert first.headers["location"] == again.headers["location"] != other.headers["location"]
        assert counts(site) == {"accepted": 2, "duplicate": 1}
        id_ = first.json()["id"]
        answer = await put(site, appointment(of=f"Patient/{id_}"))
        assert answer.status_code == 201
        assert f"Patient/{id_}^fhir" in events(site)[-1].identifiers


async def test_each_update_is_a_version_and_the_same_again_is_none(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        told = []
        for status in ("booked", "booked", "arrived", "booked", "booked"):
            answer = await put(site, appointment(status=status))
            told.append((answer.status_code, answer.headers["etag"]))
        assert told == [(201, 'W/"1"'), (200, 'W/"1"'), (200, 'W/"2"'), (200, 'W/"3"'), (200, 'W/"3"')]
        assert [event.data["status"] for event in events(site)] == ["booked", "arrived", "booked"]
        assert counts(site) == {"accepted": 3, "duplicate": 2}


async def test_a_senders_own_versions_are_kept_and_a_late_one_takes_no_ones_place(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        for version, status in (("7", "arrived"), ("3", "booked")):
            meta = {"versionId": version, "lastUpdated": f"2026-03-02T0{version}:00:00Z"}
            answer = await put(site, appointment(status=status, meta=meta))
            assert answer.headers["etag"] == f'W/"{version}"'
        assert (await put(site, appointment(status="fulfilled"), **{"if-match": 'W/"3"'})).status_code == 412
        answer = await put(site, appointment(status="fulfilled"), **{"if-match": 'W/"7"'})
        assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"8"')
        assert [event.id.partition("/appointment.")[0] for event in events(site)] == [
            "Appointment/a1@7",
            "Appointment/a1@3",
            "Appointment/a1@8",
        ]


async def test_a_client_edits_what_it_was_given(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        meta = {"versionId": "4", "lastUpdated": "2026-03-02T08:00:00Z"}
        given = (await put(site, appointment(meta=meta))).json()
        answer = await put(site, {**given, "status": "arrived"})
        assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"5"')
        assert answer.json()["meta"]["lastUpdated"] == "2026-03-02T09:00:00Z"
        assert counts(site) == {"accepted": 2}


async def test_if_match_is_held(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        assert outcome(await put(site, patient(), **{"if-match": 'W/"1"'}))[:2] == (412, "conflict")
        await put(site, patient())
        assert outcome(await put(site, patient(mrn="200"), **{"if-match": 'W/"2"'}))[:2] == (412, "conflict")
        assert outcome(await put(site, patient(mrn="200"), **{"if-match": "one"}))[:2] == (400, "value")
        assert (await put(site, patient(mrn="200"), **{"if-match": 'W/"1"'})).headers["etag"] == 'W/"2"'
        assert counts(site) == {"accepted": 2}


async def test_one_of_several_that_replace_one_version_does(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await put(site, patient())
        answers = await asyncio.gather(*(put(site, patient(mrn=str(n)), **{"if-match": 'W/"1"'}) for n in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7


async def test_a_conditional_create_creates_once(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        wanted = {"if-none-exist": "identifier=urn:north|100"}
        answers = await asyncio.gather(
            *(post(site, "/fhir/Patient", patient(None, name=[{"text": str(n)}]), **wanted) for n in range(6))
        )
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert counts(site) == {"accepted": 1}
        await put(site, patient("18"))
        assert outcome(await post(site, "/fhir/Patient", patient(None), **wanted))[:2] == (412, "multiple-matches")


async def test_a_conditional_update_finds_or_makes(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        url = "/fhir/Patient?identifier=urn:north|100"
        made = await site.client.put(url, json=patient("17"), headers=JSON)
        found = await site.client.put(url, json=patient(None, name=[{"text": "x"}]), headers=JSON)
        assert (made.status_code, found.status_code) == (201, 200)
        assert found.headers["location"].endswith("/fhir/Patient/17/_history/2")
        assert outcome(await site.client.put(url, json=patient("18"), headers=JSON)) == (400, "value", "Patient.id")
        await put(site, patient("18"))
        assert outcome(await site.client.put(url, json=patient(None), headers=JSON))[:2] == (412, "multiple-matches")
        # a number that it has no more does not find it
        await put(site, patient("18", "999"))
        assert (await site.client.put(url, json=patient(None), headers=JSON)).status_code == 200


@pytest.mark.parametrize(
    "prefer, body",
    [("return=minimal", None), ("return=representation", "Patient"), ("return=OperationOutcome", "OperationOutcome")],
)
async def test_the_sender_says_what_it_wants_to_read(tmp_path: Path, prefer: str, body: str | None) -> None:
    async with served(tmp_path) as site:
        answer = await put(site, patient(), prefer=prefer)
        assert answer.status_code == 201
        assert (answer.json()["resourceType"] if answer.content else None) == body


BAD: dict[str, tuple[dict[str, Any], tuple[int, str, str | None]]] = {
    "another id": ({"url": "/fhir/Patient/18", "json": patient()}, (400, "value", "Patient.id")),
    "no id": ({"url": "/fhir/Patient/18", "json": patient(None)}, (400, "required", "Patient.id")),
    "another type": ({"url": "/fhir/Patient/a1", "json": appointment()}, (400, "invalid", "Patient.resourceType")),
    "no type": ({"url": "/fhir/Patient/a1", "json": {"id": "a1"}}, (400, "invalid", "Patient.resourceType")),
    "no id of FHIR": ({"url": "/fhir/Patient/a_1", "json": patient("a_1")}, (400, "value", "Patient.id")),
    "meta is a text": ({"url": "/fhir/Patient/1", "json": patient("1", meta="x")}, (400, "structure", "Patient")),
    "search by name": ({"url": "/fhir/Patient?name=DOE", "json": patient()}, (400, "not-supported", None)),
    "no name": ({"url": "/fhir/Patient", "json": patient()}, (405, "not-supported", None)),
    "a type that is not taken": ({"url": "/fhir/Medication/1", "json": {}}, (404, "not-supported", None)),
    "STU3's type": ({"url": "/fhir/ReferralRequest/1", "json": {}}, (422, "not-supported", None)),
    "a status of none": (
        {"url": "/fhir/Appointment/a1", "json": appointment(status="DOE")},
        (422, "invalid", "Appointment.status"),
    ),
    "R5's shape": (
        {"url": "/fhir/Appointment/a1", "json": appointment(cancellationReason={})},
        (422, "invalid", "Appointment.cancellationReason"),
    ),
    "about nobody": (
        {"url": "/fhir/Appointment/a1", "json": appointment(of="#none")},
        (422, "required", "Appointment.participant[0].actor"),
    ),
    "tomorrow": (
        {"url": "/fhir/Appointment/a1", "json": appointment(meta={"lastUpdated": "2026-03-03T09:00:00Z"})},
        (422, "value", None),
    ),
    "no JSON": ({"url": "/fhir/Patient/1", "content": b'{"name": "DOE"'}, (400, "structure", None)),
    "a list": ({"url": "/fhir/Patient/1", "content": b"[]"}, (422, "invalid", None)),
    "nothing": ({"url": "/fhir/Patient/1", "content": b""}, (400, "structure", None)),
    "deep": ({"url": "/fhir/Patient/1", "content": b'{"a":' * 5000 + b"1" + b"}" * 5000}, (400, "structure", None)),
    "a text in Latin-1": (
        {"url": "/fhir/Patient/17", "content": b'{"resourceType":"Patient","id":"17","name":[{"family":"DOE\xe9"}]}'},
        (400, "structure", None),
    ),
    "a number that is none": (
        {"url": "/fhir/Patient/17", "content": b'{"resourceType":"Patient","id":"17","DOE":1e999}'},
        (400, "structure", None),
    ),
    "a bundle in Latin-1": (
        {"url": "/fhir", "content": b'{"resourceType":"Bundle","type":"batch","entry":[{"DOE":"\xe9"}]}'},
        (400, "structure", None),
    ),
    "an envelope of ours": (
        {"url": "/fhir", "content": b'{"kept":1,"resource":{"DOE":1e999},"system":"north"}'},
        (400, "structure", None),
    ),
    "XML": (
        {"url": "/fhir/Patient/1", "content": b"<Patient/>", "headers": {"content-type": "application/fhir+xml"}},
        (415, "not-supported", None),
    ),
    "R5": (
        {
            "url": "/fhir/Patient/17",
            "json": patient(),
            "headers": {"content-type": "application/fhir+json; fhirVersion=5.0"},
        },
        (415, "not-supported", None),
    ),
    "an answer in XML": (
        {"url": "/fhir/Patient/17", "json": patient(), "headers": JSON | {"accept": "application/fhir+xml"}},
        (406, "not-supported", None),
    ),
    "latin": (
        {"url": "/fhir/Patient/1", "json": {}, "headers": {"content-type": "application/json; charset=latin-1"}},
        (415, "not-supported", None),
    ),
    "a server of none": ({"url": "/fhir/from/nobody/Patient/17", "json": patient()}, (404, "not-found", None)),
}
KEPT = ("a status of none", "R5's shape", "about nobody", "tomorrow", "no JSON", "a list", "deep")
KEPT += ("a text in Latin-1", "a number that is none", "a bundle in Latin-1", "an envelope of ours")


@pytest.mark.parametrize("name", BAD)
async def test_what_is_refused_says_why_and_nothing_of_the_patient(tmp_path: Path, name: str) -> None:
    request, told = BAD[name]
    async with served(tmp_path) as site:
        method = "PUT" if request["url"] != "/fhir" else "POST"
        answer = await site.client.request(method, **{"headers": JSON, **request})
        assert outcome(answer) == told
        assert answer.headers["content-type"].startswith("application/fhir+json")
        assert "DOE" not in answer.text
        assert counts(site) == ({"dead": 1} if name in KEPT else {})


async def test_a_version_with_other_content_is_a_conflict(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        for version in ("1", "2"):
            assert (await put(site, patient(mrn=version, meta={"versionId": version}))).status_code < 300
        answer = await put(site, patient(mrn="DOE", meta={"versionId": "1"}))
        assert outcome(answer)[:2] == (409, "conflict")
        assert counts(site) == {"accepted": 2, "dead": 1}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
async def test_what_is_not_supported_is_405(tmp_path: Path, method: str) -> None:
    async with served(tmp_path) as site:
        answer = await site.client.request(method, "/fhir/Patient/17")
        assert outcome(answer)[:2] == (405, "not-supported")
        assert "PUT" in answer.headers["allow"]
        assert outcome(await site.client.get("/fhir/Patient/17/_history/1"))[:2] == (404, "not-found")
        assert (await site.client.get("/fhirs")).json()["type"] == "urn:pxhub:problem:not-found"


async def test_other_json_types_and_r4b_are_taken(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        for number, type_ in enumerate(("application/json", "application/fhir+json; fhirVersion=4.3; charset=UTF-8")):
            body = json.dumps(patient(str(number), str(number))).encode()
            answer = await site.client.put(f"/fhir/Patient/{number}", content=body, headers={"content-type": type_})
            assert answer.status_code == 201
