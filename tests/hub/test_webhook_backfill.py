"""What was first said long after it was due is not delivered; what was told of in time is told to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.event import DAY
from streams.core.thresholds import read_thresholds
from tests.hub.api.live_hub import BEGIN, DECLARED, cloud_event, running
from tests.hub.webhook_endpoint import Endpoint, delivering, settled

pytestmark = pytest.mark.anyio
MONTH = 30 * 24 * 60  # minutes


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_what_was_long_overdue_at_go_live_is_not_delivered(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with endpoint.listening(), running(tmp_path, now=BEGIN + 30 * DAY) as hub:
        async with delivering(hub, endpoint.webhook()):
            await hub.take(cloud_event("result.final", 0, order_id="old"))
            await hub.take(cloud_event("result.final", 28 * 24 * 60, order_id="new"))
            await hub.alerts(2)
            await endpoint.until(1)
            await settled(hub)
        assert {body["data"]["key"] for _, body in endpoint.got} == {"new"}


async def test_what_other_thresholds_make_of_a_long_history_is_not_delivered(tmp_path: Path) -> None:
    """The same store served again with other thresholds: all of its history is judged anew."""
    endpoint, later = Endpoint(), 10 * MONTH
    async with endpoint.listening():
        async with running(tmp_path) as hub, delivering(hub, endpoint.webhook()):
            await hub.take(*(cloud_event("result.final", 0, order_id=order) for order in ("mended", "late")))
            hub.move(25)
            await hub.take(*(cloud_event("result.viewed", 25, order_id=order) for order in ("mended", "late")))
            hub.move(later)
            await hub.take(cloud_event("contact.ended", later, queue_seconds=90))
            await endpoint.until(1)
            now = hub.now
        stricter, _ = read_thresholds([("t.yaml", DECLARED.replace("within: 1h", "within: 20m"))])
        async with running(tmp_path, now=now, thresholds=stricter) as hub, delivering(hub, endpoint.webhook()):
            await hub.alerts(3)  # both orders are said now, resolved ten months ago
            await hub.take(cloud_event("result.viewed", 15, order_id="mended"))  # which was kept after all
            await hub.alerts(4)
            await hub.take(cloud_event("contact.ended", later + 25, queue_seconds=90))
            await endpoint.until(2)
            await settled(hub)
    assert [body["data"]["threshold"] for _, body in endpoint.got] == ["hold", "hold"]


async def test_what_was_told_in_time_is_told_to_its_end(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with endpoint.listening(), running(tmp_path) as hub, delivering(hub, endpoint.webhook()):
        await hub.take(cloud_event("result.final", 0, order_id="a"))
        hub.move(61)
        await endpoint.until(2)
        hub.move(MONTH)
        await hub.take(cloud_event("result.viewed", MONTH, order_id="a"))
        await endpoint.until(3)
        assert [body["type"] for _, body in endpoint.got] == ["alert.warning", "alert.breached", "alert.resolved"]


async def test_nobody_is_told_of_the_end_of_what_nobody_was_told_of(tmp_path: Path) -> None:
    endpoint = Endpoint()
    later = BEGIN + 30 * DAY
    async with endpoint.listening(), running(tmp_path, now=later) as hub, delivering(hub, endpoint.webhook()):
        await hub.take(cloud_event("result.final", 0, order_id="old"))
        await hub.alerts(1)
        await hub.take(cloud_event("result.viewed", MONTH, order_id="old"))
        await hub.alerts(2)
        await hub.take(cloud_event("contact.ended", MONTH, queue_seconds=90))
        await endpoint.until(1)
        await settled(hub)
    assert {body["data"]["threshold"] for _, body in endpoint.got} == {"hold"}
