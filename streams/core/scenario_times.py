"""The times of a story: wall clocks by the name of a day, lengths, opening hours."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.calendar import Calendar, Span
from schemas.event import DAY, HOUR, MINUTE, SECOND
from schemas.instant import from_datetime, to_datetime

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)(?:\+\d{1,3}w)?|\+\d{1,4}d|\d{4}-\d{2}-\d{2})"
_HOUR: Final = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?Z?"
TIME: Final = rf"{_DAY}[ T]\s*{_HOUR}(?![\w:.])"
"""A time that names its day: `fri 16:50`, `mon+2w 09:00`, `+3d 10:00`, `2026-03-09 10:00:30`, with `Z` in UTC."""

_TIME: Final = re.compile(rf"({_DAY})?[ T]*({_HOUR})(?![\w.]|:(?!\s))")  # a colon may end it: `arrives TIME:`
_LENGTH: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SPAN: Final = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?")
_DAYS_NAMED: Final = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?")


class Words:
    """What is left of a line, taken from the left."""

    def __init__(self, text: str) -> None:
        self.rest = text.strip()

    def skip(self, count: int) -> None:
        self.rest = self.rest[count:].strip()

    def take_word(self) -> str:
        """The next word. Raises ValueError at the end of the line."""
        if not self.rest:
            raise ValueError("the line ends too early")
        word, _, rest = self.rest.partition(" ")
        self.rest = rest.strip()
        return word

    def take_time_if_any(self) -> str | None:
        found = _TIME.match(self.rest)
        if found is None:
            return None
        self.skip(found.end())
        return found[0].strip()

    def take_time(self) -> str:
        """The next words, a time. Raises ValueError where they are none."""
        taken = self.take_time_if_any()
        if taken is None:
            raise ValueError("a time is expected: `fri 16:50`, `+2d 10:00`, `2026-03-09 10:00`")
        return taken

    def take_prefix(self, word: str) -> str | None:
        """The time of `word TIME:` at the head of the line, or None where the word is not there."""
        if not self.rest.startswith(word + " "):
            return None
        self.skip(len(word))
        taken = self.take_time()
        if not self.rest.startswith(":"):
            raise ValueError(f"`{word} TIME:` ends with a colon, and the event follows")
        self.skip(1)
        return taken

    def must_end(self) -> None:
        if self.rest:
            raise ValueError(f"`{self.rest.split()[0]}` is not understood here")


class WallClock:
    """Turns the written times of a story into microseconds; a time without a day is on the day of the one before."""

    def __init__(self) -> None:
        self.zone: tzinfo | None = None
        self.first: date | None = None
        self.day: date | None = None
        self.assumed = False

    def assume_utc(self) -> None:
        """Read on in UTC, so that further mistakes are found as well."""
        self.zone = UTC
        self.assumed = True

    def count_from(self, text: str) -> None:
        """Days count from this date on. Raises ValueError where it is none."""
        self.first = _date(text)

    def at(self, text: str) -> int:
        """Microseconds of a written time. A wall clock that does not exist moves forward by the gap; one that exists
        twice is the first. Raises ValueError where it cannot be told which instant is meant.
        """
        found = _TIME.fullmatch(text)
        if found is None:
            raise ValueError(f"`{text}` is no time: `fri 16:50`, `+2d 10:00`, `2026-03-09 10:00`")
        self.day = self._day(found[1])
        clock = found[2]
        zone = UTC if clock.endswith("Z") else self.zone
        moment = datetime.combine(self.day, _clock(clock.removesuffix("Z")), tzinfo=zone)
        return from_datetime(moment)

    def _day(self, name: str | None) -> date:
        if name is None:
            if self.day is None:
                raise ValueError("the first time needs a day")
            return self.day
        if name[0].isdigit():
            return _date(name)
        if self.first is None:
            raise ValueError("the names of days need `from: DATE` in the head, the date that they count from")
        if name.startswith("+"):
            return self.first + timedelta(days=int(name[1:-1]))
        day, _, weeks = name.partition("+")
        ahead = (DAYS.index(day) - self.first.weekday()) % 7
        return self.first + timedelta(days=ahead, weeks=int(weeks[:-1]) if weeks else 0)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{text}` is no date: write 2026-03-09") from None


def _clock(text: str) -> time:
    hours, _, rest = text.partition(":")
    try:
        return time.fromisoformat(f"{int(hours):02d}:{rest}")
    except ValueError:
        raise ValueError(f"`{text}` is no time of day") from None


def read_zone(name: str) -> ZoneInfo:
    """The zone of that name. Raises ValueError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"`{name}` is no zone: write a name of the tz database, like America/New_York") from None


def read_length(text: str) -> int:
    """Microseconds of `16h20m`, `45s`, `1d2h`. Raises ValueError for anything else."""
    found = _LENGTH.fullmatch(text)
    if found is None or not text:
        raise ValueError(f"`{text}` is no length of time: write 16h20m, 45s or 1d2h")
    units = (DAY, HOUR, MINUTE, SECOND)
    return sum(int(count) * unit for count, unit in zip(found.groups(), units, strict=True) if count)


def write_length(seconds: int) -> str:
    """`58800` as `16h20m`, days only where there are whole ones."""
    parts: list[str] = []
    left = abs(seconds)
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, unit)
        if count:
            parts.append(f"{count}{name}")
    return ("-" if seconds < 0 else "") + ("".join(parts) or "0s")


def write_wall_clock(micros: int, zone: tzinfo) -> str:
    """`mon 2026-03-09 16:50`, seconds and fractions only where there are any."""
    moment = to_datetime(micros).astimezone(zone)
    text = f"{DAYS[moment.weekday()]} {moment:%Y-%m-%d %H:%M}"
    if moment.second or moment.microsecond:
        text += f":{moment:%S}" + (f".{moment:%f}".rstrip("0") if moment.microsecond else "")
    return text


def read_hours(name: str, text: str) -> Calendar:
    """`mon-fri 08:00-17:00, sat 09:00-12:00 13:00-15:00, holidays US-NY, closed 2026-12-24` as a calendar
    whose zone is not named yet. Raises ValueError for what is not understood.
    """
    hours: list[tuple[Span, ...]] = [()] * 7
    closed: list[date] = []
    country = subdivision = None
    for part in (p.strip() for p in text.split(",") if p.strip()):
        head, *rest = part.split()
        if head == "closed" and rest:
            closed += [_date(day) for day in rest]
        elif head == "holidays" and len(rest) == 1:
            country, _, region = rest[0].partition("-")
            subdivision = region or None
        else:
            for day in _days_named(head):
                hours[day] = tuple(_span(span) for span in rest)
    return Calendar(
        id=name,
        timezone=None,
        hours=tuple(hours),
        country=country,
        subdivision=subdivision,
        closed=frozenset(closed),
    )


def _days_named(text: str) -> list[int]:
    found = _DAYS_NAMED.fullmatch(text)
    if found is None or found[1] not in DAYS or (found[2] is not None and found[2] not in DAYS):
        raise ValueError(f"`{text}` is no day: mon, tue, wed, thu, fri, sat, sun, or a range such as mon-fri")
    first = DAYS.index(found[1])
    last = DAYS.index(found[2] or found[1])
    return [(first + step) % 7 for step in range((last - first) % 7 + 1)]


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is no span of hours: write 08:00-17:00")
    opening = int(found[1]) * 60 + int(found[2] or 0)
    closing = int(found[3]) * 60 + int(found[4] or 0)
    if not opening < closing <= 24 * 60:
        raise ValueError("a span opens before it closes, and closes at 24:00 at the latest")
    return opening, closing
