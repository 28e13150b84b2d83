"""Circles that are united, and names that mean one person: who left memory is read back once, as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import StoreFailed
from schemas.event import HOUR, MINUTE, Event
from schemas.message import Message
from streams.core.identity import id_of, person_identifier
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from tests.streams.test_embedded import BEGIN, THRESHOLDS


def message(type_: str, minutes: int, *names: str, **data: Any) -> Message:
    id_ = f"{type_}/{minutes}/{names}"
    event = Event(id_, "lab", type_, BEGIN + minutes * MINUTE, data, names, "NORTH")
    return Message("cloudevents", id_.encode(), "lab", id_, id_.encode(), (event,))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.open(tmp_path / "store")) as one:
        yield one


def tell(runtime: Runtime, minutes: int, *messages: Message) -> None:
    runtime.take(messages, BEGIN + minutes * MINUTE)
    runtime.apply()
    runtime.flush()


def said(store: Store) -> list[tuple[str, str]]:
    rows = store.rows("SELECT threshold, state FROM transition ORDER BY cursor")
    return [(threshold, state) for threshold, state in rows]


def test_a_circle_that_another_took_in_is_not_read_back_again(store: Store) -> None:
    """The file has it until the united one is written: its timers ring, and who asks for it by its id finds the new."""
    runtime = Runtime(store, THRESHOLDS, now=BEGIN)
    tell(runtime, 0, message("result.final", 0, "1^N", order_id="a"), message("contact.ended", 0, "2^N"))
    runtime.flush(everything=True)
    store.close()
    again = Store.open(store.folder)
    runtime = Runtime(again, THRESHOLDS, now=BEGIN)
    tell(runtime, 1, message("contact.ended", 1, "2^N"))
    tell(runtime, 2, message("person.merged", 2, "2^N", surviving="2^N", retired="1^N"))
    runtime.judging.admit_name(id_of("1^N"))
    runtime.tick(BEGIN + 29 * MINUTE + 30_000_000)  # its timer is near
    tell(runtime, 29, message("result.viewed", 29, "2^N", order_id="a"))
    runtime.tick(BEGIN + 3 * HOUR)
    runtime.flush()
    assert said(again) == [("again", "breached")]
    again.close()


@pytest.mark.parametrize("first", [0, 1])
def test_an_identifier_and_the_id_that_follows_from_it_leave_together(store: Store, first: int) -> None:
    names = ("1^N", person_identifier(id_of("1^N")))
    runtime = Runtime(store, THRESHOLDS, now=BEGIN, most=0, tail=0)
    tell(runtime, 0, message("result.final", 0, names[first], order_id="a"))
    tell(runtime, 1, message("contact.ended", 1, names[1 - first]))
    tell(runtime, 2, message("contact.ended", 2, "2^N"))
    tell(runtime, 3, message("contact.ended", 3, "2^N", id="other"))
    tell(runtime, 4, message("result.viewed", 4, names[1 - first], order_id="a"))
    runtime.tick(BEGIN + 3 * HOUR)
    runtime.flush()
    assert said(store) == [("again", "breached")]
    assert runtime.engine.counts["persons"] == 2


def test_a_timer_whose_circle_cannot_be_read_for_now_rings_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(store, THRESHOLDS, now=BEGIN, most=0, tail=0)
    tell(runtime, 0, message("result.final", 0, "1^N", order_id="a"))
    tell(runtime, 1, message("contact.ended", 1, "2^N"))
    tell(runtime, 2, message("contact.ended", 2, "3^N"))

    def fail(number: int) -> None:
        raise StoreFailed(f"{number}: the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(runtime.judging.shelf, "row", fail)
        with pytest.raises(StoreFailed):
            runtime.tick(BEGIN + 31 * MINUTE)
    runtime.tick(BEGIN + 31 * MINUTE)
    runtime.flush()
    assert said(store) == [("told", "warning")]
