"""The FHIR routes in OpenAPI; what each resource may hold is FHIR's own to say (`GET [base]/metadata`)."""

from __future__ import annotations

from typing import Any, Final

from hub.api.bodies import BODY_LIMIT
from hub.api.fhir.bundles import MOST
from hub.api.fhir.outcomes import FHIR_JSON

Json = dict[str, Any]
_TEXT: Final[Json] = {"type": "string"}
_RESOURCE: Final[Json] = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string"}},
}
_REFUSED: Final = {
    400: "It is no JSON of FHIR, or its URL and it do not agree.",
    404: "A type that is not taken, or a server that the site file does not name.",
    405: "Not supported; see Allow.",
    406: "Answers are JSON.",
    408: "The body did not come in time.",
    409: "A version that came before, with other content.",
    412: "If-Match names another version than the last, or several resources go by the identifier; over Kafka, any.",
    413: f"Larger than {BODY_LIMIT} bytes, or more than {MOST} entries; nothing was kept.",
    415: "No JSON, or another version of FHIR; nothing was kept.",
    422: "It cannot be taken: the issue says where and what to mend; it is kept as a dead letter.",
    501: "A hub over Kafka keeps no resources: send it without a search.",
    503: "Nothing can be taken now; see Retry-After.",
}


def fhir_paths() -> Json:
    """The paths of both kinds of base."""
    paths: Json = {}
    for base, name in (("/fhir", ""), ("/fhir/from/{source}", "From")):
        of_base = [_parameter("source", "path", "A server of the site file.")] if name else []
        paths |= {
            base: {"post": _post_base(name, of_base)},
            f"{base}/": {"post": _post_base(f"{name}Slash", of_base)},
            f"{base}/metadata": {"get": _metadata(name, of_base)},
            f"{base}/$process-message": {"post": _message(name, of_base)},
            f"{base}/{{type}}": {"post": _create(name, of_base), "put": _update_by_search(name, of_base)},
            f"{base}/{{type}}/{{id}}": {"put": _update(name, of_base)},
        }
    knock = {
        "operationId": "fhirKnock",
        "summary": "A rest-hook without a payload: the server is asked what has changed.",
        "parameters": [
            _parameter("source", "path", "A server of the site file that has a base."),
            _parameter("id", "path", "The id of its Subscription."),
        ],
        "responses": {"200": _json("Noted, durably."), **_refused(404, 501, 503)},
    }
    paths["/fhir/from/{source}/notify/{id}"] = {"post": knock}
    return paths


def _post_base(name: str, of_base: list[Json]) -> Json:
    said = (
        "A transaction is taken whole or not at all; a batch, history or collection entry by entry; a message is "
        "answered by a message; a history that begins with a subscription's status is a notification. A resource alone "
        "is taken too."
    )
    responses = {"200": _json("Durable; a response an entry, in their order."), "201": _json("A resource alone: new.")}
    return _operation(f"fhirPost{name}", "Take a bundle.", said, of_base, responses)


def _metadata(name: str, of_base: list[Json]) -> Json:
    mode = _parameter("mode", "query", "full, normative or terminology.")
    told = _operation(f"fhirMetadata{name}", "The CapabilityStatement.", "", [*of_base, mode], {"200": _json("It.")})
    del told["requestBody"]
    told["responses"] = {"200": told["responses"]["200"], **_refused(400, 404, 406)}
    return told


def _message(name: str, of_base: list[Json]) -> Json:
    responses = {"200": _json("The message that answers: ok or fatal-error.")}
    return _operation(f"fhirMessage{name}", "Take a message, whole or not at all.", "", of_base, responses)


def _create(name: str, of_base: list[Json]) -> Json:
    wanted = [
        *of_base,
        _parameter("type", "path", "A type that the CapabilityStatement names."),
        _parameter("If-None-Exist", "header", "A search, as identifier=system|value: taken if it finds nothing."),
        _PREFER,
    ]
    return _operation(f"fhirCreate{name}", "Take a resource.", "", wanted, _TAKEN)


def _update_by_search(name: str, of_base: list[Json]) -> Json:
    wanted = [
        *of_base,
        _parameter("type", "path", "A type that the CapabilityStatement names."),
        _parameter("identifier", "query", "system|value; this or _id."),
        _parameter("_id", "query", "An id; several by commas."),
        _parameter("If-Match", "header", 'The version that it replaces, W/"3".'),
        _NEW,
        _PREFER,
    ]
    return _operation(f"fhirUpdateBySearch{name}", "Take a version of what goes by it.", "", wanted, _TAKEN)


def _update(name: str, of_base: list[Json]) -> Json:
    wanted = [
        *of_base,
        _parameter("type", "path", "A type that the CapabilityStatement names."),
        _parameter("id", "path", "Its id, as it says itself."),
        _parameter("If-Match", "header", 'The version that it replaces, W/"3".'),
        _NEW,
        _PREFER,
    ]
    return _operation(f"fhirUpdate{name}", "Take a version of a resource.", "", wanted, _TAKEN)


def _operation(name: str, summary: str, description: str, parameters: list[Json], responses: Json) -> Json:
    told: Json = {"operationId": name, "summary": summary}
    if description:
        told["description"] = description
    if parameters:
        told["parameters"] = parameters
    told["requestBody"] = {"required": True, "content": {FHIR_JSON: {"schema": _RESOURCE}}}
    told["responses"] = {**responses, **_refused(*_REFUSED)}
    return told


def _parameter(name: str, where: str, description: str) -> Json:
    told: Json = {"name": name, "in": where, "schema": _TEXT, "description": description}
    return {**told, "required": True} if where == "path" else told


_NEW: Final = _parameter("If-None-Match", "header", "`*`: taken only where nothing is yet.")
_PREFER: Final = _parameter("Prefer", "header", "return=minimal, representation or OperationOutcome.")


def _json(description: str) -> Json:
    return {"description": description, "content": {FHIR_JSON: {"schema": _RESOURCE}}}


def _taken(description: str) -> Json:
    headers = {name: {"schema": _TEXT} for name in ("Location", "ETag")}
    return {**_json(description), "headers": headers}


_TAKEN: Final[Json] = {"200": _taken("Durable; it was known before."), "201": _taken("Durable; it is new.")}


def _refused(*codes: int) -> Json:
    return {str(code): _json(_REFUSED[code]) for code in codes}
