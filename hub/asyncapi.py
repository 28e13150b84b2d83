"""`/asyncapi.json`: the topics described in AsyncAPI 3.0, made from the declaration that makes them in Kafka."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.alert_line import AlertSaid
from streams.distributed import names
from streams.distributed.letters import Letter
from streams.distributed.topics import Topic, configs, topics

Json = dict[str, Any]
_REF: Final = "#/components/schemas/{name}"
_TEXT: Final[Json] = {"type": "string"}
_NAMED: Final[Json] = {"type": "string", "minLength": 1}
_BINDING: Final = "0.5.0"
_OF_KAFKA: Final = ("retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes")
_EVENT: Final[Json] = {
    "type": "object",
    "description": "A CloudEvent 1.0; docs/schemas/event.json has what the data of each type hold.",
    "required": ["specversion", "id", "source", "type", "time"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _NAMED,
        "source": _NAMED,
        "type": _NAMED,
        "time": {"type": "string", "format": "date-time", "description": "When it happened, in UTC."},
        "recorded": {"type": "string", "format": "date-time", "description": "When the hub's log had it."},
        "subject": {"type": "string", "description": "The identifier that it came under."},
        "also": {
            "type": "string",
            "description": "Further identifiers of the same person, by commas; % and commas in one percent-encoded.",
        },
        "person": {"type": "string", "description": "The person's id."},
        "facility": _TEXT,
        "sensitivity": _TEXT,
        "precision": {"type": "integer", "minimum": 0, "description": "Of `time`, in seconds."},
        "following": {"type": "integer", "minimum": 0, "description": "How many more of the same message come."},
        "data": {"type": "object"},
        "data_base64": {"type": "string", "description": "What the hub tells itself of circles."},
    },
}
_PAYLOADS: Final = {names.EVENTS: "CloudEvent", names.ALERTS: "AlertSaid", names.DEAD_LETTERS: "Letter"}


def asyncapi() -> Json:
    """The whole description, of topics with as many partitions as they have unless said otherwise."""
    declared = topics()
    _, schemas = msgspec.json.schema_components((AlertSaid, Letter), ref_template=_REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "PX Hub",
            "version": "1",
            "description": (
                "The topics of the distributed runtime. Read committed. Every topic holds patients' data; the keys too."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in declared},
        "operations": {name: operation for topic in declared for name, operation in _operations(topic)},
        "components": {
            "messages": {topic.name: _message(topic) for topic in declared},
            "schemas": {**schemas, "CloudEvent": _EVENT},
        },
    }


def write_asyncapi() -> str:
    """The description as `docs/asyncapi.json` holds it."""
    return json.dumps(asyncapi(), indent=2, ensure_ascii=False) + "\n"


async def serve_asyncapi(_: Request) -> Response:
    """GET /asyncapi.json"""
    return Response(write_asyncapi(), media_type="application/json")


def _channel(topic: Topic) -> Json:
    told = configs(topic, 3)
    return {
        "address": topic.name,
        "description": topic.doc,
        "messages": {"record": {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [topic.policy],
                    **{name: int(told[name]) for name in _OF_KAFKA if name in told},
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _operations(topic: Topic) -> list[tuple[str, Json]]:
    """An operation a role: by its own account it sends or receives."""
    channel = {"$ref": f"#/channels/{topic.name}"}
    message = {"$ref": f"#/channels/{topic.name}/messages/record"}
    return [
        (
            f"{role}.{verb}.{topic.name}",
            {"action": action, "channel": channel, "summary": f"{role} {verb} {topic.name}.", "messages": [message]},
        )
        for verb, action, roles in (("writes", "send", topic.written_by), ("reads", "receive", topic.read_by))
        for role in roles
    ]


def _message(topic: Topic) -> Json:
    name = _PAYLOADS.get(topic.name)
    payload: Json
    if name is not None:
        payload = {"$ref": _REF.format(name=name)}
    elif topic.media_type == "application/json":
        payload = {"type": "object"}
    else:
        payload = {"type": "string", "format": "binary"}
    return {
        "name": topic.name,
        "title": topic.content,
        "contentType": topic.media_type,
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": _BINDING}},
    }
