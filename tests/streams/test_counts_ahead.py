"""Counts whose events are ahead of the clock: several are beyond the limit at once; each ends at its own instant."""

from __future__ import annotations

import pytest

from schemas.alert import State
from schemas.event import MINUTE, Event
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds

DECLARED = """
thresholds:
  - {id: again, kind: count, key: person, event: contact.ended, limit: {at_least: 2, in: 10m}DISTINCT}
"""


def minutes_of_ends(distinct: str, told: list[int], clocks: list[int]) -> list[tuple[State, int]]:
    """The alerts of events told at once, at some minutes, before the clock moves: how they stand and when they end."""
    thresholds, _ = read_thresholds([("t.yaml", DECLARED.replace("DISTINCT", distinct))], default_zone="UTC")
    engine = Engine(thresholds)
    for minute in told:
        engine.apply(
            Event(f"e{minute}", "s", "contact.ended", minute * MINUTE, {"contact_id": f"c{minute}"}, ("1^N",)), 1
        )
    for clock in clocks:
        engine.advance(clock * MINUTE)
    return [
        (alert.state, (alert.ended_at or 0) // MINUTE)
        for alert in sorted(engine.alerts.values(), key=lambda alert: alert.started_at)
    ]


@pytest.mark.parametrize("distinct", ["", ", distinct: contact_id"])
@pytest.mark.parametrize("clocks", [[200], [15, 200], [12, 13, 70, 200]])
def test_each_of_several_that_are_open_at_once_ends(distinct: str, clocks: list[int]) -> None:
    told = [0, 1, 5, 60, 61, 120, 121, 122]
    assert minutes_of_ends(distinct, told, clocks) == [(State.RESOLVED, ended) for ended in (11, 70, 131)]


def test_until_then_the_later_ones_stand() -> None:
    assert minutes_of_ends("", [0, 1, 60, 61], [30]) == [(State.RESOLVED, 10), (State.BREACHED, 0)]
