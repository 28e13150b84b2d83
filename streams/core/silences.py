"""Silences: a source that has sent nothing for longer than it does at that hour of its week.

Theory. What moves is log time: `recorded` live, the largest event time in a replay. So a silence follows from the log,
in its order, and late evidence changes nothing of it: what a message tells of is not asked, only when it was heard.
At every instant a source has been quiet for some time, the time since it was last heard. Of each hour of its week, by
the wall clock of the threshold's calendar (UTC without one), the longest such quiet is remembered, of the last four.
A source is silent once its quiet reaches twice the longest of that hour and of the hours beside it (it may come an hour
earlier or later than it did), and at least `at_least` (a minute); a message at that very instant is in time. So a night
is as long as nights are, and what does not come back in the morning is missed in the first hour that was always busy.

An hour that was not met whole four times is not judged: four weeks from the first message on. A silence teaches an hour
at most twice what it knew, so that one outage does not teach that outages are usual, and a rhythm that has changed is
learned within weeks; and the hour just over is asked what it knew before: no quiet is judged by itself. In planned
downtime, and while the hub itself did not listen (`away`), nothing counts as quiet: it begins at the end of it, and
such an hour teaches nothing. An absence of less than a minute (a restart) is only left out of the quiet, for a hub that
is restarted again and again must not excuse everybody for ever. Who was quiet for five weeks is known no more: what is
open stays open, and the next message begins anew.

A source is known by the first message that was accepted; what is ignored or a dead letter shows that it is there, too.
One alert a silence: its id follows from the threshold, the source, and when it was last heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.alert import Alert, Level, State, alert_id
from schemas.event import DAY, HOUR, MINUTE
from schemas.threshold import SilenceRule
from streams.core.alerts import Alerts, Draft, new_alert
from streams.core.compiled import Plan, micros
from streams.core.downtimes import Span, downtimes_within
from streams.core.timers import FAR, Timers
from streams.core.zones import Zone, zone

ENOUGH: Final = 4
"""How many hours of one kind are remembered, and needed."""
FORGOTTEN: Final = 35 * DAY
_LEAST: Final = MINUTE
_SHORT: Final = MINUTE
"""A pause shorter than this is left out of the quiet; after a longer one it begins anew."""
_WEEK: Final = 168  # hours
_MOST: Final = 10_000  # sources of a threshold: who names its sources by chance must not fill the memory


class Silence:
    """One source under one threshold. Times in microseconds.

    `heard` is the last message, `since` what its quiet counts from, `begin`, `end` and `hour` the hour of the week that
    it was looked at in last, `longest` the longest quiet in it so far; `whole` says that it teaches, `stood` that a
    silence was open in it. `calm` is an instant before which a message only needs to be noted.
    """

    __slots__ = (
        "_alerts", "_away", "_pauses", "_timers", "_zone", "alert", "asleep", "before", "begin", "calm", "cleared",
        "due", "end", "facility", "heard", "hour", "hours", "is_changed", "longest", "next", "plan", "since", "source",
        "stood", "touched", "whole", "written",
    )  # fmt: skip

    def __init__(self, plan: Plan[SilenceRule], source: str, alerts: Alerts, timers: Timers, away: list[Span]) -> None:
        self.plan: Plan[SilenceRule] = plan
        self.source: str = source
        self._alerts: Alerts = alerts
        self._timers: Timers = timers
        self._away: list[Span] = away
        calendar = plan.threshold.calendar
        self._zone: Zone = zone((calendar.timezone if calendar is not None else None) or "UTC")
        self.hours: dict[int, list[int]] = {}
        self.before: list[int] = []  # what the hour just over knew before it was over
        self.begin: int = (
            -FAR
        )  # of the hour that is looked at; what lasted until this very instant was the one's before
        self.heard: int = -FAR
        self.since: int = -FAR
        self.end: int = -FAR
        self.hour: int = 0
        self.longest: int = 0
        self.whole: bool = False
        self.stood: bool = False
        self.asleep: bool = True
        self.facility: str | None = None
        self.alert: Alert | None = None
        self.due: int | None = None
        self.calm: int = -FAR
        self.next: int | None = None
        self._pauses: list[Span] = []
        self.written: int = -FAR  # `heard` as it was written last
        self.is_changed: bool = False
        self.touched: set[int] = set()
        self.cleared: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the source is silent, and was said to be."""
        return self.alert is not None and self.alert.state is State.BREACHED

    def hear(self, at: int, facility: str | None) -> None:
        """A message came at a log time."""
        self.facility = facility
        if self.begin < at < self.calm:
            quiet = at - self.since
            if quiet > 0:
                self.longest = max(self.longest, quiet)
                self.heard = self.since = at
            return
        if at <= self.heard:
            return
        self.is_changed = True
        if not self.asleep:
            self._pass_to(at)
        if self.asleep:
            self.asleep = False
            self._enter(at, whole=False)
        if at > self.begin:
            self.longest = max(self.longest, at - self.since)
        if self.alert is not None and self.is_open:
            self._say(self.alert.due_at, ended=at)
        self.heard = self.since = at
        self.refresh()

    def pass_to(self, at: int) -> None:
        """Nothing was heard before an instant at which something was: what was due until then was due."""
        if at >= self.calm and at > self.heard and not self.asleep:
            self._pass_to(at)

    def ring(self, at: int) -> None:
        """An hour is over, or the quiet has reached its limit."""
        self.is_changed = True
        self._pass_to(at + 1)
        self.refresh()

    def refresh(self) -> None:
        """Look anew at what is planned, when it is due, and when to ring."""
        if self.asleep:
            self.due, self.calm = None, -FAR
            return
        self.begin = self.end - HOUR
        self._pauses = self._find_pauses()
        if self._pauses:
            self.whole = False
        self.due = None if self.is_open else self._find_due()
        first = self.end if self.due is None else min(self.due, self.end)
        self.calm = -FAR if self.is_open or self._pauses else first
        if self.next is None or first < self.next:
            self._timers.set(self, first)

    def _pass_to(self, at: int) -> None:
        """Let all that lies before an instant happen; afterwards the instant lies in the hour that is looked at."""
        self.due = None if self.is_open else self._find_due()  # what was heard since has moved it
        while True:
            if self.due is not None and self.due < min(at, self.end):
                self._open(self.due)
            if at < self.end:
                return
            self._leave()
            if self.asleep:
                return
            self._enter(self.end, whole=True)

    def _enter(self, at: int, *, whole: bool) -> None:
        if not whole:
            self.heard = self.since = at
        offset = self._zone.offset(at)
        self.end = at - (at + offset) % HOUR + HOUR
        self.begin = self.end - HOUR
        self.hour = ((at + offset) // HOUR + 3 * 24) % _WEEK  # the epoch was a Thursday
        self.longest = 0
        self.stood = self.is_open
        self._pauses = self._find_pauses()
        self.whole = whole and not self._pauses
        self.due = None if self.is_open else self._find_due()

    def _leave(self) -> None:
        """The hour is over: learn from it."""
        for start, end in self._pauses:
            self.since = _excused(self.since, start, end)
        longest = max(self.longest, self.end - self.since)
        self.before = self.hours.get(self.hour, [])
        knows = len(self.before) >= ENOUGH
        if self.plan.rule.quiet is None and self.whole and (knows or not self.stood):
            if self.stood:
                longest = min(longest, self._allowed(self.before))
            self.hours[self.hour] = [*self.before, longest][-ENOUGH:]
            self.touched.add(self.hour)
        if self.end - self.since >= FORGOTTEN:
            self.asleep = self.cleared = True
            self.hours.clear()
            self.before = []
            self.touched.clear()

    def limit(self) -> int | None:
        """How long the source may be quiet in this hour; None where not enough is known."""
        quiet = self.plan.rule.quiet
        if quiet is not None:
            return max(micros(quiet), self._allowed(()))
        own, later = self.hours.get(self.hour, ()), self.hours.get((self.hour + 1) % _WEEK, ())
        return None if len(own) < ENOUGH else self._allowed((*self.before, *own, *later))

    def _allowed(self, quiets: Sequence[int]) -> int:
        """The limit that such quiets give."""
        at_least = self.plan.rule.at_least
        return max(2 * max(quiets, default=0), _LEAST if at_least is None else micros(at_least))

    def _find_due(self) -> int | None:
        """When the quiet reaches its limit within this hour, if nothing is heard; None if it does not."""
        limit = self.limit()
        if limit is None:
            return None
        since, begin = self.since, self.begin
        due = max(begin, since + limit)
        for start, end in self._pauses:
            if start < due and end > since:  # what begins at that instant comes too late to excuse it
                since = _excused(since, start, end)
                due = max(begin, since + limit)
        return due if due < self.end else None

    def _find_pauses(self) -> list[Span]:
        begin, end = self.begin, self.end
        found = [(max(since, begin), min(until, end)) for since, until in self._away if since < end and until > begin]
        if self.plan.rule.downtime:
            offset = self._zone.offset(end - 1)
            walls = downtimes_within(self.plan.rule.downtime, self.source, begin + offset, end + offset)
            found += [(start - offset, until - offset) for start, until in walls]
        return sorted(found)

    # -- saying it

    def _open(self, due: int) -> None:
        self.stood, self.due = True, None
        self._alerts.now = max(self._alerts.now, due)
        if self.alert is not None:
            self._alerts.let_pass(self.alert.id)
        self.alert = None
        self._say(due, ended=None)

    def _say(self, due: int, *, ended: int | None) -> None:
        known = self.alert
        draft = Draft(
            state=State.BREACHED if ended is None else State.RESOLVED,
            level=Level.BREACHED,
            due_at=due,
            ended_at=ended,
            fired_at=max(due, self._alerts.now) if known is None else known.fired_at,
        )
        if known is None:
            id_ = alert_id(self.plan.id, self.source, str(self.heard))
            limit = self.limit() or 0
            known = self.alert = self._alerts.raise_(id_, self, lambda: self._alert(id_, draft, limit))
        self._alerts.move(known, draft)

    def _alert(self, id_: str, draft: Draft, limit: int) -> Alert:
        threshold = self.plan.threshold
        usual = "" if self.plan.rule.quiet is not None else ", twice its longest quiet around that hour of the week"
        seconds = limit // 1_000_000
        lasts = f"{seconds // 3600}h {seconds // 60 % 60}m" if seconds >= 3600 else f"{seconds // 60}m {seconds % 60}s"
        return new_alert(
            threshold,
            draft,
            id_=id_,
            key=self.source,
            started_at=self.heard,
            facility=self.facility,
            reason=f"nothing was heard of it for {lasts} and more{usual}",
        )


def _excused(since: int, start: int, end: int) -> int:
    """What a quiet counts from, once it has outlasted a pause."""
    if end <= since:
        return since
    return since + end - max(start, since) if end - start < _SHORT else end


class Silences:
    """All sources, under all thresholds of the kind. `frozen`: what is told now was heard before."""

    __slots__ = ("_alerts", "_plans", "_timers", "away", "by_source", "frozen", "unwatched")

    def __init__(self, plans: Iterable[Plan[SilenceRule]], alerts: Alerts, timers: Timers) -> None:
        self._plans: tuple[Plan[SilenceRule], ...] = tuple(plans)
        self._alerts: Alerts = alerts
        self._timers: Timers = timers
        self.away: list[Span] = []
        self.by_source: dict[str, tuple[Silence, ...]] = {}
        self.frozen: bool = False
        self.unwatched: int = 0  # messages of sources beyond those that are watched

    def __bool__(self) -> bool:
        return bool(self._plans)

    def accept(self, source: str, at: int, facility: str | None) -> None:
        """A message that was accepted came at a log time."""
        if self.frozen:
            return
        known = self.by_source.get(source)
        if known is None:
            if len(self.by_source) >= _MOST or not source:
                self.unwatched += 1
                return
            known = self.watch(source)
        for silence in known:
            if silence.begin < at < silence.calm and (quiet := at - silence.since) > 0:
                # as `Silence.hear` would: a call for each event costs more than what it does
                silence.facility = facility
                if quiet > silence.longest:  # noqa: PLR1730 - a call costs more
                    silence.longest = quiet
                silence.heard = silence.since = at
            else:
                silence.hear(at, facility)

    def hear(self, source: str, at: int) -> None:
        """A message that was not taken shows that its source is there, if the source is known."""
        for silence in () if self.frozen else self.by_source.get(source, ()):
            silence.hear(at, silence.facility)

    def pass_to(self, source: str, at: int) -> None:
        """Before an instant at which a source was heard it was not."""
        for silence in () if self.frozen else self.by_source.get(source, ()):
            silence.pass_to(at)

    def watch(self, source: str) -> tuple[Silence, ...]:
        """The records of a source, made where they are new."""
        known = self.by_source.get(source)
        if known is None:
            made = (Silence(plan, source, self._alerts, self._timers, self.away) for plan in self._plans)
            known = self.by_source[source] = tuple(made)
        return known

    def find(self, threshold: str, source: str) -> Silence | None:
        """The record of a source under a threshold; None for a threshold that there is not."""
        return next((silence for silence in self.watch(source) if silence.plan.id == threshold), None)

    def stay_away(self, since: int, until: int) -> None:
        """The hub does not listen between two instants that the clock has not passed."""
        self.away.append((since, until))
        for silence in self.all():
            silence.refresh()

    def all(self) -> list[Silence]:
        """Every record."""
        return [silence for known in self.by_source.values() for silence in known]

    def wake(self) -> None:
        """Let those ring that were read back."""
        for silence in self.all():
            silence.refresh()
