"""The embedded runtime: what was taken is there after a crash, once, and what is said then is as it would have been."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.enrich import Enricher
from hub.thresholds import load_thresholds
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason, TryAgain, WrongUse
from schemas.event import DAY, HOUR, MINUTE, SECOND, Event
from schemas.instant import read_instant
from schemas.message import Message, Outcome
from streams.core.thresholds import read_thresholds
from streams.embedded.entries import Batch
from streams.embedded.judging import name_of
from streams.embedded.reader import FILE, Reader
from streams.embedded.runtime import SETTLE, Runtime
from streams.embedded.store import Store

BEGIN = 1_772_442_000 * SECOND  # Monday 2026-03-02, 09:00 UTC
DECLARED = """
thresholds:
  - {id: told, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 1h, warn_at: 50%}
  - {id: again, kind: count, event: contact.ended, key: person, limit: {at_least: 2, in: 1d}}
  - {id: hold, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 60}}
"""
THRESHOLDS, _ = read_thresholds([("t.yaml", DECLARED)])


def message(type_: str, minutes: int, *, id_: str | None = None, **data: Any) -> Message:
    at = BEGIN + minutes * MINUTE
    id_ = id_ or f"{type_}/{minutes}/{data.get('order_id', '')}"
    event = Event(id_, "test", type_, at, {"mrn": "1", **data}, ("1^N",), "NORTH")
    return Message("cloudevents", repr(data).encode(), "test", id_, repr((type_, minutes, data)).encode(), (event,))


def story() -> list[tuple[int, list[Message]]]:
    """Batches, each with the minute at which it is taken; None of them: the clock alone moves."""
    return [
        (0, [message("result.final", 0, order_id="a"), message("result.final", 0, order_id="b")]),
        (10, [message("contact.ended", 9, queue_seconds=30)]),
        (40, []),  # both are warned of
        (45, [message("result.viewed", 44, order_id="b"), message("result.viewed", 44, order_id="b")]),
        (70, []),  # a is breached
        (75, [message("contact.ended", 74, queue_seconds=90), message("result.final", 70, order_id="c")]),
        (80, [message("result.viewed", 55, order_id="a")]),  # late evidence: it was kept after all
        (200, []),  # c is breached
        (2000, []),  # the count falls
    ]


class Ward:
    """A store in a folder, and the runtime over it."""

    def __init__(self, folder: Path, *, now: int = BEGIN) -> None:
        self.folder = folder
        self.store = Store.open(folder)
        self.runtime = Runtime(self.store, THRESHOLDS, now=now)

    def play(self, batches: list[tuple[int, list[Message]]]) -> Iterator[int]:
        """Take and judge batch after batch; a yield after each commit, where a crash may come."""
        for minute, messages in batches:
            now = BEGIN + minute * MINUTE
            if messages:
                self.runtime.take(messages, now)
                yield minute
                self.runtime.apply()
            self.runtime.tick(now)
            self.runtime.flush()
            yield minute

    def said(self) -> list[tuple[int, int, str, str, str | None]]:
        reader = Reader.open(self.folder)
        changes = reader.transitions(after=0, limit=1000)
        reader.close()
        return [(cursor, at, a.threshold, a.state.value, a.key) for cursor, at, a in changes]

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    one = Ward(tmp_path / "store")
    yield one
    one.close()


def test_a_story_is_told_as_it_happens(ward: Ward) -> None:
    for _ in ward.play(story()):
        pass
    assert [(threshold, state, key) for _, _, threshold, state, key in ward.said() if threshold == "told"] == [
        ("told", "warning", "a"),
        ("told", "warning", "b"),
        ("told", "resolved", "b"),
        ("told", "breached", "a"),
        ("told", "resolved", "a"),
        ("told", "warning", "c"),
        ("told", "breached", "c"),
    ]


@pytest.mark.parametrize("crash", range(14))
def test_after_a_crash_at_any_commit_all_goes_on_as_if_nothing_had_been(tmp_path: Path, crash: int) -> None:
    whole = Ward(tmp_path / "whole")
    for _ in whole.play(story()):
        pass
    whole.close()
    first = Ward(tmp_path / "crashed")
    stood: int | None = None
    for number, minute in enumerate(first.play(story())):
        if number == crash:
            shutil.copytree(first.folder, tmp_path / "left")  # what a kill leaves on the disk
            stood = minute
            break
    first.close()
    assert stood is not None
    after = Ward(tmp_path / "left", now=BEGIN + stood * MINUTE)
    after.runtime.tick(BEGIN + stood * MINUTE)
    after.runtime.flush()
    rest = [(minute, messages) for minute, messages in story() if minute >= stood]  # the sender repeats what it may
    for _ in after.play(rest):
        pass
    assert after.said() == whole.said()
    after.close()


def test_a_message_ends_in_one_of_four(ward: Ward) -> None:
    final = message("result.final", 0, id_="1", order_id="a")
    other = message("result.final", 1, id_="1", order_id="b")
    future = message("result.final", 200, order_id="f")
    ignored = Message("hl7", b"x", ignored="no mapping")
    verdicts = ward.runtime.take([final, final, other, other, future, ignored], BEGIN)
    assert [v.outcome for v in verdicts] == [
        Outcome.ACCEPTED,
        Outcome.DUPLICATE,
        Outcome.DEAD,
        Outcome.DUPLICATE,  # the same dead letter again
        Outcome.DEAD,
        Outcome.IGNORED,
    ]
    assert [v.reason for v in verdicts] == [None, None, "conflict", "conflict", "from_the_future", "no mapping"]
    assert ward.runtime.take([final], BEGIN)[0].outcome is Outcome.DUPLICATE
    reader = ward.store.reader()
    assert sum(reader.tallies().values()) == 7
    reader.close()


def test_an_id_is_remembered_over_days_and_starts(tmp_path: Path) -> None:
    first = Ward(tmp_path)
    for day in range(5):
        first.runtime.take([message("result.final", 0, id_=str(day), order_id="a")], BEGIN + day * DAY)
    first.close()
    later = Ward(tmp_path, now=BEGIN + 5 * DAY)
    again = [message("result.final", 0, id_=str(day), order_id="a") for day in range(5)]
    assert {v.outcome for v in later.runtime.take(again, BEGIN + 5 * DAY)} == {Outcome.DUPLICATE}
    later.close()


def test_after_a_gap_the_clock_stands_until_what_was_queued_is_heard(tmp_path: Path) -> None:
    first = Ward(tmp_path)
    for _ in first.play([(0, [message("result.final", 0, order_id="a")])]):
        pass
    first.close()
    start = BEGIN + 3 * HOUR
    after = Ward(tmp_path, now=start)
    assert after.runtime.tick(start + MINUTE) == 0
    after.runtime.take([message("result.viewed", 30, order_id="a")], start + MINUTE)
    after.runtime.apply()
    assert after.runtime.tick(start + SETTLE) == 0
    assert [state for *_, state, _ in after.said()] == []
    after.close()


def test_an_event_that_the_engine_fails_on_is_set_apart(ward: Ward) -> None:
    bad = message("result.final", 0, order_id="x")
    bad.events[0].identifiers = (1,)  # type: ignore[assignment]  # what no connector gives: a fault of our own
    ward.runtime.take([message("result.final", 0, order_id="a"), bad, message("result.final", 0, order_id="b")], BEGIN)
    ward.runtime.apply()
    assert ward.runtime.engine.counts["waits"] == 2
    reader = ward.store.reader()
    assert reader.rows("SELECT reason FROM dead_letter") == [("engine",)]
    assert reader.tallies() == {("cloudevents", "accepted", ""): 2, ("cloudevents", "dead", "engine"): 1}
    reader.close()


def test_time_never_goes_back(ward: Ward) -> None:
    ward.runtime.tick(BEGIN + HOUR)
    ward.runtime.take([message("result.final", 0, order_id="a")], BEGIN)
    assert ward.runtime.recorded == BEGIN + HOUR


def test_one_store_one_writer(tmp_path: Path) -> None:
    first = Store.open(tmp_path)
    with pytest.raises(TryAgain, match="another pxhub writes this store"):
        Store.open(tmp_path)
    first.close()
    Store.open(tmp_path).close()


def test_what_is_no_store_is_said(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="there is no store here"):
        Reader.open(tmp_path)
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(WrongUse, match="damaged or no store"):
        Store.open(tmp_path)


def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store._db.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(WrongUse, match="update pxhub"):
        Store.open(tmp_path)


def test_what_cannot_be_kept_is_a_dead_letter_and_stops_nothing(ward: Ward) -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    huge = message("result.final", 0, id_="huge", order_id="a", n=2**80)
    nested = message("result.final", 0, id_="deep", order_id="b", n=deep)
    well = message("result.final", 0, id_="well", order_id="c")
    verdicts = ward.runtime.take([huge, nested, well], BEGIN)
    assert [(v.outcome, v.reason) for v in verdicts] == [
        (Outcome.DEAD, "invalid"),
        (Outcome.DEAD, "invalid"),
        (Outcome.ACCEPTED, None),
    ]
    ward.close()
    again = Ward(ward.folder)
    assert again.runtime.engine.counts["waits"] == 1
    again.close()
    ward.store = Store.open(ward.folder)  # for the fixture to close


def test_a_stamp_of_year_one_is_no_end_of_the_hub() -> None:
    shipped = load_thresholds(None).calendars["clinic"]
    stamp = read_instant("0001-01-01T00:00:00Z")
    event = Event("1", "s", "appointment.booked", stamp, {"start": "2026-03-02T09:00:00Z"})
    assert "lead_days" not in Enricher({}, {}, shipped).enrich(event).data


def test_an_id_is_known_again_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory, in a run on the disk, in the tail of the log after a crash; and a letter as well as a message."""
    monkeypatch.setattr("streams.embedded.ids._RUN", 4)
    first = Ward(tmp_path / "store")
    letter = Message("hl7", b"no message", dead=DeadLetter(reason=Reason.UNREADABLE, place="MSH", mend="send HL7"))
    told = [letter, *(message("result.final", minute) for minute in range(11))]
    for one in told:
        [verdict] = first.runtime.take([one], BEGIN + HOUR)
        assert verdict.outcome in (Outcome.ACCEPTED, Outcome.DEAD)
        first.runtime.apply()
    [(runs,)] = first.store.rows("SELECT count(DISTINCT number) FROM run")
    assert runs == 2
    shutil.copytree(first.folder, tmp_path / "left")  # what a kill leaves on the disk
    for ward_ in (first, Ward(tmp_path / "left")):
        verdicts = ward_.runtime.take(told, BEGIN + HOUR)
        assert [verdict.outcome for verdict in verdicts] == [Outcome.DUPLICATE] * 12
        assert [verdict.seq for verdict in verdicts] == list(range(1, 13))
        other = msgspec.structs.replace(told[-1], raw=b"other", digest=b"other")
        [conflict] = ward_.runtime.take([other], BEGIN + HOUR)
        assert conflict.reason == Reason.CONFLICT
        ward_.close()


def test_an_id_is_known_again_that_an_older_pxhub_wrote(tmp_path: Path) -> None:
    """A store of format 2 had a row for each id, and no runs."""
    with closing(Store.open(tmp_path / "store")) as store:
        store.write("INSERT INTO seen VALUES (?,?,?,?)", [(1, b"h" * 16, b"d", 1)])
        store.rows("DROP TABLE run")
        store.rows("PRAGMA user_version = 2")
    with closing(Store.open(tmp_path / "store")) as store:
        assert store.find_seen(b"h" * 16) == (b"d", 1)
        assert list(store.hashes()) == [b"h" * 16]
        assert store.rows("SELECT number FROM run") == []


def test_an_id_of_a_commit_that_was_undone_is_not_known(ward: Ward) -> None:
    with suppress(ZeroDivisionError), ward.store.together():
        ward.store.commit(Batch(seen={b"h" * 16: (b"d", 1)}))
        assert ward.store.find_seen(b"h" * 16) == (b"d", 1)
        raise ZeroDivisionError
    assert ward.store.find_seen(b"h" * 16) is None


def test_thresholds_declared_elsewhere_are_the_same(tmp_path: Path) -> None:
    elsewhere, _ = read_thresholds([("another/place.yaml", "\n" + DECLARED)])
    other, _ = read_thresholds([("t.yaml", DECLARED.replace("1h", "2h"))])
    assert name_of(elsewhere) == name_of(THRESHOLDS) != name_of(other)
