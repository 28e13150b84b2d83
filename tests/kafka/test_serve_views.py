"""Alerts read through `pxhub serve --kafka`: as they stand, as they change, resumed, and without Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import redis

from schemas.alert import State
from tests.kafka.alerting import Writer, drawn, held, said
from tests.kafka.serving import ServedKafka, inbound, make_topics
from tests.kafka.test_serve_kafka import event
from tests.kafka.test_views import following, until
from tests.services import fresh_kafka, kafka, own_redis, redis_run, redis_url  # noqa: F401 - fixtures

Told = tuple[str, str, dict[str, Any]]


def lines_of(stream: httpx2.Response) -> Iterator[Told]:
    """Id, event and data, as they come."""
    told: dict[str, str] = {}
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if name in ("id", "event", "data"):
            told[name] = value
        elif not line and told:
            yield told.get("id", ""), told["event"], json.loads(told["data"])
            told = {}


@contextmanager
def streaming(base: str, after: str = "", **asked: str) -> Iterator[Iterator[Told]]:
    headers = {"last-event-id": after} if after else {}
    with httpx2.stream("GET", f"{base}/v1/alerts/stream", headers=headers, params=asked, timeout=60) as stream:
        assert stream.status_code == 200
        found = lines_of(stream)
        assert next(found)[1] == "opened"
        yield found


def as_sent(line: Any, *without: str) -> dict[str, Any]:
    fields = json.loads(msgspec.json.encode(line))
    return {name: value for name, value in fields.items() if name not in without}


@pytest.fixture
def writer(fresh_kafka):  # noqa: F811
    make_topics(fresh_kafka)
    return Writer(fresh_kafka)


def test_alerts_are_read_as_they_stand_and_then_as_they_change(tmp_path, fresh_kafka, redis_url, writer):  # noqa: F811
    lines = drawn(40, 200, 1)
    last = {line.id: line for line in lines}
    writer.write(lines)
    with (
        following(fresh_kafka, redis_url),
        ServedKafka(tmp_path, fresh_kafka, redis_url) as served,
        httpx2.Client(base_url=served.base) as client,
    ):
        until(lambda: client.get("/v1/alerts").status_code == 200)
        found: list[dict[str, Any]] = []
        page = client.get("/v1/alerts", params={"limit": 7}).json()
        while page["more"]:
            found += page["alerts"]
            page = client.get("/v1/alerts", params={"limit": 7, "after": page["next"]}).json()
        found += page["alerts"]
        told = [{name: value for name, value in one.items() if name != "cursor"} for one in found]
        assert told == [as_sent(last[id_]) for id_ in sorted(last)]
        breached = client.get("/v1/alerts", params={"limit": 1000, "state": "breached"}).json()["alerts"]
        assert [one["id"] for one in breached] == sorted(
            line.id for line in last.values() if line.state is State.BREACHED
        )

        writer.write([said(1, State.RESOLVED, at=1), said(99, at=2)])
        until(lambda: client.get("/v1/alerts", params={"after": page["next"]}).json()["alerts"])
        until(lambda: len(client.get("/v1/alerts", params={"after": page["next"]}).json()["alerts"]) == 2)
        changed = client.get("/v1/alerts", params={"after": page["next"]}).json()
        assert {(one["id"], one["state"]) for one in changed["alerts"]} == {
            (said(1).id, "resolved"),
            (said(99).id, "breached"),
        }
        again = client.get("/v1/alerts", params={"after": changed["alerts"][0]["cursor"]}).json()
        assert again["alerts"] == changed["alerts"][1:]
        assert client.get(f"/v1/alerts/{said(99).id}").json() == as_sent(said(99), "at")  # without an explanation
        assert client.get("/v1/alerts/al-0").json()["type"] == "urn:pxhub:problem:no-such-alert"
        assert client.get("/v1/alerts", params={"after": "1-0~x"}).status_code == 400
        assert client.get("/v1/alerts", params={"after": "1-0"}).json()["type"] == "urn:pxhub:problem:cursor-gone"


def test_the_stream_goes_on_at_another_hub_where_it_stopped(tmp_path, fresh_kafka, redis_url, writer):  # noqa: F811
    with (
        following(fresh_kafka, redis_url),
        ServedKafka(tmp_path, fresh_kafka, redis_url) as one,
        ServedKafka(tmp_path, fresh_kafka, redis_url) as other,
    ):
        for hub in (one, other):
            until(lambda base=hub.base: "degraded" not in httpx2.get(f"{base}/readyz").text)
        with streaming(one.base) as stream:
            writer.write([said(number, at=number) for number in range(3)])
            first = [next(stream) for _ in range(3)]
        one.kill()
        writer.write([said(number, State.RESOLVED, at=number) for number in range(3, 3_300)])  # more than memory holds
        with streaming(other.base, first[0][0]) as stream:
            rest = [next(stream) for _ in range(2 + 3_297)]
        assert sorted(data["id"] for _, _, data in (first[0], *rest)) == sorted(said(n).id for n in range(3_300))
        assert [id_ for id_, _, data in rest] == [data["cursor"] for _, _, data in rest]
        with streaming(other.base, first[0][0], state="breached") as stream:
            assert [next(stream) for _ in range(2)] == first[1:]
        gone = httpx2.get(f"{other.base}/v1/alerts/stream", headers={"last-event-id": "1-0"})
        assert (gone.status_code, gone.json()["type"]) == (410, "urn:pxhub:problem:cursor-gone")


def test_who_follows_is_told_when_the_views_were_made_anew(tmp_path, fresh_kafka, redis_url, writer):  # noqa: F811
    writer.write(drawn(10, 50, 3))
    client = redis.Redis.from_url(redis_url)
    with following(fresh_kafka, redis_url), ServedKafka(tmp_path, fresh_kafka, redis_url) as served:
        until(lambda: "degraded" not in httpx2.get(f"{served.base}/readyz").text)
        with streaming(served.base, threshold="another") as stream:
            client.flushdb()
            id_, name, _ = next(stream)
            assert name == "reset"
        assert httpx2.get(f"{served.base}/v1/alerts").status_code == 200  # it can be read anew at once
        writer.write([said(77)])
        with streaming(served.base, id_) as stream:
            assert next(stream)[2]["id"] == said(77).id
    client.close()


@pytest.mark.slow
def test_without_redis_messages_are_taken_and_alerts_cannot_be_read(tmp_path: Path, fresh_kafka, writer):  # noqa: F811
    with own_redis(tmp_path / "redis") as broken:
        url = f"redis://127.0.0.1:{broken.port}/0"
        writer.write([said(1)])
        with (
            following(fresh_kafka, url),
            ServedKafka(tmp_path, fresh_kafka, url) as served,
            httpx2.Client(base_url=served.base) as client,
        ):
            until(lambda: client.get("/readyz").json() == {"status": "ok"})
            broken.kill()
            until(lambda: client.get("/readyz").json()["status"] == "degraded")
            assert client.get("/readyz").status_code == 200
            for path in ("/v1/alerts", f"/v1/alerts/{said(1).id}", "/v1/alerts/stream"):
                answer = client.get(path)
                assert (answer.status_code, answer.json()["type"]) == (503, "urn:pxhub:problem:store-failed")
            structured = {"content-type": "application/cloudevents+json"}
            answer = client.post("/v1/events", content=json.dumps(event("1")), headers=structured)
            assert (answer.status_code, len(inbound(fresh_kafka))) == (202, 1)
            assert "pxhub_view_readable 0.0" in client.get("/metrics").text
            writer.write([said(2)])
            broken.start()
            until(lambda: client.get("/readyz").json() == {"status": "ok"})
            until(lambda: len(held(url)["alerts"]) == 2)
            until(lambda: len(client.get("/v1/alerts").json().get("alerts", ())) == 2)
