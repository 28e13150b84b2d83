"""The description of the topics is what is declared, by AsyncAPI's own rules, and what is written fits it.

The schema of AsyncAPI 3.0 is in no package of Python's; this document was held against it by hand (docs/distributed.md
says how). Here its structure is asserted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from hub.asyncapi import asyncapi, serve_asyncapi, write_asyncapi
from schemas.event import Event
from streams.distributed.letters import Letter, write_letter
from streams.distributed.topics import Role, topics
from streams.distributed.wire import write_event, write_tick

ROOT = Path(__file__).resolve().parents[2]
WHOLE = asyncapi()


def test_the_published_one_is_that_of_the_code() -> None:
    published = (ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8")
    assert published == write_asyncapi(), (
        "run: python -c 'from hub.asyncapi import write_asyncapi as w; print(w(), end=\"\")' > docs/asyncapi.json"
    )


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(WHOLE))
    assert found
    for reference in found:
        node = WHOLE
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_it_has_the_parts_of_asyncapi_and_no_others() -> None:
    assert WHOLE["asyncapi"] == "3.0.0"
    assert set(WHOLE) == {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    for channel in WHOLE["channels"].values():
        assert set(channel) == {"address", "description", "messages", "bindings"}
    for name, operation in WHOLE["operations"].items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        assert set(operation) == {"action", "channel", "summary", "messages"}
        assert operation["action"] in ("send", "receive")
        # a message of an operation is one of its channel's
        assert operation["messages"][0]["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")


@pytest.mark.parametrize("topic", topics(), ids=lambda topic: topic.name)
def test_a_channel_is_its_topic(topic) -> None:
    channel = WHOLE["channels"][topic.name]
    assert channel["address"] == topic.name
    bound = channel["bindings"]["kafka"]
    assert bound["partitions"] == topic.partitions
    assert bound["topicConfiguration"]["cleanup.policy"] == [topic.policy]
    days = -1 if topic.retention is None else topic.retention * 86_400_000
    assert bound["topicConfiguration"]["retention.ms"] == days
    message = WHOLE["components"]["messages"][topic.name]
    assert message["contentType"] == topic.media_type
    assert message["bindings"]["kafka"]["key"]["description"] == topic.key


def test_who_sends_and_receives_is_who_may() -> None:
    told = {(name, operation["action"]) for name, operation in WHOLE["operations"].items()}
    sends = {(f"{role}.writes.{topic.name}", "send") for topic in topics() for role in topic.written_by}
    receives = {(f"{role}.reads.{topic.name}", "receive") for topic in topics() for role in topic.read_by}
    assert told == sends | receives
    assert {name.partition(".")[0] for name, _ in told} == set(Role)


def fits(topic: str, record: bytes) -> list[str]:
    payload = WHOLE["components"]["messages"][topic]["payload"]
    validator = Draft202012Validator({**payload, "components": WHOLE["components"]})
    return [error.message for error in validator.iter_errors(json.loads(record))]


def test_what_is_written_is_what_is_told() -> None:
    event = Event(
        "m1/0", "lab", "result.final", 1_767_225_600_000_000, {"order_id": "o1"}, ("MRN:1", "MRN:2"), "main", 60_000_000
    )
    assert fits("px.events", write_event(event, "2026-01-01T00:00:01Z", 2)) == []
    assert fits("px.events", write_tick(1_767_225_600_000_000, "t1")) == []
    letter = Letter("unreadable", "MSH", "send it whole", "px.inbound", 0, 7, b"\x0bMSH")
    assert fits("px.dead-letters", write_letter(letter)) == []
    assert fits("px.events", b"{}") != []


def test_it_is_served() -> None:
    client = TestClient(Starlette(routes=[Route("/asyncapi.json", serve_asyncapi)]))
    answer = client.get("/asyncapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == WHOLE
