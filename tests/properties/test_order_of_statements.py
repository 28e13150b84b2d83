"""The law of order where the reference model does not reach: moved visits and numbers, persons named by their id,
appointments that are only stated, and coarse stamps among few people and few instants."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.identity import id_of, person_identifier
from tests.properties.strategies import Told, run_engine

DEEP = settings().max_examples
NUMBERS = ("1^N", "2^N", "3^N")
randoms = st.randoms(use_true_random=False)
waits = st.sampled_from(
    (
        {"key": "visit_id", "satisfied_by": [{"event": "e.end", "by": "person"}]},
        {"key": "visit_id", "satisfied_by": [{"event": "e.end"}]},
        {"key": "person", "satisfied_by": [{"event": "e.end"}]},
        {
            "key": "order_id",
            "satisfied_by": [{"event": "e.end"}],
            "cancelled_by": [{"event": "e.cancel", "by": "person"}],
        },
    )
)


def at(half_hours: int) -> str:
    return f"2026-03-02T{8 + half_hours // 2:02}:{half_hours % 2 * 30:02}:00+00:00"


def numbered(told: list[Told]) -> list[Told]:
    return [one | {"id": f"e{number}", "source": "sim"} for number, one in enumerate(told)]


def told(type_: str, half_hours: int, *, precision: int = 0, **data: Any) -> Told:
    return {"type": type_, "time": at(half_hours), "facility": None, "precision": precision, "data": data}


@st.composite
def happened(draw: st.DrawFn) -> Told:
    name = draw(st.sampled_from((*NUMBERS, *NUMBERS, person_identifier(id_of("1^N")))))
    return told(
        draw(st.sampled_from(("e.start", "e.start", "e.end", "e.end", "e.cancel"))),
        draw(st.integers(0, 10)),
        precision=draw(st.sampled_from((0, 0, 0, 60_000_000, 86_400_000_000))),
        identifiers=[name],
        visit_id=draw(st.sampled_from(("v", "v", "w"))),
        order_id=draw(st.sampled_from(("A", "B"))),
        **draw(st.sampled_from(({}, {}, {"filler_order_id": "F"}))),
    )


@st.composite
def changed(draw: st.DrawFn) -> Told:
    a, b = draw(st.permutations(NUMBERS))[:2]
    type_ = draw(st.sampled_from(("person.merged", "person.unmerged", "identity.moved", "identity.moved")))
    data: dict[str, Any] = {"identifiers": [a], "surviving": a, "retired": b}
    if type_ == "identity.moved":
        data |= draw(st.sampled_from(({"kind": "visit", "visit_id": "v"}, {"kind": "mrn"})))
    return told(type_, draw(st.integers(0, 20)), **data)


@settings(max_examples=DEEP * 20)
@given(waits, st.lists(st.one_of(happened(), happened(), changed()), min_size=2, max_size=8), randoms)
def test_moves_and_ids(wait: dict[str, Any], happenings: list[Told], random: Random) -> None:
    declared = json.dumps(
        {"thresholds": [{"id": "w", "kind": "wait", "start": [{"event": "e.start"}], "within": "1h"} | wait]}
    )
    history = numbered(happenings)
    by_time = sorted(history, key=lambda one: (one["time"], one["id"]))
    shuffled = random.sample(history, len(history))
    after = timedelta(hours=20)
    assert run_engine(declared, shuffled, after=after) == run_engine(declared, by_time, after=after)


BOOKED, MISSED = {"event": "appointment.booked"}, {"event": "appointment.missed"}
OF_APPOINTMENTS: tuple[dict[str, Any], ...] = (
    {"kind": "rate", "by": "q", "of": MISSED, "out_of": [MISSED, BOOKED], "window": "2h", "limit": {"above": "40%"}},
    {"kind": "average", "by": "q", "event": BOOKED, "value": "n", "window": "2h", "limit": {"above": 5}},
    {"kind": "measure", "event": BOOKED, "key": "appointment_id", "value": "n", "limit": {"above": 5}},
    {"kind": "count", "event": MISSED, "key": "person", "limit": {"at_least": 2, "in": "2h"}},
    {"kind": "wait", "key": "appointment_id", "start": BOOKED, "satisfied_by": MISSED, "within": "1h"},
)


@st.composite
def of_appointments(draw: st.DrawFn, instants: st.SearchStrategy[int]) -> Told:
    stated = {"status": draw(st.sampled_from(("booked", "noshow", "cancelled")))}
    type_, more = draw(
        st.sampled_from((("appointment.stated", stated), ("appointment.stated", stated), ("appointment.booked", {})))
    )
    return told(
        type_,
        draw(instants),
        identifiers=[draw(st.sampled_from(NUMBERS))],
        appointment_id=draw(st.sampled_from(("A", "A", "B"))),
        start=draw(st.sampled_from(("2026-03-05T10:00:00Z", "2026-03-06T10:00:00Z"))),
        q=draw(st.sampled_from(("x", "x", "y"))),
        n=draw(st.integers(0, 12)),
        **more,
    )


@settings(max_examples=DEEP * 20)
@given(
    st.sampled_from(OF_APPOINTMENTS),
    st.sampled_from(({}, {"distinct": "appointment_id"})),
    st.lists(st.integers(0, 12), unique=True, min_size=2, max_size=8),
    st.data(),
    randoms,
)
def test_statements(
    rule: dict[str, Any], distinct: dict[str, str], instants: list[int], data: st.DataObject, random: Random
) -> None:
    """Of two statements of one instant the first to arrive is the earlier version, so instants are apart here."""
    more = distinct if rule["kind"] in ("rate", "average") else {}
    declared = json.dumps({"thresholds": [{"id": "t"} | rule | more]})
    history = numbered([data.draw(of_appointments(st.just(instant))) for instant in instants])
    if data.draw(st.booleans()):
        merge = told("person.merged", 3, identifiers=["1^N"], surviving="1^N", retired="2^N")
        history.append(merge | {"id": "merge", "source": "sim"})
    by_time = sorted(history, key=lambda one: (one["time"], one["id"]))
    shuffled = random.sample(history, len(history))
    after = timedelta(hours=20)
    assert run_engine(declared, shuffled, after=after) == run_engine(declared, by_time, after=after)
