"""JSON Schema 2020-12 of thresholds files and site files, from the keys and words that their readers know.

A schema cannot say all that the readers check (a calendar that is named must be declared, a window has twelfths); what
it refuses the readers refuse too.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.duration import BUSINESS
from schemas.duration_text import UNIT_BY_SPELLING
from schemas.identity import COSTS, EVIDENCE
from schemas.threshold import Kind
from schemas.threshold_keys import (
    COMMON,
    DAYS,
    MODES,
    NOT_SHARED,
    OF_KIND,
    REQUIRED,
    RESTARTS,
    SEVERITIES,
    THEMES,
    TIMINGS,
)
from schemas.vocabulary import EVENT_TYPES, EVERYWHERE, PERSON_FACTS

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def thresholds_schema() -> Schema:
    """A thresholds file."""
    shared = {key: {"$ref": f"#/$defs/{_SHAPES[key]}"} for key in _all_keys() if key not in NOT_SHARED}
    shares_timing = {"required": ["defaults"], "properties": {"defaults": _one_of_keys(TIMINGS)}}
    timed = {"properties": {"thresholds": {"items": {"if": _is_kind("wait"), "then": _one_of_keys(TIMINGS)}}}}
    return {
        "$schema": DIALECT,
        "$id": "urn:pxhub:schema:thresholds",
        "title": "PX Hub thresholds",
        **_object(
            {
                "version": {"const": 1},
                "calendars": {"type": "object", "additionalProperties": {"$ref": "#/$defs/calendar"}},
                "events": _one_or_more({"type": "string", "pattern": _TYPE}),
                "attributes": _one_or_more({"type": "string"}),
                "defaults": _object(shared),
                "thresholds": {"type": "array", "items": {"$ref": "#/$defs/threshold"}},
            }
        ),
        "anyOf": [{"required": ["thresholds"]}, {"required": ["calendars"]}],
        "if": shares_timing,
        "else": timed,
        "$defs": _definitions(),
    }


def site_schema() -> Schema:
    """A site file. Of a calendar only some lines need to be given, and of a threshold those that differ."""
    lines: Schema = {
        key: {"anyOf": [{"$ref": f"#/$defs/{_SHAPES[key]}"}, {"type": "null"}]}
        for key in _all_keys()
        if key not in ("id", "kind")
    }
    zone = {"$ref": "#/$defs/text"}
    facility = _object(
        {"zone": zone, "region": {"type": "string", "pattern": "^[A-Za-z]{2}$"}, "charset": zone, "authority": zone}
    )
    source = _object(
        {
            **dict.fromkeys(("hook", "instance", "facility", "zone", "secret_file", "secret_env"), zone),
            "url": {"type": "string", "pattern": "^https?://"},
            "unsigned": {"type": "boolean"},
            "choices": {"type": "object", "additionalProperties": zone},
            **{key: {"type": "object"} for key in ("check", "tables", "attributes")},
            "identifiers": {"type": "array", "items": {"type": "object"}},
        },
        required=("hook",),
    )
    server = _object(
        dict.fromkeys(("base", "zone", "token_file", "every", "overlap", "since", "client_id", "key_file"), zone)
        | {key: {"$ref": "#/$defs/texts"} for key in ("authority", "types", "scopes", "download_hosts")}
    )
    calendar = {key: value for key, value in _calendar().items() if key != "required"}
    definitions = {name: shape for name, shape in _definitions().items() if name not in ("threshold", *OF_KIND)}
    return {
        "$schema": DIALECT,
        "$id": "urn:pxhub:schema:site",
        "title": "PX Hub site",
        **_object(
            {
                "version": {"const": 1},
                "timezone": zone,
                "facilities": {"type": "object", "additionalProperties": facility},
                "authorities": {"type": "object", "additionalProperties": {"$ref": "#/$defs/texts"}},
                "mapping": {},
                "test_patients": {"$ref": "#/$defs/texts"},
                "calendars": {"type": "object", "additionalProperties": calendar},
                "surveys": _surveys(),
                "thresholds": {"type": "object", "additionalProperties": _object(lines)},
                "sources": {"type": "object", "additionalProperties": source},
                "identity": _identity(),
                "fhir": {"type": "object", "patternProperties": {"^[a-z][a-z0-9-]{0,39}$": server}},
                "packs": {
                    "anyOf": [
                        {"type": "array", "items": {"$ref": "#/$defs/id"}},
                        {"type": "object", "additionalProperties": {"enum": ["on", "off", True, False]}},
                    ]
                },
            }
        ),
        "$defs": definitions,
    }


def _surveys() -> Schema:
    word: Schema = {"type": "string"}
    scale: Schema = {
        "anyOf": [{**word, "pattern": "^[0-9]{1,4}-[0-9]{1,4}$"}, {"type": "array", "items": word, "minItems": 2}]
    }
    item = {**_object({"scale": scale}), "required": ["scale"]}
    instrument = {
        "title": word,
        "items": {"type": "object", "additionalProperties": item},
        "score": word,
        "low": {"type": "object", "additionalProperties": {"type": ["integer", "string"]}},
    }
    return _object({"instruments": {"type": "object", "additionalProperties": _object(instrument)}})


def _identity() -> Schema:
    """By which evidence a caller is recognised (schemas/identity.py)."""
    score: Schema = {"type": "integer", "minimum": 0, "maximum": 100}
    evidence: Schema = {"enum": list(EVIDENCE)}
    rule = _object({
        "id": {"type": "string"},
        "needs": {"anyOf": [evidence, {"type": "array", "items": evidence, "minItems": 1}]},
        "score": score,
    })  # fmt: skip
    return _object(
        {
            "links": {"type": "boolean"},
            "link_at": score,
            "clear_by": score,
            "name_alike": {"type": "number", "minimum": 0.5, "maximum": 1},
            "region": {"type": "string", "pattern": "^[A-Za-z]{2}$"},
            "own": {"$ref": "#/$defs/texts"},
            "costs": _object(dict.fromkeys(COSTS, score)),
            "rules": {"type": "array", "items": {**rule, "required": ["id", "score"]}},
        }
    )


_TYPE: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:/\-]*$"
_NUMBER: Final = r"[-+]?([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})"

_SHAPES: Final = {  # which definition each key of a threshold follows
    "id": "id",
    "kind": "kind",
    "title": "text",
    "theme": "theme",
    "severity": "severity",
    "mode": "mode",
    "audience": "texts",
    "next_step": "text",
    "source": "text",
    "calendar": "text",
    "key": "names",
    "start": "matches",
    "satisfied_by": "matches",
    "cancelled_by": "matches",
    "paused_by": "matches",
    "resumed_by": "matches",
    "restart": "restart",
    "within": "duration",
    "before": "before",
    "after": "after",
    "not_before": "name",
    "warn_at": "warning",
    "grace": "elapsed",
    "skew": "elapsed",
    "survives_death": "flag",
    "event": "matches",
    "where": "where",
    "value": "name",
    "limit": "limit",
    "first": "matches",
    "then": "matches",
    "distinct": "name",
    "of": "matches",
    "out_of": "matches",
    "by": "names",
    "window": "elapsed",
    "minimum": "positive",
    "quiet": "quiet",
    "at_least": "elapsed",
    "downtime": "downtimes",
}


def _all_keys() -> list[str]:
    return list(dict.fromkeys((*COMMON, *(key for keys in OF_KIND.values() for key in keys))))


def _object(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    shape: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**shape, "required": list(required)} if required else shape


def _one_or_more(shape: Schema) -> Schema:
    return {"anyOf": [shape, {"type": "array", "items": shape, "minItems": 1}]}


def _one_of_keys(keys: tuple[str, ...]) -> Schema:
    return {"anyOf": [{"required": [key]} for key in keys]}


def _is_kind(kind: str) -> Schema:
    return {"required": ["kind"], "properties": {"kind": {"const": kind}}}


def _definitions() -> Schema:
    attributes = sorted({name for event in EVENT_TYPES.values() for name in event.attributes} | set(EVERYWHERE.split()))
    name = {"type": "string", "pattern": r"^[^\W\d][\w\-]*(\.[\w\-]+)*$"}
    positive = {"type": "integer", "minimum": 1}
    return {
        "threshold": {
            "type": "object",
            "required": ["id", "kind"],
            "properties": {"id": {"$ref": "#/$defs/id"}, "kind": {"$ref": "#/$defs/kind"}},
            "allOf": [{"if": _is_kind(kind), "then": {"$ref": f"#/$defs/{kind}"}} for kind in OF_KIND],
        },
        **{kind: _kind(kind) for kind in OF_KIND},
        "calendar": _calendar(),
        "id": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,119}$"},
        "kind": {"enum": list(OF_KIND)},
        "text": {"type": ["string", "number"], "minLength": 1},
        "texts": _one_or_more({"$ref": "#/$defs/text"}),
        "flag": {"type": "boolean"},
        "positive": positive,
        "theme": {"anyOf": [{"enum": list(THEMES)}, {"type": "string"}]},
        "severity": {"enum": list(SEVERITIES)},
        "mode": {"enum": list(MODES)},
        "restart": {"enum": list(RESTARTS)},
        "name": {"anyOf": [{"enum": attributes}, name]},
        "names": _one_or_more({"$ref": "#/$defs/name"}),
        "event": {"anyOf": [{"enum": list(EVENT_TYPES)}, {"type": "string", "pattern": _TYPE}]},
        "match": _object(
            {
                "event": {"$ref": "#/$defs/event"},
                "where": {"$ref": "#/$defs/where"},
                "by": {"$ref": "#/$defs/names"},
                "times": positive,
            },
            ("event",),
        ),
        "matches": _one_or_more({"anyOf": [{"$ref": "#/$defs/event"}, {"$ref": "#/$defs/match"}]}),
        **_where(attributes),
        **_spans(),
        **_limits(),
    }


def _kind(kind: Kind) -> Schema:
    keys = (*COMMON, *OF_KIND[kind])
    shape = _object({key: {"$ref": f"#/$defs/{_SHAPES[key]}"} for key in keys}, REQUIRED[kind])
    if kind == "rate":
        shape["properties"]["limit"] = {"$ref": "#/$defs/rate_limit"}
    if kind == "count":
        shape["properties"]["limit"] = {"$ref": "#/$defs/count_limit"}
    if kind in ("measure", "average"):
        shape["properties"]["limit"] = {"$ref": "#/$defs/value_limit"}
    if kind == "sequence":
        shape["properties"]["within"] = {"$ref": "#/$defs/elapsed"}
    if kind == "silence":
        shape["properties"]["by"] = {"const": "source"}
    if kind == "wait":
        pairs = [(a, b) for n, a in enumerate(TIMINGS) for b in TIMINGS[n + 1 :]]
        shape["not"] = {"anyOf": [{"required": list(pair)} for pair in pairs]}
    return shape


def _where(attributes: list[str]) -> Schema:
    value = {"type": ["string", "number", "boolean"]}
    number = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_NUMBER}$"}]}
    tests = {"above": number, "below": number, "present": {"type": "boolean"}, "differs_from": {"$ref": "#/$defs/name"}}
    several = {"type": "array", "items": value, "minItems": 1}
    condition: Schema = {"anyOf": [value, several, {**_object(tests), "minProperties": 1}]}
    wanted = {"$ref": "#/$defs/condition"}
    known = [*attributes, *(f"person.{fact}" for fact in PERSON_FACTS)]
    where = {
        "type": "object",
        "minProperties": 1,
        "properties": {attribute: wanted for attribute in known if "*" not in attribute},
        "additionalProperties": wanted,
    }
    return {"where": where, "condition": condition}


def _spans() -> Schema:
    spellings = sorted(UNIT_BY_SPELLING, key=lambda spelling: (-len(spelling), spelling))
    day = f"({'|'.join(DAYS)})"
    weekly = {"type": "string", "pattern": rf"^{day}(-{day})? [0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"}
    wall = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?$"}
    elapsed = [spelling for spelling in spellings if UNIT_BY_SPELLING[spelling] not in BUSINESS]
    return {
        "duration": {"type": "string", "pattern": rf"^0*[1-9][0-9]*\s*({'|'.join(spellings)})$"},
        "elapsed": {"type": "string", "pattern": rf"^0*[1-9][0-9]*\s*({'|'.join(elapsed)})$"},
        "before": _object(
            {"attribute": {"$ref": "#/$defs/name"}, "minus": {"$ref": "#/$defs/duration"}}, ("attribute", "minus")
        ),
        "after": _object(
            {
                "attribute": {"$ref": "#/$defs/name"},
                "plus": {"type": "string", "pattern": rf"^[0-9]+\s*({'|'.join(spellings)})$"},
            },
            ("attribute", "plus"),
        ),
        "warning": {
            "anyOf": [{"type": "string", "pattern": r"^[0-9]{1,2}(\.[0-9]+)?\s*%$"}, {"$ref": "#/$defs/duration"}]
        },
        "downtimes": _one_or_more(
            {
                "anyOf": [
                    weekly,
                    _object({"weekly": weekly, "source": {"$ref": "#/$defs/texts"}}, ("weekly",)),
                    _object({"from": wall, "to": wall, "source": {"$ref": "#/$defs/texts"}}, ("from", "to")),
                ]
            }
        ),
        "quiet": {"anyOf": [{"const": "learned"}, {"$ref": "#/$defs/elapsed"}]},
    }


def _limits() -> Schema:
    number = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_NUMBER}$"}]}
    share = {
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": 1},
            {"type": "string", "pattern": r"^(100(\.0*)?|[0-9]{1,2}(\.[0-9]*)?)\s*%$"},
        ]
    }
    return {
        "value_limit": {**_object({"above": number, "below": number}), "minProperties": 1},
        "rate_limit": {**_object({"above": share, "below": share}), "minProperties": 1},
        "count_limit": _object(
            {"at_least": {"$ref": "#/$defs/positive"}, "in": {"$ref": "#/$defs/elapsed"}}, ("at_least", "in")
        ),
        "limit": {"anyOf": [{"$ref": f"#/$defs/{kind}_limit"} for kind in ("value", "rate", "count")]},
    }


def _calendar() -> Schema:
    span = {"type": "string", "pattern": r"^[0-9]{1,2}:[0-9]{2}\s*[-–]\s*[0-9]{1,2}:[0-9]{2}$"}
    day = "|".join((*DAYS, "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"))
    date = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
    return _object(
        {
            "timezone": {"type": "string", "minLength": 1},
            "hours": {
                "type": "object",
                "minProperties": 1,
                "patternProperties": {
                    f"^({day})(-({day}))?$": {"anyOf": [span, {"type": "array", "items": span}]},
                },
                "additionalProperties": False,
            },
            "holidays": _object({"country": {"type": "string"}, "subdivision": {"type": "string"}}, ("country",)),
            "closed": _one_or_more(date),
        },
        ("timezone", "hours"),
    )
