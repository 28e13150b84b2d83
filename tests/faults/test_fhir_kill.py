"""kill -9 while FHIR comes in: what was answered is there, and versions go on where they were."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faults.served import Served, ask

JSON = {"content-type": "application/fhir+json"}
SITE = "timezone: America/New_York\nfhir:\n  north: {}\n"


def appointment(number: int, status: str) -> dict[str, Any]:
    actor = [{"actor": {"reference": f"Patient/{number}"}, "status": "accepted"}]
    return {"resourceType": "Appointment", "id": str(number), "status": status, "participant": actor}


def admission(number: int) -> dict[str, Any]:
    identifier = [{"system": "urn:north", "value": str(number)}]
    entries = [
        {"resource": {"resourceType": "Patient", "id": f"t{number}", "identifier": identifier}},
        {"resource": {**appointment(number, "booked"), "id": f"t{number}"}},
    ]
    for entry in entries:
        entry["request"] = {"method": "PUT", "url": f"{entry['resource']['resourceType']}/t{number}"}
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


@pytest.mark.slow
def test_versions_and_wholes_survive(tmp_path: Path) -> None:
    store = tmp_path / "store"
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    versions: dict[int, int] = {}
    wholes: set[int] = set()

    async def drive(port: int, round_: int, served: Served) -> None:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/fhir/from/north", timeout=30) as client:

            async def update(number: int) -> None:
                for turn in range(40):
                    status = ("booked", "arrived")[(versions.get(number, 0)) % 2]
                    known = versions.get(number)
                    match = {"if-match": f'W/"{known}"'} if known and turn else {}
                    answer = await client.put(
                        f"/Appointment/{number}", json=appointment(number, status), headers=JSON | match
                    )
                    assert answer.status_code in (200, 201), answer.text
                    versions[number] = int(answer.headers["etag"][3:-1])

            async def admit() -> None:
                for turn in range(40):
                    number = 1000 * (round_ + 1) + turn
                    answer = await client.post("", json=admission(number), headers=JSON)
                    assert answer.status_code == 200, answer.text
                    wholes.add(number)
                    if turn == 12:
                        served.kill()

            with contextlib.suppress(httpx2.HTTPError):
                async with asyncio.TaskGroup() as group:
                    for work in (update(1), update(2), admit()):
                        group.create_task(_quietly(work))

    for round_ in range(3):
        served = Served(store, "--site", site)
        asyncio.run(drive(served.ports["http"], round_, served))

    served = Served(store, "--site", site)
    with httpx2.Client(base_url=f"http://127.0.0.1:{served.ports['http']}/fhir/from/north", timeout=30) as client:
        for number, version in versions.items():
            # the last answer may have been lost with the process, and then one more is known
            refused = client.put(
                f"/Appointment/{number}", json=appointment(number, "noshow"), headers=JSON | {"if-match": 'W/"9999"'}
            )
            assert refused.status_code == 412
            known = [
                client.put(
                    f"/Appointment/{number}",
                    json=appointment(number, "noshow"),
                    headers=JSON | {"if-match": f'W/"{n}"'},
                )
                for n in (version, version + 1)
            ]
            taken = [answer for answer in known if answer.status_code == 200]
            assert taken, number
            assert int(taken[0].headers["etag"][3:-1]) in (version + 1, version + 2)
    assert served.stop() == 0
    told = ask("events", "show", "--store", store)
    persons = [event["id"].partition("@")[0] for event in told if event["type"] == "person.updated"]
    booked = [event["id"].partition("@")[0] for event in told if event["id"].startswith("Appointment/t")]
    assert {f"Patient/t{number}" for number in wholes} <= set(persons)
    assert {name.removeprefix("Patient/") for name in persons} == {name.removeprefix("Appointment/") for name in booked}
    assert len(persons) == len(set(persons))
    checked = ask("store", "check", "--store", store)
    assert json.dumps(checked[0]["faults"]) == "[]"


async def _quietly(work: Any) -> None:
    with contextlib.suppress(httpx2.HTTPError):
        await work
