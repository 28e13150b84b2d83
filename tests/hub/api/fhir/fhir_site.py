"""A hub that takes FHIR, and what its store has of it."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx2

from hub.contents import FHIR
from schemas.event import Event
from tests.hub.api.live_hub import Served

JSON = {"content-type": "application/fhir+json"}
MRN = "urn:north"


def patient(id_: str | None = "17", mrn: str = "100", **rest: Any) -> dict[str, Any]:
    own = {"id": id_} if id_ else {}
    return {"resourceType": "Patient", **own, "identifier": [{"system": MRN, "value": mrn}], **rest}


def appointment(id_: str | None = "a1", status: str = "booked", of: str = "Patient/17", **rest: Any) -> dict[str, Any]:
    own = {"id": id_} if id_ else {}
    actor = [{"actor": {"reference": of}, "status": "accepted"}]
    start = "2026-03-10T09:00:00-05:00"
    return {"resourceType": "Appointment", **own, "status": status, "start": start, "participant": actor, **rest}


def bundle(type_: str, *entries: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": type_, "entry": list(entries), **rest}


def asks(method: str, url: str, resource: dict[str, Any] | None = None, full_url: str = "", **rest: Any) -> Any:
    entry: dict[str, Any] = {"request": {"method": method, "url": url, **rest}}
    if resource is not None:
        entry["resource"] = resource
    return {**entry, "fullUrl": full_url} if full_url else entry


async def put(site: Served, resource: dict[str, Any], base: str = "/fhir", **headers: str) -> httpx2.Response:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return await site.client.put(url, json=resource, headers=JSON | headers)


async def post(site: Served, url: str, resource: dict[str, Any], **headers: str) -> httpx2.Response:
    return await site.client.post(url, json=resource, headers=JSON | headers)


def outcome(answer: httpx2.Response) -> tuple[int, str, str | None]:
    """Status, code and place of an OperationOutcome."""
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome", body
    [issue] = body["issue"]
    return answer.status_code, issue["code"], (issue.get("expression") or [None])[0]


def events(site: Served) -> list[Event]:
    """All events of the log."""
    with contextlib.closing(site.hub.store.reader()) as reader:
        return [event for taken in reader.accepted() for event in taken.events]


def counts(site: Served) -> dict[str, int]:
    """Messages by where they ended."""
    found: dict[str, int] = {}
    with contextlib.closing(site.hub.store.reader()) as reader:
        for (kind, outcome_, _), count in reader.tallies().items():
            assert kind == FHIR
            found[outcome_] = found.get(outcome_, 0) + count
    return found
