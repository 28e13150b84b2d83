"""`replay --explain` of waits: how the due time came about, what would have kept it, what has happened since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.cli.replay import worst
from hub.promise import explain_threshold
from hub.replay import ReplayOptions, ReplayResult, replay
from hub.thresholds import load_thresholds
from schemas.alert import Alert, Level, State
from schemas.instant import read_instant

THRESHOLDS = """
calendars:
  clinic: {timezone: America/New_York, hours: {mon-fri: "08:00-17:00"}, closed: [2026-11-26, 2026-11-30]}
thresholds:
  - {id: ready, kind: wait, key: appointment_id, start: appointment.booked, satisfied_by: authorization.approved,
     before: {attribute: start, minus: 2 business days}, calendar: clinic}
  - {id: called, kind: wait, key: callback_id, start: callback.promised, satisfied_by: callback.made,
     after: {attribute: promised_for, plus: 1 business days}, calendar: clinic}
  - {id: at_once, kind: wait, key: callback_id, start: callback.promised, satisfied_by: callback.made,
     after: {attribute: promised_for, plus: 0m}}
  - id: left
    kind: wait
    key: visit_id
    start: visit.started
    satisfied_by:
      - {event: visit.ended}
      - {event: visit.moved, where: {class: I}}
      - {event: contact.ended, where: {outcome: [reached, message]}, by: person}
    cancelled_by: [{event: visit.cancelled}]
    within: 4h
"""


def event(id_: str, type_: str, time: str, **data: Any) -> str:
    told = {"specversion": "1.0", "id": id_, "source": "s", "type": type_, "time": time}
    return json.dumps(told | {"data": {"identifiers": ["M1"]} | data}) + "\n"


def played(folder: Path, *events: str, until: str | None = None) -> ReplayResult:
    (folder / "thresholds.yaml").write_text(THRESHOLDS)
    (folder / "a.ndjson").write_text("".join(events))
    last = None if until is None else read_instant(until)
    return replay(ReplayOptions(paths=[str(folder / "a.ndjson")], thresholds=folder / "thresholds.yaml", until=last))


def explained(result: ReplayResult, threshold: str) -> list[str]:
    (alert,) = (alert for alert in result.alerts if alert.threshold == threshold)
    return result.explain(alert)


def test_before_shows_its_anchor_and_the_closed_days_on_the_way(tmp_path: Path) -> None:
    booked = event("1", "appointment.booked", "2026-11-20T15:00:00Z", appointment_id="a", start="2026-12-01T19:00:00Z")
    lines = explained(played(tmp_path, booked, until="2026-12-01T15:00:00Z"), "ready")
    assert "By        Wed 2026-11-25 14:00 EST" in lines
    assert "How       2 business days before start of the start event, Tue 2026-12-01 14:00 EST" in lines
    assert "How       closed in between: Thu 2026-11-26 closed, Mon 2026-11-30 closed" in lines


def test_after_shows_its_anchor_and_the_closed_days_on_the_way(tmp_path: Path) -> None:
    promised = event(
        "1", "callback.promised", "2026-11-20T15:00:00Z", callback_id="c", promised_for="2026-11-25T19:00:00Z"
    )
    result = played(tmp_path, promised, until="2026-12-01T15:00:00Z")
    lines = explained(result, "called")
    assert "How       1 business day after promised_for of the start event, Wed 2026-11-25 14:00 EST" in lines
    assert "How       closed in between: Thu 2026-11-26 closed" in lines
    assert "How       at promised_for of the start event, Wed 2026-11-25 19:00 UTC" in explained(result, "at_once")


def test_what_is_expected_is_told_in_the_promise_s_own_words(tmp_path: Path) -> None:
    started = event("1", "visit.started", "2026-03-02T10:00:00Z", visit_id="v")
    lines = explained(played(tmp_path, started, until="2026-03-03T00:00:00Z"), "left")
    expected = "visit.ended or visit.moved (class I) or contact.ended (outcome reached or message) of the person"
    assert f"Expected  {expected}" in lines
    declared = {t.id: t for t in load_thresholds(tmp_path / "thresholds.yaml").thresholds}
    assert ("Kept by", expected) in explain_threshold(declared["left"])


def test_what_has_happened_stands_in_order_and_the_end_once(tmp_path: Path) -> None:
    result = played(
        tmp_path,
        event("1", "visit.started", "2026-03-02T10:00:00Z", visit_id="v"),
        event("2", "visit.moved", "2026-03-02T11:00:00Z", visit_id="v", **{"class": "E"}),
        event("3", "visit.moved", "2026-03-02T16:00:00Z", visit_id="v", **{"class": "I"}),
        event("4", "visit.ended", "2026-03-02T18:00:00Z", visit_id="v"),
    )
    lines = explained(result, "left")
    story = [line for line in lines if line.startswith(("Since", "Ended", "Later"))]
    assert story == [
        "Since     Mon 2026-03-02 11:00 UTC  visit.moved from s, event 2",
        "Ended     Mon 2026-03-02 16:00 UTC  visit.moved from s, event 3",
        "Later     Mon 2026-03-02 18:00 UTC  visit.ended from s, event 4",
    ]


def test_an_end_that_another_journey_brought_stands_in_its_place(tmp_path: Path) -> None:
    result = played(
        tmp_path,
        event("1", "visit.started", "2026-03-02T10:00:00Z", visit_id="v"),
        event("2", "contact.ended", "2026-03-02T15:00:00Z", outcome="reached"),
        event("3", "visit.ended", "2026-03-02T18:00:00Z", visit_id="v"),
    )
    lines = explained(result, "left")
    assert "Ended     Mon 2026-03-02 15:00 UTC  contact.ended (reached) from s, event 2" in lines
    assert "Later     Mon 2026-03-02 18:00 UTC  visit.ended from s, event 3" in lines


def alert(id_: str, state: State, severity: str, due: int, **more: Any) -> Alert:
    fields: dict[str, Any] = {
        "threshold": "t", "key": "k", "person": None, "journey": None, "mode": "live", "started_at": 0,
        "fired_at": due, "ended_at": None, "delay_seconds": None, "facility": None, "late_start": False, "reason": "",
        "level": Level.WARNING if state is State.WARNING else Level.BREACHED,
    }  # fmt: skip
    return Alert(**fields | {"id": id_, "state": state, "severity": severity, "due_at": due} | more)


def test_the_worst_are_those_broken_still_by_severity_and_by_how_long() -> None:
    alerts = [
        alert("shadow", State.BREACHED, "critical", 0, mode="shadow"),
        alert("kept", State.RESOLVED, "critical", 90, level=Level.WARNING, ended_at=80),
        alert("retracted", State.RETRACTED, "critical", 0),
        alert("ended", State.RESOLVED, "high", 0, ended_at=99),
        alert("warned", State.WARNING, "critical", 120),
        alert("short", State.BREACHED, "high", 60),
        alert("long", State.BREACHED, "high", 10),
        alert("medium", State.BREACHED, "medium", 0),
        alert("critical", State.BREACHED, "critical", 99),
    ]
    order = ["critical", "long", "short", "medium", "warned", "ended", "kept", "shadow"]
    assert [a.id for a in worst(alerts, 100, 10)] == order
    assert [a.id for a in worst(alerts, 100, 2)] == order[:2]


@pytest.mark.parametrize("threshold, said", [("visit.ed_total", "visit.moved (class I)")])
def test_a_shipped_promise_names_its_conditions(threshold: str, said: str) -> None:
    shipped = {t.id: t for t in load_thresholds(None).thresholds}
    kept_by = dict(explain_threshold(shipped[threshold]))["Kept by"]
    assert said in kept_by
