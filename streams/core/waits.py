"""Judge waits from their own evidence.

Law: the verdict follows from the set of starts, pauses, resumes, ends and cancels and the last clock, never from the
order of arrival. So nothing is updated in place: evidence is kept in order of time, and what new evidence can touch
is judged again from the last quiet point before it, an instant at which no wait of the threshold ran in the journey.

At one instant the order is: starts, pauses, resumes, ends, cancels; then source and id. An end reaches back over the
threshold's `skew` and the coarseness of its own stamp: it closes every wait that runs at its time, and every wait
whose start comes within that reach behind it. A cancel does not reach back. An event never closes a wait that it
started or moved.

The in-order case (an event later than all that is held) needs none of this: `open_in_order` and `mark_in_order` do
what `judge` would have done, and property tests hold the two together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import groupby
from typing import Any, Final

from schemas.event import Event
from schemas.threshold import PERSON
from streams.core.compiled import CANCEL, END, PAUSE, START, CompiledMatch, WaitPlan
from streams.core.conditions import attribute_of, text_of
from streams.core.state import BY_TIME, Journey, Person, Wait, begin_wait

Place = tuple[int, int, str, str]
"""A place in the order of the law: time, rank, source, id."""
Entry = tuple[int, int, str, str, Event, CompiledMatch]
"""One role of one event: its place, the event and the match that holds."""

PERSON_MARK: Final = "\x00"  # in a key value, where the key says `person`: the id may change by a merge
_BY_PERSON: Final = (PERSON,)


def holds(match: CompiledMatch, event: Event, person: Person) -> bool:
    """Whether a match holds of an event of its type."""
    if match.test is not None and not match.test(event.data):
        return False
    return match.facts is None or match.facts(event.data, event.time, person.fact)


def value_of(event: Event, attribute: str, person: Person) -> str | None:
    """An attribute as text, a number known under two names by its first one (DESIGN.md, identity is timeless)."""
    text = text_of(attribute_of(event.data, attribute))
    if person.aliases is not None and text is not None:
        return person.aliases.get((attribute, text), text)
    return text


def finds(match: CompiledMatch, event: Event, wait: Wait) -> bool:
    """Whether a `by` match finds this wait: all of the person's, or those whose start carried the same values."""
    if match.by is None or match.by == _BY_PERSON:
        return True
    person = wait.journey.person
    for attribute in match.by:
        value = value_of(event, attribute, person)
        if value is None or value != value_of(wait.start, attribute, person):
            return False
    return True


def close_wait(wait: Wait, event: Event, *, cancelled: bool) -> None:
    """Let an event close a wait. A pause that nothing resumed stays open: until a resume the wait cannot breach, and
    due stays where it was when the pause began."""
    wait.close = event
    wait.cancelled = cancelled


def _move_by_pause(wait: Wait, begin: Event, end: Event) -> None:
    plan = wait.plan
    if plan.push is not None and plan.open_time is not None:
        wait.due = plan.push(wait.due, plan.open_time(begin.time, end.time))
    else:
        wait.due += end.time - begin.time
    wait.pauses = (*wait.pauses, (begin, end))


def pause_wait(wait: Wait, event: Event) -> bool:
    """Pause a running wait, if the pause counts."""
    if wait.paused is not None or event.time < wait.base or event.time >= wait.due:
        return False
    wait.paused = event
    return True


def resume_wait(wait: Wait, event: Event) -> bool:
    if wait.paused is None:
        return False
    begin, wait.paused = wait.paused, None
    _move_by_pause(wait, begin, event)
    return True


def move_wait(wait: Wait, event: Event, due: int, base: int) -> bool:
    """Let due count from a newer start, if that start is in time; pauses before it no longer count."""
    if wait.paused is None and event.time > wait.due:
        return False
    wait.counted = event
    wait.due, wait.base = due, base
    wait.paused, wait.pauses = None, ()
    return True


def entries_since(plan: WaitPlan, journey: Journey, since: int) -> Iterator[Entry]:
    """All that concerns the waits of a threshold in a journey from an instant on, in the order of the law; an instant
    at a time, for whoever asks may stop long before the end."""
    person = journey.person
    found = _entries(plan.narrow, journey.events, since, person)
    if person.wide and plan.wide and not person.anonymous:
        found = merge(found, _entries(plan.wide, person.wide, since, person), key=_time)
    for _, at_one_instant in groupby(found, key=_time):
        yield from sorted(at_one_instant, key=_order)


def _time(entry: Entry) -> int:
    return entry[0]


def _order(entry: Entry) -> Place:
    return entry[:4]


def _entries(
    matches: dict[str, list[CompiledMatch]], events: list[Event], since: int, person: Person
) -> Iterator[Entry]:
    for at in range(bisect_left(events, since, key=BY_TIME), len(events)):
        event = events[at]
        started = False
        for match in matches.get(event.type, ()):
            if match.rank == START and started:
                continue
            if holds(match, event, person):
                started = started or match.rank == START
                yield (event.time, match.rank, event.source, event.id, event, match)


class Judgement:
    """One pass over the evidence of a threshold in a journey."""

    __slots__ = ("_counted", "_journey", "_plan", "_reaching", "_running", "waits")

    def __init__(self, plan: WaitPlan, journey: Journey) -> None:
        self._plan: WaitPlan = plan
        self._journey: Journey = journey
        self._running: list[Wait] = []
        self._reaching: list[tuple[int, Event, CompiledMatch]] = []  # ends that reach starts behind them
        self._counted: dict[tuple[int, int], int] = {}  # (wait, match) -> how many such events, for `times`
        self.waits: list[Wait] = []

    def judge(self, entries: Iterable[Entry], first: Place | None, known: Callable[[Event], int | None]) -> int | None:
        """Take the entries in order. Those before `first` count only as ends that reach behind them. A quiet start
        that is `known` to have opened a wait beyond the reach of what is new ends the pass: from there on all is as
        it was. Returns where that wait stands, or None at the end of the evidence."""
        for entry in entries:
            event, match = entry[4], entry[5]
            if first is not None and _order(entry) < first:
                if match.rank == END:
                    self._reach(event, match)
            elif match.rank == START:
                if not self._running and (at := known(event)) is not None:
                    return at
                self._start(event)
            else:
                self._mark(event, match)
        return None

    def _start(self, event: Event) -> None:
        plan = self._plan
        running = self._running
        if running and plan.restart == "keep":
            return
        due = plan.due(event)
        if due is None:
            return
        if plan.restart == "move" and [w for w in running if move_wait(w, event, *due)]:
            return
        wait = begin_wait(plan, self._journey, event, due, fresh=not running)
        self.waits.append(wait)
        running.append(wait)
        self._reaching = [r for r in self._reaching if r[0] >= event.time]
        for _, end, match in self._reaching:
            if wait in running:
                self._end(wait, end, match)

    def _reach(self, event: Event, match: CompiledMatch) -> None:
        reach = event.time + self._plan.skew + event.precision
        if reach > event.time:
            self._reaching.append((reach, event, match))

    def _mark(self, event: Event, match: CompiledMatch) -> None:
        if match.rank == END:
            self._reach(event, match)
        for wait in list(self._running):
            if match.rank >= END:
                self._end(wait, event, match)
            elif wait.start is not event and wait.counted is not event and finds(match, event, wait):
                if match.rank == PAUSE:
                    pause_wait(wait, event)
                else:
                    resume_wait(wait, event)

    def _end(self, wait: Wait, event: Event, match: CompiledMatch) -> None:
        if wait.start is event or wait.counted is event or not finds(match, event, wait):
            return
        if match.times > 1:
            counted = (id(wait), id(match))
            self._counted[counted] = self._counted.get(counted, 0) + 1
            if self._counted[counted] < match.times:
                return
        close_wait(wait, event, cancelled=match.rank == CANCEL)
        self._running.remove(wait)


def standing(wait: Wait, clock: int) -> tuple[str, str] | None:
    """The state and level of the alert that a wait deserves at a clock; None where it deserves none.

    A close at due is in time; a warning stands if the wait outlived its instant.
    """
    close = wait.close
    if close is not None:
        if wait.paused is not None:
            if wait.warn is None or wait.warn >= wait.paused.time:
                return None
            level = "warning"
        elif close.time > wait.due:
            level = "breached"
        elif wait.warn is not None and close.time > wait.warn:
            level = "warning"
        else:
            return None
        return ("cancelled" if wait.cancelled else "resolved"), level
    if wait.paused is None and clock >= wait.due + wait.plan.grace:
        return "breached", "breached"
    if wait.warn is not None and clock >= wait.warn and (wait.paused is None or wait.warn < wait.paused.time):
        return "warning", "warning"
    return None


def next_instant(wait: Wait, clock: int) -> int | None:
    """When an open wait must be looked at again, if nothing comes before; None for never."""
    if wait.close is not None:
        return None
    if wait.warn is not None and wait.warn > clock and (wait.paused is None or wait.warn < wait.paused.time):
        return min(wait.warn, wait.due + wait.plan.grace) if wait.paused is None else wait.warn
    if wait.paused is not None:
        return None
    breach = wait.due + wait.plan.grace
    return breach if breach > clock else None


def as_key(data: dict[str, Any], key: tuple[str, ...], person: Person) -> str | tuple[str, ...] | None:
    """The key value of an event: text, or a tuple of texts for a list; None where one is missing. In a list `person`
    stands for whose evidence it is anyway: it is marked, and named when an alert is told of."""
    values = []
    for attribute in key:
        if attribute == PERSON and len(key) > 1:
            if person.anonymous:
                return None
            values.append(PERSON_MARK)
            continue
        text = text_of(attribute_of(data, attribute))
        if text is None:
            return None
        if person.aliases is not None:
            text = person.aliases.get((attribute, text), text)
        values.append(text)
    return values[0] if len(values) == 1 else tuple(values)
