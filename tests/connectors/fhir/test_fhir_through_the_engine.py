"""Versions of resources through the engine: seen twice, late, in any order; and who they turn out to be about."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from connectors.fhir.read import FhirReader
from hub.replay import ReplayOptions, replay
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from tests.connectors.fhir.resources import (
    APPOINTMENT,
    CLAIM,
    ENCOUNTER,
    ORDER,
    PATIENT,
    REPORT,
    at,
    bundle,
    ref,
    resource,
    response,
)

DECLARED = """
thresholds:
  - {id: order, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final,
     cancelled_by: order.cancelled, within: 2h}
  - {id: auth, kind: wait, key: authorization_id, start: {event: authorization.requested, where: {urgent: true}},
     satisfied_by: [authorization.approved, authorization.denied], within: 3h}
  - {id: arrive, kind: wait, key: appointment_id, start: appointment.booked,
     satisfied_by: [appointment.arrived, appointment.missed], cancelled_by: appointment.cancelled, within: 10 days}
  - {id: moved, kind: count, key: appointment_id, event: appointment.rescheduled, limit: {at_least: 1, in: 1d}}
  - {id: stay, kind: wait, key: visit_id, start: visit.started, satisfied_by: visit.ended, within: 4h}
  - {id: told, kind: wait, key: report_id, start: result.final, satisfied_by: result.viewed, within: 1h}
"""
THRESHOLDS, _ = read_thresholds([("t.yaml", DECLARED)], default_zone="UTC")


def versions(value: Any, *changes: tuple[str, dict[str, Any]]) -> list[Any]:
    """Versions of a resource: when each was made, and what it says otherwise than the first."""
    return [
        {**value, **change, "meta": {"versionId": str(number), "lastUpdated": seen}}
        for number, (seen, change) in enumerate(changes, start=1)
    ]


def standing(*resources: Any, until: str = "2026-03-20T00:00:00Z") -> list[tuple[str, str]]:
    """The alerts that stand: threshold and state. Resources come as listed, none before its own time."""
    engine, reader, seen = Engine(THRESHOLDS), FhirReader(system="ehr"), set()
    for value in resources:
        reading = reader.read(json.dumps(value).encode(), "f")
        assert reading.events, reading
        if (reading.id, reading.digest) in seen:
            continue  # the door's part
        seen.add((reading.id, reading.digest))
        latest = max(event.time for event in reading.events)
        engine.advance(latest - 1)
        engine.apply_together(list(reading.events), max(latest, engine.clock))
    engine.advance(at(until))
    alerts = engine.alerts.values()
    return sorted((a.threshold, a.state.value) for a in alerts if a.state.value != "retracted")


MORNING = "2026-03-02T08:30:00Z"
STORIES: dict[str, tuple[list[Any], list[tuple[str, str]]]] = {
    "an order that nothing came of": (versions(ORDER, (MORNING, {})), [("order", "breached")]),
    "revoked in time": (versions(ORDER, (MORNING, {}), ("2026-03-02T09:00:00Z", {"status": "revoked"})), []),
    "its report came in time, though each is named otherwise": (
        [*versions(ORDER, (MORNING, {})), REPORT],
        [("told", "breached")],
    ),
    "one report for two orders, said twice": (
        [
            *versions({**ORDER, "id": "o2", "identifier": []}, (MORNING, {})),
            *versions(
                {**REPORT, "basedOn": [ref("ServiceRequest/o1"), ref("ServiceRequest/o2")]},
                ("2026-03-02T09:40:00Z", {}),
                ("2026-03-02T12:00:00Z", {"note": "x"}),
            ),
        ],
        [("told", "breached")],
    ),
    "moved to another day": (
        versions(
            APPOINTMENT,
            ("2026-03-02T08:00:00Z", {}),
            ("2026-03-03T08:00:00Z", {"start": "2026-03-11T14:00:00Z"}),
            ("2026-03-04T08:00:00Z", {"status": "cancelled"}),
        ),
        [("moved", "resolved")],
    ),
    "who came is told by the encounter alone": (
        [
            *versions({**APPOINTMENT, "basedOn": []}, ("2026-02-27T08:00:00Z", {})),
            *versions({**ENCOUNTER, "status": "in-progress"}, ("2026-03-01T08:05:00Z", {})),
            *versions(ENCOUNTER, ("2026-03-02T09:30:00Z", {})),
        ],
        [("stay", "resolved")],
    ),
    "a payer that answered by the reference of what it was asked": (
        [*versions(CLAIM, ("2026-03-02T09:05:00Z", {})), response("A1")],
        [],
    ),
    "a payer that did not decide": (
        [*versions(CLAIM, ("2026-03-02T09:05:00Z", {})), response("A4")],
        [("auth", "breached")],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_the_same_in_any_order_and_when_all_is_said_twice(name: str) -> None:
    told, wanted = STORIES[name]
    for order in permutations(told):
        assert standing(*order) == wanted
        assert standing(*order, *order) == wanted


def test_a_reference_becomes_the_person_whose_resource_comes_later() -> None:
    elsewhere = {**REPORT, "subject": {"identifier": {"system": "urn:north", "value": "100"}}}
    order = versions(ORDER, (MORNING, {}))
    assert standing(*order, elsewhere) == [("order", "breached"), ("told", "breached")]
    for order_of_arrival in permutations([*order, elsewhere, PATIENT]):
        assert standing(*order_of_arrival) == [("told", "breached")]


def test_patients_that_were_merged() -> None:
    theirs = {**REPORT, "subject": ref("Patient/18")}
    merged = resource(
        "Patient", "18", seen="2026-03-02T11:00:00Z", link=[{"other": ref("Patient/17"), "type": "replaced-by"}]
    )
    for order_of_arrival in permutations([*versions(ORDER, (MORNING, {})), theirs, merged]):
        assert standing(*order_of_arrival) == [("told", "breached")]


def test_a_file_of_fhir_is_replayed_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(DECLARED)
    files = tmp_path / "files"
    files.mkdir()
    order, *_ = versions(ORDER, (MORNING, {}))
    conflicting = {**order, "priority": "routine"}
    (files / "b.json").write_text(json.dumps(bundle(order, resource("Condition"), conflicting, order), indent=2))
    (files / "p.ndjson").write_text(json.dumps(PATIENT) + "\n{oops\n")
    viewed = {
        "specversion": "1.0",
        "id": "1",
        "source": "portal",
        "type": "result.final",
        "time": "2026-03-02T09:00:00Z",
        "data": {"mrn": "100", "assigning_authority": "urn:north", "order_id": "P1^urn:ehr"},
    }
    (files / "c.json").write_text(json.dumps(viewed))
    result = replay(ReplayOptions(paths=[str(files)], thresholds=tmp_path / "t.yaml"))
    report = result.report
    assert (report["messages"], report["accepted"], report["duplicates"]) == (7, 3, 1)
    assert report["ignored_by_reason"] == {"no mapping for Condition": 1}
    assert report["dead_letters_by_reason"] == {"conflict": 1, "unreadable": 1}
    assert report["persons"] == 1
    assert not [alert for alert in result.alerts if alert.threshold == "order" and alert.state.value != "retracted"]
