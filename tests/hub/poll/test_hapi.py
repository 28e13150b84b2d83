"""`pxhub fhir poll` against HAPI: its CapabilityStatement, its pages, its stamps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.hub.poll.hapi_server import hapi

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with hapi() as at:
        yield at


def put(base: str, resource: dict[str, Any]) -> None:
    at = f"{base}/{resource['resourceType']}/{resource['id']}"
    answer = httpx2.put(at, json=resource, headers={"Content-Type": "application/fhir+json"}, trust_env=False)
    assert answer.status_code in (200, 201), answer.text


def pxhub(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "hub", *map(str, arguments), "--format", "json"]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


def poll(base: str, store: Path) -> dict[str, Any]:
    done = pxhub("fhir", "poll", base, "--store", store, "--timezone", "UTC")
    assert done.returncode == 0, done.stderr
    return {row["type"]: row for row in json.loads(done.stdout)["types"]}


def order(id_: str, of: str, status: str) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "id": id_,
        "status": status,
        "intent": "order",
        "subject": {"reference": f"Patient/{of}"},
        "authoredOn": "2026-03-02T09:00:00Z",
    }


def test_hapi_is_polled_and_polled_again(base: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    for number in range(7):
        identifier = [{"system": "urn:n", "value": str(number)}]
        put(base, {"resourceType": "Patient", "id": f"p{number}", "identifier": identifier})
        put(base, order(f"o{number}", f"p{number}", "active"))
    first = poll(base, store)
    assert sorted(first) == ["Appointment", "Patient", "ServiceRequest"]  # what it has of what is read
    assert first["Patient"]["pages"] == 3
    assert first["Patient"]["accepted"] == 7
    assert first["ServiceRequest"]["accepted"] == 7
    put(base, order("o3", "p3", "completed"))
    second = poll(base, store)
    assert second["Patient"]["accepted"] == 0
    assert second["ServiceRequest"]["accepted"] == 1
    events = pxhub("events", "show", "--store", store, "--person", "3^urn:n")
    assert sorted({event["type"] for event in json.loads(events.stdout)}) == ["order.stated", "person.updated"]
