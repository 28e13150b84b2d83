"""Which instants a calendar is open: its hours resolved a day at a time, holidays a year at a time, and kept.

A day is its number since 1970-01-01 in the calendar's zone. Its spans are instants, opening inclusive and closing
exclusive, in order and apart. A day is open if it has a span: one that the zone skips, or whose hours fall into the
hour that DST skips, has none.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final

from holidays import country_holidays

from schemas.calendar import Calendar
from schemas.event import DAY, MINUTE
from streams.core.zones import FIRST_INSTANT, LAST_INSTANT, Zone, zone

Hours = tuple[tuple[int, int], ...]
"""Spans of one day: (opening, closing) in microseconds since the epoch."""

CLOSED_AT_MOST: Final = 3660
"""Days in a row, ten years, after which a calendar is taken to stay closed."""

FAR: Final = 36_600
"""Days, a hundred years: a business duration that reaches further has no due time."""

_FIRST_DAY: Final = FIRST_INSTANT // DAY + 2
_LAST_DAY: Final = LAST_INSTANT // DAY - 2
_ORDINAL: Final = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=1024)
def holiday_names(country: str, subdivision: str | None, year: int) -> dict[date, str]:
    """Public holidays of one year, observed days included. Raises ValueError for an unknown country or subdivision."""
    with warnings.catch_warnings():
        # For some countries the package warns of years that it has no lunar tables for; it gives what it knows.
        warnings.simplefilter("ignore")
        try:
            return dict(country_holidays(country, subdiv=subdivision, years=year, observed=True))
        except NotImplementedError as error:
            where = country if subdivision is None else f"{country}, {subdivision}"
            raise ValueError(f"no holidays are known for {where}") from error


class Openings:
    """A calendar's open time. Raises ValueError for a zone or a country that is not known."""

    __slots__ = ("_calendar", "_hours_by_day", "is_ever_open", "zone")

    def __init__(self, calendar: Calendar) -> None:
        self.zone: Zone = zone(calendar.timezone or "UTC")
        self.is_ever_open: bool = any(opens < closes for spans in calendar.hours for opens, closes in spans)
        self._calendar: Calendar = calendar
        self._hours_by_day: dict[int, Hours] = {}
        if calendar.country is not None:
            holiday_names(calendar.country, calendar.subdivision, 2000)

    def day(self, instant: int) -> int:
        """The local day of an instant."""
        return (instant + self.zone.offset(instant)) // DAY

    def hours(self, day: int) -> Hours:
        """The open spans of a local day; empty when it is closed."""
        known = self._hours_by_day.get(day)
        if known is None:
            known = self._hours_by_day[day] = self._resolve(day)
        return known

    def closure(self, day: int) -> str | None:
        """Why a day is closed although its weekday is not: the holiday's name or `closed`; else None."""
        if not self._calendar.hours[(day + 3) % 7]:
            return None
        when = date.fromordinal(day + _ORDINAL)
        if when in self._calendar.closed:
            return "closed"
        if self._calendar.country is None:
            return None
        return holiday_names(self._calendar.country, self._calendar.subdivision, when.year).get(when)

    def find_open(self, instant: int) -> tuple[int, int, int] | None:
        """The day and span (day, opening, closing) that an instant lies in, or None when it is closed then."""
        here = self.day(instant)
        for day in (here, here - 1, here + 1):
            for opens, closes in self.hours(day):
                if opens <= instant < closes:
                    return day, opens, closes
        return None

    def after(self, instant: int) -> Iterator[tuple[int, int, int]]:
        """Spans that close after an instant, onwards. Ends after ten closed years, and after a hundred in all."""
        here = self.day(instant)
        idle = 0
        for day in range(max(here - 1, _FIRST_DAY), min(here + FAR, _LAST_DAY)):
            hours = self.hours(day)
            idle = 0 if hours else idle + 1
            if idle > CLOSED_AT_MOST:
                return
            for opens, closes in hours:
                if closes > instant:
                    yield day, opens, closes

    def before(self, instant: int) -> Iterator[tuple[int, int, int]]:
        """Spans that open before an instant, backwards, within the same bounds."""
        here = self.day(instant)
        idle = 0
        for day in range(min(here + 1, _LAST_DAY), max(here - FAR, _FIRST_DAY), -1):
            hours = self.hours(day)
            idle = 0 if hours else idle + 1
            if idle > CLOSED_AT_MOST:
                return
            for opens, closes in reversed(hours):
                if opens < instant:
                    yield day, opens, closes

    def find_open_day(self, day: int, count: int, step: int) -> int | None:
        """The `count`-th open day after (`step` 1) or before (`step` -1) a day; None when there is none near."""
        idle = 0
        for _ in range(FAR):
            day += step
            if self.hours(day):
                idle = 0
                count -= 1
                if count == 0:
                    return day
            else:
                idle += 1
                if idle > CLOSED_AT_MOST:
                    return None
        return None

    def has_edge(self, begin: int, end: int) -> bool:
        """Whether something opens or closes between two instants (neither included) less than a day apart."""
        here = self.day(begin)
        return any(
            begin < opens < end or begin < closes < end
            for day in (here - 1, here, here + 1)
            for opens, closes in self.hours(day)
        )

    def _resolve(self, day: int) -> Hours:
        if not _FIRST_DAY <= day <= _LAST_DAY:
            raise OverflowError("a time outside the years 1 to 9999")
        declared = self._calendar.hours[(day + 3) % 7]  # 1970-01-01 was a Thursday
        if not declared or self.closure(day) is not None:
            return ()
        at = self.zone.instant
        if at(day * DAY) == at((day + 1) * DAY):
            return ()  # the zone jumped over this date (Apia, 2011-12-30)
        spans: list[tuple[int, int]] = []
        begin = day * DAY
        # Sorted as instants: around a gap a later wall may be an earlier instant.
        for opens, closes in sorted((at(begin + a * MINUTE), at(begin + b * MINUTE)) for a, b in declared):
            if spans and opens <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], closes))
            elif opens < closes:
                spans.append((opens, closes))
        return tuple(spans)


@lru_cache(maxsize=256)
def openings(calendar: Calendar) -> Openings:
    """A calendar's open time, resolved once for all who ask."""
    return Openings(calendar)
