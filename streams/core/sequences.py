"""Sequences: each `then` that follows a `first` of its key by more than nothing and at most `within` is an alert."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from schemas.alert import Alert, Level, State, alert_id
from schemas.event import Event
from schemas.threshold import MeasureRule, SequenceRule, Threshold
from streams.core.alerts import Alerts, Draft, new_alert
from streams.core.compiled import Plan
from streams.core.state import BY_TIME, Person


def at_once(threshold: Threshold, event: Event, key: str, now: int, reason: str) -> Alert:
    """The alert of one event: born resolved, all its times the event's, but for the log time."""
    at = event.time
    draft = Draft(State.RESOLVED, Level.BREACHED, due_at=at, ended_at=at, fired_at=max(now, at))
    return new_alert(
        threshold,
        draft,
        id_=alert_id(threshold.id, event.source, event.id),
        key=key,
        started_at=at,
        facility=event.facility,
        reason=reason,
        sensitivity=event.sensitivity,
    )


class Momentary:
    """The record behind an alert of one event: the event, the key it stands under, and what it followed."""

    __slots__ = ("event", "followed", "key", "threshold", "value")

    def __init__(
        self,
        threshold: Threshold,
        event: Event,
        key: tuple[str, ...] | None,
        value: str,
        followed: Sequence | None = None,
    ) -> None:
        self.followed: Sequence | None = followed
        self.threshold: Threshold = threshold
        self.event: Event = event
        self.key: tuple[str, ...] | None = key
        self.value: str = value


def raise_at_once(alerts: Alerts, record: Momentary, reason: str) -> Alert:
    """Raise the alert of one event, or take it up again."""
    alert = at_once(record.threshold, record.event, record.value, alerts.now, reason)
    known = alerts.raise_(alert.id, record, lambda: alert)
    if known.state is State.RETRACTED:
        known.state = State.RESOLVED
        known.ended_at, known.delay_seconds = alert.ended_at, 0
        alerts.announce(known)
    return known


def measure_reason(rule: MeasureRule) -> str:
    limit = rule.limit
    if limit.above is not None:
        return f"{rule.value} is above {_number(limit.above)}"
    return f"{rule.value} is below {_number(limit.below)}"


def _number(value: object) -> str:
    return f"{float(value):g}" if value is not None else ""  # type: ignore[arg-type]  # a Fraction


class Sequence:
    """The evidence of one sequence threshold for one key value: times of firsts, events of thens, both in order."""

    __slots__ = ("_firsts", "_thens", "person", "plan", "value")

    def __init__(self, plan: Plan[SequenceRule], person: Person, value: str) -> None:
        self.plan: Plan[SequenceRule] = plan
        self.person: Person = person
        self.value: str = value
        self._firsts: list[int] = []
        self._thens: list[Event] = []

    def first(self, event: Event, alerts: Alerts) -> None:
        """A first: thens that came before it by arrival may now follow it."""
        firsts = self._firsts
        if not firsts or event.time >= firsts[-1]:
            firsts.append(event.time)
        else:
            insort(firsts, event.time)
        if not self._thens or self._thens[-1].time <= event.time:
            return
        low = bisect_right(self._thens, event.time, key=BY_TIME)
        high = bisect_right(self._thens, event.time + self.plan.within, key=BY_TIME)
        for then in self._thens[low:high]:
            self._raise(then, alerts)

    def then(self, event: Event, alerts: Alerts) -> None:
        """A then: it is an alert if a first lies before it, near enough."""
        thens = self._thens
        if not thens or event.time >= thens[-1].time:
            thens.append(event)
        else:
            insort(thens, event, key=BY_TIME)
        before = bisect_left(self._firsts, event.time)
        if before and event.time - self._firsts[before - 1] <= self.plan.within:
            self._raise(event, alerts)

    def first_before(self, event: Event) -> int | None:
        """The time of the latest first that a then follows, to explain it."""
        before = bisect_left(self._firsts, event.time)
        return self._firsts[before - 1] if before else None

    def _raise(self, event: Event, alerts: Alerts) -> None:
        rule = self.plan.rule
        firsts = " or ".join(dict.fromkeys(m.event for m in rule.first))
        record = Momentary(self.plan.threshold, event, rule.key, self.value, self)
        alert = raise_at_once(alerts, record, f"{event.type} within {rule.within} of {firsts}")
        self.person.keep_moment(alert)
