"""`replay --explain` of what is no wait: what was counted, measured or followed; and stamps that are coarse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.cloudevents.read import CloudEventReader
from hub.__main__ import main
from schemas.event import Event

THRESHOLDS = """
thresholds:
  - {id: hold, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 120}}
  - {id: deep, kind: measure, event: contact.ended, value: item.pain, limit: {above: 5}}
  - {id: again, kind: count, event: contact.ended, key: person, limit: {at_least: 2, in: 7d}}
  - {id: back, kind: sequence, first: visit.ended, then: visit.started, within: 72h, key: person}
  - {id: mean, kind: average, event: contact.ended, value: queue_seconds, by: queue, window: 1h, limit: {above: 200},
     minimum: 2}
  - {id: lost, kind: rate, of: {event: contact.ended, where: {abandoned: true}}, out_of: {event: contact.ended},
     by: queue, window: 1h, limit: {above: 20%}, minimum: 2}
"""


def event(id_: str, type_: str, time: str, **data: Any) -> str:
    data = {"mrn": "M1", "assigning_authority": "NORTH"} | data
    told = {"specversion": "1.0", "id": id_, "source": "s", "type": type_, "time": time, "data": data}
    return json.dumps(told) + "\n"


def call(id_: str, time: str, seconds: int, *, abandoned: bool = False) -> str:
    return event(id_, "contact.ended", time, queue="billing", queue_seconds=seconds, abandoned=abandoned)


STORY = (
    call("1", "2026-03-02T10:00:00Z", 100, abandoned=True)
    + call("2", "2026-03-02T10:07:00Z", 500)
    + event("5", "contact.ended", "2026-03-20T10:00:00Z", item={"pain": 8})
    + event("3", "visit.ended", "2026-03-02T12:00:00Z")
    + event("4", "visit.started", "2026-03-03T13:00:00Z")
)


def run(folder: Path, capsys: pytest.CaptureFixture[str], content: str, *options: str) -> str:
    (folder / "thresholds.yaml").write_text(THRESHOLDS)
    (folder / "a.ndjson").write_text(content)
    with pytest.raises(SystemExit) as stopped:
        main(["replay", str(folder / "a.ndjson"), "--thresholds", str(folder / "thresholds.yaml"), *options])
    assert not stopped.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "threshold, said",
    [
        ("hold", ["Measured  queue_seconds 500"]),
        ("deep", ["Measured  item.pain 8"]),
        ("again", ["Counted   Mon 2026-03-02 10:00 UTC  contact.ended from s, event 1", "event 2"]),
        ("back", ["First     Mon 2026-03-02 12:00 UTC, 1d 1h before", "visit.started from s, event 4"]),
        ("mean", ["Measured  a mean of 300 over 2 events in 1h"]),
        ("lost", ["Measured  1 of 2, 50 %, in 1h"]),
    ],
)
def test_what_made_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], threshold: str, said: list[str]
) -> None:
    out = tmp_path / "alerts.ndjson"
    run(tmp_path, capsys, STORY, "--alerts-out", str(out))
    [id_] = [a["id"] for a in map(json.loads, out.read_text().splitlines()) if a["threshold"] == threshold]
    explained = run(tmp_path, capsys, STORY, "--explain", id_)
    for part in said:
        assert part in explained
    assert " late" not in explained


@pytest.mark.parametrize(
    "stamp, seconds",
    [("2026-03-02", 86400), ("2026-03-02T09:00Z", 60), ("2026-03-02T09:00+01:00", 60), ("2026-03-02T09:00:00Z", 0)],
)
def test_a_stamp_leaves_open_what_it_does_not_say(stamp: str, seconds: int) -> None:
    read = CloudEventReader().read(event("1", "result.final", stamp).encode(), "here")
    assert isinstance(read, Event)
    assert read.precision == seconds * 1_000_000


def test_one_instant_written_in_two_ways_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = call("1", "2026-03-02T10:00:00Z", 1) + call("1", "2026-03-02T11:00:00+01:00", 1)
    report = json.loads(run(tmp_path, capsys, twice, "--format", "json"))
    assert (report["accepted"], report["duplicates"], report["dead_letters"]) == (1, 1, 0)
