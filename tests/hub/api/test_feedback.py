"""Feedback over HTTP: durable, once, and somebody's own words nowhere but where they are kept apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.comments import comments_app
from schemas.instant import write_instant
from tests.hub.api.live_hub import BEGIN, Served, served

pytestmark = pytest.mark.anyio
WORDS = "Nobody told me when I could go home."


def feedback(**members: Any) -> dict[str, Any]:
    return {"id": "f1", "person": {"mrn": "8101", "assigning_authority": "NORTH"}, "facility": "NORTH"} | members


async def post(site: Served, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await site.client.post("/v1/feedback", json=body)
    return answer.status_code, answer.json()


async def test_feedback_is_taken_once_and_said_when_it_came(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        said = feedback(kind="complaint", comment=WORDS)
        assert await post(site, said) == (202, {"outcome": "accepted"})
        site.hub.now += 5_000_000
        assert await post(site, said) == (202, {"outcome": "duplicate"})
        status, told = await post(site, feedback(kind="complaint", comment="Something else."))
        assert (status, told["outcome"], told["reason"]) == (202, "dead", "conflict")
        reader = site.hub.store.reader()
        [first, _] = reader.entries()
        [event] = first.events or ()
        assert (event.type, event.time) == ("complaint.received", BEGIN)
        reader.close()


async def test_a_time_that_is_told_stands(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        before = write_instant(BEGIN - 60_000_000)
        assert (await post(site, feedback(time=before, advocate=True)))[0] == 202
        reader = site.hub.store.reader()
        [entry] = reader.entries()
        assert [event.time for event in entry.events or ()] == [BEGIN - 60_000_000]
        reader.close()


async def test_the_words_are_shown_by_their_id_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await post(site, feedback(kind="complaint", comment=WORDS, topic="discharge"))
        reader = site.hub.store.reader()
        [entry] = reader.entries()
        [event] = entry.events or ()
        reader.close()
        assert WORDS.encode() not in entry.raw
        store = str(site.hub.store.folder)
    runner = CliRunner()
    listed = runner.invoke(comments_app, ["list", "--store", store, "--format", "ndjson"])
    assert listed.exit_code == 0
    assert WORDS not in listed.output
    assert '"topic":"discharge"' in listed.output
    shown = runner.invoke(comments_app, ["show", str(event.data["comment_id"]), "--store", store])
    assert (shown.exit_code, shown.output) == (0, WORDS + "\n")
    missing = runner.invoke(comments_app, ["show", "cm-none", "--store", store])
    assert missing.exit_code == 1


async def test_what_is_no_feedback_is_refused_and_kept(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        answer = await site.client.post("/v1/feedback", content=b"{", headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:pxhub:problem:no-feedback")
        status, told = await post(site, feedback(person={}, advocate=True))
        assert (status, told["reason"]) == (202, "no_identifier")
        status, told = await post(site, feedback(comment_id="cm-of-somebody-else"))
        assert (status, told["errors"][0]["pointer"]) == (400, "/comment_id")
        answer = await site.client.post("/v1/feedback", content=b"a=b")
        assert answer.status_code == 415
