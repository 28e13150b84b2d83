"""The simulated clinic's portal and contact center: the same from the same seed, well formed, in step with HL7 v2."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from statistics import median
from typing import Any

import msgspec
import pytest

from connectors.contact_center.shipped import shipped_hook
from connectors.fhir.read import FhirReader
from hub.simulate import CALLS_FILE, MESSAGE_FILES, PORTAL_FILE, Said, Simulation, simulate
from hub.simulate.clinic import INTERFACES

Week = dict[str, list[str]]


def run(simulation: Simulation) -> tuple[Week, Said]:
    written: Week = {file: [] for file in MESSAGE_FILES}
    return written, simulate(simulation, {file: lines.append for file, lines in written.items()})


@pytest.fixture(scope="module")
def week() -> Week:
    return run(Simulation(people=500))[0]


@pytest.fixture(scope="module")
def resources(week: Week) -> list[dict[str, Any]]:
    bundles = [msgspec.json.decode(line) for line in week[PORTAL_FILE]]
    return [entry["resource"] for bundle in bundles for entry in bundle["entry"]]


@pytest.fixture(scope="module")
def records(week: Week) -> list[dict[str, Any]]:
    return [body for line in week[CALLS_FILE] if "AWSAccountId" in (body := msgspec.json.decode(line))]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert run(Simulation(people=60)) == run(Simulation(people=60))


def test_another_seed_gives_another_week() -> None:
    one, other = run(Simulation(people=60))[0], run(Simulation(people=60, seed=8))[0]
    assert one[PORTAL_FILE] != other[PORTAL_FILE]
    assert one[CALLS_FILE] != other[CALLS_FILE]


def test_hl7_is_the_same_whether_anybody_hears_the_other_two() -> None:
    both, said = run(Simulation(people=60))
    hl7: Week = {interface.file: [] for interface in INTERFACES}
    assert simulate(Simulation(people=60), {file: lines.append for file, lines in hl7.items()}) == said
    assert {file: both[file] for file in hl7} == hl7


def test_what_is_counted_is_what_is_written() -> None:
    written, said = run(Simulation(people=60))
    assert said.calls == len(written[CALLS_FILE])
    assert said.fhir == sum(len(msgspec.json.decode(line)["entry"]) for line in written[PORTAL_FILE])
    assert said.hl7 == sum(len(written[interface.file]) for interface in INTERFACES)


def test_a_batch_is_sent_when_its_quarter_of_an_hour_is_over(week: Week) -> None:
    sent = []
    for line in week[PORTAL_FILE]:
        bundle = msgspec.json.decode(line)
        assert bundle["type"] == "batch"
        sent.append(stamp := datetime.fromisoformat(bundle["timestamp"]))
        for entry in bundle["entry"]:
            resource = entry["resource"]
            assert entry["request"] == {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
            said = datetime.fromisoformat(resource.get("sent") or resource["recorded"])
            assert 0 < (stamp - said).total_seconds() <= 900
    assert sent == sorted(set(sent))


def test_every_resource_is_fhir_r4(resources: list[dict[str, Any]]) -> None:
    reader = FhirReader(validates=True)
    for resource in resources:
        reading = reader.read(msgspec.json.encode(resource), "here")
        assert reading.dead is None
        assert "fhir_invalid" not in reading.notes


def test_what_is_told_is_of_a_result_that_is_final(week: Week, resources: list[dict[str, Any]]) -> None:
    """A result is posted after it is final, and opened after it is posted."""
    orders = {
        message.split("\rOBR|1|")[1].split("^")[0]
        for file in ("results.hl7", "imaging.hl7")
        for message in week[file]
        if "|ORU^R01" in message
    }
    posted: dict[str, datetime] = {}
    for resource in resources:
        if resource["resourceType"] == "AuditEvent":
            order = resource["entity"][1]["what"]["identifier"]["value"]
            assert datetime.fromisoformat(resource["recorded"]) > posted[order]
        elif resource["category"][0]["coding"][0]["code"] == "RESULT-POSTED":
            order = resource["basedOn"][0]["identifier"]["value"]
            assert order in orders
            posted[order] = datetime.fromisoformat(resource["sent"])
    assert len(posted) > 400


def test_who_has_opened_a_result_is_not_called_about_it(
    resources: list[dict[str, Any]], records: list[dict[str, Any]]
) -> None:
    opened = {
        r["entity"][1]["what"]["identifier"]["value"]: datetime.fromisoformat(r["recorded"])
        for r in resources
        if r["resourceType"] == "AuditEvent"
    }
    about = [r for r in records if "order_id" in r["Attributes"]]
    assert len(about) > 100
    for record in about:
        seen = opened.get(record["Attributes"]["order_id"].partition("^")[0])
        assert seen is None or seen > datetime.fromisoformat(record["DisconnectTimestamp"])


def test_nobody_is_called_again_once_they_were_reached(records: list[dict[str, Any]]) -> None:
    by_order: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if "order_id" in record["Attributes"]:
            by_order[record["Attributes"]["order_id"]].append(record["Attributes"]["outcome"])
    assert all("RCHD" not in outcomes[:-1] and len(outcomes) <= 3 for outcomes in by_order.values())
    assert any(len(outcomes) >= 2 for outcomes in by_order.values())


def test_the_contact_center_calls_between_eight_and_six(records: list[dict[str, Any]]) -> None:
    hours = Counter(datetime.fromisoformat(r["InitiationTimestamp"]).hour - 5 for r in records)  # EST
    assert min(hours) >= 8
    assert max(hours) <= 19  # callbacks that were forgotten come in the evening


def test_on_the_tuesday_callers_wait_and_give_up(records: list[dict[str, Any]]) -> None:
    queued = [r for r in records if r["Queue"] and r["InitiationMethod"] == "INBOUND" and not r["NextContactId"]]
    waits: dict[bool, list[int]] = {True: [], False: []}
    gave_up: Counter[bool] = Counter()
    for record in queued:
        tuesday = record["InitiationTimestamp"].startswith("2026-03-03")
        waits[tuesday].append(record["Queue"]["Duration"])
        gave_up[tuesday] += record["Agent"] is None
    assert median(waits[False]) < 30
    assert median(waits[True]) > 100
    assert gave_up[True] / len(waits[True]) > 0.1 > 2 * gave_up[False] / len(waits[False])


def test_every_body_is_one_that_the_shipped_mapping_knows(week: Week) -> None:
    assert shipped_hook("amazon-connect").vendor == "amazon-connect"
    for line in week[CALLS_FILE]:
        body = msgspec.json.decode(line)
        assert body.get("detail-type") == "Amazon Connect Contact Event" or body["ContactId"]
        assert line.endswith("\n")
        assert line.count("\n") == 1


@pytest.mark.parametrize("people", [1, 2, 7])
def test_a_handful_of_people_is_enough(people: int) -> None:
    said = run(Simulation(people=people))[1]
    assert said.calls < 20 * people
