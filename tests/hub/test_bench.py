"""`pxhub bench`: tiny runs that print every figure and its reference. No figure is judged here."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest

from connectors.cloudevents.read import CloudEventReader
from hub.__main__ import main
from hub.bench import engine, fhir, http, identity, replay
from hub.bench.figure import Figure, json_reference
from hub.bench.workload import STORIES, write_lines
from schemas.event import Event


def names(figures: list[Figure]) -> str:
    return "\n".join(figure.name for figure in figures)


def test_the_workload_is_events_in_order_of_time_the_same_at_every_run() -> None:
    lines = list(write_lines(2_000))
    reader = CloudEventReader()
    events = [reader.read(line, "bench") for line in lines]
    assert lines == list(write_lines(2_000))
    assert all(isinstance(event, Event) for event in events)
    times = [event.time for event in events if isinstance(event, Event)]
    assert times == sorted(times)
    assert len({event.id for event in events if isinstance(event, Event)}) == 2_000
    assert 350 < sum(map(len, lines)) / len(lines) < 500


def test_every_kind_of_story_is_told_and_people_have_several() -> None:
    events = [msgspec.json.decode(line) for line in write_lines(20_000)]
    begins = {story[0].type for story in STORIES}  # the last steps of a story come after days
    assert begins - {event["type"] for event in events} == set()
    of_one = {event["type"].partition(".")[0] for event in events if event["data"]["mrn"] == "0000017"}
    assert len(of_one) > 2


def test_engine_figures_stand_beside_their_reference() -> None:
    figures = list(engine.run(400, open_waits=(40,), on_one_key=200))
    told = names(figures)
    assert json_reference()[0] in figures[0].name
    assert "engine, events decoded" in told
    assert "1,000 more thresholds" in told
    assert "memory an open wait at 40" in told
    assert "200 events on one key, in order" in told
    assert all(figure.figure >= 0 for figure in figures)


def test_every_opened_wait_is_open_while_it_is_measured() -> None:
    bytes_each, cost = engine.in_fresh_process(4_000)
    assert bytes_each > 0
    assert cost > 0


def test_replay_figures_stand_beside_their_reference() -> None:
    figures = list(replay.run(300))
    told = names(figures)
    assert "reference" in told
    assert "replay, whole process" in told
    assert all(figure.figure > 0 for figure in figures)


def test_identity_figures_stand_beside_a_plain_dict() -> None:
    figures = list(identity.run(400, 200))
    told = names(figures)
    assert "reference: a plain dict" in told
    assert "contacts resolved" in told
    assert next(figure.figure for figure in figures if "linked" in figure.name) > 100


def test_http_figures_stand_beside_a_bare_server() -> None:
    figures = list(http.run(2_000))
    told = names(figures)
    assert "bare Starlette" in told
    assert "HTTP, batches of 500 over 4 connections, durable and judged" in told
    assert all(figure.figure > 0 for figure in figures)


def without_a_process(figures: list[Figure]) -> Callable[..., list[Figure]]:
    return lambda *_, **__: figures


@pytest.mark.parametrize("format_", ["table", "json", "ndjson"])
def test_figures_for_people_and_machines(
    format_: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [Figure("one", 1234.5, "events/s", "1,000 or more"), Figure("two", 0.5, "us/event")]
    monkeypatch.setattr(replay, "run", without_a_process(told))
    with pytest.raises(SystemExit) as ended:
        main(["bench", "replay", "--format", format_])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    if format_ == "table":
        assert "1,234" in out
        assert "goal: 1,000 or more" in out
    else:
        figures = json.loads(out) if format_ == "json" else [json.loads(line) for line in out.splitlines()]
        assert [figure["name"] for figure in figures] == ["one", "two"]


def test_fhir_figures_stand_beside_their_reference() -> None:
    figures = list(fhir.run(80))
    told = names(figures)
    assert "fhir.resources R4B, validation alone" in told
    assert "bytes to events with --validate" in told
    assert all(figure.figure > 0 for figure in figures)
