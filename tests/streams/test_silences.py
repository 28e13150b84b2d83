"""A source that has gone quiet: what is learned of it, what is planned, and what a store keeps of both."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.alert import Alert, State
from schemas.event import DAY, HOUR, MINUTE, SECOND, Event
from schemas.instant import read_instant, write_instant
from schemas.message import Message
from schemas.threshold import ThresholdSet
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store

MONDAY = read_instant("2026-03-02T00:00:00Z")
WEEK = 7 * DAY
LAB = "hl7/LAB/NORTH"


def declared(lines: str = "quiet: learned, at_least: 15m", calendar: str = "") -> ThresholdSet:
    text = f"{calendar}\nthresholds: [{{id: silent, kind: silence, by: source, {lines}}}]\n"
    thresholds, problems = read_thresholds([("t.yaml", text)])
    assert not problems
    return thresholds


def event(at: int, source: str = LAB) -> Event:
    return Event(id=str(at), source=source, type="e.happened", time=at, data={}, facility="NORTH")


def tell(engine: Engine, begin: int, end: int, every: int) -> None:
    for at in range(begin, end, every):
        engine.advance(at - 1)
        engine.apply(event(at), at)


def silences(engine: Engine) -> list[Alert]:
    return sorted(engine.alerts.values(), key=lambda alert: alert.started_at)


def test_a_silence_is_one_alert_from_twice_the_longest_quiet_to_the_next_message() -> None:
    engine = Engine(declared())
    tell(engine, MONDAY, MONDAY + 5 * WEEK + 10 * HOUR, 20 * MINUTE)
    engine.advance(MONDAY + 5 * WEEK + 20 * HOUR)
    engine.apply(event(MONDAY + 5 * WEEK + 20 * HOUR))
    (alert,) = silences(engine)
    last = MONDAY + 5 * WEEK + 10 * HOUR - 20 * MINUTE
    assert alert.state is State.RESOLVED
    assert (alert.started_at, alert.due_at, alert.ended_at) == (last, last + 40 * MINUTE, MONDAY + 5 * WEEK + 20 * HOUR)
    assert (alert.key, alert.facility, alert.person) == (LAB, "NORTH", None)
    assert alert.reason.startswith("nothing was heard of it for 40m 0s and more, twice its longest quiet")


def test_less_than_four_weeks_teach_nothing() -> None:
    engine = Engine(declared())
    tell(engine, MONDAY, MONDAY + 4 * WEEK - 2 * HOUR, 20 * MINUTE)
    engine.advance(MONDAY + 4 * WEEK - HOUR)
    assert not silences(engine)


def test_an_outage_teaches_no_more_than_the_limit_that_it_broke() -> None:
    engine = Engine(declared())
    gone = MONDAY + 5 * WEEK + 10 * HOUR
    tell(engine, MONDAY, gone, 20 * MINUTE)
    tell(engine, gone + 12 * HOUR, gone + WEEK, 20 * MINUTE)
    engine.advance(gone + WEEK + 2 * HOUR)
    first, second = silences(engine)
    assert first.due_at - first.started_at == 40 * MINUTE
    assert second.due_at - second.started_at == 80 * MINUTE


def test_whoever_was_quiet_for_five_weeks_begins_anew() -> None:
    engine = Engine(declared())
    gone = MONDAY + 5 * WEEK
    tell(engine, MONDAY, gone, HOUR)
    tell(engine, gone + 6 * WEEK, gone + 7 * WEEK, HOUR)
    engine.advance(gone + 8 * WEEK)
    (alert,) = silences(engine)
    assert (alert.state, alert.ended_at) == (State.RESOLVED, gone + 6 * WEEK)


def test_the_hours_are_those_of_the_calendar() -> None:
    zoned = "calendars: {clinic: {timezone: America/New_York, hours: {mon-fri: '08:00-17:00'}}}"
    thresholds = declared("quiet: learned, at_least: 15m, calendar: clinic, downtime: [sun 02:00-03:00]", zoned)
    engine = Engine(thresholds)
    # by the wall clock it sends from 8 to 18, before and after the clocks go forward on 8 March
    for day in range(6 * 7):
        offset = 5 * HOUR if day < 6 else 4 * HOUR
        tell(engine, MONDAY + day * DAY + 8 * HOUR + offset, MONDAY + day * DAY + 18 * HOUR + offset, 5 * MINUTE)
    engine.advance(MONDAY + 6 * WEEK + 12 * HOUR)
    assert not silences(engine)
    engine.advance(MONDAY + 6 * WEEK + 14 * HOUR)
    (alert,) = silences(engine)
    assert write_instant(alert.due_at) == "2026-04-13T13:00:00Z"  # 09:00 there


@pytest.mark.parametrize(
    "downtime, said",
    [
        ("[]", 1),
        ("mon 10:00-12:00", 0),
        ("{weekly: mon-tue 09:30-12:00, source: hl7/LAB/NORTH}", 0),
        ("{weekly: mon 10:00-12:00, source: [hl7/RIS/NORTH]}", 1),
        ("{from: 2026-03-02 10:10, to: 2026-03-02 12:00}", 0),
        ("{from: 2026-03-09 10:10, to: 2026-03-09 12:00}", 1),
    ],
)
def test_planned_downtime_raises_nothing(downtime: str, said: int) -> None:
    engine = Engine(declared(f"quiet: 30m, downtime: {downtime}"))
    tell(engine, MONDAY + 8 * HOUR, MONDAY + 10 * HOUR, 10 * MINUTE)
    engine.advance(MONDAY + 12 * HOUR + 29 * MINUTE)
    assert len(silences(engine)) == said
    engine.advance(MONDAY + 12 * HOUR + 30 * MINUTE)
    assert len(silences(engine)) == 1  # it did not come back


def test_what_is_not_taken_shows_that_a_known_source_is_there() -> None:
    engine = Engine(declared("quiet: 30m"))
    engine.hear("hl7/NOBODY/KNOWN", MONDAY)
    engine.apply(event(MONDAY))
    engine.hear(LAB, MONDAY + 20 * MINUTE)
    engine.advance(MONDAY + 40 * MINUTE)
    assert not silences(engine)
    engine.advance(MONDAY + DAY)
    (alert,) = silences(engine)
    assert (alert.key, alert.started_at) == (LAB, MONDAY + 20 * MINUTE)


# -- in a store


def message(at: int, ignored: str | None = None) -> Message:
    raw = str(at).encode()
    return Message("hl7", raw, LAB, str(at), raw, () if ignored else (event(at),), ignored)


class Hub:
    """A store that is killed now and then."""

    def __init__(self, folder: Path, thresholds: ThresholdSet) -> None:
        self.folder, self.thresholds, self.now = folder, thresholds, MONDAY
        self.store = Store.open(folder)
        self.runtime = Runtime(self.store, thresholds, now=self.now)

    def kill(self) -> None:
        self.store.close()
        self.store = Store.open(self.folder)
        self.runtime = Runtime(self.store, self.thresholds, now=self.now)

    def take(self, *messages: Message) -> None:
        self.runtime.take(messages, self.now)
        self.runtime.apply()

    def reach(self, now: int) -> None:
        self.now = now
        self.runtime.tick(now)
        self.runtime.flush()

    def alerts(self) -> list[Alert]:
        self.runtime.flush()
        return self.store.alerts()


def test_a_rhythm_outlives_a_kill(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "s", declared())
    every = 2 * HOUR
    for number, at in enumerate(range(MONDAY, MONDAY + 5 * WEEK, every)):
        hub.reach(at)
        hub.take(message(at, "no mapping" if number % 3 == 1 else None))
        if number % 50 == 17:
            hub.kill()
    last = hub.now
    hub.reach(last + 4 * HOUR - SECOND)
    assert hub.alerts() == []
    hub.runtime.end()
    hub.kill()  # the hours that passed without a message are found again
    hub.reach(hub.now + 5 * MINUTE)
    (alert,) = hub.alerts()
    assert (alert.state, alert.started_at) == (State.BREACHED, last)
    hub.kill()
    hub.reach(hub.now + HOUR)
    hub.take(message(hub.now))
    (alert,) = hub.alerts()
    assert (alert.state, alert.ended_at) == (State.RESOLVED, hub.now)
    hub.store.close()


def test_a_restart_of_seconds_makes_nobody_silent_and_lets_the_clock_go_on(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "s", declared("quiet: 1m"))
    hub.take(message(MONDAY))
    last = hub.now
    hub.runtime.end()
    hub.now += 50 * SECOND
    hub.kill()
    assert hub.runtime.settled == 0
    hub.reach(last + MINUTE)  # what it sent meanwhile may be on its way
    assert hub.runtime.recorded == hub.now
    assert hub.alerts() == []
    hub.runtime.judge_anew()
    assert hub.alerts() == []
    hub.reach(last + 49 * SECOND + MINUTE)
    assert hub.alerts() == []
    hub.reach(last + 51 * SECOND + MINUTE)
    (alert,) = hub.alerts()
    assert (alert.state, alert.started_at, alert.due_at) == (State.BREACHED, last, last + 50 * SECOND + MINUTE)
    hub.kill()
    assert hub.runtime.judge_anew() == 0
    hub.store.close()


def test_a_hub_that_is_restarted_again_and_again_excuses_nobody_for_ever(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "s", declared("quiet: 30m"))
    hub.take(message(MONDAY))
    for _ in range(16):  # two minutes at work, ten seconds away
        hub.reach(hub.now + 2 * MINUTE)
        hub.runtime.end()
        hub.now += 10 * SECOND
        hub.kill()
    (alert,) = hub.alerts()
    assert (alert.started_at, alert.state) == (MONDAY, State.BREACHED)
    assert alert.due_at == MONDAY + 30 * MINUTE + 140 * SECOND
    hub.store.close()


def test_nobody_is_silent_while_the_hub_does_not_listen(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "s", declared("quiet: 30m"))
    hub.take(message(MONDAY))
    hub.runtime.end()
    hub.now += 5 * HOUR
    hub.kill()
    hub.reach(hub.now + 20 * MINUTE)
    assert hub.alerts() == []
    hub.runtime.judge_anew()
    assert hub.alerts() == []
    hub.reach(hub.now + 12 * MINUTE)  # half an hour after it listened again
    (alert,) = hub.alerts()
    assert (alert.started_at, alert.state) == (MONDAY, State.BREACHED)
    assert hub.runtime.judge_anew() == 0
    hub.store.close()
