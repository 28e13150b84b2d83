"""What identity and facts decide, whatever came first: cases that once depended on the arrival, or matched nothing."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.event import HOUR, Event
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds


def engine(text: str) -> Engine:
    found, problems = read_thresholds([("t.yaml", text)], default_zone="UTC")
    assert [p for p in problems if p.severity == "error"] == []
    return Engine(found)


def event(id_: str, type_: str, hour: float, *names: str, **data: Any) -> Event:
    return Event(id_, "s", type_, int(hour * HOUR), dict(data), names)


def play(text: str, *events: Event, until: float = 48) -> Engine:
    hub = engine(text)
    for one in events:
        if one.time - 1 > hub.clock:
            hub.advance(one.time - 1)
        # an engine keeps of an event's data what it needs: each run has its own
        hub.apply(Event(one.id, one.source, one.type, one.time, dict(one.data), one.identifiers))
    hub.advance(int(until * HOUR))
    return hub


def standing(hub: Engine) -> list[tuple[str, str, str]]:
    return sorted((a.threshold, a.id, a.state.value) for a in hub.alerts.values() if a.state.value != "retracted")


LANGUAGE = """
thresholds:
  - id: m
    kind: measure
    event: {event: contact.ended, where: {language: {differs_from: person.language}}}
    value: talk_seconds
    limit: {above: 60}
"""


@pytest.mark.parametrize("surviving, retired", [("1^N", "2^N"), ("2^N", "1^N")])
def test_a_fact_that_comes_by_a_merge_is_judged_anew(surviving: str, retired: str) -> None:
    events = (
        event("f", "person.updated", 9, "2^N", language="es"),
        event("c", "contact.ended", 10, "1^N", language="en", talk_seconds=90),
        event("m", "person.merged", 11, surviving, surviving=[surviving], retired=[retired]),
    )
    for order in permutations(events):
        assert len(standing(play(LANGUAGE, *order))) == 1, [e.id for e in order]


def test_facts_of_one_instant_are_in_order_of_source_and_id() -> None:
    text = """
thresholds:
  - {id: w, kind: wait, key: order_id, within: 1h, satisfied_by: [{event: result.final}],
     start: {event: order.placed, where: {language: {differs_from: person.language}}}}
"""
    events = (
        event("e0", "person.updated", 7, "1^N", language="en"),
        event("e1", "person.updated", 7, "2^N", language="es"),
        event("e2", "order.placed", 7, "1^N", language="en", order_id="o"),
        event("e3", "person.merged", 7, "1^N", surviving=["1^N"], retired=["2^N"]),
    )
    for order in permutations(events):
        assert len(standing(play(text, *order))) == 1, [e.id for e in order]


WAIT = "thresholds: [{id: w, kind: wait, key: order_id, start: {event: a.b}, satisfied_by: [{event: c.d}], within: 1h}]"


def test_naming_two_identifiers_together_again_outlives_an_earlier_unmerge() -> None:
    events = (
        event("a", "a.b", 6.5, "1^N", "2^N", order_id="o"),
        event("b", "a.b", 7.5, "1^N", "2^N", order_id="p"),
        event("u", "person.unmerged", 7, "1^N", surviving=["1^N"], retired=["2^N"]),
    )
    for order in permutations(events):
        assert play(WAIT, *order).counts["persons"] == 1, [e.id for e in order]


def test_an_unmerge_after_the_last_naming_parts_them() -> None:
    events = (
        event("a", "a.b", 6.5, "1^N", "2^N", order_id="o"),
        event("b", "a.b", 7.5, "1^N", "2^N", order_id="p"),
        event("u", "person.unmerged", 8, "1^N", surviving=["1^N"], retired=["2^N"]),
    )
    for order in permutations(events):
        assert play(WAIT, *order).counts["persons"] == 2, [e.id for e in order]


CALL = "{event: contact.ended}"
KINDS = {
    "count": f"kind: count, event: {CALL}, limit: {{at_least: 3, in: 7d}}",
    "wait": f"kind: wait, start: {CALL}, satisfied_by: {{event: x.y}}, within: 1h",
    "sequence": f"kind: sequence, first: {CALL}, then: {CALL}, within: 24h",
}


def keyed(kind: str, key: str) -> str:
    return f"thresholds: [{{id: t, key: {key}, {KINDS[kind]}}}]"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", ["[person, reason]", "[reason, person]"])
def test_a_key_list_may_name_the_person(kind: str, key: str) -> None:
    calls = [event(str(n), "contact.ended", n, "1^N", reason="b") for n in (1, 2, 3)]
    other = [event(f"o{n}", "contact.ended", n, "2^N", reason="b") for n in (1,)]
    hub = play(keyed(kind, key), *calls[:1], *other, *calls[1:])
    person = hub.find_person("1^N")
    mine = [a for a in hub.alerts.values() if a.person == person]
    assert mine
    assert {a.key for a in mine} == {f"{person}|b" if key.startswith("[person") else f"b|{person}"}


def test_nobody_is_no_person_in_a_key_list() -> None:
    calls = [event(str(n), "contact.ended", n, reason="b") for n in (1, 2, 3)]
    assert standing(play(keyed("count", "[person, reason]"), *calls)) == []


@pytest.mark.parametrize("told, matches", [(True, True), ("true", True), (1, False), (False, False), (None, False)])
def test_true_is_not_the_number_one(told: Any, matches: bool) -> None:
    text = WAIT.replace("{event: a.b}", "{event: a.b, where: {flag: true}}")
    assert play(text, event("1", "a.b", 1, "1^N", order_id="o", flag=told)).counts["waits"] == matches


def test_an_alert_that_lost_its_wait_still_says_whose_it_was() -> None:
    text = """
thresholds:
  - {id: w, kind: wait, key: order_id, within: 1h, satisfied_by: [{event: c.d}],
     start: {event: a.b, where: {language: {differs_from: person.language}}}}
"""
    hub = play(
        text,
        event("f", "person.updated", 1, "1^N", language="es"),
        event("s", "a.b", 3, "1^N", language="en", order_id="o"),
        event("t", "z.z", 9, "1^N"),
        event("g", "person.updated", 2, "1^N", language="en"),
    )
    [alert] = hub.alerts.values()
    assert (alert.state.value, alert.person) == ("retracted", hub.find_person("1^N"))


def test_of_nobody_a_measure_by_person_stands_under_its_event() -> None:
    rule = "thresholds: [{id: m, kind: measure, event: a.b, value: n, limit: {above: 1}, key: person}]"
    hub = play(rule, event("one", "a.b", 0, n=2), event("two", "a.b", 1, n=2))
    assert sorted(alert.key for alert in hub.alerts.values()) == ["one", "two"]
