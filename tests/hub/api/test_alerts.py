"""Alerts over HTTP: page after page, none missed; one, explained; problems for what is wrong."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from hub.alert_line import AlertLine, alert_fields
from hub.api.cursor import Cursors
from hub.cli.replay import as_line
from schemas.alert import Alert, Level, State
from streams.embedded.upkeep import back_up, restore
from tests.hub.api.live_hub import BEGIN, Served, cloud_event, served

pytestmark = pytest.mark.anyio
ORDERS = ("a", "b", "c")


async def tell(site: Served) -> None:
    """Ten transitions: of three waits a warning and a breach each, one of them resolved, and three measured."""
    await site.hub.take(*(cloud_event("result.final", 0, order_id=order) for order in ORDERS))
    site.hub.move(40)
    await site.hub.alerts(3)
    site.hub.move(40)
    await site.hub.alerts(6)
    calls = [cloud_event("contact.ended", 70 + n, facility="SOUTH", queue_seconds=90) for n in range(3)]
    await site.hub.take(*calls)
    await site.hub.take(cloud_event("result.viewed", 75, order_id="b"))
    await site.hub.alerts(10)


async def every(site: Served, **query: Any) -> list[dict[str, Any]]:
    """All pages of a question."""
    found: list[dict[str, Any]] = []
    while True:
        page = (await site.client.get("/v1/alerts", params=query)).json()
        found += page["alerts"]
        query["after"] = page["next"]
        if not page["more"]:
            return found


async def test_pages_hold_every_transition_in_order_whatever_their_size(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await tell(site)
        whole = await every(site)
        assert [(a["threshold"], a["state"]) for a in whole] == [
            *[("told", "warning")] * 3,
            *[("told", "breached")] * 3,
            *[("hold", "resolved")] * 3,
            ("told", "resolved"),
        ]
        assert [site.hub.cursors.read(a["cursor"]) for a in whole] == list(range(1, 11))
        for limit in (1, 3, 10):
            assert await every(site, limit=limit) == whole


async def test_an_empty_page_has_a_cursor_to_poll_with(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        page = (await site.client.get("/v1/alerts")).json()
        assert (page["alerts"], page["more"]) == ([], False)
        await tell(site)
        later = (await site.client.get("/v1/alerts", params={"after": page["next"]})).json()
        assert len(later["alerts"]) == 10
        again = (await site.client.get("/v1/alerts", params={"after": later["next"]})).json()
        assert again == {"alerts": [], "next": later["next"], "more": False}


async def test_filters_only_narrow(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await tell(site)
        whole = await every(site)
        for name, value in (("state", "breached"), ("threshold", "hold"), ("facility", "SOUTH"), ("facility", "none")):
            expected = [a for a in whole if a[name] == value]
            for limit in (1, 2, 100):
                assert await every(site, limit=limit, **{name: value}) == expected
        assert await every(site, state="resolved", threshold="told") == [whole[-1]]


async def test_an_alert_is_shown_with_its_explanation(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await tell(site)
        last = (await every(site))[-1]
        answer = await site.client.get(f"/v1/alerts/{last['id']}")
        shown = answer.json()
        assert answer.headers["cache-control"] == "no-store"
        explanation = shown.pop("explanation")
        assert shown == {name: value for name, value in last.items() if name not in ("cursor", "at")}
        assert "told  resolved, 15m late  severity high" in explanation[0]
        assert any("result.viewed" in line for line in explanation)
        missing = await site.client.get("/v1/alerts/al-none")
        assert (missing.status_code, missing.json()["type"]) == (404, "urn:pxhub:problem:no-such-alert")


async def test_how_long_an_alert_is_open_is_told_by_the_clock_of_now(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.take(cloud_event("result.final", 0, order_id="a"))
        site.hub.move(61)
        await site.hub.alerts(2)
        [*_, last] = await every(site)
        site.hub.move(90)  # nothing is due, so nothing moves the engine's clock
        shown = (await site.client.get(f"/v1/alerts/{last['id']}")).json()
        assert [line for line in shown["explanation"] if line.startswith("Open")] == [
            "Open      1h 31m over, at Mon 2026-03-02 11:31 UTC"
        ]


@pytest.mark.parametrize(
    "query, parameter",
    [
        ("after=nonsense", "after"),
        ("after=ä", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("state=late", "state"),
        ("treshold=told", "threshold"),
        ("person=1", "query"),
    ],
)
async def test_a_wrong_parameter_is_named(tmp_path: Path, query: str, parameter: str) -> None:
    async with served(tmp_path) as site:
        answer = await site.client.get(f"/v1/alerts?{query}")
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        [error] = answer.json()["errors"]
        assert error["parameter"] == parameter
        assert error["detail"]


async def test_an_empty_parameter_asks_for_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        answer = await site.client.get("/v1/alerts?after=&limit=&state=&threshold=&facility=")
        assert (answer.status_code, answer.json()) == (200, (await site.client.get("/v1/alerts")).json())


def test_a_cursor_is_told_from_what_is_none() -> None:
    cursors = Cursors("a")
    for number in (0, 1, 2**40):
        text = cursors.write(number)
        assert cursors.read(text) == number
        for place in range(len(text)):
            spoilt = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
            with pytest.raises(ValueError):
                cursors.read(spoilt)
    with pytest.raises(ValueError):
        cursors.read(base64.urlsafe_b64encode(b"12").decode())


async def test_a_purged_place_is_gone_and_not_passed_over(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await tell(site)
        await site.hub.intake.ask(
            lambda runtime: runtime.store.write("DELETE FROM transition WHERE cursor <= ?", [(5,)])
        )
        assert [site.hub.cursors.read(a["cursor"]) for a in await every(site)] == [6, 7, 8, 9, 10]
        for path in ("/v1/alerts", "/v1/alerts/stream"):
            answer = await site.client.get(path, params={"after": site.hub.cursors.write(3)})
            assert (answer.status_code, answer.json()["type"]) == (410, "urn:pxhub:problem:cursor-gone")
        assert len(await every(site, after=site.hub.cursors.write(5))) == 5


async def test_a_cursor_of_another_store_or_of_before_a_restore_is_gone(tmp_path: Path) -> None:
    async with served(tmp_path / "one") as site:
        await tell(site)
        await site.hub.alerts(10)
        cursor, ahead = (site.hub.cursors.write(number) for number in (5, 10_000))
        back_up(tmp_path / "one", tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    async with served(tmp_path / "restored") as site:
        assert (await site.client.get("/v1/alerts", params={"after": cursor})).status_code == 200
        for path in ("/v1/alerts", "/v1/alerts/stream"):
            answer = await site.client.get(path, params={"after": ahead})
            assert (answer.status_code, answer.json()["type"]) == (410, "urn:pxhub:problem:cursor-gone")
            assert "before a restore" in answer.json()["detail"]
    async with served(tmp_path / "other") as site:
        await tell(site)
        await site.hub.alerts(10)
        for path in ("/v1/alerts", "/v1/alerts/stream"):
            answer = await site.client.get(path, params={"after": cursor})
            assert (answer.status_code, answer.json()["type"]) == (410, "urn:pxhub:problem:cursor-gone")
            assert "another store" in answer.json()["detail"]


async def test_paths_methods_and_hosts_that_are_not_ours_are_problems(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        missing = await site.client.get("/v2/nothing")
        assert (missing.status_code, missing.json()["type"]) == (404, "urn:pxhub:problem:not-found")
        for path, allowed in (("/v1/events", "POST"), ("/v1/alerts", "GET"), ("/metrics", "GET")):
            answer = await site.client.request("DELETE", path)
            assert answer.status_code == 405
            assert allowed in answer.headers["allow"]
            assert answer.headers["content-type"] == "application/problem+json"
        strange = await site.client.get("/v1/alerts", headers={"host": "evil.example"})
        assert strange.status_code == 421
        assert (await site.client.get("/livez", headers={"host": "localhost:99"})).status_code == 200


def test_a_line_is_that_of_the_alerts_file() -> None:
    alert = Alert(
        id="al-1", threshold="t", key="k", person=None, journey="j", state=State.RESOLVED, level=Level.BREACHED,
        severity="low", mode="live", started_at=BEGIN, due_at=BEGIN + 1, fired_at=BEGIN, ended_at=None,
        delay_seconds=3, facility=None, late_start=True, reason="r",
    )  # fmt: skip
    for superseded_by in (None, "al-2"):
        alert.superseded_by = superseded_by
        fields = alert_fields(alert)
        line = AlertLine(**fields)  # type: ignore[arg-type]
        expected = as_line(alert)
        assert {name: getattr(line, name) for name in expected} == expected
        assert ("superseded_by" in expected) == (superseded_by is not None)
