"""The JSON Schemas that the project publishes: what people write (thresholds, site), and what goes over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from schemas.alert import Level, State
from schemas.json_schema_declared import DIALECT, Schema, site_schema, thresholds_schema
from schemas.threshold_keys import MODES, SEVERITIES
from schemas.vocabulary import EVENT_TYPES

_TIME: Final[Schema] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$",
}


def event_schema() -> Schema:
    """One event as a CloudEvent 1.0 in JSON, a line of an events file.

    A `time` without an offset is read in the facility's zone. Of a known type the attributes are named; others pass.
    """
    text: Schema = {"type": "string", "minLength": 1}
    identity: Schema = {
        "mrn": {"type": ["string", "number"]},
        "assigning_authority": {"type": "string"},
        "identifiers": {"anyOf": [text, {"type": "array", "items": text}]},
        "time_precision": {"enum": ["second", "minute", "hour", "day"]},
    }
    return {
        "$schema": DIALECT,
        "$id": "urn:pxhub:schema:event",
        "title": "PX Hub event",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": {"anyOf": [{"enum": list(EVENT_TYPES)}, text]},
            "time": text,
            "subject": {"type": "string"},
            "person": {"type": "string"},
            "facility": {"type": "string"},
            "sensitivity": {"type": "string"},
            "data": {"type": "object", "properties": identity},
        },
        "allOf": _data_of_types(),
        "$defs": {"flag": {"enum": [True, False, "true", "false"]}},
    }


def _data_of_types() -> list[Schema]:
    """What the data of known types hold, types that are alike together.

    Flags are flags, also as text, for HL7 v2 has no other; the rest may be any value.
    """
    types_by_attributes: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    for event in EVENT_TYPES.values():
        attributes = tuple((name, kind.flag) for name, kind in event.attributes.items() if not name.endswith(".*"))
        types_by_attributes.setdefault(attributes, []).append(event.name)
    flag: Schema = {"$ref": "#/$defs/flag"}
    return [
        {
            "if": {"properties": {"type": {"enum": types}}},
            "then": {
                "properties": {"data": {"properties": {name: flag if is_flag else True for name, is_flag in known}}}
            },
        }
        for known, types in types_by_attributes.items()
        if known
    ]


def alert_schema() -> Schema:
    """One alert in its last state, a line of `--alerts-out`."""
    text_or_null: Schema = {"type": ["string", "null"]}
    time_or_null: Schema = {"anyOf": [_TIME, {"type": "null"}]}
    properties: Schema = {
        "id": {"type": "string", "pattern": "^al-[0-9a-f]{24}$"},
        "threshold": {"type": "string"},
        "key": {"type": ["string", "null"]},
        "person": text_or_null,
        "journey": text_or_null,
        "state": {"enum": [state.value for state in State]},
        "level": {"enum": [level.value for level in Level]},
        "severity": {"enum": list(SEVERITIES)},
        "mode": {"enum": list(MODES)},
        "started_at": _TIME,
        "due_at": _TIME,
        "fired_at": _TIME,
        "ended_at": time_or_null,
        "delay_seconds": {"type": ["integer", "null"]},
        "facility": text_or_null,
        "late_start": {"type": "boolean"},
        "reason": {"type": "string"},
    }
    return {
        "$schema": DIALECT,
        "$id": "urn:pxhub:schema:alert",
        "title": "PX Hub alert",
        "type": "object",
        "required": list(properties),
        "properties": {
            **properties,
            "superseded_by": text_or_null,
            "outreach": {
                "type": "object",
                "required": ["allowed"],
                "properties": {
                    "allowed": {"type": "boolean"},
                    "ask_for": {"enum": ["self", "proxy", "nobody"]},
                    "interpreter": {"type": "boolean"},
                    "not_for": {"type": "array", "items": {"type": "string"}},
                    **{name: {"type": "string"} for name in ("reason", "channel", "hours", "language")},
                },
            },
            "sensitivity": {"type": "array", "items": {"type": "string"}},
        },
    }


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "thresholds": thresholds_schema,
    "site": site_schema,
    "event": event_schema,
    "alert": alert_schema,
}
"""By name; `docs/schemas/NAME.json` holds each as text."""


def write_schema(name: str) -> str:
    """A schema as JSON text. Raises KeyError for a name that is none of `SCHEMAS`."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"
