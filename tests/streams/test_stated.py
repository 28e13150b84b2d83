"""What a statement of how a thing stands tells that happened, whatever order its versions come in."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.event import HOUR, Event
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds

DECLARED = """
thresholds:
  - {id: order, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final,
     cancelled_by: order.cancelled, within: 2h}
  - {id: corrected, kind: count, key: order_id, event: result.corrected, limit: {at_least: 2, in: 1d}}
  - {id: left, kind: count, key: visit_id, event: visit.left, limit: {at_least: 1, in: 1d}}
  - {id: discharge, kind: wait, key: visit_id, start: visit.ended, satisfied_by: outreach.reached,
     cancelled_by: visit.discharge_cancelled, within: 2h}
"""
THRESHOLDS, _ = read_thresholds([("t.yaml", DECLARED)], default_zone="UTC")


def stated(type_: str, hour: float, status: str, **data: Any) -> Event:
    names = {"order_id": "o"} if "visit_id" not in data else {}
    return Event(f"{type_}/{hour}", "ehr", type_, int(hour * HOUR), {**names, **data, "status": status}, ("1^N",))


def standing(*events: Event, until: float = 40) -> list[tuple[str, str, int]]:
    engine = Engine(THRESHOLDS)
    for event in events:
        engine.advance(event.time - 1)
        engine.apply(Event(event.id, event.source, event.type, event.time, dict(event.data), event.identifiers))
    engine.advance(int(until * HOUR))
    return sorted(
        (a.threshold, a.state.value, a.started_at // HOUR)
        for a in engine.alerts.values()
        if a.state.value != "retracted"
    )


CASES = {
    "placed, and nothing comes": ([stated("order.stated", 9, "active")], [("order", "breached", 9)]),
    "seen twice, placed once": (
        [stated("order.stated", 9, "active"), stated("order.stated", 10, "active", code="GLU")],
        [("order", "breached", 9)],
    ),
    "revoked in time": ([stated("order.stated", 9, "active"), stated("order.stated", 10, "revoked")], []),
    "revoked when it is first seen: no order is invented": ([stated("order.stated", 10, "revoked")], []),
    "the moment is that of the order, not of its version": (
        [stated("order.stated", 12, "active", moments={"order.placed": 9 * HOUR})],
        [("order", "breached", 9)],
    ),
    "final, then amended twice": (
        [
            stated("order.stated", 9, "active"),
            stated("result.stated", 10, "final", report_id="r"),
            stated("result.stated", 11, "amended", report_id="r"),
            stated("result.stated", 12, "amended", report_id="r"),
        ],
        [("corrected", "resolved", 12)],
    ),
    "left without being seen": (
        [stated("visit.stated", 9, "arrived", visit_id="v"), stated("visit.stated", 10, "cancelled", visit_id="v")],
        [("left", "resolved", 10)],
    ),
    "a discharge that was taken back": (
        [
            stated("visit.stated", 8, "in-progress", visit_id="v"),
            stated("visit.stated", 9, "finished", visit_id="v"),
            stated("visit.stated", 10, "in-progress", visit_id="v"),
        ],
        [],
    ),
    "a discharge that was taken back, and comes again": (
        [
            stated("visit.stated", 8, "in-progress", visit_id="v"),
            stated("visit.stated", 9, "finished", visit_id="v"),
            stated("visit.stated", 10, "in-progress", visit_id="v"),
            stated("visit.stated", 14, "finished", visit_id="v"),
        ],
        [("discharge", "breached", 14)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_versions_tell_the_same_in_any_order(name: str) -> None:
    events, wanted = CASES[name]
    for order in permutations(events):
        assert standing(*order) == wanted, [event.id for event in order]
