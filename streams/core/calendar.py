"""Add and subtract declared durations, count open time and open days.

Theory. A duration is exact (`4h`), of the wall clock (`10 days` of a calendar's zone) or of open time (business).
Each becomes one function of the start, made once per threshold:
- wall clock: the local reading moves by whole days and is read back as an instant; out of a gap it moves forward by
  the gap, and of two it is the first;
- business days: a start outside opening hours counts from the next opening; the due time is the same wall clock N
  open days on, and if closed then, that day's next opening, else its last closing. Backwards it mirrors: from the
  previous closing, to that day's previous closing, else its first opening;
- business hours: elapsed open time. Reached at a closing the due time is that closing; counted back, reached at an
  opening, it is that opening.

Such a function is a staircase: between two edges (an opening, a closing, a change of offset) it either stays or moves
along with its start. So it is worked out once per quarter hour and kept as "stays at" or "moves along by". A quarter
in which an edge lies, at its own end or at the due end, is worked out start by start. Zones change their offset at a
few moments a year, and within two days of one nothing is kept: there walls may run backwards.

Instants are microseconds since the epoch, UTC. A calendar without a zone is read in UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from schemas.calendar import Calendar
from schemas.duration import BUSINESS, Duration, Unit
from schemas.event import DAY, HOUR, MINUTE, SECOND
from streams.core.openings import FAR, Openings, openings
from streams.core.zones import FIRST_INSTANT, LAST_INSTANT, Zone, zone

Counting = Callable[[int], int | None]
"""From a start to its due time, or to None where there is none."""

QUARTER: Final = 15 * MINUTE

_KEPT: Final = 16_384  # quarters in a memory, near half a year of them
_NEARBY: Final = 2 * DAY  # on either side of a due time: its whole day lies in it, and a shift of offset

_EXACT: Final = {
    Unit.SECONDS: SECOND,
    Unit.MINUTES: MINUTE,
    Unit.HOURS: HOUR,
    Unit.DAYS: DAY,
    Unit.WEEKS: 7 * DAY,
    Unit.BUSINESS_HOURS: HOUR,
}


def adder(duration: Duration, calendar: Calendar | None) -> Counting:
    """`due = add(start)`. None when there is no such time: the calendar stays closed for ten years, or the time lies
    beyond the year 9999 (business durations: a hundred years on).

    Raises ValueError for a business duration without a calendar, and for a calendar whose zone or country is unknown.
    """
    return _counting(duration, calendar, 1)


def subtracter(duration: Duration, calendar: Calendar | None) -> Counting:
    """As `adder`, counting back from a time."""
    return _counting(duration, calendar, -1)


def open_time(calendar: Calendar) -> Callable[[int, int], int]:
    """Open microseconds from one instant up to, not including, another; 0 when they are in the other order."""
    opened = openings(calendar)

    def measure(begin: int, end: int) -> int:
        total, reached = 0, begin
        for _, opens, closes in opened.after(begin):
            if opens >= end:
                break
            since, until = max(opens, reached), min(closes, end)
            if since < until:
                total, reached = total + until - since, until
        return total

    return measure


def pusher(calendar: Calendar) -> Callable[[int, int], int]:
    """An instant moved forward by microseconds of open time, which moves a due time by a pause.

    0 leaves it where it is; reached at a closing it stays there. Where the calendar has no more open time within its
    bounds, the instant moves by elapsed time instead, so that it never comes early.
    """
    opened = openings(calendar)

    def push(instant: int, amount: int) -> int:
        moved = _open_time_on(opened, instant, amount)
        return instant + amount if moved is None else moved

    return push


def business_days_between(calendar: Calendar) -> Callable[[int, int], int]:
    """Open days after the local day of one instant, up to and including that of another; 0 in the other order.

    Days more than a hundred years on are not counted: a stamp of the year 9999 must not take seconds.
    """
    opened = openings(calendar)

    def count(begin: int, end: int) -> int:
        today = opened.day(begin)
        days = range(today + 1, min(opened.day(end), today + FAR) + 1)
        return sum(1 for day in days if opened.hours(day))

    return count


def closures(calendar: Calendar) -> Callable[[int, int], list[tuple[int, str]]]:
    """Days closed against their weekday between the local days of two instants, both included, for an explanation:
    (day since the epoch, holiday's name or `closed`)."""
    opened = openings(calendar)

    def find(begin: int, end: int) -> list[tuple[int, str]]:
        today = opened.day(begin)
        days = range(today, min(opened.day(end), today + FAR) + 1)
        return [(day, reason) for day in days if (reason := opened.closure(day)) is not None]

    return find


def wall_clock(zone_name: str) -> Callable[[int], int]:
    """An instant as its wall clock: microseconds from 1970-01-01T00:00 in that zone."""
    offset = zone(zone_name).offset

    def read(instant: int) -> int:
        return instant + offset(instant)

    return read


@lru_cache(maxsize=1024)
def _counting(duration: Duration, calendar: Calendar | None, sign: int) -> Counting:
    if calendar is None:
        if duration.unit in BUSINESS:
            raise ValueError(f"{duration} needs a calendar")
        return _exactly(duration.count * _EXACT[duration.unit] * sign)
    if duration.count == 0 or duration.unit in (Unit.SECONDS, Unit.MINUTES, Unit.HOURS):
        return _exactly(duration.count * _EXACT.get(duration.unit, 0) * sign)
    opened = openings(calendar)
    if duration.unit in (Unit.DAYS, Unit.WEEKS):
        return _by_quarter(_wall_days(opened.zone, duration.count * _EXACT[duration.unit] * sign), opened.zone, None)
    if not opened.is_ever_open:
        return _never
    exact = _business_days(opened, duration.count, sign)
    if duration.unit is Unit.BUSINESS_HOURS:
        exact = _business_hours(opened, duration.count * HOUR, sign)
    return _by_quarter(exact, opened.zone, opened)


def _never(start: int) -> int | None:  # noqa: ARG001 (the shape of a Counting)
    return None


def _exactly(amount: int) -> Counting:
    def count(start: int) -> int | None:
        due = start + amount
        return due if FIRST_INSTANT <= due <= LAST_INSTANT else None

    return count


def _wall_days(where: Zone, amount: int) -> Counting:
    def count(start: int) -> int | None:
        return where.instant(start + where.offset(start) + amount)

    return count


def _business_hours(opened: Openings, amount: int, sign: int) -> Counting:
    def add(start: int) -> int | None:
        return _open_time_on(opened, start, amount)

    def subtract(start: int) -> int | None:
        return _open_time_back(opened, start, amount)

    return add if sign > 0 else subtract


def _open_time_on(opened: Openings, start: int, amount: int) -> int | None:
    if amount <= 0:
        return start
    reached = start
    for _, opens, closes in opened.after(start):
        since = max(opens, reached)
        if closes - since >= amount:
            return since + amount
        amount -= max(0, closes - since)
        reached = max(reached, closes)
    return None


def _open_time_back(opened: Openings, start: int, amount: int) -> int | None:
    reached = start
    for _, opens, closes in opened.before(start):
        until = min(closes, reached)
        if until - opens >= amount:
            return until - amount
        amount -= max(0, until - opens)
        reached = min(reached, opens)
    return None


def _business_days(opened: Openings, count: int, sign: int) -> Counting:
    where = opened.zone

    def add(start: int) -> int | None:
        begin = next(opened.after(start), None)
        if begin is None:
            return None
        day, at = begin[0], max(start, begin[1])
        due_day = opened.find_open_day(day, count, 1)
        if due_day is None:
            return None
        due = where.instant(at + where.offset(at) + (due_day - day) * DAY)
        for opens, closes in opened.hours(due_day):
            if due <= closes:
                return max(due, opens)
        return opened.hours(due_day)[-1][1]

    def subtract(start: int) -> int | None:
        inside = opened.find_open(start)
        begin = inside or next(opened.before(start), None)
        if begin is None:
            return None
        day, at = begin[0], min(start, begin[2])
        due_day = opened.find_open_day(day, count, -1)
        if due_day is None:
            return None
        # A closing at midnight belongs to the day that it ends: 24:00 there, whatever DST makes of the next 00:00.
        wall = min(at + where.offset(at) - day * DAY, DAY)
        due = where.instant(due_day * DAY + wall)
        for opens, closes in reversed(opened.hours(due_day)):
            if due >= opens:
                return min(due, closes)
        return opened.hours(due_day)[0][0]

    return add if sign > 0 else subtract


def _by_quarter(exact: Counting, where: Zone, opened: Openings | None) -> Counting:
    """Keep the answers of `exact` by quarter hour where that is exact; `opened` None: no edges but the zone's."""
    moves_by: dict[int, int] = {}
    stays_at: dict[int, int] = {}

    def learn(quarter: int) -> None:
        begin = quarter * QUARTER
        last = begin + QUARTER - 1
        if not where.is_steady(begin, last) or (opened is not None and opened.has_edge(begin, begin + QUARTER)):
            return
        due, last_due = exact(begin), exact(last)
        if due is None or last_due is None or not where.is_steady(due - _NEARBY, due + _NEARBY):
            return
        if due == last_due:
            stays_at[quarter] = due
        elif last_due - due == last - begin and (opened is None or not opened.has_edge(due, last_due)):
            moves_by[quarter] = due - begin

    def count(start: int) -> int | None:
        quarter = start // QUARTER
        shift = moves_by.get(quarter)
        if shift is not None:
            return start + shift
        due = stays_at.get(quarter)
        if due is not None:
            return due
        if len(moves_by) + len(stays_at) > _KEPT:
            moves_by.clear()
            stays_at.clear()
        try:
            learn(quarter)
            return exact(start)
        except OverflowError:
            return None

    return count
