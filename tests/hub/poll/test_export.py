"""Exports of a FHIR server: begun, waited for, fetched, gone on with, and begun from where the last one ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hub.poll.export import Exported, Exporter
from hub.poll.known import find_export
from tests.hub.poll.fhir_host import HOUR, SINCE, FhirHost, order, outcome, passing, patient, refusing
from tests.hub.poll.polling import Polling, polling, run

LOOKS = (0.0, 0.0)


def ndjson(*resources: dict[str, Any]) -> str:
    return "".join(json.dumps(resource) + "\n" for resource in resources)


@pytest.fixture
def host() -> FhirHost:
    host = FhirHost()
    host.files = {
        "Patient.ndjson": ndjson(*(patient(f"p{n}", n) for n in range(5))),
        "ServiceRequest.ndjson": ndjson(order("o1", "p1", 10)) + "\n" + ndjson(order("o2", "p2", 11)).rstrip("\n"),
    }
    return host


async def export(hub: Polling, **given: Any) -> Exported:
    settings = {"looks": LOOKS, **given}
    return await Exporter(hub.client, hub.taker, lambda: hub.hub.now, **settings).export()


async def kept(hub: Polling) -> tuple[int | None, str | None]:
    found = await hub.hub.intake.ask(lambda runtime: find_export(runtime.store, hub.client.key, ""))
    return found.time, found.status


def test_an_export_is_waited_for_fetched_and_let_go(tmp_path: Path, host: FhirHost) -> None:
    host.looks = 3

    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            done = await export(hub)
            assert done.failed is None
            assert (done.files, done.resources, done.accepted) == (2, 7, 7)
            assert host.kick_offs == [{"_outputFormat": "application/fhir+ndjson", "_type": "Patient,ServiceRequest"}]
            assert host.deleted == ["/fhir/status/1"]
            assert await kept(hub) == (SINCE + HOUR, None)
            again = await export(hub)
            assert host.kick_offs[1]["_since"] == "2026-03-02T10:00:00Z"
            assert again.duplicates == 7

    with host.listening():
        run(scenario())


def test_an_export_that_was_cut_is_gone_on_with(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            host.odd.extend([passing, passing, passing, *[refusing(503)] * 4])
            cut = await export(hub)
            assert cut.passes
            assert (cut.files, cut.accepted) == (1, 5)
            assert await kept(hub) == (None, f"{host.base}/status/1")
        async with polling(tmp_path / "store", host) as hub:
            done = await export(hub)
            assert (done.accepted, done.duplicates) == (2, 5)
            assert len(host.kick_offs) == 1

    with host.listening():
        run(scenario())


def test_a_file_that_breaks_off_is_fetched_again(tmp_path: Path, host: FhirHost) -> None:
    async def half(_: Request | None = None) -> Any:
        yield host.files["Patient.ndjson"][:200].encode()
        raise ConnectionError

    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            broken = lambda _: StreamingResponse(half(), headers={"Content-Length": "2000"})  # noqa: E731
            host.odd.extend([passing, passing, broken])
            done = await export(hub)
            assert done.failed is None
            assert done.accepted == 7

    with host.listening():
        run(scenario())


def test_deletions_are_counted_and_end_nothing(tmp_path: Path, host: FhirHost) -> None:
    entries = [{"request": {"method": "DELETE", "url": f"Patient/p{n}"}} for n in range(2)]
    host.files["deleted.ndjson"] = ndjson({"resourceType": "Bundle", "type": "transaction", "entry": entries})

    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            done = await export(hub)
            assert (done.accepted, done.ignored, done.dead_letters) == (7, 2, 0)

    with host.listening():
        run(scenario())


def test_files_elsewhere_are_fetched_where_they_are_allowed_and_without_a_token(tmp_path: Path, host: FhirHost) -> None:
    key = ECKey.generate_key("P-384")
    key_file = tmp_path / "key.json"
    key_file.write_text(json.dumps(key.as_dict(private=True)))
    host.client_key = key
    other = FhirHost()
    other.files = host.files
    with host.listening(), other.listening():
        host.file_base = f"http://127.0.0.1:{other.port}/files"

        async def scenario(needs_token: bool, *hosts: str) -> str | None:
            host.needs_token = needs_token
            asks = {"client_id": "us", "key_file": key_file, "download_hosts": frozenset(hosts)}
            async with polling(tmp_path / f"store{needs_token}{len(hosts)}", host, **asks) as hub:
                return (await export(hub)).failed

        async def scenarios() -> None:
            for refused in (await scenario(False), await scenario(True, "127.0.0.1")):
                assert refused is not None
                assert "another host" in refused
            assert other.asked == []
            assert await scenario(False, "127.0.0.1") is None
            assert set(other.authorizations) == {None}

        run(scenarios())


def test_a_server_that_exports_nothing_says_so(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            host.odd.append(lambda _: outcome(404, "not-found"))
            done = await export(hub)
            assert done.failed is not None
            assert done.failed.startswith("it answers 404 (not-found)")
            assert not done.passes
            host.odd.append(lambda _: Response(status_code=202))
            done = await export(hub)
            assert done.failed is not None
            assert "Content-Location" in done.failed
            host.looks = 10**6
            done = await export(hub, within=1.0, looks=(2.0, 2.0))
            assert done.passes

    with host.listening():
        run(scenario())


def test_an_export_that_the_server_has_forgotten_is_begun_anew(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            host.odd.extend([passing, *[refusing(503)] * 4])
            assert (await export(hub)).passes
            host.odd.append(refusing(404, "not-found"))
            done = await export(hub)
            assert done.failed is None
            assert len(host.kick_offs) == 2

    with host.listening():
        run(scenario())


def test_lines_that_are_no_json_are_dead_letters(tmp_path: Path, host: FhirHost) -> None:
    host.files["Patient.ndjson"] += 'not json\n{"kept":1,"resource":\n'

    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            done = await export(hub)
            assert (done.accepted, done.dead_letters) == (7, 2)

    with host.listening():
        run(scenario())


def test_a_server_says_when_it_is_looked_at_again(tmp_path: Path, host: FhirHost) -> None:
    host.looks = 1
    host.rests = {"Retry-After": "1"}

    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            done = await export(hub, looks=(9_999.0, 9_999.0))  # else the test would not end
            assert done.accepted == 7

    with host.listening():
        run(scenario())


def test_an_export_of_all_patients(tmp_path: Path, host: FhirHost) -> None:
    async def scenario() -> None:
        async with polling(tmp_path / "store", host) as hub:
            assert (await export(hub, over="Patient")).accepted == 7
            assert host.asked[0].startswith("GET /fhir/Patient/$export?")

    with host.listening():
        run(scenario())
