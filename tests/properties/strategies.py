"""Histories and thresholds for the properties, and the two ways to run them: the engine, and the reference model.

Times lie on a coarse grid around both DST changes of New York, so that ends exactly at due, ties, and evidence of one
instant are common; keys, persons and values are few, so that everything meets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from schemas.alert import State
from schemas.event import Event
from schemas.instant import read_instant
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from tests.references.model import standing as model_standing

Told = dict[str, Any]

CHANGES: Final = (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC))
PERSONS: Final = ("1^NORTH", "2^NORTH", "1^SOUTH")
TYPES: Final = (
    "order.placed",
    "order.scheduled",
    "result.final",
    "result.viewed",
    "order.cancelled",
    "authorization.pended",
    "authorization.supplemented",
)
ROLE_TYPES: Final = {
    "start": TYPES[0],
    "satisfied_by": TYPES[2],
    "cancelled_by": TYPES[4],
    "paused_by": TYPES[5],
    "resumed_by": TYPES[6],
}
CALENDARS: Final = {
    "clinic": {
        "timezone": "America/New_York",
        "hours": {"mon-fri": ["08:00-12:00", "13:00-17:00"], "sat": "09:00-12:00"},
        "holidays": {"country": "US", "subdivision": "NY"},
        "closed": ["2026-03-10", "2026-11-02"],
    },
    "ward": {
        "timezone": "America/New_York",
        "hours": {"mon-thu": "06:00-24:00", "fri": "00:00-13:15", "sun": ["00:00-05:00", "20:00-24:00"]},
    },
}
EXACT: Final = ("30m", "45m", "2h", "4h", "5h")
DAYS: Final = ("1 day", "2 days", "1 week")
BUSINESS: Final = ("1 business hour", "3 business hours", "10 business hours", "1 business day", "3 business days")
COMPARED: Final = (
    "id",
    "threshold",
    "key",
    "state",
    "level",
    "severity",
    "mode",
    "started_at",
    "due_at",
    "ended_at",
    "delay_seconds",
    "facility",
)


# What is told


@st.composite
def times(draw: st.DrawFn, change: datetime) -> str:
    """A stamp within four days of the change, mostly on the half hour."""
    minutes = draw(
        st.one_of(
            st.integers(-8, 16).map(lambda n: 30 * n),
            st.integers(-192, 192).map(lambda n: 30 * n),
            st.integers(-300, 300),
        )
    )
    seconds = draw(st.sampled_from((0, 0, 0, 0, 1, 59)))
    return (change + timedelta(minutes=minutes, seconds=seconds)).isoformat()


@st.composite
def attributes(draw: st.DrawFn, change: datetime) -> Told:
    optional: dict[str, st.SearchStrategy[Any]] = {
        "order_id": st.sampled_from(("A", "B", "F", "A", "B", "")),
        "filler_order_id": st.sampled_from(("F", "G")),
        "code": st.sampled_from(("x", "y")),
        "specialty": st.sampled_from(("heart", "skin", None)),
        "language": st.sampled_from(("en", "es")),
        "urgent": st.booleans(),
        "contact_id": st.sampled_from(("c1", "c2")),
        "queue": st.sampled_from(("main", "night")),
        "queue_seconds": st.sampled_from((0, 60, 120, 121, 300)),
        "start": times(change),
    }
    always = {name: optional.pop(name) for name in ("order_id", "queue_seconds")}
    kept = draw(st.lists(st.sampled_from(sorted(optional)), unique=True, max_size=5))
    return draw(st.fixed_dictionaries({**always, **{name: optional[name] for name in kept}}))


@st.composite
def who(draw: st.DrawFn) -> Told:
    """Mostly one person; at times two numbers of one, or nobody."""
    one = st.sampled_from((PERSONS[0], PERSONS[0], PERSONS[0], *PERSONS))
    named = draw(st.sampled_from(("one", "one", "one", "one", "one", "mrn", "mrn", "two", "nobody")))
    if named == "nobody":
        return {}
    if named == "two":
        return {"identifiers": draw(st.lists(st.sampled_from(PERSONS), min_size=2, max_size=2, unique=True))}
    if named == "mrn":
        value, authority = draw(one).split("^")
        return {"mrn": value, "assigning_authority": authority}
    return {"identifiers": [draw(one)]}


@st.composite
def plain_events(draw: st.DrawFn, change: datetime) -> Told:
    return {
        "type": draw(st.sampled_from(TYPES)),
        "time": draw(times(change)),
        "facility": draw(st.sampled_from(("NORTH", "SOUTH", None))),
        "precision": draw(st.sampled_from((0, 0, 0, 60_000_000))),
        "data": {**draw(attributes(change)), **draw(who())},
    }


@st.composite
def fact_events(draw: st.DrawFn, change: datetime) -> Told:
    data = {"language": draw(st.sampled_from(("en", "es", "")))}
    named = draw(st.sampled_from(PERSONS))
    kind = draw(st.sampled_from(("person.updated", "preference.set", "person.died")))
    return {"type": kind, "time": draw(times(change)), "data": {**data, "identifiers": [named]}}


@st.composite
def identity_events(draw: st.DrawFn, change: datetime) -> Told:
    surviving, retired = draw(st.lists(st.sampled_from(PERSONS), min_size=2, max_size=2, unique=True))
    kind = draw(
        st.sampled_from(("person.merged", "person.merged", "person.linked", "person.unmerged", "person.unlinked"))
    )
    data: Told = {"identifiers": [surviving], "surviving": surviving, "retired": retired}
    if kind == "person.linked" and draw(st.booleans()):
        data = {"identifiers": [surviving], "surviving": surviving, "contact_id": draw(st.sampled_from(("c1", "c2")))}
    return {"type": kind, "time": draw(times(change)), "data": data}


@st.composite
def histories(draw: st.DrawFn, *, most: int = 14, identity: bool = True) -> list[Told]:
    """Events in the order of their arrival, which is any order; each has its own source and id."""
    change = draw(st.sampled_from(CHANGES))
    kinds = [plain_events(change)] * 6 + ([fact_events(change), identity_events(change)] if identity else [])
    told = draw(st.lists(st.one_of(kinds), min_size=1, max_size=most))
    sources = draw(st.lists(st.sampled_from(("sim/a", "sim/b")), min_size=len(told), max_size=len(told)))
    return [
        {**one, "id": f"e{n:02}", "source": source} for n, (one, source) in enumerate(zip(told, sources, strict=True))
    ]


# What is declared


@st.composite
def wheres(draw: st.DrawFn) -> Told:
    return draw(
        st.sampled_from(
            (
                {},
                {},
                {},
                {},
                {"code": "x"},
                {"code": ["x", "y"]},
                {"urgent": True},
                {"specialty": {"present": False}},
                {"specialty": {"present": True}},
                {"queue_seconds": {"above": 60, "below": 300}},
                {"language": {"differs_from": "person.language"}},
                {"person.language": "es"},
            )
        )
    )


@st.composite
def matches(draw: st.DrawFn, role: str) -> Told:
    usual = ROLE_TYPES.get(role)
    kind = draw(st.sampled_from(TYPES if usual is None else (usual, usual, usual, *TYPES)))
    match: Told = {"event": kind}
    if where := draw(wheres()):
        match["where"] = where
    if role not in ("start", "of", "out_of", "event", "first", "then"):
        by = draw(st.sampled_from((None, None, None, "person", "specialty", ["specialty", "code"], "order_id")))
        match |= {} if by is None else {"by": by}
        if role in ("satisfied_by", "cancelled_by") and draw(st.integers(0, 5)) == 0:
            match["times"] = 2
    return match


@st.composite
def match_lists(draw: st.DrawFn, role: str, *, most: int = 2) -> list[Told]:
    return draw(st.lists(matches(role), min_size=1, max_size=most))


keys = st.sampled_from(("order_id", "order_id", "order_id", "person", ["order_id", "code"]))


@st.composite
def spans(draw: st.DrawFn, calendar: str | None) -> str:
    return draw(st.sampled_from((*EXACT, *DAYS) if calendar is None else (*EXACT, *DAYS, *BUSINESS, *BUSINESS)))


@st.composite
def waits(draw: st.DrawFn) -> Told:
    calendar = draw(st.sampled_from((None, "clinic", "ward")))
    wait: Told = {"kind": "wait", "key": draw(keys)}
    if calendar is not None:
        wait["calendar"] = calendar
    for role in ("start", "satisfied_by"):
        wait[role] = draw(match_lists(role))
    form = draw(st.sampled_from(("within", "within", "within", "not_before", "before", "after")))
    if form in ("within", "not_before"):
        wait["within"] = draw(spans(calendar))
    if form == "not_before":
        wait["not_before"] = "start"
    if form == "before":
        wait["before"] = {"attribute": "start", "minus": draw(spans(calendar))}
    if form == "after":
        wait["after"] = {"attribute": "start", "plus": draw(st.one_of(st.just("0m"), spans(calendar)))}
    optional: Told = {
        "cancelled_by": match_lists("cancelled_by"),
        "pauses": st.just("both"),
        "restart": st.sampled_from(("keep", "move", "move", "new")),
        "warn_at": st.sampled_from(("50%", "75%", "33%", "30m", "2h")),
        "grace": st.sampled_from(("30m", "1h")),
        "skew": st.sampled_from(("2m", "30m")),
    }
    for name in draw(st.lists(st.sampled_from(sorted(optional)), unique=True)):
        wait[name] = draw(optional[name])
    if wait.pop("pauses", None):
        for role in ("paused_by", "resumed_by"):
            wait[role] = draw(match_lists(role, most=1))
    return wait


@st.composite
def limits(draw: st.DrawFn) -> Told:
    """The other kinds: measure, sequence, count, rate, average."""
    kind = draw(st.sampled_from(("measure", "sequence", "count", "rate", "average")))
    if kind == "measure":
        key = draw(st.sampled_from((None, "order_id", "person")))
        limit = draw(st.sampled_from(({"above": 120}, {"below": 60}, {"above": 120, "below": 60})))
        measure = {"kind": kind, "event": draw(match_lists("event")), "value": "queue_seconds", "limit": limit}
        return measure if key is None else {**measure, "key": key}
    if kind == "sequence":
        within = draw(st.sampled_from((*EXACT, *DAYS)))
        pair = {"first": draw(match_lists("first")), "then": draw(match_lists("then"))}
        return {"kind": kind, "key": draw(keys), "within": within, **pair}
    distinct = draw(st.sampled_from(({}, {"distinct": "contact_id"})))
    if kind == "count":
        limit = {"at_least": draw(st.integers(1, 3)), "in": draw(st.sampled_from((*EXACT, *DAYS)))}
        return {"kind": kind, "key": draw(keys), "event": draw(match_lists("event")), "limit": limit, **distinct}
    shared: Told = {
        "window": draw(st.sampled_from(("1h", "4h", "1 day"))),
        "minimum": draw(st.integers(1, 3)),
        **distinct,
    }
    if by := draw(st.sampled_from((None, "queue", "facility", ["queue", "code"]))):
        shared["by"] = by
    if draw(st.booleans()):
        shared["grace"] = draw(st.sampled_from(("15m", "2h")))
    if kind == "rate":
        limit = draw(st.sampled_from(({"above": "40%"}, {"below": "50%"}, {"above": "0%"})))
        pair = {"of": draw(match_lists("of")), "out_of": draw(match_lists("out_of"))}
        return {"kind": kind, "limit": limit, **pair, **shared}
    limit = draw(st.sampled_from(({"above": 100}, {"below": 120})))
    return {"kind": kind, "event": draw(match_lists("event")), "value": "queue_seconds", "limit": limit, **shared}


@st.composite
def declarations(draw: st.DrawFn, one: st.SearchStrategy[Told] | None = None, *, most: int = 2) -> str:
    """A thresholds file as text (JSON, which is YAML too)."""
    rules = draw(st.lists(one if one is not None else st.one_of(waits(), waits(), limits()), min_size=1, max_size=most))
    marks = st.sampled_from(({}, {}, {"severity": "critical"}, {"mode": "shadow"}))
    thresholds = [{"id": f"test.rule{n}", **rule, **draw(marks)} for n, rule in enumerate(rules)]
    for threshold in thresholds:
        if threshold["kind"] == "wait" and draw(st.integers(0, 5)) == 0:
            threshold["survives_death"] = True
    declared: Told = {"version": 1, "calendars": CALENDARS, "thresholds": thresholds}
    if draw(st.booleans()):
        declared["defaults"] = {"cancelled_by": [{"event": "person.died", "by": "person"}]}
    return json.dumps(declared, indent=1)


# How it is run


def to_event(told: Told) -> Event:
    """The event as a connector would hand it on: absent is absent, the person's numbers beside the data."""
    data = {name: value for name, value in told["data"].items() if value is not None and value != ""}
    if told.get("facility"):
        data["facility"] = told["facility"]
    identifiers = tuple(data.pop("identifiers", ()))
    if not identifiers and "mrn" in data:
        identifiers = (f"{data['mrn']}^{data['assigning_authority']}",)
    return Event(
        id=told["id"],
        source=told["source"],
        type=told["type"],
        time=read_instant(told["time"]),
        data=data,
        identifiers=identifiers,
        facility=told.get("facility"),
        precision=told.get("precision", 0),
    )


@dataclass
class Standing:
    """What stands, comparable: alerts without the names of persons, the persons as a partition of the alerts."""

    alerts: list[dict[str, Any]]
    parted: list[list[str]]
    persons: int
    waits: int


def by_person(declared: str) -> set[str]:
    """Thresholds whose key holds the person's id, which may differ from run to run."""
    thresholds = json.loads(declared)["thresholds"]
    return {one["id"] for one in thresholds if "person" in str(one.get("key", ""))}


def told_apart(declared: str, alerts: Iterable[dict[str, Any]], persons: int, waits_: int) -> Standing:
    named = by_person(declared)
    groups: dict[str, list[str]] = {}
    rows = []
    for alert in sorted(alerts, key=lambda one: (one["started_at"], one["id"])):
        row = {name: alert[name] for name in COMPARED}
        if row["threshold"] in named:
            groups.setdefault(row["key"], []).append(row["id"])
            row["key"] = "person"
        rows.append(row)
    return Standing(rows, sorted(groups.values()), persons, waits_)


def last_time(history: Iterable[Told]) -> datetime:
    return max(datetime.fromisoformat(one["time"]) for one in history)


def run_engine(
    declared: str, history: Sequence[Told], *, ticks: Sequence[int] = (), after: timedelta | None = None
) -> Standing:
    """Drive the engine by event time. `ticks`: more instants (microseconds) at which the clock is moved."""
    found, problems = read_thresholds([("generated.yaml", declared)], default_zone="UTC")
    assert [problem for problem in problems if problem.severity == "error"] == []
    engine = Engine(found)
    waiting = sorted(ticks)
    clock = None
    for told in history:
        event = to_event(told)
        while waiting and waiting[0] < event.time:
            engine.advance(waiting.pop(0))
        if clock is None or event.time > clock:
            clock = event.time
            engine.advance(clock - 1)
        engine.apply(event)
    for tick in waiting:
        engine.advance(min(tick, read_instant(until(history, after))))
    engine.advance(read_instant(until(history, after)))
    rows = [
        {name: getattr(alert, name) for name in COMPARED} | {"state": alert.state.value, "level": alert.level.value}
        for alert in engine.alerts.values()
        if alert.state is not State.RETRACTED
    ]
    return told_apart(declared, rows, engine.counts["persons"], engine.counts["waits"])


def run_model(declared: str, history: Sequence[Told], *, after: timedelta | None = None) -> Standing:
    stands = model_standing(declared, history, until(history, after))
    return told_apart(declared, stands.alerts, stands.persons, stands.waits)


def until(history: Sequence[Told], after: timedelta | None) -> str:
    return (last_time(history) + (after or timedelta())).isoformat()


afters = st.sampled_from(
    (timedelta(), timedelta(minutes=30), timedelta(hours=4), timedelta(days=1), timedelta(days=12))
)
