"""What is held of one person: evidence, journeys and waits. Records only; the rules live beside them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from schemas.alert import Alert
from schemas.event import Event
from schemas.instant import read_instant, to_datetime

if TYPE_CHECKING:
    from streams.core.compiled import Group, WaitPlan
    from streams.core.counts import Count
    from streams.core.sequences import Sequence

BY_TIME: Final = attrgetter("time")
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
        "appointments",
        "coarse",
        "counts",
        "facts",
        "identifiers",
        "into",
        "journeys",
        "last",
        "log",
        "moments",
        "open",
        "origins",
        "sequences",
        "wide",
        "wide_last",
    )

    def __init__(self, *, anonymous: bool = False) -> None:
        self.identifiers: list[str] = []
        self.origins: list[str] = []
        self.anonymous: bool = anonymous
        self.into: Person | None = None
        self.clear()

    def clear(self) -> None:
        """Forget the evidence, keep who it is."""
        self.log: list[Event] = []
        self.journeys: dict[int, dict[Any, Journey]] = {}
        self.open: dict[Journey, None] = {}
        self.wide: list[Event] | None = None
        self.wide_last: int = NEVER
        self.last: int = NEVER
        self.coarse: int = 0  # the coarsest stamp among its evidence
        self.facts: dict[str, list[tuple[int, str, str, Any]]] | None = None
        self.aliases: dict[tuple[str, str], str] | None = None
        self.appointments: dict[str, list[Event]] | None = None
        self.sequences: dict[tuple[int, Any], Sequence] | None = None
        self.counts: dict[tuple[int, Any], Count] | None = None
        self.moments: list[Alert] | None = None  # alerts of single events that follow from this evidence

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

    `events` are in order of time; `running` are the waits not closed; `waits` holds all, running ones
    too, in order of their thresholds and then of their starts.
    `last` is the latest instant that any of the events reaches (its time and the coarseness of its stamp).
    """

    __slots__ = ("events", "group", "last", "person", "running", "value", "waits")

    def __init__(self, person: Person, group: Group, value: str | tuple[str, ...]) -> None:
        self.person: Person = person
        self.group: Group = group
        self.value: str | tuple[str, ...] = value
        self.events: list[Event] = []
        self.running: list[Wait] = []
        self.waits: Waits = []
        self.last: int = NEVER

    def key_text(self) -> str:
        return self.value if isinstance(self.value, str) else "|".join(self.value)


class Wait:
    """One promise running. Times in microseconds.

    `start` opened it, `counted` is the start that its due counts from (another one after a move), `base` the
    instant that it counts from. `due` is as moved by pauses; `warn` the instant of the warning. `close` is the event
    that ended it, `cancelled` whether that was a cancel. `pauses` are those that counted; `paused` the begin of one
    that is not resumed. `fresh` says that no wait of its threshold ran in the journey when it began.
    `applied` is the clock at which its start was applied; `next` the instant of its timer.
    """

    __slots__ = (
        "alert",
        "applied",
        "base",
        "cancelled",
        "close",
        "counted",
        "due",
        "fresh",
        "journey",
        "next",
        "paused",
        "pauses",
        "plan",
        "start",
        "warn",
    )

    def __init__(self, plan: WaitPlan, journey: Journey, start: Event, due: int, base: int, *, fresh: bool) -> None:
        self.plan: WaitPlan = plan
        self.journey: Journey = journey
        self.start: Event = start
        self.counted: Event = start
        self.base: int = base
        self.due: int = due
        self.warn: int | None = plan.warn(start.time, due) if plan.warns else None
        self.close: Event | None = None
        self.cancelled: bool = False
        self.pauses: tuple[tuple[Event, Event], ...] = ()
        self.paused: Event | None = None
        self.fresh: bool = fresh
        self.applied: int = NEVER
        self.alert: Alert | None = None
        self.next: int | None = None


Waits = list[Wait]
