"""The CapabilityStatement is walked, and each thing that it claims is tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.fhir.read import READ_TYPES
from connectors.fhir.validate import faults
from hub.site_fhir import FhirServer
from tests.hub.api.fhir.fhir_site import JSON, appointment, asks, bundle, outcome, patient, post, put
from tests.hub.api.live_hub import Served, served

pytestmark = pytest.mark.anyio


async def statement(site: Served, base: str = "/fhir") -> dict[str, Any]:
    answer = await site.client.get(f"{base}/metadata")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/fhir+json")
    found: dict[str, Any] = answer.json()
    return found


async def test_it_is_one_by_its_model(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        found = await statement(site)
        assert faults(found) == []
        assert (found["status"], found["kind"], found["fhirVersion"]) == ("active", "instance", "4.0.1")
        assert found["implementation"]["url"] == f"{site.door.address}/fhir"


async def test_a_named_server_has_a_base_of_its_own(tmp_path: Path) -> None:
    async with served(tmp_path, fhir_servers={"north": FhirServer(name="north")}) as site:
        found = await statement(site, "/fhir/from/north")
        assert found["implementation"]["url"] == f"{site.door.address}/fhir/from/north"
        answer = await put(site, patient(), "/fhir/from/north")
        assert answer.headers["location"].startswith(found["implementation"]["url"])
        # another server's resource of the same name is another resource
        assert (await put(site, patient())).status_code == 201


async def test_there_is_no_terminology(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        found = (await site.client.get("/fhir/metadata?mode=terminology")).json()
        assert found.keys() == {"resourceType", "status", "date", "kind"}
        assert outcome(await site.client.get("/fhir/metadata?mode=all"))[:2] == (400, "value")
        xml = await site.client.get("/fhir/metadata", headers={"accept": "application/fhir+xml"})
        assert outcome(xml)[:2] == (406, "not-supported")


LEAST: dict[str, dict[str, Any]] = {"Patient": patient(None), "Appointment": appointment(None)}
"""What a resource of a type needs to be asked about; of the others only that they are looked at."""


async def test_each_claim_holds(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        [rest] = [one for one in (await statement(site))["rest"] if one["mode"] == "server"]
        assert {one["type"] for one in rest["resource"]} == READ_TYPES
        for claimed in rest["resource"]:
            await _try_type(site, claimed)
        for interaction in rest["interaction"]:
            type_ = {"transaction": "transaction", "batch": "batch"}[interaction["code"]]
            answer = await post(site, "/fhir", bundle(type_, asks("PUT", "Patient/t", patient("t", type_))))
            assert answer.json()["type"] == f"{type_}-response"
        assert [operation["name"] for operation in rest["operation"]] == ["process-message"]
        assert outcome(await post(site, "/fhir/$process-message", bundle("message")))[0] == 422
        [messaging] = (await statement(site))["messaging"]
        assert messaging["endpoint"][0]["address"] == f"{site.door.address}/fhir/$process-message"


async def _try_type(site: Served, claimed: dict[str, Any]) -> None:
    type_ = claimed["type"]
    assert [one["code"] for one in claimed["interaction"]] == ["create", "update"]
    one = LEAST.get(type_)
    if one is None:
        # the door knows the type: what it says is about the resource, and not about the route
        answer = await post(site, f"/fhir/{type_}", {"resourceType": type_, "id": "x"})
        assert answer.status_code in (201, 422)
        assert (await put(site, {"resourceType": type_, "id": "x"})).status_code in (200, 201, 422)
    else:
        assert (await post(site, f"/fhir/{type_}", one)).status_code == 201
        assert claimed["updateCreate"]
        identified = {**one, "id": "x", "identifier": [{"system": "urn:s", "value": f"{type_}1"}]}
        assert (await put(site, identified)).status_code == 201
        assert claimed["conditionalCreate"]
        assert [param["name"] for param in claimed["searchParam"]] == ["_id", "identifier"]
        condition = f"identifier=urn:s|{type_}1"
        again = await post(site, f"/fhir/{type_}", one, **{"if-none-exist": condition})
        assert again.status_code == 200
        assert claimed["conditionalUpdate"]
        body = {**one, "identifier": identified["identifier"], "language": "en"}
        answer = await site.client.put(f"/fhir/{type_}?{condition}", json=body, headers=JSON)
        assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
        assert claimed["versioning"] == "versioned"
    # and what it does not claim is not there
    for method, path in (("GET", ""), ("GET", "/x"), ("DELETE", "/x"), ("PATCH", "/x")):
        assert outcome(await site.client.request(method, f"/fhir/{type_}{path}"))[:2] == (405, "not-supported")
    assert claimed["conditionalRead"] == claimed["conditionalDelete"] == "not-supported"
    assert claimed["readHistory"] is False
