"""Polling a FHIR server: pages, positions, repetitions, and a server that is odd."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from connectors.fhir.search import ELSEWHERE, ENDLESS
from tests.hub.poll.fhir_host import (
    FHIR_JSON,
    HOUR,
    SINCE,
    FhirHost,
    fhir,
    order,
    outcome,
    passing,
    patient,
    refusing,
    stamp,
)
from tests.hub.poll.polling import polling, run

PHI = ("DOE", "JANE", "1970")


@pytest.fixture
def host() -> FhirHost:
    host = FhirHost()
    host.resources = [patient(f"p{n}", n) for n in range(5)] + [order(f"o{n}", f"p{n}", 10 + n) for n in range(3)]
    return host


def test_all_pages_come_and_the_next_poll_asks_for_what_changed(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            first = await hub.poll()
            assert first["Patient"].accepted == 5
            assert first["Patient"].pages == 3
            assert first["ServiceRequest"].accepted == 3
            assert await hub.position("Patient") == SINCE + 4 * 60_000_000
            host.asked.clear()
            host.resources.append(order("o1", "p1", 60, version=2, status="completed"))
            second = await hub.poll()
            assert second["ServiceRequest"].accepted == 1
            assert second["Patient"].accepted == 0
            assert second["Patient"].duplicates == 5  # all of them within the overlap
            assert f"GET /fhir/Patient?_lastUpdated=ge{stamp(-6)}&_sort=_lastUpdated&_count=250" in host.asked
            third = await hub.poll()
            assert third["ServiceRequest"].duplicates == 1
            assert third["ServiceRequest"].accepted == 0

    with host.listening():
        run(scenario())


def test_what_refers_to_a_patient_unites_with_it(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("ServiceRequest",)) as hub:
            await hub.poll()
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            await hub.poll()
            find = lambda runtime, name: runtime.engine.find_person(name)  # noqa: E731
            one = await hub.hub.intake.ask(lambda runtime: find(runtime, "Patient/p1^ehr"))
            assert one is not None
            assert one == await hub.hub.intake.ask(lambda runtime: find(runtime, "p1^urn:n"))

    with host.listening():
        run(scenario())


def test_a_poll_that_is_cut_goes_on_where_it_was(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",), overlap=1) as hub:
            host.odd.extend([passing, passing, *[refusing(503)] * 4])
            cut = (await hub.poll())["Patient"]
            assert cut.failed is not None
            assert cut.passes
            assert (cut.accepted, cut.pages) == (4, 2)
            assert await hub.position("Patient") == SINCE + 3 * 60_000_000
        async with polling(tmp_path / "store", host, types=("Patient",), overlap=1) as hub:
            rest = (await hub.poll())["Patient"]
            assert (rest.accepted, rest.duplicates) == (1, 1)  # the one that it stopped at comes again

    with host.listening():
        run(scenario())


def test_a_server_that_does_not_sort_is_remembered_at_the_end_alone(tmp_path: Path, host: FhirHost) -> None:
    host.sorts = False
    host.resources.reverse()

    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            host.odd.extend([passing, passing, *[refusing(503)] * 4])
            await hub.poll()
            assert await hub.position("Patient") is None
            assert (await hub.poll())["Patient"].accepted == 1
            assert await hub.position("Patient") == SINCE + 4 * 60_000_000

    with host.listening():
        run(scenario())


def test_a_server_in_trouble_is_asked_again(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            host.odd.extend([refusing(429, "throttled", Retry_After="0"), refusing(503), passing])
            assert (await hub.poll())["Patient"].accepted == 5
            assert hub.client.tries == 5

    with host.listening():
        run(scenario())


def test_who_asks_for_a_long_rest_is_left_alone(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            host.odd.append(refusing(429, "throttled", Retry_After="3600"))
            found = (await hub.poll())["Patient"]
            assert found.failed == "it answers 429 (throttled)"
            assert found.passes
            assert hub.client.tries == 1

    with host.listening():
        run(scenario())


def test_a_page_that_is_cut_short_is_asked_for_again(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            host.odd.append(lambda _: Response(b'{"resourceType":"Bundle","entry":[{"resou', media_type=FHIR_JSON))
            assert (await hub.poll())["Patient"].accepted == 5
            host.odd.extend([lambda _: Response(b"<html>")] * 3)
            found = (await hub.poll())["Patient"]
            assert found.failed is not None
            assert found.failed.startswith("a page is not to be read")

    with host.listening():
        run(scenario())


def test_another_hosts_next_link_is_not_followed_and_sees_no_token(tmp_path: Path, host: FhirHost) -> None:
    token = tmp_path / "token"
    token.write_text("secret-0\n")
    other = FhirHost()
    with host.listening(), other.listening():

        def leading_away(_: Request) -> Response:
            link = [{"relation": "next", "url": f"{other.base}?_pages=0&_at=0"}]
            return fhir({"resourceType": "Bundle", "link": link, "entry": [{"resource": patient("p9", 1)}]})

        async def scenario() -> None:
            async with polling(tmp_path / "store", host, types=("Patient",), token_file=token) as hub:
                host.odd.append(leading_away)
                found = (await hub.poll())["Patient"]
                assert found.failed == ELSEWHERE
                assert found.accepted == 1  # what the page held is kept
                assert host.authorizations == ["Bearer secret-0"]

        run(scenario())
    assert other.asked == []


def test_a_search_without_end_is_ended(tmp_path: Path, host: FhirHost) -> None:
    page = {"resourceType": "Bundle", "entry": [{"resource": patient("p1", 1)}]}

    def the_same_again(request: Request) -> Response:
        return fhir({**page, "link": [{"relation": "next", "url": f"{host.base}?again"}]})

    def ever_new(request: Request) -> Response:
        return fhir({**page, "link": [{"relation": "next", "url": f"{host.base}?n={len(host.asked)}"}]})

    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            for odd in (the_same_again, ever_new):
                host.odd.clear()
                host.odd.extend([odd] * 50)
                host.asked.clear()
                found = (await hub.poll())["Patient"]
                assert found.failed == ENDLESS
                assert len(host.asked) < 6

    with host.listening():
        run(scenario())


def test_a_type_that_is_refused_keeps_no_other_from_being_read(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            host.odd.append(lambda _: outcome(403, "forbidden"))
            found = await hub.poll()
            assert found["Patient"].failed is not None
            assert "it answers 403 (forbidden)" in found["Patient"].failed
            assert not found["Patient"].passes
            assert not any(word in found["Patient"].failed for word in PHI)
            assert found["ServiceRequest"].accepted == 3

    with host.listening():
        run(scenario())


def test_types_that_nobody_named_are_those_the_server_has(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=()) as hub:
            assert sorted(await hub.poll()) == ["Patient", "ServiceRequest"]
            assert host.asked[0] == "GET /fhir/metadata"

    with host.listening():
        run(scenario())


def test_pages_that_are_gone_are_searched_for_anew(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",), overlap=1) as hub:
            host.odd.extend([passing, passing, refusing(410, "deleted")])
            found = (await hub.poll())["Patient"]
            assert found.failed is None
            assert (found.accepted, found.duplicates) == (5, 1)

    with host.listening():
        run(scenario())


def test_a_stamp_of_the_far_future_moves_no_position(tmp_path: Path, host: FhirHost) -> None:
    host.resources.append(patient("late", 60 * 24 * 365 * 50))

    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            await hub.poll()
            assert await hub.position("Patient") == SINCE + 4 * 60_000_000

    with host.listening():
        run(scenario())


def test_spoilt_entries_are_dead_letters_and_remarks_are_none(tmp_path: Path, host: FhirHost) -> None:
    remark = {"resource": {"resourceType": "OperationOutcome", "issue": []}, "search": {"mode": "outcome"}}
    entries = [remark, {"resource": {"resourceType": "Patient"}}, "spoilt", {"resource": patient("p1", 1)}]

    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            host.odd.append(lambda _: fhir({"resourceType": "Bundle", "entry": entries}))
            found = (await hub.poll())["Patient"]
            assert (found.resources, found.accepted, found.dead_letters) == (3, 1, 2)
            assert (found.remarks, found.undated) == (1, 1)

    with host.listening():
        run(scenario())


def test_since_begins_elsewhere_and_leaves_the_position(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host, types=("Patient",)) as hub:
            await hub.poll()
            host.asked.clear()
            again = (await hub.poll(since=SINCE + 3 * 60_000_000))["Patient"]
            assert again.duplicates == 2
            assert await hub.position("Patient") == SINCE + 4 * 60_000_000
            assert json.dumps(again.told())  # times as text

    with host.listening():
        run(scenario())


def test_a_server_that_is_not_there_is_told_once_a_type(tmp_path: Path, host: FhirHost) -> None:
    with host.listening():
        pass

    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            found = await hub.poll()
            assert {asked.failed for asked in found.values()} == {"it cannot be reached"}
            assert all(asked.passes for asked in found.values())
            assert hub.hub.now == SINCE + 2 * HOUR

    run(scenario())
