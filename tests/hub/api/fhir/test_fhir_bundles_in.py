"""Bundles over HTTP: a transaction is whole or nothing, a batch each for itself, a message is answered by a message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.api.fhir.bundles import MOST
from tests.hub.api.fhir.fhir_site import (
    JSON,
    appointment,
    asks,
    bundle,
    counts,
    events,
    outcome,
    patient,
    post,
    put,
)
from tests.hub.api.live_hub import Served, served

pytestmark = pytest.mark.anyio
ONE = "urn:uuid:0a5d4a0e-6b1c-4a8e-9a53-5e3d5a2f0001"
TWO = "urn:uuid:0a5d4a0e-6b1c-4a8e-9a53-5e3d5a2f0002"
NO_ROOM = "CREATE TRIGGER none BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'no room'); END"
HEADER = {"resourceType": "MessageHeader", "id": "m1", "eventUri": "urn:e", "source": {"endpoint": "urn:s"}}


def admission(of: str = ONE, status: str = "booked") -> dict[str, Any]:
    return bundle(
        "transaction",
        asks("POST", "Patient", patient(None), ONE),
        asks("POST", "Appointment", appointment(None, status, of), TWO),
    )


def responses(answer: Any) -> list[tuple[str, str]]:
    """Status and issue code of each entry, in order."""
    body = answer.json()
    assert answer.status_code == 200, body
    return [(e["response"]["status"][:3], e["response"]["outcome"]["issue"][0]["code"]) for e in body["entry"]]


async def test_a_transaction_is_answered_in_order_and_its_urns_lead_across(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        answer = await post(site, "/fhir", admission())
        assert answer.json()["type"] == "transaction-response"
        assert responses(answer) == [("201", "informational")] * 2
        at = [entry["response"]["location"].split("/fhir/")[1].split("/") for entry in answer.json()["entry"]]
        assert [parts[0] for parts in at] == ["Patient", "Appointment"]
        told, booked = events(site)
        assert f"Patient/{at[0][1]}^fhir" in told.identifiers
        assert f"Patient/{at[0][1]}^fhir" in booked.identifiers
        assert counts(site) == {"accepted": 1}


async def test_a_transaction_sent_again_changes_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        first = await post(site, "/fhir", admission())
        again = await post(site, "/fhir", admission())
        assert responses(again) == [("200", "informational")] * 2
        assert [entry["response"]["location"] for entry in again.json()["entry"]] == [
            entry["response"]["location"] for entry in first.json()["entry"]
        ]
        assert counts(site) == {"accepted": 1, "duplicate": 1}


async def test_what_was_taken_back_by_a_transaction_counts(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        for status in ("booked", "arrived", "booked"):
            one = bundle("transaction", asks("PUT", "Appointment/a1", appointment(status=status)))
            assert responses(await post(site, "/fhir", one))[0][0] in ("201", "200")
        assert [event.data["status"] for event in events(site)] == ["booked", "arrived", "booked"]


@pytest.mark.parametrize(
    "spoilt, place",
    [
        (admission(status="DOE"), "Bundle.entry[1].resource.status"),
        (admission(of="urn:uuid:nowhere"), "Bundle.entry[1].resource.participant[0].actor"),
    ],
)
async def test_a_transaction_with_one_bad_entry_is_kept_once_and_nothing_of_it_is_taken(
    tmp_path: Path, spoilt: dict[str, Any], place: str
) -> None:
    async with served(tmp_path) as site:
        for _ in range(2):
            status, _code, where = outcome(await post(site, "/fhir", spoilt))
            assert (status, where) == (422, place)
            site.hub.move(1)
        assert events(site) == []
        assert counts(site) == {"dead": 1, "duplicate": 1}
        # and nothing of it is known afterwards
        assert (await post(site, "/fhir", admission())).json()["entry"][0]["response"]["status"] == "201 Created"


@pytest.mark.parametrize(
    "entry, told",
    [
        (asks("DELETE", "Patient/1"), (405, "not-supported")),
        (asks("GET", "Patient/1"), (405, "not-supported")),
        (asks("POST", "Patient"), (400, "required")),
        ({"resource": patient()}, (400, "required")),
        (asks("PUT", "Patient", patient()), (400, "value")),
        (asks("PUT", "Patient/18", patient()), (400, "value")),
        (asks("PUT", "Patient/17", patient(), ifMatch='W/"3"'), (412, "conflict")),
        (asks("POST", "ReferralRequest", {"resourceType": "ReferralRequest"}), (422, "not-supported")),
    ],
)
async def test_a_request_that_cannot_be_met_fails_a_transaction_and_one_entry_of_a_batch(
    tmp_path: Path, entry: dict[str, Any], told: tuple[int, str]
) -> None:
    async with served(tmp_path) as site:
        good = asks("PUT", "Patient/20", patient("20", "200"))
        assert outcome(await post(site, "/fhir", bundle("transaction", good, entry))) == (*told, "Bundle.entry[1]")
        assert counts(site) == {}
        answer = await post(site, "/fhir", bundle("batch", good, entry, good))
        assert responses(answer) == [("201", "informational"), (str(told[0]), told[1]), ("200", "informational")]
        assert counts(site) == {"accepted": 1, "duplicate": 1}


TWICE = {
    "a fullUrl": (asks("PUT", "Patient/18", patient("18", "101"), ONE), "Bundle.entry[1].fullUrl"),
    "a resource": (asks("PUT", "Patient/17", patient("17", "101"), TWO), "Bundle.entry[1]"),
}


@pytest.mark.parametrize("which", TWICE)
async def test_what_a_transaction_names_twice_is_not_guessed(tmp_path: Path, which: str) -> None:
    other, place = TWICE[which]
    booked = asks("PUT", "Appointment/a1", appointment(of=ONE))
    async with served(tmp_path) as site:
        body = bundle("transaction", asks("PUT", "Patient/17", patient(), ONE), other, booked)
        assert outcome(await post(site, "/fhir", body)) == (400, "duplicate", place)
        assert counts(site) == {}


async def test_a_batch_is_taken_each_for_itself(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        answer = await post(
            site,
            "/fhir",
            bundle(
                "batch",
                asks("POST", "Patient", patient(None), ONE),
                asks("POST", "Appointment", appointment(None, "DOE", ONE)),
                asks("POST", "Appointment", appointment(None, "booked", ONE)),
                asks("POST", "Condition", {"resourceType": "Condition"}),
            ),
        )
        assert answer.json()["type"] == "batch-response"
        assert [status for status, _ in responses(answer)] == ["201", "422", "201", "201"]
        assert answer.json()["entry"][1]["response"]["outcome"]["issue"][0]["expression"] == [
            "Bundle.entry[1].resource.status"
        ]
        assert "DOE" not in answer.text
        assert counts(site) == {"accepted": 2, "dead": 1, "ignored": 1}
        assert set(events(site)[0].identifiers) & set(events(site)[1].identifiers)


async def test_a_conditional_create_that_found_one_is_what_the_others_refer_to(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await put(site, patient())
        for type_ in ("transaction", "batch"):
            answer = await post(
                site,
                "/fhir",
                bundle(
                    type_,
                    asks("POST", "Patient", patient(None), ONE, ifNoneExist="identifier=urn:north|100"),
                    asks("PUT", f"Appointment/{type_}", appointment(type_, "booked", ONE)),
                ),
            )
            assert [status for status, _ in responses(answer)] == ["200", "201"]
        assert [event.identifiers[0] for event in events(site)] == ["Patient/17^fhir"] * 3


async def test_a_history_tells_states_in_order(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        versions = [
            {"resource": appointment(status=status, meta={"versionId": str(n)})}
            for n, status in enumerate(("booked", "arrived"), start=1)
        ]
        answer = await post(site, "/fhir", bundle("history", {"resource": patient()}, *versions))
        assert [status for status, _ in responses(answer)] == ["201", "201", "200"]
        assert (await put(site, appointment(status="arrived"), **{"if-match": 'W/"2"'})).status_code == 200


async def test_a_resource_alone_may_be_posted_to_the_base(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        assert (await post(site, "/fhir", patient())).status_code == 201
        assert (await post(site, "/fhir", patient())).status_code == 200
        assert outcome(await post(site, "/fhir", {"name": "DOE"}))[0] == 422
        assert outcome(await post(site, "/fhir", {"resourceType": "Medication"}))[0] == 404


@pytest.mark.parametrize(
    "body, told",
    [
        (bundle("transaction", *[{}] * (MOST + 1)), (413, "too-costly", "Bundle.entry")),
        ({"resourceType": "Bundle", "type": "history", "entry": [{}] * 50_000}, (413, "too-costly", "Bundle.entry")),
        (bundle("firstborn"), (422, "not-supported", "Bundle.type")),
        ({"resourceType": "Bundle", "type": 7}, (400, "structure", "Bundle")),
        ({"resourceType": "Bundle", "type": "batch", "entry": {}}, (400, "structure", "Bundle")),
    ],
)
async def test_bundles_that_are_not_taken(tmp_path: Path, body: dict[str, Any], told: tuple[int, str, str]) -> None:
    async with served(tmp_path) as site:
        assert outcome(await post(site, "/fhir", body)) == told
        assert counts(site) == ({"dead": 1} if told[0] == 400 else {})


async def test_a_body_above_the_limit_is_too_costly(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        body = json.dumps(patient(text=["x" * (17 << 20)])).encode()
        answer = await site.client.post("/fhir", content=body, headers=JSON)
        assert outcome(answer)[:2] == (413, "too-costly")


async def test_spoilt_entries_of_a_batch_or_history_are_kept(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        spoilt = {"fullUrl": 7, "resource": patient()}
        answer = await post(site, "/fhir", bundle("history", {"resource": patient()}, spoilt))
        assert [status for status, _ in responses(answer)] == ["201", "422"]
        assert counts(site) == {"accepted": 1, "dead": 1}


async def test_a_bundle_within_a_bundle_is_taken_too(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        inner = bundle("collection", {"resource": patient()}, {"resource": appointment()})
        answer = await post(site, "/fhir", bundle("collection", {"resource": inner}))
        assert responses(answer) == [("200", "informational")]
        assert counts(site) == {"accepted": 2}


async def send_message(site: Served, *resources: dict[str, Any], **header: Any) -> tuple[int, str, dict[str, Any]]:
    entries = [{"fullUrl": "urn:uuid:m", "resource": {**HEADER, **header}}, *({"resource": one} for one in resources)]
    answer = await post(site, "/fhir/$process-message", bundle("message", *entries))
    body = answer.json()
    assert body["type"] == "message"
    first, details = (entry["resource"] for entry in body["entry"])
    assert first["response"]["identifier"] == "m1"
    assert first["eventUri"] == "urn:e"
    assert first["response"]["details"]["reference"] == body["entry"][1]["fullUrl"]
    return answer.status_code, first["response"]["code"], details


async def test_a_message_is_answered_by_a_message(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        for _ in range(2):
            status, code, _details = await send_message(site, patient(), appointment())
            assert (status, code) == (200, "ok")
        assert counts(site) == {"accepted": 1, "duplicate": 1}
        assert len(events(site)) == 2


async def test_a_message_that_cannot_be_read_is_a_fatal_error_and_kept(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        status, code, details = await send_message(site, patient(), appointment(status="DOE"))
        assert (status, code) == (200, "fatal-error")
        assert details["issue"][0]["expression"] == ["Bundle.entry[2].resource.status"]
        assert (counts(site), events(site)) == ({"dead": 1}, [])
        # the same id with other content is a conflict, once the first was taken
        await send_message(site, patient())
        assert (await send_message(site, patient("18")))[1] == "fatal-error"


async def test_while_the_store_fails_a_message_is_to_come_again(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.intake.ask(lambda runtime: runtime.store.write(NO_ROOM, [()]))
        status, code, _ = await send_message(site, patient())
        assert (status, code) == (503, "transient-error")
        answer = await put(site, patient())
        assert outcome(answer)[:2] == (503, "transient")
        assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    "header, place",
    [
        ({"event": {"code": "x"}}, "Bundle.entry[0].resource.event"),
        ({"eventCanonical": "urn:e"}, "Bundle.entry[0].resource.eventCanonical"),
        ({"id": None}, "Bundle.entry[0].resource.id"),
        ({"eventUri": None, "resourceType": "Patient"}, "Bundle.entry[0].resource"),
    ],
)
async def test_messages_of_another_version_are_refused(tmp_path: Path, header: dict[str, Any], place: str) -> None:
    async with served(tmp_path) as site:
        first = {name: value for name, value in {**HEADER, **header}.items() if value is not None}
        answer = await post(site, "/fhir", bundle("message", {"resource": first}, {"resource": patient()}))
        status, _, where = outcome(answer)
        assert (status, where) == (422, place)
        assert counts(site) == {}


async def test_process_message_wants_a_message(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        assert outcome(await post(site, "/fhir/$process-message", bundle("batch")))[:2] == (422, "invalid")
