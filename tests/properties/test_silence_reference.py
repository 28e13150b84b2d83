"""Silences as a slow reference finds them, minute by minute."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import State
from schemas.event import MINUTE, Event
from schemas.instant import read_instant
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from tests.references.model_silence import WEEK, silences

MONDAY = read_instant("2026-03-02T00:00:00Z")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekly = tuple[int, int, int]
"""Day, and the minutes of the day from which and to which."""


@st.composite
def rhythms(draw: st.DrawFn) -> list[int]:
    """Minutes at which a source sends: often by day, seldom by night, with outages now and then."""
    random = draw(st.randoms(use_true_random=True))
    by_day, by_night = random.choice((2, 7, 20, 50)), random.choice((10, 60, 240, 900))
    week_end = random.random() < 0.5
    outages = [(at := random.randrange(4 * WEEK, 6 * WEEK), at + random.randrange(60, 2000)) for _ in range(4)]
    at, found = random.randrange(300), []
    while at < 6 * WEEK:
        if not any(begin <= at < end for begin, end in outages):
            found.append(at)
        day, hour = at // 1440 % 7, at // 60 % 24
        often = 8 <= hour < 18 and not (week_end and day > 4)
        at += max(1, int(random.uniform(0.5, 1.5) * (by_day if often else by_night)))
    return found or [0]


weekly = st.tuples(st.integers(0, 6), st.integers(0, 22 * 60), st.integers(1, 119))


def declared(quiet: int | None, least: int | None, planned: list[Weekly]) -> str:
    rule: dict[str, object] = {"id": "quiet", "kind": "silence", "by": "source"}
    rule["quiet"] = "learned" if quiet is None else f"{quiet}m"
    if least is not None:
        rule["at_least"] = f"{least}m"
    if planned:
        clock = "{:02}:{:02}"
        rule["downtime"] = [
            f"{DAYS[day]} {clock.format(*divmod(at, 60))}-{clock.format(*divmod(at + length, 60))}"
            for day, at, length in planned
        ]
    return json.dumps({"thresholds": [rule]})


def event(number: int, minute: int) -> Event:
    return Event(id=str(number), source="hl7/LAB/NORTH", type="e.happened", time=MONDAY + minute * MINUTE, data={})


@settings(max_examples=12)
@given(
    rhythms(),
    st.one_of(st.none(), st.none(), st.integers(5, 300)),
    st.one_of(st.none(), st.integers(2, 90)),
    st.lists(weekly, max_size=2),
    st.booleans(),
    st.integers(0, 3000),
)
def test_silences_are_those_of_the_reference(
    messages: list[int],
    quiet: int | None,
    least: int | None,
    planned: list[Weekly],
    is_ticked: bool,
    after: int,
) -> None:
    thresholds, problems = read_thresholds([("t.yaml", declared(quiet, least, planned))])
    assert not problems
    engine = Engine(thresholds)
    until = messages[-1] + after
    for number, minute in enumerate(messages):
        if is_ticked:  # what rings at its time is what is found when the next message comes
            engine.advance(MONDAY + minute * MINUTE - 1)
        engine.apply(event(number, minute), MONDAY + minute * MINUTE)
    engine.advance(MONDAY + until * MINUTE)
    minutes = {w * WEEK + day * 1440 + at + n for w in range(10) for day, at, length in planned for n in range(length)}
    expected = silences(messages, until, quiet=quiet, least=least or 1, planned=minutes)
    found = sorted(engine.alerts.values(), key=lambda alert: alert.started_at)
    assert [
        (
            (alert.started_at - MONDAY) // MINUTE,
            (alert.due_at - MONDAY) // MINUTE,
            None if alert.ended_at is None else (alert.ended_at - MONDAY) // MINUTE,
        )
        for alert in found
    ] == [(one.heard, one.due, one.ended) for one in expected]
    assert all(alert.key == "hl7/LAB/NORTH" for alert in found)
    assert all((alert.state is State.BREACHED) == (alert.ended_at is None) for alert in found)
