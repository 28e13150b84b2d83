"""What a poll brought is known to the FHIR door: by its version, its id and its identifiers."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from hub.site_fhir import FhirServer
from streams.embedded.things import find_thing
from tests.hub.api.fhir.fhir_site import JSON, outcome
from tests.hub.api.live_hub import served
from tests.hub.poll.fhir_host import FhirHost, order, patient
from tests.hub.poll.polling import NOW, polling, run

SERVERS = {"ehr": FhirServer(name="ehr")}
BASE = "/fhir/from/ehr"


def version_of(folder: Any, type_: str, id_: str) -> tuple[str, int] | None:
    with contextlib.closing(folder.hub.store.reader()) as reader:
        thing = find_thing(reader, "ehr", type_, id_)
        return (thing.version, thing.count) if thing is not None else None


def test_conditions_over_http_know_what_was_polled(tmp_path: Path) -> None:
    host = FhirHost()
    host.resources = [patient("p1", 1), order("o1", "p1", 10)]
    [number] = host.resources[0]["identifier"]

    async def scenario() -> None:
        async with polling(tmp_path, host) as hub:
            await hub.poll()
            assert version_of(hub, "ServiceRequest", "o1") == ("1", 1)
            host.resources.append(order("o1", "p1", 60, version=2, status="completed"))
            await hub.poll()
            assert version_of(hub, "ServiceRequest", "o1") == ("2", 2)
            again = await hub.poll()  # what is repeated is no version
            assert again["ServiceRequest"].duplicates
            assert version_of(hub, "ServiceRequest", "o1") == ("2", 2)
        async with served(tmp_path, now=NOW, fhir_servers=SERVERS) as site:

            async def ask(method: str, url: str, body: Any, **headers: str) -> Any:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                return await site.client.request(method, f"{BASE}/{url}", json=body, headers=JSON | named)

            wanted = f"identifier={number['system']}|{number['value']}"
            new = {**host.resources[0], "id": "other"}
            found = await ask("POST", "Patient", new, if_none_exist=wanted)
            assert found.status_code == 200
            assert found.headers["location"].endswith("/Patient/p1/_history/1")
            body = {**order("o1", "p1", 70, status="revoked"), "meta": {}}
            assert outcome(await ask("PUT", "ServiceRequest/o1", body, if_none_match="*"))[0] == 412
            assert outcome(await ask("PUT", "ServiceRequest/o1", body, if_match='W/"1"'))[0] == 412
            assert (await ask("PUT", "ServiceRequest/o1", body, if_match='W/"2"')).headers["etag"] == 'W/"3"'

    with host.listening():
        run(scenario())


def test_what_goes_by_no_id_or_is_spoilt_is_no_version(tmp_path: Path) -> None:
    host = FhirHost()
    spoilt = [
        {**patient("p2", 2), "identifier": 7},
        {**order("a_b", "p1", 10)},
        {**order("o2", "p1", 11), "status": "none"},
    ]
    host.resources = [patient("p1", 1), *spoilt]

    async def scenario() -> None:
        async with polling(tmp_path, host) as hub:
            found = await hub.poll()
            assert found["Patient"].dead_letters == 1
            assert version_of(hub, "Patient", "p1") == ("1", 1)
            for type_, id_ in (("Patient", "p2"), ("ServiceRequest", "a_b"), ("ServiceRequest", "o2")):
                assert version_of(hub, type_, id_) is None

    with host.listening():
        run(scenario())
