"""Events over HTTP: every mode of CloudEvents, every way to be wrong, and nothing said to be kept that is not."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from hub.api.bodies import BodySettings
from tests.hub.api.live_hub import Served, cloud_event, served

pytestmark = pytest.mark.anyio
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def of_sdk(event: dict[str, Any], **more: Any) -> CloudEvent:
    attributes = {name: value for name, value in event.items() if name not in ("data", "time")}
    attributes["time"] = datetime.fromisoformat(event["time"])
    return CloudEvent({**attributes, "datacontenttype": "application/json", **more}, event["data"])


def rows(site: Served) -> list[tuple[str, str | None, bytes]]:
    reader = site.hub.store.reader()
    found = [(entry.outcome, entry.reason, entry.raw) for entry in reader.entries()]
    reader.close()
    return found


async def test_the_sdk_sends_in_each_mode_and_an_event_is_one_whatever_the_mode(tmp_path: Path) -> None:
    event = cloud_event("result.final", 0, "Ergebnis 1/ü%", order_id="a")
    async with served(tmp_path) as site:
        message = to_structured(of_sdk(event), JSONFormat())
        answer = await site.client.post("/v1/events", headers=message.headers, content=message.body)
        assert (answer.status_code, answer.json()) == (202, {"outcome": "accepted"})
        message = to_binary(of_sdk(event), JSONFormat())
        answer = await site.client.post("/v1/events", headers=message.headers, content=message.body)
        assert (answer.status_code, answer.json()) == (202, {"outcome": "duplicate"})
        other = cloud_event("result.viewed", 1, order_id="a")
        batch = JSONFormat().write(of_sdk(event)), JSONFormat().write(of_sdk(other))
        answer = await site.client.post("/v1/events", headers=BATCH, content=b"[" + b",".join(batch) + b"]")
        assert answer.status_code == 202
        assert answer.json() == {"events": [{"outcome": "duplicate"}, {"outcome": "accepted"}]}
        assert [outcome for outcome, _, _ in rows(site)] == ["accepted", "accepted"]


async def test_binary_mode_reads_quoted_values_and_json_types(tmp_path: Path) -> None:
    event = cloud_event("result.final", 0, order_id="a")
    headers = {f"ce-{name}": value for name, value in event.items() if name != "data"}
    async with served(tmp_path) as site:
        for content_type in ("application/json; charset=utf-8", "application/vnd.lab+json", None):
            told = headers | {"ce-id": f'"x \\"{content_type}\\" %C3%BC"'.replace("; charset=utf-8", "")}
            told |= {"content-type": content_type} if content_type else {}
            answer = await site.client.post("/v1/events", headers=told, content=json.dumps(event["data"]).encode())
            assert answer.json() == {"outcome": "accepted"}, content_type
        assert [json.loads(raw)["id"] for _, _, raw in rows(site)] == [
            'x "application/json" ü',
            'x "application/vnd.lab+json" ü',
            'x "None" ü',
        ]


async def test_json_in_another_charset_is_read_and_an_unknown_one_refused(tmp_path: Path) -> None:
    event = cloud_event("result.final", 0, order_id="ä")
    body = json.dumps(event, ensure_ascii=False).encode("latin-1")
    async with served(tmp_path) as site:
        kind = "application/cloudevents+json; charset="
        answer = await site.client.post("/v1/events", headers={"content-type": kind + "iso-8859-1"}, content=body)
        assert answer.json() == {"outcome": "accepted"}
        for charset in ("klingon", "base64"):
            answer = await site.client.post("/v1/events", headers={"content-type": kind + charset}, content=body)
            assert answer.status_code == 415
        answer = await site.client.post("/v1/events", headers={"content-type": kind + "ascii"}, content=body)
        assert answer.status_code == 400
        assert len(rows(site)) == 1


async def test_a_batch_has_a_verdict_an_event(tmp_path: Path) -> None:
    good = cloud_event("result.final", 0, "1", order_id="a")
    other = cloud_event("result.final", 1, "1", order_id="b")
    batch = [good, good, other, {"id": "no type"}, 7, cloud_event("result.final", 120, "2")]
    async with served(tmp_path) as site:
        answer = await site.client.post("/v1/events", headers=BATCH, content=json.dumps(batch).encode())
        assert answer.status_code == 202
        assert [(e["outcome"], e.get("reason")) for e in answer.json()["events"]] == [
            ("accepted", None),
            ("duplicate", None),
            ("dead", "conflict"),
            ("dead", "invalid"),
            ("dead", "invalid"),
            ("dead", "from_the_future"),
        ]
        assert all({"place", "mend"} <= e.keys() for e in answer.json()["events"] if e["outcome"] == "dead")
        assert len(rows(site)) == 5
        assert (await site.client.post("/v1/events", headers=BATCH, content=b"[]")).json() == {"events": []}


@pytest.mark.parametrize("body", [b'{"id": "1"', b'{"id": "1"}', b"\xff\xfe", b"[1]", b"[" * 5000])
async def test_what_is_no_event_is_kept_and_answered_400_each_time(tmp_path: Path, body: bytes) -> None:
    async with served(tmp_path) as site:
        for outcome in ("dead", "duplicate"):
            answer = await site.client.post("/v1/events", headers=STRUCTURED, content=body)
            told = answer.json()
            assert answer.status_code == 400
            assert answer.headers["content-type"] == "application/problem+json"
            assert told["type"] == "urn:pxhub:problem:no-cloudevent"
            assert told["outcome"] == outcome
            assert told["mend"]
        assert [raw for _, _, raw in rows(site)] == [body]


async def test_a_dead_letter_that_is_an_event_is_kept_and_answered_202(tmp_path: Path) -> None:
    event = cloud_event("result.final", 0) | {"time": "yesterday"}
    async with served(tmp_path) as site:
        answer = await site.client.post("/v1/events", headers=STRUCTURED, content=json.dumps(event).encode())
        assert answer.status_code == 202
        assert answer.json()["outcome"] == "dead"
        assert answer.json()["reason"] == "bad_time"
        assert "yesterday" not in answer.text


async def test_binary_data_that_is_no_object_is_kept_whole(tmp_path: Path) -> None:
    event = cloud_event("result.final", 0)
    headers = {f"ce-{name}": value for name, value in event.items() if name != "data"}
    async with served(tmp_path) as site:
        for content_type, body in (("application/json", b"{"), ("text/plain", b"hello"), ("application/json", b"[1]")):
            answer = await site.client.post(
                "/v1/events", headers=headers | {"content-type": content_type}, content=body
            )
            assert answer.status_code == 400
            assert answer.json()["reason"] == "invalid"
        assert len(rows(site)) == 3


@pytest.mark.parametrize(
    "headers, body, status",
    [
        (BATCH, b'{"id": "1"}', 400),
        (BATCH, b"[1,", 400),
        (STRUCTURED, b"", 400),
        ({"content-type": "application/json"}, b"{}", 415),
        ({"content-type": "application/cloudevents+xml", "ce-id": "1"}, b"<a/>", 415),
        ({}, b"{}", 415),
        ({"ce-id": "%FF"}, b"{}", 400),
        ({"ce-a_b": "1"}, b"{}", 400),
        (BATCH, b"[" + b"0," * 20_000 + b"0]", 413),
    ],
)
async def test_what_cannot_be_told_apart_is_refused_and_not_kept(
    tmp_path: Path, headers: dict[str, str], body: bytes, status: int
) -> None:
    async with served(tmp_path) as site:
        answer = await site.client.post("/v1/events", headers=headers, content=body)
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
        assert rows(site) == []
        if status == 415:
            assert "application/cloudevents+json" in answer.headers["accept"]


@pytest.mark.parametrize("told", [True, False])
async def test_a_body_above_the_limit_is_refused_told_or_not(tmp_path: Path, told: bool) -> None:
    async def pieces() -> Any:
        for _ in range(30):
            yield b" " * 10_000

    body = b" " * 300_000 if told else pieces()
    async with served(tmp_path, bodies=BodySettings(limit=100_000)) as site:
        answer = await site.client.post("/v1/events", headers=STRUCTURED, content=body)
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:pxhub:problem:too-large"
        assert rows(site) == []
        exact = json.dumps(cloud_event("result.final", 0, order_id="a")).encode().ljust(100_000)
        assert (await site.client.post("/v1/events", headers=STRUCTURED, content=exact)).status_code == 202


async def test_a_store_that_fails_is_503_until_there_is_room_again(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        pages = site.hub.store._db.execute("PRAGMA page_count").fetchone()[0]
        site.hub.store._db.execute(f"PRAGMA max_page_count = {pages}")
        big = [cloud_event("result.final", 0, str(n), order_id="a", note="x" * 4000) for n in range(20)]
        answer = await site.client.post("/v1/events", headers=BATCH, content=json.dumps(big).encode())
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "disk is full" in answer.json()["detail"]
        assert rows(site) == []
        site.hub.store._db.execute("PRAGMA max_page_count = 1073741823")
        answer = await site.client.post("/v1/events", headers=BATCH, content=json.dumps(big).encode())
        assert answer.status_code == 202


async def test_a_hub_that_stops_takes_nothing_more(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.intake.stop()
        body = json.dumps(cloud_event("result.final", 0)).encode()
        answer = await site.client.post("/v1/events", headers=STRUCTURED, content=body)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:pxhub:problem:stopping")
        assert (await site.client.get("/readyz")).status_code == 503


async def test_what_was_answered_202_is_on_the_disk(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        body = json.dumps(cloud_event("result.final", 0)).encode()
        await site.client.post("/v1/events", headers=STRUCTURED, content=body)
        other = sqlite3.connect(tmp_path / "pxhub.db")
        assert other.execute("SELECT raw FROM log").fetchall() == [(body,)]
        other.close()
