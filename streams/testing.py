"""What every runtime keeps to, as tests: a runtime is one that passes them.

A home of the log, or a runtime, inherits the contract and says how it is opened; who writes another one elsewhere runs
the same tests. Times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from schemas.alert import Alert, State
from schemas.event import MINUTE, SECOND, Event
from schemas.message import Message, Outcome, Verdict
from schemas.threshold import ThresholdSet
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds

BEGIN: Final = 1_772_442_000 * SECOND  # Monday 2026-03-02, 09:00 UTC
DECLARED: Final = """
thresholds:
  - {id: told, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 1h, warn_at: 50%}
  - {id: again, kind: count, event: contact.ended, key: person, limit: {at_least: 2, in: 1d}}
  - {id: hold, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 60}}
  - {id: share, kind: rate, of: {event: contact.ended, where: {abandoned: true}}, out_of: contact.ended, by: queue,
     window: 1h, limit: {above: 40%}, minimum: 2}
"""
"""Thresholds of each way in which state is held: a wait, a count, an event alone, and a rate of all."""


def a_message(type_: str, minutes: int, *, person: str = "1^N", content: str = "", **data: str | int | bool) -> Message:
    """A message that tells one event, so many minutes after `BEGIN`; one with other `content` is another one."""
    id_ = f"{type_}/{minutes}/{person}/{data.get('order_id', '')}"
    event = Event(id_, "test", type_, BEGIN + minutes * MINUTE, dict(data), (person,), "NORTH")
    raw = f"{id_} {data} {content}".encode()
    return Message("cloudevents", raw, "test", id_, raw, (event,))


class Log(Protocol):
    """Keeps messages, in order; what it answered for is there after any crash."""

    def take(self, messages: Sequence[Message], now: int) -> list[Verdict]:
        """What became of messages, once they are durable."""
        ...

    def events(self) -> list[Event]:
        """The events of accepted messages, in the order in which they are judged."""
        ...

    def crash(self) -> None:
        """End without a word, and be opened again."""
        ...

    def close(self) -> None:
        """End for good."""
        ...


class Runtime(Log, Protocol):
    """A log, judged."""

    def judge(self, now: int) -> None:
        """Judge what was taken, let the clock reach `now`, and make durable what was said."""
        ...

    def alerts(self) -> list[Alert]:
        """All alerts in their last state."""
        ...

    def transitions(self) -> list[Alert]:
        """Every change of every alert in order, as a follower of the stream is told of it."""
        ...


Home = TypeVar("Home", bound=Log)


class LogContract:
    """Inherit, and say how a log is opened in an empty folder."""

    def open_log(self, at: Path) -> Log:
        raise NotImplementedError

    def _opened(self, log: Home) -> Home:
        self._open = [*getattr(self, "_open", []), log]
        return log

    def teardown_method(self) -> None:
        for log in getattr(self, "_open", []):
            log.close()

    def test_what_was_acknowledged_is_there_after_a_crash_in_order(self, tmp_path: Path) -> None:
        log = self._opened(self.open_log(tmp_path))
        messages = [a_message("result.final", minute, order_id="a") for minute in (3, 1, 2)]
        assert [v.outcome for v in log.take(messages[:2], BEGIN)] == [Outcome.ACCEPTED] * 2
        log.crash()
        log.take(messages[2:], BEGIN)
        assert [event.time for event in log.events()] == [BEGIN + minute * MINUTE for minute in (3, 1, 2)]

    def test_the_same_message_is_taken_once_also_after_a_crash(self, tmp_path: Path) -> None:
        log = self._opened(self.open_log(tmp_path))
        message = a_message("result.final", 0, order_id="a")
        log.take([message], BEGIN)
        log.crash()
        again = [a_message("result.final", 0, order_id="a") for _ in range(2)]
        assert [v.outcome for v in log.take(again, BEGIN)] == [Outcome.DUPLICATE] * 2
        assert len(log.events()) == 1

    def test_the_same_identity_with_other_content_is_a_dead_letter(self, tmp_path: Path) -> None:
        log = self._opened(self.open_log(tmp_path))
        log.take([a_message("result.final", 0, order_id="a")], BEGIN)
        [verdict] = log.take([a_message("result.final", 0, order_id="a", content="other")], BEGIN)
        assert (verdict.outcome, verdict.reason) == (Outcome.DEAD, "conflict")
        assert len(log.events()) == 1

    def test_what_lies_more_than_an_hour_ahead_is_a_dead_letter(self, tmp_path: Path) -> None:
        log = self._opened(self.open_log(tmp_path))
        verdicts = log.take([a_message("result.final", minute, order_id="a") for minute in (60, 61)], BEGIN)
        assert [v.outcome for v in verdicts] == [Outcome.ACCEPTED, Outcome.DEAD]


class RuntimeContract(LogContract):
    """Inherit, and say how a runtime is opened in an empty folder, for some thresholds."""

    def open_runtime(self, at: Path, thresholds: ThresholdSet) -> Runtime:
        raise NotImplementedError

    def open_log(self, at: Path) -> Log:
        return self.open_runtime(at, _thresholds())

    def test_time_alone_says_what_is_due_once(self, tmp_path: Path) -> None:
        runtime = self._opened(self.open_runtime(tmp_path, _thresholds()))
        runtime.take([a_message("result.final", 0, order_id="a")], BEGIN)
        for minute in (10, 31, 45, 61, 90):
            runtime.judge(BEGIN + minute * MINUTE)
        assert [alert.state for alert in runtime.transitions()] == [State.WARNING, State.BREACHED]

    def test_evidence_that_comes_late_takes_an_alert_back(self, tmp_path: Path) -> None:
        runtime = self._opened(self.open_runtime(tmp_path, _thresholds()))
        runtime.take([a_message("result.final", 0, order_id="a")], BEGIN)
        runtime.judge(BEGIN + 61 * MINUTE)
        runtime.take([a_message("result.viewed", 20, order_id="a")], BEGIN + 62 * MINUTE)
        runtime.judge(BEGIN + 63 * MINUTE)
        assert [alert.state for alert in runtime.alerts()] == [State.RETRACTED]

    def test_a_crash_at_any_moment_changes_nothing_that_is_said(self, tmp_path: Path) -> None:
        undisturbed = self._told(tmp_path / "undisturbed", lambda _: False)
        assert {one[-1].threshold for one in undisturbed.values()} == {"told", "again", "hold", "share"}
        for moment in range(2 * len(_STORY)):
            assert self._told(tmp_path / f"{moment}", lambda now, at=moment: now == at) == undisturbed  # type: ignore[misc]

    def test_what_stands_is_what_the_engine_says_of_the_events(self, tmp_path: Path) -> None:
        runtime = self._opened(self.open_runtime(tmp_path, _thresholds()))
        _play(runtime, lambda _: False)
        engine = Engine(_thresholds())
        for event in sorted(runtime.events(), key=lambda event: event.time):
            engine.advance(event.time - 1)
            engine.apply(event)
        engine.advance(BEGIN + _STORY[-1][0] * MINUTE)
        assert _standing(runtime.alerts()) == _standing(engine.alerts.values())

    def _told(self, at: Path, crashes: Callable[[int], bool]) -> dict[str, list[Alert]]:
        at.mkdir()
        runtime = self._opened(self.open_runtime(at, _thresholds()))
        _play(runtime, crashes)
        told: dict[str, list[Alert]] = {}  # at one instant alerts may be told in any order
        for alert in runtime.transitions():
            told.setdefault(alert.id, []).append(alert)
        return told


_STORY: Final[list[tuple[int, list[Message]]]] = [
    (0, [a_message("result.final", 0, order_id="a"), a_message("result.final", 0, person="2^N", order_id="b")]),
    (20, [a_message("contact.ended", 20, queue_seconds=90, queue="q", abandoned=True)]),
    (25, [a_message("contact.ended", 25, person="2^N", queue_seconds=5, queue="q", abandoned=False)]),
    (40, [a_message("result.viewed", 38, order_id="a")]),
    (58, [a_message("contact.ended", 57, queue_seconds=30, queue="q", abandoned=True)]),
    (75, [a_message("result.viewed", 50, person="2^N", order_id="b"), a_message("result.final", 70, order_id="c")]),
    (26 * 60, []),
]


def _thresholds() -> ThresholdSet:
    return read_thresholds([("contract.yaml", DECLARED)])[0]


def _play(runtime: Runtime, crashes: Callable[[int], bool]) -> None:
    """Take and judge the story; it may crash behind any acknowledgement and any judgement."""
    for number, (minute, messages) in enumerate(_STORY):
        now = BEGIN + minute * MINUTE
        if messages:
            runtime.take([_copy(message) for message in messages], now)
        if crashes(2 * number):
            runtime.crash()
        runtime.judge(now)
        if crashes(2 * number + 1):
            runtime.crash()


def _copy(message: Message) -> Message:
    """A message of its own: a runtime may change what it takes."""
    [event] = message.events
    told = Event(event.id, event.source, event.type, event.time, dict(event.data), event.identifiers, event.facility)
    return Message(message.kind, message.raw, message.source, message.id, message.digest, (told,))


def _standing(alerts: Iterable[Alert]) -> list[tuple[object, ...]]:
    return sorted(
        (a.id, a.state.value, a.level.value, a.due_at, a.ended_at or 0)
        for a in alerts
        if a.state is not State.RETRACTED
    )
