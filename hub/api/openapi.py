"""`/openapi.json`: the API described in OpenAPI 3.1, its schemas made from the types that are sent."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from connectors.surveys.feedback import Feedback
from hub.alert_line import AlertChange, AlertShown
from hub.api.alerts import AlertPage
from hub.api.bodies import BODY_LIMIT
from hub.api.cloudevents import BATCH, BATCH_MOST, STRUCTURED
from hub.api.events import BatchVerdicts, EventVerdict
from hub.api.health import Health, HealthSum
from hub.api.hooks import HOOK_LIMIT
from hub.api.openapi_fhir import fhir_paths
from hub.api.parameters import LIMIT, MOST
from hub.api.problems import MEDIA_TYPE, Problem
from schemas.alert import State

Json = dict[str, Any]
_TYPES: Final = (AlertPage, AlertChange, AlertShown, EventVerdict, BatchVerdicts, Feedback, Health, HealthSum, Problem)
_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "Events in, alerts out. Times are RFC 3339 in UTC; cursors are opaque. A hub over Kafka (serve --kafka) reads "
    "alerts from Redis: a first page without a cursor gives alerts as they stand, and explanations and FHIR's "
    "conditional requests (501, 412) need a hub over a store."
)
_TEXT: Final[Json] = {"type": "string"}
_EVENT: Final[Json] = {
    "type": "object",
    "description": "A CloudEvent 1.0; docs/schemas/event.json has what the hub reads of it.",
    "required": ["specversion", "id", "source", "type", "time"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1},
        "type": {"type": "string", "minLength": 1},
        "time": {"type": "string", "description": "RFC 3339; without an offset in the facility's zone."},
        "data": {"type": "object"},
    },
}


def openapi() -> Json:
    """The whole description."""
    _, components = msgspec.json.schema_components(_TYPES, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PX Hub",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/livez": _get("livez", "Does the process turn?", {"200": _json("It does.", "Health")}),
            "/readyz": _get("readyz", "Can it take messages, and does its clock move?", _health("Health")),
            "/healthz": _get("healthz", "Both, for people.", _health("HealthSum")),
            "/metrics": _get("metrics", "What is counted, for Prometheus.", {"200": _plain("Prometheus text.")}),
            "/openapi.json": _get("openapi", "This description.", {"200": _open_json("OpenAPI 3.1.")}),
            "/asyncapi.json": _get("asyncapi", "The topics in Kafka.", {"200": _open_json("AsyncAPI 3.0.")}),
            "/v1/events": {"post": _post_events()},
            "/v1/feedback": {"post": _post_feedback()},
            "/v1/hooks/{source}": {"post": _post_hook()},
            "/v1/alerts": _get(
                "listAlerts",
                "Transitions of alerts in order, page by page; none is missed.",
                {"200": _json("A page.", "AlertPage"), **_problems(400, 410, 503)},
                [_after(), _limit(), *_narrowing()],
            ),
            "/v1/alerts/stream": _get(
                "streamAlerts",
                "Each transition as it becomes durable, as server-sent events.",
                {"200": _stream(), **_problems(400, 410, 503)},
                [_last_event_id(), _after(), *_narrowing()],
            ),
            "/v1/alerts/{id}": _get(
                "showAlert",
                "An alert in its last state, explained.",
                {"200": _json("The alert.", "AlertShown"), **_problems(400, 404, 503)},
                [{"name": "id", "in": "path", "required": True, "schema": _TEXT}],
            ),
            **fhir_paths(),
        },
        "components": {"schemas": {**components, "CloudEvent": _EVENT}},
    }


def write_openapi() -> str:
    """The description as `docs/openapi.json` holds it."""
    return json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n"


async def serve_openapi(_: Request) -> Response:
    """GET /openapi.json"""
    return Response(write_openapi(), media_type="application/json")


def _ref(name: str) -> Json:
    return {"$ref": _REF.format(name=name)}


def _get(name: str, summary: str, responses: Json, parameters: list[Json] | None = None) -> Json:
    told: Json = {"operationId": name, "summary": summary}
    if parameters:
        told["parameters"] = parameters
    return {"get": {**told, "responses": {**responses, **_problems(500)}}}


def _json(description: str, name: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _open_json(description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}


def _plain(description: str) -> Json:
    return {"description": description, "content": {"text/plain": {"schema": _TEXT}}}


def _health(name: str) -> Json:
    return {"200": _json("All well.", name), "503": _json("It cannot, with the reason.", name)}


def _problems(*codes: int) -> Json:
    said = {
        400: "The request is wrong; `errors` says where.",
        401: "It does not prove who sent it, or was sent too long ago; nothing of it was kept.",
        404: "There is no such thing.",
        408: "The body did not come in time.",
        410: "What follows this cursor is not here: purged, of another store, or of before a restore.",
        413: f"Larger than {BODY_LIMIT} bytes, or more than {BATCH_MOST} events; nothing was kept.",
        415: "A content type, charset or coding that is not taken; Accept and Accept-Encoding name those that are.",
        500: "The hub failed on this request.",
        503: "The store cannot be used now, or the hub is being stopped; see Retry-After.",
    }
    return {
        str(code): {"description": said[code], "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}} for code in codes
    }


def _post_events() -> Json:
    either = {"oneOf": [_ref("EventVerdict"), _ref("BatchVerdicts")]}
    return {
        "operationId": "postEvents",
        "summary": "Take CloudEvents; answered when they are durable.",
        "description": (
            "Structured, batched, or in binary mode: `ce-` headers, percent-decoded, and the data as body. 202 says "
            "that all of it is kept; a dead letter too is kept and need not be sent again. A single event that is no "
            "CloudEvent at all is answered 400 and kept as a dead letter, as the problem says."
        ),
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": _ref("CloudEvent")},
                BATCH: {"schema": {"type": "array", "items": _ref("CloudEvent"), "maxItems": BATCH_MOST}},
                "application/json": {"schema": {"type": "object", "description": "The data of binary mode."}},
            },
        },
        "responses": {
            "202": {"description": "Durable.", "content": {"application/json": {"schema": either}}},
            **_problems(400, 408, 413, 415, 500, 503),
        },
    }


def _post_feedback() -> Json:
    return {
        "operationId": "postFeedback",
        "summary": "Take what a patient says; answered when it is durable.",
        "description": (
            "Answers to a survey, a complaint, a suggestion, praise, the wish to be called. Without `time` it was said "
            "when it came. `comment` is kept apart: nothing else holds it; `comment_id` is the hub's to give. What is "
            "no feedback at all is answered 400 and kept as a dead letter, as the problem says."
        ),
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Feedback")}}},
        "responses": {"202": _json("Durable.", "EventVerdict"), **_problems(400, 408, 413, 415, 500, 503)},
    }


def _post_hook() -> Json:
    told = (
        "The body as the vendor sends it, JSON or a form, for a source of the site file; its mapping reads it and says "
        "how it is signed. 202 says that it is kept or counted, whatever the verdict: nothing need be sent again."
    )
    larger = f"Larger than {HOOK_LIMIT} bytes, or a signed form of too many fields; nothing was kept."
    too_large = {"413": {"description": larger, "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}}
    return {
        "operationId": "postHook",
        "summary": "Take a delivery of a webhook; answered when it is durable.",
        "description": told,
        "parameters": [{"name": "source", "in": "path", "required": True, "schema": _TEXT}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {}}, "application/x-www-form-urlencoded": {"schema": {}}},
        },
        "responses": {
            "202": _json("Durable.", "EventVerdict"),
            **_problems(400, 401, 404, 408, 415, 500, 503),
            **too_large,
        },
    }


def _stream() -> Json:
    told = (
        "First `opened`, with the cursor it goes on from; then an event a transition: `id` is its cursor, `event` its "
        "state, `data` an AlertChange. A comment each 15 s. `lagging` is the last event of a client that was too slow; "
        "`reset`, over Kafka alone, says that what was before is gone: read the alerts anew."
    )
    return {"description": told, "content": {"text/event-stream": {"schema": _TEXT}}}


def _parameter(name: str, schema: Json, description: str, where: str = "query") -> Json:
    return {"name": name, "in": where, "schema": schema, "description": description}


def _after() -> Json:
    return _parameter("after", _TEXT, "A cursor; what follows it is given.")


def _last_event_id() -> Json:
    return _parameter("Last-Event-ID", _TEXT, "The id of the last event received; goes before `after`.", "header")


def _limit() -> Json:
    return _parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}, "At most so many.")


def _narrowing() -> list[Json]:
    states: Json = {"type": "string", "enum": [state.value for state in State]}
    return [
        _parameter("state", states, "Transitions to this state alone."),
        _parameter("threshold", _TEXT, "Transitions of this threshold's alerts alone."),
        _parameter("facility", _TEXT, "Transitions of this facility's alerts alone."),
    ]
