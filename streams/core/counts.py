"""Counts: an alert opens at the event that makes `at_least` events within the last `in`, and is resolved at the
instant when the count falls below, if the clock reaches it.

With n events needed, the count made by the latest event falls below n when the n-th latest leaves the window
`(t - in, t]`: that instant is kept and moves with each further event. Late evidence judges the whole key again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from operator import attrgetter
from typing import Any, Final

from schemas.alert import Alert, Level, State, alert_id
from schemas.event import Event
from schemas.threshold import CountRule
from streams.core.alerts import Alerts, Draft, new_alert
from streams.core.compiled import Plan, micros
from streams.core.conditions import attribute_of, text_of
from streams.core.state import Person
from streams.core.timers import Timers

_ORDER: Final = attrgetter("time", "source", "id")
_CLOSES: Final = attrgetter("closes")


class Episode:
    """A time over the limit: the event that opened it, and the instant when it closes if nothing more comes."""

    __slots__ = ("alert", "closes", "opener")

    def __init__(self, opener: Event, closes: int) -> None:
        self.opener: Event = opener
        self.closes: int = closes
        self.alert: Alert | None = None


class Count:
    """The evidence of one count threshold for one key value, in order, and its episodes."""

    __slots__ = ("_alerts", "_episodes", "_events", "_span", "_timers", "next", "person", "plan", "value")

    def __init__(self, plan: Plan[CountRule], person: Person, value: str, alerts: Alerts, timers: Timers) -> None:
        self.plan: Plan[CountRule] = plan
        self.person: Person = person
        self.value: str = value
        self.next: int | None = None
        self._alerts: Alerts = alerts
        self._timers: Timers = timers
        self._events: list[Event] = []
        self._episodes: list[Episode] = []
        self._span: int = micros(plan.rule.span)

    def add(self, event: Event, clock: int) -> None:
        """Take one event; in order and without `distinct` the latest episode alone can change."""
        events = self._events
        if self.plan.rule.distinct is None and (not events or _ORDER(event) > _ORDER(events[-1])):
            events.append(event)
            self._extend(self._episodes, len(events) - 1)
            if self._episodes:
                self._look(self._episodes[-1], clock)
            return
        insort(events, event, key=_ORDER)
        self._judge_again(event, clock)

    def counted(self, opened: int) -> list[Event]:
        """The events that made the count at the instant when an alert opened, to explain it."""
        return [e for e in self._events if opened - self._span < e.time <= opened]

    def drop(self) -> list[Alert]:
        """Forget it, for its evidence is about to be put in again; returns the alerts it had."""
        self.next = None
        return self.alerts

    @property
    def alerts(self) -> list[Alert]:
        """Those that were raised, and that its evidence gives."""
        return [e.alert for e in self._episodes if e.alert is not None]

    def ring(self, at: int) -> None:
        """The instant of an episode's close. Several may be open at once: events may be ahead of the clock."""
        for episode in self._episodes[self._first_open() :]:
            self._look(episode, at)

    def _first_open(self) -> int:
        """Which episode is the first that is not told to have closed; each closes behind the one before it."""
        first = len(self._episodes)
        while first and not _has_closed(self._episodes[first - 1]):
            first -= 1
        return first

    def look(self, clock: int) -> None:
        """Bring every alert in line, after evidence was put in without saying so."""
        for episode in self._episodes:
            self._look(episode, clock)

    def _extend(self, episodes: list[Episode], index: int) -> None:
        n = self.plan.rule.at_least
        event = self._events[index]
        if index + 1 < n:
            return
        nth_latest = self._events[index + 1 - n].time
        if nth_latest <= event.time - self._span:
            return
        last = episodes[-1] if episodes else None
        if last is not None and event.time <= last.closes:
            last.closes = nth_latest + self._span
        else:
            episodes.append(Episode(event, nth_latest + self._span))

    def _judge_again(self, event: Event, clock: int) -> None:
        """Judge again from the first episode that the event can touch: what closed before it stays as it was."""
        kept = bisect_left(self._episodes, event.time, key=_CLOSES) if self.plan.rule.distinct is None else 0
        fresh = self._episodes[:kept]
        if self.plan.rule.distinct is None:
            inside = self._episodes[kept] if kept < len(self._episodes) else None
            first = _ORDER(event)
            if inside is not None and _ORDER(inside.opener) < first:
                if event.time <= inside.closes - self._span:
                    return  # one more among those that keep it open anyway
                kept += 1  # one more can only keep it open for longer
                fresh.append(inside)
            for index in range(bisect_left(self._events, first, key=_ORDER), len(self._events)):
                self._extend(fresh, index)
        else:
            self._judge_distinct(fresh, self.plan.rule.distinct)
        old = {id(e.opener): e for e in self._episodes[kept:]}
        for episode in fresh:
            known = old.pop(id(episode.opener), None)
            if known is not None:
                episode.alert = known.alert
        self._episodes = fresh
        for episode in old.values():
            if episode.alert is not None:
                self._alerts.retract(episode.alert)
                self._alerts.let_pass(episode.alert.id)
        for episode in fresh[max(kept - 1, 0) :]:
            self._look(episode, clock)

    def _judge_distinct(self, episodes: list[Episode], attribute: str) -> None:
        """The same over distinct values: at each event the closing instant is when too few values are left."""
        n, span = self.plan.rule.at_least, self._span
        latest: dict[Any, int] = {}  # value -> time of its latest event; one that lacks the attribute is its own
        for event in self._events:
            value = text_of(attribute_of(event.data, attribute)) or (event.source, event.id)
            latest[value] = event.time
            times = sorted((t for t in latest.values() if t > event.time - span), reverse=True)
            if len(times) < n:
                continue
            closes = times[n - 1] + span
            if episodes and event.time <= episodes[-1].closes:
                episodes[-1].closes = max(episodes[-1].closes, closes)
            else:
                episodes.append(Episode(event, closes))

    def _look(self, episode: Episode, clock: int) -> None:
        opener = episode.opener
        closed = clock >= episode.closes
        draft = Draft(
            state=State.RESOLVED if closed else State.BREACHED,
            level=Level.BREACHED,
            due_at=opener.time,
            ended_at=episode.closes if closed else None,
            fired_at=max(opener.time, self._alerts.now),
        )
        if episode.alert is None:
            id_ = alert_id(self.plan.id, opener.source, opener.id)
            episode.alert = self._alerts.raise_(id_, self, lambda: self._alert(id_, opener, draft))
        if episode.alert.state is not State.RETRACTED:
            draft.fired_at = episode.alert.fired_at  # it was said then, whichever record stands behind it now
        self._alerts.move(episode.alert, draft)
        if not closed and (self.next is None or episode.closes < self.next):  # of all that are open the first
            self._timers.set(self, episode.closes)

    def _alert(self, id_: str, opener: Event, draft: Draft) -> Alert:
        threshold, rule = self.plan.threshold, self.plan.rule
        return new_alert(
            threshold,
            draft,
            id_=id_,
            key=self.value,
            started_at=opener.time,
            facility=opener.facility,
            reason=f"{rule.at_least} or more {' or '.join(m.event for m in rule.event)} within {rule.span}",
            sensitivity=opener.sensitivity,
        )


def _has_closed(episode: Episode) -> bool:
    return episode.alert is not None and episode.alert.state is State.RESOLVED
