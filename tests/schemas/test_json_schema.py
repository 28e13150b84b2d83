"""The published schemas: they are what the code says, they take what is right and refuse what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from schemas.json_schema import SCHEMAS, write_schema
from schemas.json_schema_declared import _SHAPES, _all_keys
from schemas.threshold_keys import CALENDAR_KEYS, FILE_KEYS, MATCH_KEYS

ROOT = Path(__file__).resolve().parents[2]
PACKS = sorted((ROOT / "hub" / "packs").glob("*.yaml"))


def load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[name]())


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_the_one_of_the_code(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name]())
    published = (ROOT / "docs" / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    assert published == write_schema(name), f"run: pxhub thresholds schema {name} > docs/schemas/{name}.json"
    assert json.loads(published)["$id"].endswith(name)


@pytest.mark.parametrize("pack", PACKS, ids=lambda path: path.name)
def test_every_shipped_pack_is_right(pack: Path) -> None:
    errors = list(validator("thresholds").iter_errors(load(pack.read_text(encoding="utf-8"))))
    assert [error.message for error in errors] == []


def test_the_schema_knows_the_keys_that_the_reader_knows() -> None:
    schema = SCHEMAS["thresholds"]()
    assert set(schema["properties"]) == set(FILE_KEYS)
    assert set(schema["$defs"]["match"]["properties"]) == set(MATCH_KEYS)
    assert set(schema["$defs"]["calendar"]["properties"]) == set(CALENDAR_KEYS)
    assert set(_SHAPES) == set(_all_keys())


WAIT = "{id: a, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final, within: 4h%s}"


@pytest.mark.parametrize(
    "wrong",
    [
        "{}",
        "{thresholds: {}}",
        "{treshold: []}",
        "{thresholds: [{kind: wait}]}",
        "{thresholds: [" + WAIT % ", severty: high" + "]}",
        "{thresholds: [" + WAIT % ", severity: highest" + "]}",
        "{thresholds: [" + WAIT % ", before: {attribute: start, minus: 1h}" + "]}",
        "{thresholds: [" + WAIT.replace("4h", "4 busness days") % "" + "]}",
        "{thresholds: [" + WAIT.replace(", within: 4h", "") % "" + "]}",
        "{thresholds: [" + WAIT.replace("key: order_id, ", "") % "" + "]}",
        "{thresholds: [{id: a, kind: count, event: x.y, key: person, limit: {at_least: 0, in: 7d}}]}",
        "{thresholds: [{id: a, kind: rate, of: x.y, out_of: x.z, window: 1h, limit: {above: 120%}}]}",
        "{calendars: {c: {timezone: UTC, hours: {mon-fry: '08:00-17:00'}}}}",
    ],
)
def test_a_wrong_thresholds_file_fails(wrong: str) -> None:
    assert not validator("thresholds").is_valid(load(wrong))


def test_a_timing_may_come_from_the_defaults() -> None:
    text = "{defaults: {within: 4h}, thresholds: [" + WAIT.replace(", within: 4h", "") % "" + "]}"
    assert validator("thresholds").is_valid(load(text))


SITE = """
timezone: Europe/London
facilities: {NORTH: {zone: America/New_York, region: US, charset: 8859/1}}
authorities: {NORTH: ["urn:oid:1.2", "urn:north:mrn"]}
mapping: {anything: goes}
test_patients: [TEST1^NORTH]
calendars: {clinic: {holidays: {country: US}}}
thresholds: {result.told: {mode: live, within: 3 business days, warn_at: null}}
"""


def test_a_site_file_is_right_or_wrong() -> None:
    assert validator("site").is_valid(load(SITE))
    assert not validator("site").is_valid(load(SITE.replace("facilities", "facilitys")))
    assert not validator("site").is_valid(load(SITE.replace("mode: live", "mode: alive")))


def test_an_event_is_right_or_wrong() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "result.final", "time": "2026-03-06T16:50:00Z"}
    assert validator("event").is_valid(event)
    assert validator("event").is_valid({**event, "data": {"order_id": "o1", "abnormal": True, "own": [1]}})
    assert validator("event").is_valid({**event, "type": "meal.ordered"})
    assert not validator("event").is_valid({**event, "data": {"abnormal": "perhaps"}})
    assert not validator("event").is_valid({**event, "specversion": "0.3"})


def test_an_alert_is_right_or_wrong() -> None:
    time = "2026-03-06T16:50:00Z"
    alert: dict[str, Any] = dict.fromkeys(("person", "journey", "ended_at", "delay_seconds", "facility"))
    alert |= dict.fromkeys(("started_at", "due_at", "fired_at"), time)
    alert |= {"id": "al-" + "0" * 24, "threshold": "result.told", "key": "o1", "late_start": False, "reason": "late"}
    alert |= {"state": "breached", "level": "breached", "severity": "high", "mode": "live"}
    assert validator("alert").is_valid(alert)
    assert not validator("alert").is_valid({**alert, "state": "open"})
    assert not validator("alert").is_valid({**alert, "due_at": "2026-03-06"})
