"""What a store says of an alert, it says once, and with whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from schemas.event import HOUR, Event
from streams.core.engine import Engine
from streams.core.identity import id_of
from streams.core.thresholds import read_thresholds
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from tests.streams.test_embedded import BEGIN
from tests.streams.test_residence import message, tell

DECLARED = """
thresholds:
  - {id: late, kind: measure, event: appointment.booked, value: lead_days, limit: {above: 30}}
  - {id: told, kind: wait, key: order_id, start: result.final, satisfied_by: {event: result.viewed, by: person},
     within: 1h, restart: move}
  - {id: again, kind: count, key: person, event: contact.ended, limit: {at_least: 2, in: 1h}}
"""
THRESHOLDS, _ = read_thresholds([("t.yaml", DECLARED)], default_zone="UTC")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(tmp_path / "store")) as one:
        yield one


def test_a_measure_of_an_appointment_is_not_said_again_when_its_evidence_is_put_in_again(store: Store) -> None:
    runtime = Runtime(store, THRESHOLDS, now=BEGIN)
    tell(runtime, 0, message("appointment.booked", 0, "1^N", appointment_id="a", lead_days=40, start="2026-04-10"))
    stated = {"appointment_id": "a", "status": "booked", "start": "2026-04-11", "lead_days": 3}
    tell(runtime, 1, message("appointment.stated", 1, "2^N", **stated))
    tell(runtime, 2, message("person.merged", 2, "1^N", surviving="1^N", retired="2^N"))
    assert [alert.threshold for _, _, alert in store.transitions(after=0, limit=9)] == ["late"]


def test_what_is_said_within_a_merge_says_whose_it_is(store: Store) -> None:
    runtime = Runtime(store, THRESHOLDS, now=BEGIN)
    tell(runtime, 0, message("result.final", 0, "1^N", order_id="b", filler_order_id="b"))
    runtime.tick(BEGIN + 2 * HOUR)
    tell(runtime, 121, message("result.viewed", 120, "2^N", order_id="a"))
    tell(runtime, 122, message("result.final", -30, "1^N", "2^N", order_id="a", filler_order_id="b"))
    said = [(alert.state.value, alert.person) for _, _, alert in store.transitions(after=0, limit=9)]
    assert [state for state, _ in said] == ["breached", "resolved", "resolved", "retracted"]
    assert None not in [person for _, person in said]


def test_whose_an_alert_is_now_is_written_though_nothing_else_is_said(store: Store) -> None:
    runtime = Runtime(store, THRESHOLDS, now=BEGIN)
    tell(runtime, 0, message("result.final", 0, "1^N", order_id="a", visit_id="v"))
    runtime.tick(BEGIN + 2 * HOUR)
    runtime.flush()
    moved = {"surviving": "2^N", "retired": "1^N", "kind": "visit", "visit_id": "v"}
    tell(runtime, 121, message("identity.moved", 60, "2^N", **moved))
    assert [alert.person for alert in store.alerts()] == [id_of("2^N")]


def test_when_a_count_was_said_stays_though_its_person_left_memory_and_came_back(store: Store) -> None:
    runtime = Runtime(store, THRESHOLDS, now=BEGIN)
    tell(runtime, 20, message("contact.ended", 0, "1^N"), message("contact.ended", 10, "1^N"))
    runtime.flush(everything=True)
    [first] = store.alerts()
    runtime = Runtime(store, THRESHOLDS, now=BEGIN + 21 * HOUR // 60, most=0)
    runtime.settle(0)
    runtime.tick(BEGIN + 3 * HOUR)
    runtime.flush()
    [last] = store.alerts()
    assert (first.state.value, last.state.value) == ("breached", "resolved")
    assert last.fired_at == first.fired_at


def test_whose_a_call_was_is_said_though_the_link_came_in_one_message_with_what_told_it() -> None:
    engine = Engine(THRESHOLDS, keeps_all=False)
    engine.apply(Event("e1", "s", "result.final", BEGIN, {"order_id": "a", "contact_id": "c"}, ()))
    engine.advance(BEGIN + 2 * HOUR)
    assert [change.alert.person for change in engine.take_transitions()] == [None]
    queued = Event("e2", "s", "contact.queued", BEGIN + 2 * HOUR, {"contact_id": "c"}, ("1^N",))
    link = {"contact_id": "c", "surviving": ["1^N"]}
    engine.apply_together([queued, Event("e2/linked", "s", "person.linked", BEGIN + 2 * HOUR, link, ())])
    assert [alert.person for alert in engine.moved()] == [id_of("1^N")]
