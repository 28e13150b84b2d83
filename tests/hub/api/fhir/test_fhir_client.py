"""A real FHIR client (fhirpy) drives `/fhir`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fhirpy import AsyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

from tests.hub.api.fhir.fhir_site import counts, events, patient, put
from tests.hub.api.live_hub import Served, served

pytestmark = pytest.mark.anyio


def client_of(site: Served) -> AsyncFHIRClient:
    return AsyncFHIRClient(f"{site.door.address}/fhir", extra_headers={"Accept": "application/fhir+json"})


async def test_it_creates_refers_and_updates(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        client = client_of(site)
        person = client.resource("Patient", identifier=[{"system": "urn:north", "value": "100"}])
        await person.save()
        assert person.id
        visit = client.resource(
            "Appointment",
            status="booked",
            start="2026-03-10T09:00:00-05:00",
            participant=[{"actor": person.to_reference(), "status": "accepted"}],
        )
        await visit.save()
        for status, version in (("arrived", "2"), ("fulfilled", "3")):
            visit["status"] = status
            await visit.save()
            assert visit["meta"]["versionId"] == version
        told = [event.data.get("status") for event in events(site) if event.type == "appointment.stated"]
        assert told == ["booked", "arrived", "fulfilled"]
        assert {event.identifiers[0] for event in events(site)} == {f"Patient/{person.id}^fhir"}
        assert counts(site) == {"accepted": 4}


async def test_it_saves_a_bundle(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        client = client_of(site)
        urn = "urn:uuid:0a5d4a0e-6b1c-4a8e-9a53-5e3d5a2f0001"
        entries: list[dict[str, Any]] = [
            {"fullUrl": urn, "resource": patient(None), "request": {"method": "POST", "url": "Patient"}},
            {
                "resource": {
                    "resourceType": "ServiceRequest",
                    "status": "active",
                    "intent": "order",
                    "subject": {"reference": urn},
                    "authoredOn": "2026-03-02T08:00:00Z",
                },
                "request": {"method": "POST", "url": "ServiceRequest"},
            },
        ]
        answer = await client.execute("", data={"resourceType": "Bundle", "type": "transaction", "entry": entries})
        assert [entry.response.status for entry in answer.entry] == ["201 Created", "201 Created"]
        assert [event.type for event in events(site)] == ["person.updated", "order.stated"]


async def test_it_updates_by_a_search(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        client = client_of(site)
        person = client.resource("Patient", identifier=patient()["identifier"])
        found, created = await client.resources("Patient").search(identifier="urn:north|100").update(person)
        again, second = await client.resources("Patient").search(identifier="urn:north|100").update(person)
        assert (created, second) == (True, False)
        assert found["id"] == again["id"]
        await put(site, patient("18"))
        with pytest.raises(MultipleResourcesFound):
            await client.resources("Patient").search(identifier="urn:north|100").update(person)


async def test_it_hears_what_is_wrong(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        client = client_of(site)
        with pytest.raises(OperationOutcome) as wrong:
            await client.resource("Appointment", status="nonsense", participant=[]).save()
        assert wrong.value.resource["issue"][0]["expression"] == ["Appointment.status"]
        with pytest.raises(ResourceNotFound):
            await client.resource("Medication").save()
        with pytest.raises(OperationOutcome):
            await client.resources("Patient").search(identifier="urn:north|100").fetch()


async def test_it_reads_the_statement(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        statement = await client_of(site).execute("metadata", method="get")
        assert statement.resourceType == "CapabilityStatement"
