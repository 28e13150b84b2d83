"""What is held of one person: evidence, journeys and waits. Records only; the rules live beside them."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.alert import Alert
from schemas.event import Event
from schemas.instant import read_instant, to_datetime

if TYPE_CHECKING:
    from streams.core.compiled import Group, TypePlan, WaitPlan
    from streams.core.counts import Count
    from streams.core.sequences import Sequence as Followed

BY_TIME: Final = attrgetter("time")
BY_PLAN: Final = attrgetter("plan.index")
_MANY: Final = 8  # waits of a journey, above which those that run are kept apart
NEVER: Final = -(2**62)


class Person:
    """One person's evidence. `identifiers` holds those known so far; `origins` the ids it was recorded under.

    `log` is all evidence in order of arrival: whatever else stands here can be made again from it. `last` is the
    latest instant that any of it reaches, `wide_last` the same of the events in `wide` (those that a `by` finds).
    `into` names the person that this one was united with.
    """

    __slots__ = (
        "aliases",
        "anonymous",
        "borrowed",
        "coarse",
        "counts",
        "facts",
        "identifiers",
        "into",
        "journeys",
        "last",
        "lent",
        "log",
        "moments",
        "numbers",
        "numbers_upto",
        "open",
        "origins",
        "sequences",
        "told",
        "versions",
        "wide",
        "wide_last",
    )

    def __init__(self, *, anonymous: bool = False) -> None:
        self.identifiers: list[str] = []
        self.origins: list[str] = []
        self.anonymous: bool = anonymous
        self.into: Person | None = None
        self.journeys: dict[int, dict[Any, Journey]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget the evidence, keep who it is."""
        self.log: list[Event] = []
        for journey in self.every_journey():
            journey.let_go()
        self.journeys = {}
        self.open: dict[Journey, None] = {}
        self.wide: list[Event] | None = None
        self.wide_last: int = NEVER
        self.last: int = NEVER
        self.coarse: int = 0  # the coarsest stamp among its evidence
        self.facts: dict[str, list[tuple[int, str, str, Any]]] | None = None
        self.aliases: dict[tuple[str, str], str] | None = None
        self.versions: dict[tuple[str, str], list[Event]] | None = None
        self.lent: dict[tuple[str, str], list[Event]] | None = None  # who lends what, by key and number
        self.borrowed: set[tuple[str, str]] | None = None  # what somebody would borrow
        self.sequences: dict[tuple[int, Any], Followed] | None = None
        self.counts: dict[tuple[int, Any], Count] | None = None
        self.told: list[tuple[TypePlan, Event]] | None = None  # what rates counted of its statements
        self.moments: list[Alert] | None = None  # alerts of single events that follow from this evidence
        self.numbers: set[tuple[str, str]] | None = None  # what `carries` found so far
        self.numbers_upto: int = 0

    def fact(self, name: str, time: int) -> Any:
        """The fact in force at a time: the latest that was told of then or before; None where there is none. `age`
        is counted in whole years from the birth date, where that was told."""
        if name == "age" and (born := self._told("birth_date", time)) is not None:
            return whole_years(born, time)
        return self._told(name, time)

    def _told(self, name: str, time: int) -> Any:
        told = self.facts.get(name) if self.facts else None
        if not told:
            return None
        at = bisect_right(told, time, key=_fact_time)
        return told[at - 1][3] if at else None

    def keep_moment(self, alert: Alert) -> None:
        """Note an alert of a single event that stands or falls with this evidence."""
        if self.moments is None:
            self.moments = []
        self.moments.append(alert)

    def carries(self, attribute: str, number: str, attributes: Iterable[str]) -> bool:
        """Whether any of the evidence carries this number; `attributes` are those that may be asked about. Each event
        is looked at once."""
        if self.numbers is None:
            self.numbers = set()
        for event in self.log[self.numbers_upto :]:
            self.numbers.update((name, v) for name in attributes if isinstance(v := event.data.get(name), str))
        self.numbers_upto = len(self.log)
        return (attribute, number) in self.numbers

    def instants(self) -> list[int]:
        """When the timers ring that follow from this evidence; of waits that are closed none rings."""
        ringing = [w.next for journey in self.open for w in journey.open_waits() if w.next is not None]
        if self.counts:
            ringing += [count.next for count in self.counts.values() if count.next is not None]
        return ringing

    def every_journey(self) -> Iterator[Journey]:
        for by_value in self.journeys.values():
            yield from by_value.values()


def _fact_time(told: tuple[int, str, str, Any]) -> int:
    return told[0]


def whole_years(born: Any, time: int) -> int | None:
    """Age at a time from a birth date, `YYYY-MM-DD`; None where that is none."""
    try:
        birth = to_datetime(read_instant(f"{str(born)[:10]}T00:00:00Z"))
    except ValueError:
        return None
    then = to_datetime(time)
    return then.year - birth.year - ((then.month, then.day) < (birth.month, birth.day))


def root(person: Person) -> Person:
    """The person that this one is now part of."""
    while person.into is not None:
        person = person.into
    return person


class Journey:
    """The events of one person that carry one key value, and the waits that run over them.

    `events` are in order of time; `waits` in order of their thresholds and then of their starts.
    `last` is the latest instant that any of the events reaches (its time and the coarseness of its stamp).

    Memory is what a year of journeys costs, and most have one event and a wait or two: a single one is held without a
    list, and the waits that run are kept apart only where there are many.
    """

    __slots__ = ("_events", "_running", "_waits", "group", "last", "person", "value")

    def __init__(self, person: Person, group: Group, value: str | tuple[str, ...]) -> None:
        self.person: Person = person
        self.group: Group = group
        self.value: str | tuple[str, ...] = value
        self.last: int = NEVER
        self._events: Event | list[Event] | None = None
        self._waits: Wait | list[Wait] | None = None
        self._running: list[Wait] | None = None

    def let_go(self) -> None:
        """Part from the waits, which hold their journey: a cycle would wait for the collector, which may be off."""
        self._events = self._waits = self._running = None

    def key_text(self) -> str:
        return self.value if isinstance(self.value, str) else "|".join(self.value)

    @property
    def events(self) -> list[Event]:
        """To be read, not changed."""
        held = self._events
        return held if isinstance(held, list) else [] if held is None else [held]

    @property
    def waits(self) -> list[Wait]:
        """To be read, not changed."""
        held = self._waits
        return held if isinstance(held, list) else [] if held is None else [held]

    def add_event(self, event: Event) -> None:
        """Take in an event that is later than all that the others reach."""
        held = self._events
        if held is None:
            self._events = event
        elif isinstance(held, list):
            held.append(event)
        else:
            self._events = [held, event]
        self.last = event.time + event.precision if event.precision else event.time

    def insert_event(self, event: Event) -> None:
        """Take in an event wherever it belongs."""
        events = self.events
        insort(events, event, key=BY_TIME)
        self._events = events
        self.last = max(self.last, event.time + event.precision)

    def open_waits(self) -> Sequence[Wait]:
        """The waits not closed, to be read at once: they change as waits open and close."""
        if self._running is not None:
            return self._running
        held = self._waits
        if isinstance(held, list):
            return [w for w in held if w.close is None]
        return () if held is None or held.close is not None else (held,)

    def add_wait(self, wait: Wait) -> None:
        """Take in an open wait whose start is later than those of its threshold's others."""
        held = self._waits
        if held is None:
            self._waits = wait
        else:
            waits = held if isinstance(held, list) else [held]
            if waits[-1].plan.index <= wait.plan.index:
                waits.append(wait)
            else:
                waits.insert(bisect_right(waits, wait.plan.index, key=BY_PLAN), wait)
            self._waits = waits
            if self._running is not None:
                self._running.append(wait)
            elif len(waits) > _MANY:
                self._running = [w for w in waits if w.close is None]
        self.person.open[self] = None

    def close_wait(self, wait: Wait) -> None:
        """Take into account that one of the waits has closed."""
        if self._running is not None:
            self._running.remove(wait)
        if not self.open_waits():
            self.person.open.pop(self, None)

    def replace_waits(self, low: int, high: int, judged: list[Wait]) -> None:
        """Let waits that were judged again stand where those from `low` up to `high` stood."""
        waits = self.waits
        if self._running is not None:
            touched = set(map(id, waits[low:high])) | set(map(id, judged))
            self._running = [w for w in self._running if id(w) not in touched]
            self._running += [w for w in judged if w.close is None]
        waits[low:high] = judged
        self._waits = waits if len(waits) > 1 else waits[0] if waits else None
        if self._running is None and len(waits) > _MANY:
            self._running = [w for w in waits if w.close is None]
        if self.open_waits():
            self.person.open[self] = None
        else:
            self.person.open.pop(self, None)


class Wait(msgspec.Struct, eq=False):
    """One promise running. Times in microseconds.

    `start` opened it, `counted` is the start that its due counts from (another one after a move), `base` the
    instant that it counts from. `due` is as moved by pauses. `close` is the event
    that ended it, `cancelled` whether that was a cancel. `pauses` are those that counted; `paused` the begin of one
    that is not resumed. `fresh` says that no wait of its threshold ran in the journey when it began.
    `applied` is the clock at which its start was applied; `next` the instant of its timer.
    """

    plan: WaitPlan
    journey: Journey
    start: Event
    counted: Event
    due: int
    base: int
    fresh: bool
    close: Event | None = None
    cancelled: bool = False
    pauses: tuple[tuple[Event, Event], ...] = ()
    paused: Event | None = None
    applied: int = NEVER
    alert: Alert | None = None
    next: int | None = None

    @property
    def warn(self) -> int | None:
        """The instant of the warning; None where none is declared."""
        return self.plan.warn(self.counted.time, self.due) if self.plan.warns else None


def begin_wait(plan: WaitPlan, journey: Journey, start: Event, due: tuple[int, int], *, fresh: bool) -> Wait:
    """A wait as it begins; `due` is when it is due, and what that counts from."""
    return Wait(plan, journey, start, start, due[0], due[1], fresh)
