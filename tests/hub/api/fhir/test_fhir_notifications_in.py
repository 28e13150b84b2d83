"""Notifications over HTTP: heard, kept over a restart, and what is missing asked for again."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from hub.site_fhir import FhirServer
from streams.embedded.subscriptions import Row, find_subscription
from tests.hub.api.fhir.ehr import an_ehr, notification
from tests.hub.api.fhir.fhir_site import appointment, counts, events, outcome, patient, post, put
from tests.hub.api.live_hub import Served, served

pytestmark = pytest.mark.anyio
SILENT = {"north": FhirServer(name="north")}


def heard(site: Served, system: str = "north") -> Row | None:
    with contextlib.closing(site.hub.store.reader()) as reader:
        return find_subscription(reader, system, "s1")


async def notify(site: Served, *args: Any, base: str = "/fhir/from/north", **given: Any) -> None:
    answer = await post(site, base, notification(*args, **given))
    assert outcome(answer)[:2] == (200, "informational")


async def whole(site: Served) -> Row:
    """How far it was heard, once nothing is missing."""
    async with asyncio.timeout(20):
        while (row := heard(site)) is None or row.missing:
            await site.hub.intake.ask(lambda _: None)
    return row


async def number_of(site: Served, name: str) -> float:
    text = (await site.client.get("/metrics")).text
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} "))


@pytest.mark.parametrize("r4b", [False, True])
async def test_a_subscriptions_life(tmp_path: Path, r4b: bool) -> None:
    async with served(tmp_path, fhir_servers=SILENT) as site:
        await notify(site, "handshake", since=0, r4b=r4b)
        await notify(site, "event-notification", 1, since=1, resources=(patient(),), r4b=r4b)
        await notify(site, "event-notification", 2, since=2, resources=(appointment(),), r4b=r4b)
        await notify(site, "event-notification", 2, since=2, resources=(appointment(),), r4b=r4b)
        await notify(site, "heartbeat", since=2, r4b=r4b)
        assert heard(site) == Row(2)
        assert {event.source for event in events(site)} == {"fhir/north"}
        assert counts(site) == {"accepted": 2, "duplicate": 1}
        assert await number_of(site, "pxhub_fhir_notifications_total") == 5
        assert await number_of(site, "pxhub_fhir_notifications_missed_total") == 0


async def test_any_base_takes_them(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await notify(site, "event-notification", 4, resources=(patient(),), base="/fhir")
        assert heard(site, "fhir") == Row(4)


async def test_a_gap_is_counted_and_told_without_a_patient(tmp_path: Path) -> None:
    async with served(tmp_path, fhir_servers=SILENT) as site:
        await notify(site, "event-notification", 3, resources=(patient(),))
        await notify(site, "event-notification", 6, resources=(patient("18", "200"),))
        await notify(site, "event-notification", 7)  # empty: its content did not come
        assert heard(site) == Row(7, ((4, 5), (7, 7)))
        assert await number_of(site, "pxhub_fhir_notifications_missed_total") == 3
        assert await number_of(site, "pxhub_fhir_notifications_missing") == 3
    async with served(tmp_path, fhir_servers=SILENT) as site:  # and is known after a restart
        assert await number_of(site, "pxhub_fhir_notifications_missing") == 3
        await notify(site, "event-notification", 5, resources=(patient("19", "300"),))
        assert heard(site) == Row(7, ((4, 4), (7, 7)))


async def test_what_is_missing_is_asked_for_with_the_servers_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame\n")
    async with an_ehr() as ehr:
        ehr.by_number = {4: patient("4", "4"), 5: patient("5", "5")}
        servers = {"north": FhirServer(name="north", base=ehr.base, token_file=tmp_path / "token")}
        async with served(tmp_path / "store", fhir_servers=servers, fhir_patience=0.0) as site:
            await notify(site, "event-notification", 3, resources=(patient(),))
            await notify(site, "event-notification", 6, resources=(patient("6", "6"),))
            assert await whole(site) == Row(6)
            assert ehr.asked == [(4, 5, "Bearer sesame")]
            assert len(events(site)) == 4


async def test_a_heartbeat_of_more_is_asked_for_and_so_is_what_a_restart_left(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        ehr.by_number = {1: patient("1", "1"), 2: patient("2", "2")}
        silent = {"north": FhirServer(name="north")}
        async with served(tmp_path, fhir_servers=silent) as site:
            await notify(site, "handshake", since=0)
            await notify(site, "heartbeat", since=2)
            assert heard(site) == Row(2, ((1, 2),))
        servers = {"north": FhirServer(name="north", base=ehr.base)}
        async with served(tmp_path, fhir_servers=servers, fhir_patience=0.0) as site:
            assert await whole(site) == Row(2)
            assert ehr.asked == [(1, 2, "")]
            assert len(events(site)) == 2


async def test_a_server_that_fails_is_told_of_and_what_comes_late_closes_the_gap(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        ehr.fails = 1
        servers = {"north": FhirServer(name="north", base=ehr.base)}
        async with served(tmp_path, fhir_servers=servers, fhir_patience=0.0) as site:
            await notify(site, "event-notification", 1, resources=(patient(),))
            await notify(site, "event-notification", 3, resources=(patient("3", "3"),))
            async with asyncio.timeout(20):
                while not await number_of(site, "pxhub_fhir_asks_failed_total"):
                    await site.hub.intake.ask(lambda _: None)
            await notify(site, "event-notification", 2, resources=(patient("2", "2"),))
            assert heard(site) == Row(3)


async def test_a_number_that_nobody_can_have_counted_to_is_not_asked_for_without_end(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        servers = {"north": FhirServer(name="north", base=ehr.base)}
        async with served(tmp_path, fhir_servers=servers, fhir_patience=0.0) as site:
            await notify(site, "event-notification", 1, resources=(patient(),))
            await notify(site, "event-notification", 9_000_000_000_000, resources=(patient("3", "3"),))
            async with asyncio.timeout(20):
                while not await number_of(site, "pxhub_fhir_asks_failed_total"):
                    await site.hub.intake.ask(lambda _: None)
            assert len(ehr.asked) == 50
            assert await number_of(site, "pxhub_fhir_notifications_missing") > 1e12


async def test_one_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    async with served(tmp_path, fhir_servers=SILENT) as site:
        spoilt = notification("shouting", 1, resources=(patient(),))
        status, code, place = outcome(await post(site, "/fhir/from/north", spoilt))
        assert (status, code, place) == (422, "invalid", "Bundle.entry[0].resource")
        assert counts(site) == {"dead": 1}


async def test_r4_rest_hooks_put_or_post_the_resource(tmp_path: Path) -> None:
    async with served(tmp_path, fhir_servers=SILENT) as site:
        assert (await put(site, patient(), "/fhir/from/north")).status_code == 201
        assert (await post(site, "/fhir/from/north", appointment())).status_code == 201
        assert [event.source for event in events(site)] == ["fhir/north"] * 2
        assert events(site)[1].identifiers == ("Patient/17^north",)


async def test_a_hook_without_a_payload_makes_the_hub_ask(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        ehr.pages = [[appointment("a1")], [appointment("a2")]]
        servers = {"north": FhirServer(name="north", base=ehr.base)}
        async with served(tmp_path, fhir_servers=servers) as site:
            for _ in range(2):
                assert outcome(await site.client.post("/fhir/from/north/notify/s1"))[0] == 200
            async with asyncio.timeout(20):
                while len(events(site)) < 2 or (await look(site)).missing:
                    await site.hub.intake.ask(lambda _: None)
            assert (await look(site)).last == site.hub.now
            assert ehr.searched[0].startswith("status=booked&_lastUpdated=ge2026-03-02T07:55:00")
            assert ehr.searched[1] == "page=1"
            assert [event.identifiers[0] for event in events(site)] == ["Patient/17^north"] * 2
            assert await number_of(site, "pxhub_fhir_knocks_total") == 2
            assert outcome(await site.client.post("/fhir/from/north/notify/a_b"))[0] == 404


async def look(site: Served) -> Row:
    with contextlib.closing(site.hub.store.reader()) as reader:
        return find_subscription(reader, "north", "hook/s1") or Row(0)


async def test_a_knock_is_not_forgotten(tmp_path: Path) -> None:
    async with an_ehr() as ehr:
        servers = {"north": FhirServer(name="north", base=ehr.base)}
        async with served(tmp_path, fhir_servers=servers) as site:  # its server has nothing to say, and fails
            assert outcome(await site.client.post("/fhir/from/north/notify/s1"))[0] == 200
            async with asyncio.timeout(20):
                while not await number_of(site, "pxhub_fhir_looks_failed_total"):
                    await site.hub.intake.ask(lambda _: None)
        ehr.pages = [[appointment("a1")]]
        async with served(tmp_path, fhir_servers=servers) as site:
            async with asyncio.timeout(20):
                while not events(site):
                    await site.hub.intake.ask(lambda _: None)
