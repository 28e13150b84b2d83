"""Heartbeats that stay away: the server is asked once a silence, and its answer is not taken for a sign of life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hub.site_fhir import FhirServer
from streams.embedded.subscriptions import Row, find_subscription
from tests.hub.api.fhir.ehr import Ehr, an_ehr, notification
from tests.hub.api.fhir.fhir_site import counts, outcome, patient, post
from tests.hub.api.live_hub import Served, served

pytestmark = pytest.mark.anyio


def servers(ehr: Ehr) -> dict[str, FhirServer]:
    return {"north": FhirServer(name="north", base=ehr.base)}


def heard(site: Served) -> Row | None:
    with contextlib.closing(site.hub.store.reader()) as reader:
        return find_subscription(reader, "north", "s1")


async def notify(site: Served, kind: str, *numbers: int, since: int, resources: int = 0) -> None:
    sent = tuple(patient(str(number), str(number)) for number in numbers[:resources])
    answer = await post(site, "/fhir/from/north", notification(kind, *numbers, since=since, resources=sent))
    assert outcome(answer)[:2] == (200, "informational")


async def number_of(site: Served, name: str) -> float:
    text = (await site.client.get("/metrics")).text
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} "))


async def until(site: Served, holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await site.hub.intake.ask(lambda _: None)


async def test_a_silent_server_is_asked_once_and_what_it_shows_as_missing_by_events(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        ehr.heartbeat, ehr.counted = 1, 3
        ehr.by_number = {2: patient("2", "2"), 3: patient("3", "3")}
        async with served(tmp_path, fhir_servers=servers(ehr), fhir_patience=0.0) as site:
            await notify(site, "event-notification", 1, since=1, resources=1)

            async def is_whole() -> bool:
                return heard(site) == Row(3)

            await until(site, is_whole)
            assert (ehr.status_asked, ehr.asked) == (1, [(2, 3, "")])
            assert counts(site) == {"accepted": 3}
            # its answers are no sign of life: the hub asked for them
            assert await number_of(site, "pxhub_fhir_notifications_total") == 1
            assert await number_of(site, "pxhub_fhir_subscriptions_silent") == 1
            assert await number_of(site, "pxhub_fhir_silences_total") == 1
            assert await number_of(site, "pxhub_fhir_status_asked_total") == 1
            await notify(site, "heartbeat", since=3)
            assert await number_of(site, "pxhub_fhir_subscriptions_silent") == 0

            async def is_silent_again() -> bool:
                return await number_of(site, "pxhub_fhir_status_asked_total") == 2

            await until(site, is_silent_again)
            assert await number_of(site, "pxhub_fhir_silences_total") == 2


async def test_nothing_of_a_status_goes_into_the_log(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        ehr.heartbeat, ehr.counted = 1, 0
        async with served(tmp_path, fhir_servers=servers(ehr), fhir_patience=0.0) as site:
            await notify(site, "handshake", since=0)

            async def is_asked() -> bool:
                return bool(ehr.status_asked)

            await until(site, is_asked)
            assert counts(site) == {}
            assert heard(site) == Row(0)


async def test_a_silence_that_began_before_a_restart_is_noticed_and_a_failure_counted(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        async with served(tmp_path, fhir_servers={"north": FhirServer(name="north")}) as site:
            await notify(site, "event-notification", 1, since=1, resources=1)
        ehr.heartbeat = 1  # and $status fails
        async with served(tmp_path, fhir_servers=servers(ehr)) as site:

            async def has_failed() -> bool:
                return bool(await number_of(site, "pxhub_fhir_status_failed_total"))

            await until(site, has_failed)
            assert ehr.status_asked == 1
            assert await number_of(site, "pxhub_fhir_subscriptions_silent") == 1


async def test_a_server_that_refuses_its_subscription_is_asked_again_when_something_comes(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        ehr.answers, ehr.heartbeat, ehr.counted = 403, 1, 1
        async with served(tmp_path, fhir_servers=servers(ehr)) as site:
            await notify(site, "event-notification", 1, since=1, resources=1)

            async def has_failed() -> bool:
                return await number_of(site, "pxhub_fhir_status_failed_total") == 1

            async def is_asked() -> bool:
                return ehr.status_asked == 1

            await until(site, has_failed)
            assert ehr.status_asked == 0
            ehr.answers = 200
            await notify(site, "heartbeat", since=1)
            await until(site, is_asked)
