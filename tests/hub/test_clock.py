"""A clock that stands still, is set back or runs ahead: nobody is said to be late who was not heard, and it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.event import HOUR, SECOND
from streams.embedded.runtime import SETTLE
from tests.hub.api.live_hub import BEGIN, LiveHub, cloud_event, running, served

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def states(hub: LiveHub) -> list[tuple[str, str]]:
    reader = hub.store.reader()
    found = [(alert.key or "", alert.state.value) for _, _, alert in reader.transitions(after=0, limit=100)]
    reader.close()
    return found


async def test_a_hub_that_stood_still_hears_what_was_queued_before_it_says_who_is_late(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        hub = site.hub
        await hub.take(cloud_event("result.final", 0, order_id="a"), cloud_event("result.final", 0, order_id="b"))
        hub.sleep(90)
        assert await hub.fact("service.stood_still") == {"seconds": 90 * 60}
        assert (await site.client.get("/readyz")).json() == {"status": "ok"}  # though something is due
        await hub.take(cloud_event("result.viewed", 20, order_id="a"))
        assert states(hub) == []
        hub.move(SETTLE / SECOND / 60)
        await hub.alerts(1)
        assert {key for key, _ in states(hub)} == {"b"}


async def test_messages_that_come_first_after_a_standstill_find_it_settling_too(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        await hub.take(cloud_event("result.final", 0, order_id="a"))
        hub.sleep(90)
        await hub.take(cloud_event("order.placed", 90, order_id="x"), cloud_event("result.viewed", 20, order_id="a"))
        assert states(hub) == []


async def test_a_clock_set_back_is_told_once_and_once_more_when_it_has_caught_up(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        await hub.take(cloud_event("result.final", 0, order_id="a"))
    async with served(tmp_path, now=BEGIN - HOUR) as site:
        hub = site.hub
        assert await hub.fact("clock.set_back") == {"seconds": 3600}
        answer = await site.client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert "3600 s behind" in answer.json()["reason"]
        assert "pxhub_clock_behind_seconds 3600.0" in (await site.client.get("/metrics")).text
        assert await hub.take(cloud_event("result.final", 1, order_id="b")) == ["accepted"]
        hub.move(30)
        hub.move(31)
        await hub.fact("clock.caught_up")
        assert (await site.client.get("/readyz")).json() == {"status": "ok"}
        assert [fact for fact, _ in hub.told if fact.startswith("clock.")] == ["clock.set_back", "clock.caught_up"]
