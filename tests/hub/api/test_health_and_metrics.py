"""Is it well, what does it count: the answers follow the store and the clock, and hold nothing of a patient."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hub.api.serve_http import bind_http, check_loopback
from schemas.errors import StoreFailed, WrongUse
from streams.embedded.runtime import SETTLE
from tests.hub.api.live_hub import Served, cloud_event, served

pytestmark = pytest.mark.anyio


async def numbers(site: Served) -> dict[tuple[str, tuple[str, ...]], float]:
    """Name and label values, these by their labels' names."""
    text = (await site.client.get("/metrics")).text
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_hub_that_is_well_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.take(cloud_event("result.final", 0, order_id="a"))
        for path in ("/livez", "/readyz"):
            answer = await site.client.get(path)
            assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        told = (await site.client.get("/healthz")).json()
        assert told == {
            "status": "ok",
            "live": {"status": "ok"},
            "ready": {"status": "ok"},
            "clock": "2026-03-02T09:00:00Z",
            "messages": 1,
        }


async def ready(site: Served) -> None:
    """Return when it says that it is ready."""
    async with asyncio.timeout(20):
        while (await site.client.get("/readyz")).status_code != 200:
            pass


async def test_a_full_disk_is_told_and_its_end_is_found_without_a_message(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        store = site.hub.store._db
        await site.hub.take(cloud_event("result.final", 0, order_id="a"))
        full = store.execute("PRAGMA page_count").fetchone()[0]
        await site.hub.intake.ask(lambda _: store.execute(f"PRAGMA max_page_count = {full}"))
        big = [cloud_event("result.final", 0, str(n), note="x" * 4000) for n in range(20)]
        headers = {"content-type": "application/cloudevents-batch+json"}
        answer = await site.client.post("/v1/events", headers=headers, content=json.dumps(big).encode())
        assert answer.status_code == 503
        # what is little finds room still, of a message and of what time brings, and says nothing of the disk
        assert await site.hub.take({"id": "1"}) == ["dead"]
        site.hub.move(40)
        await site.hub.alerts(1)
        answer = await site.client.get("/readyz")
        assert answer.status_code == 503
        assert "the disk is full" in answer.json()["reason"]
        assert (await site.client.get("/healthz")).status_code == 503
        assert (await site.client.get("/livez")).status_code == 200
        assert (await numbers(site))["pxhub_store_writable", ()] == 0
        await site.hub.intake.ask(lambda _: store.execute("PRAGMA max_page_count = 1073741823"))
        await ready(site)
        assert (await numbers(site))["pxhub_store_writable", ()] == 1
        assert [fact for fact, _ in site.hub.told] == ["store.failed", "store.recovered"]
        answer = await site.client.post("/v1/events", headers=headers, content=json.dumps(big).encode())
        assert answer.status_code == 202


async def test_messages_that_find_room_again_end_a_failure(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        store = site.hub.store._db
        big = [cloud_event("result.final", 0, str(n), note="x" * 4000) for n in range(50)]
        await site.hub.intake.ask(lambda _: store.execute("PRAGMA query_only = ON"))
        for _ in range(3):
            with pytest.raises(StoreFailed):
                await site.hub.take(*big)
        await site.hub.intake.ask(lambda _: store.execute("PRAGMA query_only = OFF"))
        assert await site.hub.take(*big) == ["accepted"] * 50
        assert (await site.client.get("/readyz")).status_code == 200
        assert [fact for fact, _ in site.hub.told] == ["store.failed", "store.recovered"]


async def test_a_clock_that_does_not_move_is_told(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.take(cloud_event("result.final", 0, order_id="a"))
        held, asked = asyncio.Event(), asyncio.get_running_loop()

        def never(now: int) -> int:
            asked.call_soon_threadsafe(held.set)
            return 0

        site.hub.runtime.tick = never  # type: ignore[method-assign]  # a runtime whose clock stands
        site.hub.now += 2 * SETTLE + 3_600 * 1_000_000
        await asyncio.wait_for(held.wait(), 10)
        answer = await site.client.get("/readyz")
        assert answer.status_code == 503
        assert "clock" in answer.json()["reason"]
        assert (await numbers(site))["pxhub_clock_age_seconds", ()] > 1_800


async def test_what_cannot_be_written_is_not_said_and_its_age_is_told(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.take(cloud_event("result.final", 0, order_id="a"))
        store = site.hub.store._db
        await site.hub.intake.ask(lambda _: store.execute("PRAGMA query_only = ON"))
        site.hub.move(31)  # it warns after half an hour
        await site.hub.fact("store.failed")
        site.hub.move(10)
        assert (await numbers(site))["pxhub_clock_age_seconds", ()] >= 600
        await site.hub.intake.ask(lambda _: store.execute("PRAGMA query_only = OFF"))
        await site.hub.alerts(1)
        assert (await numbers(site))["pxhub_clock_age_seconds", ()] == 0


async def test_the_numbers_are_those_of_what_happened(tmp_path: Path) -> None:
    def counters() -> dict[str, float]:
        return {"pxhub_mllp_connections": 3, "pxhub_mllp_frames_total": 7, "patient 12": 1}

    async with served(tmp_path, counters=counters) as site:
        event = cloud_event("result.final", 0, order_id="secret-1", mrn="12345")
        await site.hub.take(event, event, cloud_event("order.placed", 0, order_id="x"), {"id": "1"})
        await site.hub.take(cloud_event("contact.ended", 0, queue_seconds=99))
        site.hub.move(90)
        await site.hub.alerts(4)
        await site.client.get("/v1/alerts/al-secret-1")
        await site.client.request("BREW", "/coffee/secret-1")
        async with asyncio.timeout(10):
            found: dict[tuple[str, tuple[str, ...]], float] = {}
            while ("pxhub_alerts_open", ("high", "told")) not in found:  # the stream is read a moment after it grew
                found = await numbers(site)
        assert {labels[0]: value for (name, labels), value in found.items() if name == "pxhub_messages_total"} == {
            "accepted": 3,
            "duplicate": 1,
            "ignored": 0,
            "dead": 1,
        }
        assert found["pxhub_alerts_open", ("high", "told")] == 1
        assert not any("shade" in labels for _, labels in found)  # in the shadow nobody is alerted
        assert found["pxhub_clock_age_seconds", ()] == 0
        assert found["pxhub_http_requests_total", ("GET", "/v1/alerts/{id}", "404")] == 1
        assert found["pxhub_http_requests_total", ("other", "other", "404")] == 1
        assert found["pxhub_mllp_connections", ()] == 3
        assert found["pxhub_mllp_frames_total", ()] == 7
        text = (await site.client.get("/metrics")).text
        assert "secret" not in text
        assert "12345" not in text
        assert "patient" not in text


async def test_open_alerts_are_counted_on_after_a_restart(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.take(*(cloud_event("result.final", 0, order_id=order) for order in "abc"))
        site.hub.move(90)
        await site.hub.alerts(3)
        then = site.hub.now
    async with served(tmp_path, now=then) as site:
        await site.hub.take(cloud_event("result.viewed", 80, order_id="a"))
        before = site.hub.intake.cursor
        await site.hub.alerts(before)
        async with asyncio.timeout(10):
            found: float | None = None
            while found != 2:
                found = (await numbers(site)).get(("pxhub_alerts_open", ("high", "told")))
        assert found == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "hub.example", ""])
def test_it_listens_on_loopback_only_and_says_why(host: str) -> None:
    with pytest.raises(WrongUse, match="no sign-in yet"):
        check_loopback(host)


def test_loopback_has_three_names() -> None:
    assert [check_loopback(host) for host in ("127.0.0.1", "::1", "localhost")] == ["127.0.0.1", "::1", "127.0.0.1"]


async def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        with pytest.raises(WrongUse, match="in use"):
            bind_http("127.0.0.1", site.door.port)


async def test_what_nobody_foresaw_is_a_problem_without_a_word_of_it(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        del site.hub.runtime._seq  # what only this question asks for
        answer = await site.client.get("/healthz")
        site.hub.runtime._seq = 0
        assert answer.status_code == 500
        assert answer.json()["type"] == "urn:pxhub:problem:failure"
        assert "_seq" not in answer.text
