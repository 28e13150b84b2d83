"""Calendar arithmetic the slow and obvious way, to judge the fast one by.

It steps through minutes and days on `datetime` and `zoneinfo` and shares no code with `streams.core`. Openings,
closings and changes of offset must fall on whole minutes; starts need not. Instants are microseconds since the epoch.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from holidays import country_holidays

from schemas.calendar import Calendar
from schemas.duration import Duration, Unit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MINUTE = 60_000_000
ONE_DAY = timedelta(days=1)
STEPS_AT_MOST = 60 * 24 * 60  # minutes of sixty days: the calendars of the tests open sooner
EXACT = {Unit.SECONDS: 1, Unit.MINUTES: 60, Unit.HOURS: 3600, Unit.DAYS: 86_400, Unit.WEEKS: 7 * 86_400}


def instant_of(wall: datetime, zone: str) -> int:
    """A naive wall clock as an instant; in a gap, and where there are two, by the offset before the change."""
    return (wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC) - EPOCH) // MICROSECOND


def wall_of(instant: int, zone: str) -> datetime:
    """The naive wall clock of an instant."""
    return (EPOCH + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@lru_cache(maxsize=4096)
def spans_of(calendar: Calendar, day: date) -> tuple[tuple[int, int], ...]:
    """What is open on a day, as instants."""
    if day in calendar.closed:
        return ()
    if calendar.country and day in country_holidays(calendar.country, subdiv=calendar.subdivision, years=day.year):
        return ()
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (a wall clock is naive)
    zone = calendar.timezone or "UTC"
    spans = [
        (instant_of(midnight + timedelta(minutes=a), zone), instant_of(midnight + timedelta(minutes=b), zone))
        for a, b in calendar.hours[day.weekday()]
    ]
    return tuple((opens, closes) for opens, closes in spans if opens < closes)


def day_of(calendar: Calendar, instant: int) -> date:
    return wall_of(instant, calendar.timezone or "UTC").date()


def is_open(calendar: Calendar, instant: int) -> bool:
    here = day_of(calendar, instant)
    return any(
        opens <= instant < closes
        for day in (here - ONE_DAY, here, here + ONE_DAY)
        for opens, closes in spans_of(calendar, day)
    )


def slow_open_time(calendar: Calendar, begin: int, end: int) -> int:
    """Open microseconds in [begin, end), a minute at a time."""
    total = 0
    while begin < end:
        step = min(MINUTE - begin % MINUTE, end - begin)
        total += step if is_open(calendar, begin) else 0
        begin += step
    return total


def slow_push(calendar: Calendar, instant: int, amount: int) -> int | None:
    """An instant moved forward by open time."""
    for _ in range(STEPS_AT_MOST):
        if amount == 0:
            return instant
        step = MINUTE - instant % MINUTE
        if is_open(calendar, instant):
            step = min(step, amount)
            amount -= step
        instant += step
    return None


def slow_pull(calendar: Calendar, instant: int, amount: int) -> int | None:
    """An instant moved back by open time."""
    for _ in range(STEPS_AT_MOST):
        if amount == 0:
            return instant
        step = instant % MINUTE or MINUTE
        if is_open(calendar, instant - step):
            step = min(step, amount)
            amount -= step
        instant -= step
    return None


def slow_business_days(calendar: Calendar, begin: int, end: int) -> int:
    """Open days after the day of `begin` up to that of `end`."""
    day, last, count = day_of(calendar, begin), day_of(calendar, end), 0
    while day < last:
        day += ONE_DAY
        count += 1 if spans_of(calendar, day) else 0
    return count


def nth_open_day(calendar: Calendar, day: date, count: int, step: timedelta) -> date:
    while count:
        day += step
        count -= 1 if spans_of(calendar, day) else 0
    return day


def add_business_days(calendar: Calendar, start: int, count: int) -> int | None:
    for _ in range(STEPS_AT_MOST):
        if is_open(calendar, start):
            break
        start += MINUTE - start % MINUTE
    else:
        return None
    zone = calendar.timezone or "UTC"
    wall = wall_of(start, zone)
    day = nth_open_day(calendar, wall.date(), count, ONE_DAY)
    due = instant_of(datetime.combine(day, wall.time()), zone)
    spans = spans_of(calendar, day)
    if any(opens <= due <= closes for opens, closes in spans):
        return due
    later = [opens for opens, _ in spans if opens > due]
    return min(later) if later else max(closes for _, closes in spans)


def subtract_business_days(calendar: Calendar, start: int, count: int) -> int | None:
    zone = calendar.timezone or "UTC"
    owner = day_of(calendar, start)
    if not is_open(calendar, start):
        for _ in range(STEPS_AT_MOST):
            step = start % MINUTE or MINUTE
            if is_open(calendar, start - step):
                owner = day_of(calendar, start - step)
                break
            start -= step
        else:
            return None
    since_midnight = min(wall_of(start, zone) - datetime(owner.year, owner.month, owner.day), ONE_DAY)  # noqa: DTZ001
    day = nth_open_day(calendar, owner, count, -ONE_DAY)
    due = instant_of(datetime(day.year, day.month, day.day) + since_midnight, zone)  # noqa: DTZ001
    spans = spans_of(calendar, day)
    if any(opens <= due <= closes for opens, closes in spans):
        return due
    earlier = [closes for _, closes in spans if closes < due]
    return max(earlier) if earlier else min(opens for opens, _ in spans)


def slow_add(start: int, duration: Duration, calendar: Calendar | None) -> int | None:
    """The due time of a start. None when the calendar does not open within sixty days."""
    return _count(start, duration, calendar, 1)


def slow_subtract(start: int, duration: Duration, calendar: Calendar | None) -> int | None:
    """The time so long before."""
    return _count(start, duration, calendar, -1)


def _count(start: int, duration: Duration, calendar: Calendar | None, sign: int) -> int | None:
    if duration.unit is Unit.BUSINESS_HOURS:
        assert calendar is not None
        return (slow_push if sign > 0 else slow_pull)(calendar, start, duration.count * 60 * MINUTE)
    if duration.unit is Unit.BUSINESS_DAYS:
        assert calendar is not None
        return (add_business_days if sign > 0 else subtract_business_days)(calendar, start, duration.count)
    if calendar is not None and duration.unit in (Unit.DAYS, Unit.WEEKS):
        zone = calendar.timezone or "UTC"
        days = duration.count * (7 if duration.unit is Unit.WEEKS else 1)
        return instant_of(wall_of(start, zone) + sign * days * ONE_DAY, zone)
    return start + sign * duration.count * EXACT[duration.unit] * 1_000_000
