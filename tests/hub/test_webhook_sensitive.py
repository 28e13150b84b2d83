"""What is labelled sensitive goes to a webhook that declares the label, and to no other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hub.deliver.webhook import WITHHELD, WebhookCounts
from tests.hub.api.live_hub import LiveHub, cloud_event, running
from tests.hub.webhook_endpoint import Endpoint, delivering, outbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def call(id_: str, label: str | None = None, **data: Any) -> dict[str, Any]:
    event = cloud_event("contact.ended", 0, id_, queue_seconds=90, **data)
    return event | ({"sensitivity": label} if label is not None else {})


async def failed(hub: LiveHub) -> None:
    """Return when a delivery was given up and all others were made."""
    async with asyncio.timeout(10):
        while [row[3] for row in await hub.intake.ask(outbox)] != ["failed"]:
            pass


async def test_a_label_that_is_not_declared_keeps_an_alert_from_going_out(tmp_path: Path) -> None:
    endpoint, counts = Endpoint(), WebhookCounts()
    async with endpoint.listening(), running(tmp_path) as hub, delivering(hub, endpoint.webhook(), counts=counts):
        await hub.take(call("a", "SUD"), call("b"))
        await endpoint.until(1)
        await failed(hub)
        assert len(endpoint.got) == 1
        assert "sensitivity" not in endpoint.got[0][1]["data"]
        [(_, _, _, state, told)] = await hub.intake.ask(outbox)
        assert (state, told) == ("failed", WITHHELD)
        assert counts.numbers()["pxhub_webhook_withheld_total"] == 1


async def test_a_declared_label_goes_out_and_is_said(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with endpoint.listening(), running(tmp_path) as hub:
        declared = endpoint.webhook(sensitive=frozenset(("SUD",)))
        async with delivering(hub, declared):
            await hub.take(call("a", "SUD"))
            await endpoint.until(1)
            assert endpoint.got[0][1]["data"]["sensitivity"] == ["SUD"]


async def test_a_label_on_the_person_counts_too_and_facts_go_with_the_alert(tmp_path: Path) -> None:
    endpoint, counts = Endpoint(), WebhookCounts()
    async with endpoint.listening(), running(tmp_path) as hub, delivering(hub, endpoint.webhook(), counts=counts):
        await hub.take(cloud_event("consent.revoked", 0, "c", channel="voice"))
        await hub.take(call("a"))
        await endpoint.until(1)
        assert endpoint.got[0][1]["data"]["outreach"] == {
            "allowed": False, "reason": "do_not_call", "ask_for": "self",
        }  # fmt: skip
        await hub.take(cloud_event("person.updated", 0, "p", language="es") | {"sensitivity": "vip"})
        await hub.take(call("b"))
        await failed(hub)
        assert len(endpoint.got) == 1
