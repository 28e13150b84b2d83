"""Put one event to the waits of its person: in order by the short way, out of order by judging again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from schemas.alert import Alert, Level, State, alert_id
from schemas.event import Event
from schemas.threshold import PERSON
from streams.core.alerts import Alerts, Draft, new_alert
from streams.core.compiled import END, PAUSE, START, CompiledMatch, Group, GroupPlan, TypePlan, WaitPlan
from streams.core.starts import Start
from streams.core.state import BY_PLAN, BY_TIME, NEVER, Journey, Person, Wait, begin_wait
from streams.core.timers import Timers
from streams.core.waits import (
    Judgement,
    as_key,
    close_wait,
    entries_since,
    finds,
    holds,
    move_wait,
    next_instant,
    pause_wait,
    resume_wait,
    standing,
)

_PERSON_KEY: Final = (PERSON,)
_STATES: Final = {state.value: state for state in State}  # to call an enum costs as much as the rest of the look
_LEVELS: Final = {level.value: level for level in Level}
_STARTED: Final = attrgetter("start.time")


class Running:
    """The waits of all persons. `clock` is the log's; the engine moves it.

    `deferred` collects waits while evidence is being put in again after a change of identity: they are looked at
    when all of it is there, so that nothing is raised and taken back on the way.
    """

    __slots__ = ("_alerts", "_timers", "again", "clock", "count", "deferred", "without_due", "without_key")

    def __init__(self, alerts: Alerts, timers: Timers) -> None:
        self._alerts: Alerts = alerts
        self._timers: Timers = timers
        self.again: bool = False  # evidence is being put in again: it was counted before
        self.clock: int = NEVER
        self.count: int = 0  # waits that there are
        self.without_due: int = 0  # starts that gave no time
        self.without_key: int = 0  # events that lacked a key
        self.deferred: dict[Wait, None] | None = None

    def apply(self, plan: TypePlan, event: Event, person: Person) -> None:
        """Take an event into the evidence of its person, and judge what it touches."""
        time = event.time
        in_order = time > person.last
        precision = event.precision
        if precision:
            person.coarse = max(person.coarse, precision)
            person.last = max(person.last, time + precision)
        elif in_order:
            person.last = time
        for group_plan in plan.groups:
            self._narrow(group_plan, event, person, in_order=in_order)
        if plan.wide:
            self._wide(plan, event, person, in_order=in_order)

    def look(self, wait: Wait) -> None:
        """Bring a wait's alert and timer in line with what its evidence says at this clock."""
        if self.deferred is not None:
            self.deferred[wait] = None
            return
        deserved = standing(wait, self.clock)
        if deserved is not None:
            self._say(wait, _STATES[deserved[0]], _LEVELS[deserved[1]])
        elif wait.alert is not None:
            close = wait.close
            self._alerts.retract(wait.alert, ended_at=close.time if close else None)
        instant = next_instant(wait, self.clock)
        if instant is None:
            wait.next = None
        elif wait.next != instant:
            self._timers.set(wait, instant)

    def settle(self) -> None:
        """Look at all that was deferred."""
        deferred, self.deferred = self.deferred, None
        for wait in deferred or ():
            self.look(wait)

    def drop_all(self, person: Person) -> list[Alert]:
        """Forget the waits of a person whose evidence is about to be put in again; returns the alerts they had."""
        raised: list[Alert] = []
        for journey in person.every_journey():
            self.count -= len(journey.waits)
            for wait in journey.waits:
                wait.next = None
                if wait.alert is not None:
                    raised.append(wait.alert)
                if self.deferred is not None:
                    self.deferred.pop(wait, None)
        return raised

    # -- the short way

    def _narrow(self, group_plan: GroupPlan, event: Event, person: Person, *, in_order: bool) -> None:
        group, data = group_plan.group, event.data
        attribute = group.attribute
        value: str | tuple[str, ...] | None
        if attribute is not None and person.aliases is None and type(text := data.get(attribute)) is str and text:
            value = text
        else:
            value = self._value(group, event, person)
            if value is None:
                return
        starts = group_plan.starting.of(data) if group_plan.starts else ()
        if not group_plan.marks and not any(test is None or test(data) for _, test, _ in starts):
            return  # it neither starts nor marks anything here
        journeys = person.journeys.get(group.index)
        if journeys is None:
            journeys = person.journeys[group.index] = {}
        journey = journeys.get(value)
        if journey is None:
            journey = journeys[value] = Journey(person, group, value)
        time = event.time
        if in_order or (time > journey.last and time > person.wide_last):
            journey.add_event(event)
            if starts:
                self._start_in_order(starts, event, journey)
            if group_plan.marks:
                self._mark_in_order(group_plan.marks, event, journey)
            return
        journey.insert_event(event)
        for plan in group_plan.plans:
            held = [m for m in plan.narrow[event.type] if holds(m, event, person)]
            if held:
                self.without_due += not self.again and held[0].rank == START and plan.due(event) is None
                self._judge_again(plan, journey, event)

    def _value(self, group: Group, event: Event, person: Person) -> str | tuple[str, ...] | None:
        """Which journey of its group the event is in; None for none."""
        attribute = group.attribute
        if attribute is not None and type(text := event.data.get(attribute)) is str and text:
            return text if person.aliases is None else person.aliases.get((attribute, text), text)
        if group.key == _PERSON_KEY:
            return None if person.anonymous else ""
        value = as_key(event.data, group.key, person)
        if value is None:
            self.without_key += not self.again
        return value

    def _start_in_order(self, starts: Sequence[Start], event: Event, journey: Journey) -> None:
        started: WaitPlan | None = None
        person = journey.person
        open_waits = journey.open_waits()
        for plan, test, facts in starts:
            if plan is started or (test is not None and not test(event.data)):
                continue
            if facts is not None and not facts(event.data, event.time, person.fact):
                continue
            started = plan
            due = plan.due(event)
            if due is None:
                self.without_due += not self.again
                continue
            if not plan.plain_starts:
                self._judge_again(plan, journey, event)
                continue
            runs = False
            for wait in open_waits:
                if wait.plan is plan:
                    runs = True
                    break
            if runs and plan.restart == "keep":
                continue
            moved = False
            if runs and plan.restart == "move":
                for wait in [w for w in open_waits if w.plan is plan and move_wait(w, event, *due)]:
                    moved = True
                    self.look(wait)
            if not moved:
                self._open(begin_wait(plan, journey, event, due, fresh=not runs))

    def _open(self, wait: Wait) -> None:
        """Take a wait that was just made into account."""
        wait.journey.add_wait(wait)
        wait.applied = (self.again and wait.start.recorded) or self._alerts.now
        self.count += 1
        if self.deferred is None:
            plan = wait.plan
            first = wait.due + plan.grace if plan.grace else wait.due
            if plan.warns and (warn := wait.warn) is not None and warn < first:
                first = warn
            if self.clock < first:  # nothing to say yet
                self._timers.set(wait, first)
                return
        self.look(wait)

    def _mark_in_order(self, marks: dict[WaitPlan, list[CompiledMatch]], event: Event, journey: Journey) -> None:
        waits = journey.open_waits()
        if not waits:
            return
        data, person = event.data, journey.person
        again: dict[WaitPlan, None] = {}
        for wait in tuple(waits):
            matches = marks.get(wait.plan)
            if matches is None or wait.start is event or wait.counted is event:
                continue
            if not wait.plan.plain_marks:
                again[wait.plan] = None
                continue
            for match in matches:
                if match.test is not None and not match.test(data):
                    continue
                if match.facts is not None and not match.facts(data, event.time, person.fact):
                    continue
                if match.by is not None and not finds(match, event, wait):
                    continue
                if match.rank >= END:
                    close_wait(wait, event, cancelled=match.rank != END)
                    self._close(wait)
                    break
                changed = pause_wait(wait, event) if match.rank == PAUSE else resume_wait(wait, event)
                if changed:
                    self.look(wait)
        for plan in again:
            self._judge_again(plan, journey, event)

    def _close(self, wait: Wait) -> None:
        journey = wait.journey
        journey.close_wait(wait)
        in_time = wait.due if (warn := wait.warn) is None else min(warn, wait.due)
        if wait.alert is None and self.deferred is None and wait.close is not None and wait.close.time <= in_time:
            wait.next = None  # nothing was said of it, and nothing will be
            return
        self.look(wait)

    def _wide(self, plan: TypePlan, event: Event, person: Person, *, in_order: bool) -> None:
        wide = person.wide
        if wide is None:
            wide = person.wide = []
        if in_order:
            wide.append(event)
        else:
            insort(wide, event, key=BY_TIME)
        found_before = person.wide_last  # what `by` found may have closed a wait later than this event would
        person.wide_last = max(found_before, event.time + event.precision)
        if person.anonymous:
            return
        if in_order:
            concerned = plan.wide_by_group
            for journey in tuple(person.open):
                if journey.group in concerned:
                    self._mark_in_order(plan.wide, event, journey)
            return
        for journey in list(person.every_journey()):
            if event.time > journey.last and event.time > found_before:
                self._mark_in_order(plan.wide, event, journey)
                continue
            for wait_plan in plan.wide_by_group.get(journey.group, ()):
                if any(holds(m, event, person) for m in wait_plan.wide[event.type]):
                    self._judge_again(wait_plan, journey, event)

    # -- judging again

    def _judge_again(self, plan: WaitPlan, journey: Journey, event: Event) -> None:
        """Judge a threshold's waits in a journey from the last quiet point before an event on."""
        waits = journey.waits
        time = event.time
        reach = plan.skew + journey.person.coarse
        begin = bisect_left(waits, plan.index, key=BY_PLAN)
        end = bisect_right(waits, plan.index, lo=begin, key=BY_PLAN)
        low = bisect_left(waits, time, begin, end, key=_STARTED)
        while low > begin and not waits[low - 1].fresh:
            low -= 1
        anchor = waits[low - 1] if low > begin else None
        if anchor is None:
            started = begin < end and waits[begin].start.time <= time + reach
            if not started and all(m.rank != START for m in plan.narrow.get(event.type, ())):
                return  # no wait began before it that it could end, and it begins none
            low, since, first = begin, NEVER, None
        else:
            low, since = low - 1, anchor.start.time - reach
            first = (anchor.start.time, 0, anchor.start.source, anchor.start.id)

        def known(start: Event) -> int | None:
            if start.time <= time + reach:
                return None
            at = bisect_left(waits, start.time, low, end, key=_STARTED)
            while at < end and waits[at].start.time == start.time:
                if waits[at].start is start and waits[at].fresh:
                    return at
                at += 1
            return None

        judgement = Judgement(plan, journey)
        stop = judgement.judge(entries_since(plan, journey, since), first, known)
        self._reconcile(journey, low, end if stop is None else stop, judgement.waits)

    def _reconcile(self, journey: Journey, low: int, high: int, judged: list[Wait]) -> None:
        """Put the newly judged waits in the place of the old ones, each with what was already said of it."""
        old = {id(w.start): w for w in journey.waits[low:high]}
        kept = [_renewed(old.pop(id(new.start), None), new) for new in judged]
        journey.replace_waits(low, high, kept)
        self.count += sum(w.applied == NEVER for w in kept) - len(old)
        for wait in old.values():
            self._supersede(wait, kept)
        for wait in kept:
            if wait.applied == NEVER:
                wait.applied = (self.again and wait.start.recorded) or self._alerts.now
            self.look(wait)

    def _supersede(self, wait: Wait, judged: list[Wait]) -> None:
        wait.next = None
        if self.deferred is not None:
            self.deferred.pop(wait, None)
        if wait.alert is None:
            return
        at = bisect_right(judged, wait.start.time, key=_STARTED)
        heir = judged[at - 1] if at else None
        id_ = None if heir is None else alert_id(heir.plan.id, heir.start.source, heir.start.id)
        self._alerts.retract(wait.alert, superseded_by=id_)
        self._alerts.let_pass(wait.alert.id)

    # -- saying it

    def _say(self, wait: Wait, state: State, level: Level) -> None:
        instant = wait.due if level is Level.BREACHED or wait.warn is None else wait.warn
        draft = Draft(
            state=state,
            level=level,
            due_at=wait.due,
            ended_at=wait.close.time if wait.close else None,
            fired_at=max(instant, wait.applied),
            late_start=wait.due < wait.applied,
        )
        if wait.alert is None:
            plan = wait.plan
            id_ = alert_id(plan.id, wait.start.source, wait.start.id)
            wait.alert = self._alerts.raise_(id_, wait, lambda: _alert(wait, id_, draft))
        self._alerts.move(wait.alert, draft)


def _renewed(old: Wait | None, new: Wait) -> Wait:
    """The wait that was there, with the new verdict; or the new one."""
    if old is None:
        return new
    old.counted, old.base, old.due = new.counted, new.base, new.due
    old.close, old.cancelled = new.close, new.cancelled
    old.pauses, old.paused, old.fresh = new.pauses, new.paused, new.fresh
    return old


def _alert(wait: Wait, id_: str, draft: Draft) -> Alert:
    threshold = wait.plan.threshold
    return new_alert(
        threshold,
        draft,
        id_=id_,
        key=wait.journey.key_text(),
        started_at=wait.start.time,
        facility=wait.start.facility,
        reason=wait.plan.reason,
        sensitivity=wait.start.sensitivity,
    )
