"""What partitions, identify and measure say together is what one engine says: whatever the slices, the hand-overs and
their delays, and whoever crashes in between."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alert import Alert, State
from schemas.event import Event
from schemas.identity import IdentityRules
from schemas.instant import read_instant
from schemas.message import Message
from schemas.threshold import ThresholdSet
from streams.core.directory import MemoryDirectory
from streams.core.engine import Engine
from streams.core.linking import Linker
from streams.core.thresholds import read_thresholds
from tests.properties.strategies import COMPARED, Told, afters, by_person, declarations, histories, to_event, until
from tests.properties.test_dense_histories import other_kinds, people, thresholds
from tests.properties.test_law_of_order import once
from tests.properties.test_linking_parity import events_of, happenings
from tests.properties.topics_in_memory import Run, messages_of

DEEP = settings().max_examples
seeds = st.integers(0, 1 << 30)
"""What is drawn for slices and crashes by the hundred; an example of Hypothesis' own would be too large."""


def read(declared: str) -> ThresholdSet:
    found, problems = read_thresholds([("generated.yaml", declared)], default_zone="UTC")
    assert [problem for problem in problems if problem.severity == "error"] == []
    return found


def rows(declared: str, alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """The alerts that stand, by start and id; a key that holds a person's id is each runtime's own."""
    named = by_person(declared)
    found = []
    for alert in sorted(alerts, key=lambda one: (one.started_at, one.id)):
        if alert.state is State.RETRACTED:
            continue
        row = {name: getattr(alert, name) for name in COMPARED}
        found.append(row | ({"key": "person"} if alert.threshold in named else {}))
    return found


def in_one(declared: str, messages: Sequence[Message], end: int) -> Engine:
    """An engine in memory that was told the same."""
    engine, linker = Engine(read(declared)), Linker(IdentityRules(), MemoryDirectory())
    recorded = 0
    for message in messages:
        events = linker.take(message.events)
        recorded = max(recorded, *(event.time for event in events))
        engine.advance(recorded - 1)
        if len(events) == 1:
            engine.apply(events[0], recorded)
        else:
            engine.apply_together(events, recorded)
    engine.advance(end)
    return engine


def grouped(events: Sequence[Event], random: Random) -> list[list[Event]]:
    """Some of them told together, in one message."""
    groups: list[list[Event]] = []
    for event in events:
        if groups and groups[-1][0].source == event.source and random.random() < 0.25:
            groups[-1].append(event)
        else:
            groups.append([event])
    return groups


def compare(declared: str, events: Sequence[Event], end: int, seed: int, *, crashes: bool = True) -> None:
    random = Random(seed)
    groups = grouped(events, random)
    run = Run(read(declared), random.randrange(1, 5), random, crashes=Random(seed + 1) if crashes else None)
    again = messages_of(random.choices(groups, k=random.randrange(3)))
    run.tell([*messages_of(groups), *again])  # what comes again changes nothing
    run.close(end)
    run.work()
    engine = in_one(declared, messages_of(groups), end)
    assert rows(declared, list(run.alerts.values())) == rows(declared, list(engine.alerts.values()))
    counted = [one.partition.engine.counts["waits"] for one in run.correlate]
    assert sum(counted) == engine.counts["waits"]
    for one in run.correlate:
        one.partition.engine.recount()  # what is here, one by one
    assert [one.partition.engine.counts["waits"] for one in run.correlate] == counted
    assert run.letters() == []
    told: dict[tuple[str, str, int], Alert] = {}
    for at, alert in run.said:
        assert told.setdefault((alert.id, alert.state, at), alert).state == alert.state


def end_of(history: Sequence[Told], after: timedelta) -> int:
    return read_instant(until(history, after))


@settings(max_examples=max(DEEP // 2, 10))
@given(declarations(most=3), histories(most=20), afters, seeds)
def test_partitions_say_what_one_engine_says(declared: str, history: list[Told], after: timedelta, seed: int) -> None:
    compare(declared, [to_event(told) for told in once(history)], end_of(history, after), seed, crashes=False)


@settings(max_examples=DEEP)
@given(declarations(most=3), histories(most=20), afters, seeds)
def test_and_with_crashes(declared: str, history: list[Told], after: timedelta, seed: int) -> None:
    compare(declared, [to_event(told) for told in once(history)], end_of(history, after), seed)


@settings(max_examples=DEEP)
@given(st.one_of(thresholds(), other_kinds()), people(most=12), afters, seeds)
def test_few_people_who_become_one_again_and_again(
    declared: str, history: list[Told], after: timedelta, seed: int
) -> None:
    compare(declared, [to_event(told) for told in once(history)], end_of(history, after), seed)


CALLS = {"event": "contact.ended"}
COUNTS = json.dumps(
    {
        "thresholds": [
            {"id": "calls", "kind": "count", "key": "person", "event": CALLS, "limit": {"at_least": 2, "in": "1h"}},
            {"id": "said", "kind": "wait", "key": "contact_id", "start": CALLS, "within": "10s"}
            | {"satisfied_by": {"event": "contact.analysed"}},
        ]
    }
)


@settings(max_examples=DEEP)
@given(st.lists(happenings(), min_size=1, max_size=20), seeds)
def test_calls_that_are_linked(told: list[tuple[str, dict[str, Any], tuple[str, ...], int]], seed: int) -> None:
    events = events_of(told)
    compare(COUNTS, events, max(event.time for event in events) + 3_600_000_000, seed)
