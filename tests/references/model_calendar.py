"""Calendar arithmetic, slowly: the rules of DESIGN.md ("Time, exactly"), with open time walked minute by minute.

Written for the reference model from the document alone; it shares nothing with `streams.core.calendar`.
Instants are whole microseconds since the epoch.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import holidays

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
EXACT: Final = {"s": SECOND, "m": MINUTE, "h": 60 * MINUTE}
DAYS: Final = {"d": 1, "day": 1, "days": 1, "week": 7, "weeks": 7}
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FAR: Final = 400  # days that are searched for an open one


def instant(text: str, zone: str = "UTC") -> int:
    """An RFC 3339 stamp as microseconds; one without an offset is read in `zone`."""
    stamp = datetime.fromisoformat(text)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=ZoneInfo(zone))
    return (stamp - EPOCH) // timedelta(microseconds=1)


class ModelCalendar:
    """A declared calendar (the mapping under `calendars:`), asked one day and one minute at a time."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        self.zone = ZoneInfo(str(declared["timezone"]))
        self.hours: dict[int, list[tuple[int, int]]] = {}
        for days, spans in declared.get("hours", {}).items():
            first, _, last = str(days).partition("-")
            for day in range(WEEKDAYS.index(first), WEEKDAYS.index(last or first) + 1):
                self.hours[day] = [_span(one) for one in ([spans] if isinstance(spans, str) else spans)]
        self.closed = {date.fromisoformat(str(day)) for day in declared.get("closed", ())}
        named = declared.get("holidays")
        self.holidays = holidays.country_holidays(named["country"], subdiv=named.get("subdivision")) if named else {}
        self.is_open_minute = functools.cache(self._is_open_minute)

    def wall(self, at: int) -> datetime:
        return (EPOCH + timedelta(microseconds=at)).astimezone(self.zone).replace(tzinfo=None)

    def resolve(self, wall: datetime) -> int:
        """The instant of a wall clock: in a gap moved forward by it, of two the first."""
        return (wall.replace(tzinfo=self.zone, fold=0).astimezone(UTC) - EPOCH) // timedelta(microseconds=1)

    def spans(self, day: date) -> list[tuple[int, int]]:
        """The day's openings and closings as instants."""
        if day in self.closed or day in self.holidays:
            return []
        midnight = datetime.combine(day, datetime.min.time())
        return [
            (self.resolve(midnight + timedelta(minutes=a)), self.resolve(midnight + timedelta(minutes=b)))
            for a, b in self.hours.get(day.weekday(), [])
        ]

    def is_open(self, at: int) -> bool:
        return self.is_open_minute(at // MINUTE)

    def _is_open_minute(self, minute: int) -> bool:
        today = self.wall(minute * MINUTE).date()
        return any(
            opening <= minute * MINUTE < closing
            for day in (today - timedelta(days=1), today)  # a span to 24:00 belongs to the day before
            for opening, closing in self.spans(day)
        )

    def add_days(self, start: int, days: int) -> int:
        return self.resolve(self.wall(start) + timedelta(days=days))

    def _open_days(self, day: date, step: int) -> Iterator[date]:
        for far in range(1, FAR):
            if self.spans(day + timedelta(days=step * far)):
                yield day + timedelta(days=step * far)

    def add_business_days(self, start: int, days: int) -> int | None:
        if not self.is_open(start):
            today = self.wall(start).date()
            near = (opening for n in range(FAR) for opening, _ in self.spans(today + timedelta(days=n)))
            found = next((opening for opening in near if opening > start), None)
            if found is None:
                return None
            start = found
        wall = self.wall(start)
        day = _nth(self._open_days(wall.date(), 1), days)
        if day is None:
            return None
        due = self.resolve(datetime.combine(day, wall.time()))
        if any(opening <= due <= closing for opening, closing in self.spans(day)):
            return due
        return min((opening for opening, _ in self.spans(day) if opening > due), default=self.spans(day)[-1][1])

    def subtract_business_days(self, start: int, days: int) -> int | None:
        wall = self.wall(start)
        day, clock = wall.date(), wall - datetime.combine(wall.date(), datetime.min.time())
        if not self.is_open(start):
            back = [day - timedelta(days=n) for n in range(FAR)]
            closings = ((one, closing) for one in back for _, closing in reversed(self.spans(one)) if closing <= start)
            found = next(closings, None)
            if found is None:
                return None
            day = found[0]
            clock = self.wall(found[1]) - datetime.combine(day, datetime.min.time())  # 24:00 is 24 h of its day
        target = _nth(self._open_days(day, -1), days)
        if target is None:
            return None
        due = self.resolve(datetime.combine(target, datetime.min.time()) + clock)
        if any(opening <= due <= closing for opening, closing in self.spans(target)):
            return due
        return max((closing for _, closing in self.spans(target) if closing < due), default=self.spans(target)[0][0])

    def add_open(self, start: int, amount: int) -> int | None:
        """`start` moved forward by `amount` of open time; reached at a closing, it is that closing."""
        at = start
        while amount > 0:
            end = (at // MINUTE + 1) * MINUTE
            if self.is_open(at):
                end = min(end, at + amount)
                amount -= end - at
            at = end
            if at - start > FAR * 1440 * MINUTE:
                return None
        return at

    def subtract_open(self, start: int, amount: int) -> int | None:
        at = start
        while amount > 0:
            begin = (at - 1) // MINUTE * MINUTE
            if self.is_open(begin):
                begin = max(begin, at - amount)
                amount -= at - begin
            at = begin
            if start - at > FAR * 1440 * MINUTE:
                return None
        return at

    def open_time(self, start: int, end: int) -> int:
        edges = [start, *range((start // MINUTE + 1) * MINUTE, end, MINUTE), end] if start < end else []
        return sum(b - a for a, b in pairwise(edges) if self.is_open(a))


class ModelDuration:
    """A declared duration: "4h", "10 days", "2 business days"; with the calendar of its threshold, if it has one."""

    def __init__(self, text: str, calendar: ModelCalendar | None) -> None:
        found = re.fullmatch(r"(\d+)\s*(business )?([a-z]+)", text)
        assert found, text
        self.count, self.business, self.unit = int(found[1]), bool(found[2]), found[3]
        self.calendar = calendar

    def add(self, start: int) -> int | None:
        if self.business:
            assert self.calendar
            if self.unit.startswith("day"):
                return self.calendar.add_business_days(start, self.count)
            return self.calendar.add_open(start, self.count * EXACT["h"])
        if self.unit in EXACT:
            return start + self.count * EXACT[self.unit]
        days = self.count * DAYS[self.unit]
        return self.calendar.add_days(start, days) if self.calendar else start + days * 24 * EXACT["h"]

    def subtract(self, start: int) -> int | None:
        if self.business:
            assert self.calendar
            if self.unit.startswith("day"):
                return self.calendar.subtract_business_days(start, self.count)
            return self.calendar.subtract_open(start, self.count * EXACT["h"])
        if self.unit in EXACT:
            return start - self.count * EXACT[self.unit]
        days = self.count * DAYS[self.unit]
        return self.calendar.add_days(start, -days) if self.calendar else start - days * 24 * EXACT["h"]

    def length(self) -> int:
        """Its exact length, for what is no calendar matter: a skew, a grace, a rate's window."""
        return self.count * (EXACT[self.unit] if self.unit in EXACT else DAYS[self.unit] * 24 * EXACT["h"])


def _span(text: str) -> tuple[int, int]:
    a, b = ((int(hour) * 60 + int(minute)) for hour, minute in (side.split(":") for side in text.split("-")))
    return a, b


def _nth(days: Iterator[date], n: int) -> date | None:
    return next((day for count, day in enumerate(days, 1) if count == n), None)
