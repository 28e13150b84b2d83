"""A store that is purged: what is old and ended goes, what is open stays, and the state can still be made again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from schemas.alert import Alert, State
from schemas.event import DAY, HOUR, MINUTE, Event
from schemas.message import Message, Outcome
from streams.core.thresholds import read_thresholds
from streams.embedded.judging import Judging
from streams.embedded.purge import Gone, Purge
from streams.embedded.purged import Base, read_purged
from streams.embedded.reader import Reader
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from streams.embedded.upkeep import find_faults
from tests.streams.test_embedded import BEGIN, DECLARED, THRESHOLDS

KEEP = 400 * DAY


def message(type_: str, day: int, person: int, order: str) -> Message:
    at = BEGIN + day * DAY
    id_ = f"{type_}/{day}/{order}"
    event = Event(id_, "lab", type_, at, {"order_id": order}, (f"{person}^N",), "NORTH")
    return Message("cloudevents", id_.encode() * 10, "lab", id_, id_.encode(), (event,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of five hundred days: person 1 was never told, person 2 was told late, both at the begin; a person a day
    since then was told in time, and person 9 of the last day is not told yet."""
    with closing(Store.open(tmp_path / "store")) as store:
        runtime = Runtime(store, THRESHOLDS, now=BEGIN, tail=10, most=60)
        days = [[message("result.final", 0, 1, "never"), message("result.final", 0, 2, "late")]]
        days += [[message("result.viewed", 1, 2, "late")]]
        days += [
            [message("result.final", day, 10 + day, f"o{day}"), message("result.viewed", day, 10 + day, f"o{day}")]
            for day in range(2, 499)
        ]
        days += [[message("result.final", 499, 9, "new")]]
        for number, messages in enumerate(days):
            now = BEGIN + number * DAY
            runtime.take(messages, now)
            runtime.apply()
            runtime.tick(now + 2 * HOUR)
            runtime.flush()
    return tmp_path / "store"


def purge(folder: Path) -> int:
    """Purge by the clock of its last day; returns how many messages went."""
    with closing(Store.open(folder)) as store:
        runtime = Runtime(store, THRESHOLDS, now=BEGIN + 500 * DAY, tail=10, most=60)
        Purge(BEGIN + 500 * DAY - KEEP).finish(runtime)
        return sum(read_purged(store).messages.values())


def made_again(folder: Path) -> dict[str, Alert]:
    with closing(Reader.open(folder)) as reader:
        judging = Judging(reader, THRESHOLDS, known=reader.alert, shelf=Base(reader))
        return judging.judge_all(reader.position())


def open_now(alerts: list[Alert]) -> list[str]:
    return sorted(alert.key for alert in alerts if alert.state is State.BREACHED)


def test_what_is_old_and_ended_goes_and_what_is_open_stays(folder: Path) -> None:
    with closing(Reader.open(folder)) as reader:
        before, cursor = reader.alerts(), reader.last_cursor()
        assert {alert.state for alert in before} == {State.BREACHED, State.RESOLVED}
    assert purge(folder) == 2 + 1 + 2 * 98
    with closing(Reader.open(folder)) as reader:
        assert [alert.key for alert in reader.alerts()] == ["never", "new"]
        assert reader.last_cursor() == cursor
        assert find_faults(reader) == []
        assert reader.rows("SELECT count(*) FROM circle")[0][0] < 500 - 90


def test_the_state_is_made_again_from_circles_and_log(folder: Path) -> None:
    purge(folder)
    made = made_again(folder)
    assert open_now(list(made.values())) == ["never", "new"]


def test_a_wait_whose_start_was_purged_is_still_ended(folder: Path) -> None:
    purge(folder)
    with closing(Store.open(folder)) as store:
        runtime = Runtime(store, THRESHOLDS, now=BEGIN + 501 * DAY)
        assert runtime.reconciled == 0
        last = runtime.entries
        [verdict] = runtime.take([message("result.viewed", 501, 1, "never")], BEGIN + 501 * DAY)
        runtime.apply()
        runtime.flush()
        assert (verdict.outcome, verdict.seq) == (Outcome.ACCEPTED, last + 1)
        alert, _ = store.alerts()
        assert (alert.state, alert.delay_seconds) == (State.RESOLVED, 501 * 86_400 - 3600)


def test_other_thresholds_judge_what_the_circles_still_tell(folder: Path) -> None:
    purge(folder)
    other, _ = read_thresholds([("t.yaml", DECLARED.replace("within: 1h", "within: 2h"))])
    with closing(Store.open(folder)) as store:
        Runtime(store, other, now=BEGIN + 500 * DAY + MINUTE).flush()
        alert, _ = store.alerts()
        assert (alert.key, alert.state, alert.due_at) == ("never", State.BREACHED, BEGIN + 2 * HOUR)


def test_a_purge_counts_what_it_took_whatever_pieces_it_took_it_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.embedded.purge._AT_ONCE", 50)
    with closing(Store.open(folder)) as store:
        runtime = Runtime(store, THRESHOLDS, now=BEGIN + 500 * DAY, tail=10, most=60)
        before = store.rows("SELECT count(*) FROM transition")[0][0]
        alerts = len(store.alerts())
        work = Purge(BEGIN + 500 * DAY - KEEP)
        work.finish(runtime)
        changes = before - store.rows("SELECT count(*) FROM transition")[0][0]
        assert work.gone == Gone(2 + 1 + 2 * 98, changes, alerts - len(store.alerts()), work.gone.ids)
        assert changes > 1
        again = Purge(BEGIN + 500 * DAY - KEEP)
        again.finish(runtime)
        assert not again.gone


def test_a_purge_may_be_repeated_and_stops_anywhere(folder: Path) -> None:
    with closing(Store.open(folder)) as store:
        runtime = Runtime(store, THRESHOLDS, now=BEGIN + 500 * DAY, tail=10, most=60)
        runtime.flush(everything=True)
        assert Purge(BEGIN + 500 * DAY - KEEP).go_on(runtime)
    purge(folder)
    assert purge(folder) == 2 + 1 + 2 * 98
    with closing(Reader.open(folder)) as reader:
        assert find_faults(reader) == []
    assert open_now(list(made_again(folder).values())) == ["never", "new"]


def test_what_was_purged_and_comes_again_while_its_id_is_known_is_a_repetition(folder: Path) -> None:
    with closing(Store.open(folder)) as store:
        runtime = Runtime(store, THRESHOLDS, now=BEGIN + 500 * DAY, tail=10, most=60)
        Purge(BEGIN + 500 * DAY - KEEP).finish(runtime)
        again = message("result.final", 0, 1, "never")
        again.digest = b"told otherwise"
        [verdict] = runtime.take([again], BEGIN + 501 * DAY)
        assert verdict.outcome is Outcome.DUPLICATE


def test_a_bucket_that_was_touched_and_then_purged_is_not_written(tmp_path: Path) -> None:
    average = "{id: r, kind: average, event: result.final, value: n, window: 1h, limit: {above: 5}}"
    thresholds, _ = read_thresholds([("t.yaml", f"thresholds: [{average}]")])
    told = [message("result.final", day, 1, str(day)) for day in (30, 1, 31)]
    for one in told:
        one.events[0].data["n"] = 1
    with closing(Store.open(tmp_path / "store")) as store:
        runtime = Runtime(store, thresholds, now=BEGIN)
        runtime.take(told[:2], BEGIN + 30 * DAY)
        runtime.apply()
        work = Purge(BEGIN + 20 * DAY)
        while work.go_on(runtime):
            pass
        [verdict] = runtime.take(told[2:], BEGIN + 31 * DAY)
        assert verdict.outcome is Outcome.ACCEPTED


def test_an_alert_that_was_purged_is_not_said_again_of_a_person_heard_of_since(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as store:
        runtime = Runtime(store, THRESHOLDS, now=BEGIN, most=0, tail=0)
        for day, type_, order in ((0, "result.final", "a"), (1, "result.viewed", "a"), (450, "result.final", "b")):
            runtime.take([message(type_, day, 1, order)], BEGIN + day * DAY)
            runtime.apply()
            runtime.tick(BEGIN + day * DAY + 2 * HOUR)
            runtime.flush()
        Purge(BEGIN + 50 * DAY).finish(runtime)
    with closing(Store.open(tmp_path)) as store:
        runtime, said = Runtime(store, THRESHOLDS, now=BEGIN + 451 * DAY), store.last_cursor()
        runtime.take([message("result.viewed", 451, 1, "b")], BEGIN + 451 * DAY)
        runtime.apply()
        runtime.flush()
        assert [(a.key, a.state) for _, _, a in store.transitions(after=said, limit=9)] == [("b", State.RESOLVED)]


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are written fifty at a time, so that a store of a thousand messages has runs of them."""
    monkeypatch.setattr("streams.embedded.ids._RUN", 50)


@pytest.mark.usefixtures("short_runs")
def test_ids_go_with_the_last_message_of_their_run(folder: Path) -> None:
    purge(folder)
    with closing(Reader.open(folder)) as reader:
        upto = read_purged(reader).upto
        runs = reader.rows("SELECT number, max(last) FROM run GROUP BY number ORDER BY number")
    assert runs[0][0] > 1
    assert all(last > upto for _, last in runs)
