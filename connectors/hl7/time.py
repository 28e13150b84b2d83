"""HL7 times (DTM, TS) to microseconds, with the coarseness of the stamp.

`YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]` (HL7 v2.5.1, chapter 2A, DTM). A stamp without an offset is read in
the zone of its facility.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from schemas.event import DAY, HOUR, MINUTE, SECOND
from schemas.instant import from_datetime, write_instant

_DTM: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{0,9}))?)?)?)?)?)?([+-]\d{4})?\Z", re.ASCII
)
_YEAR: Final = 366 * DAY
_MONTH: Final = 31 * DAY
_PRECISIONS: Final = {1: _YEAR, 2: _MONTH, 3: DAY, 4: HOUR, 5: MINUTE}
PRECISION_NAMES: Final = {_YEAR: "year", _MONTH: "month", DAY: "day", HOUR: "hour", MINUTE: "minute"}
_KEPT: Final = 10_000  # days: 27 years
# What RFC 3339 can write: the years 1 to 9999 in UTC.
_LEAST: Final = from_datetime(datetime(1, 1, 1, tzinfo=UTC))
_LARGEST: Final = from_datetime(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))

# The minutes of a day and the seconds of a minute, as HL7 and as RFC 3339 write them.
_MINUTES: Final = {f"{n // 60:02d}{n % 60:02d}": n * MINUTE for n in range(1440)}
_SECONDS: Final = {f"{n:02d}": n * SECOND for n in range(60)}
_MINUTE_TEXTS: Final = [f"{n // 60:02d}:{n % 60:02d}:" for n in range(1440)]
_SECOND_TEXTS: Final = [f"{n:02d}Z" for n in range(60)]

Stamp = tuple[int, int, bool]
"""Microseconds, coarseness in microseconds (0: to the second or finer), whether the zone was not in the stamp."""


class Times:
    """Reads stamps in one zone, and remembers where its days begin."""

    __slots__ = ("_days", "_hours", "_texts", "_zone")

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone: tzinfo = zone
        self._days: dict[str, int] = {}  # beginning of a day on which the clock is not changed
        self._hours: dict[str, int] = {}  # of an hour without a change, on a day that has one
        self._texts: dict[int, str] = {}  # day since the epoch -> its date

    def read(self, stamp: str) -> Stamp:
        """Raises ValueError for what is no time.

        A wall clock that does not exist moves forward by the gap; of one that exists twice it is the first (PEP 495,
        fold 0).
        """
        if len(stamp) == 14:
            minute, second = _MINUTES.get(stamp[8:12]), _SECONDS.get(stamp[12:])
            if minute is not None and second is not None:
                day = self._days.get(stamp[:8])
                if day is not None:
                    return day + minute + second, 0, True
                hour = self._hours.get(stamp[:10])
                if hour is not None:
                    return hour + minute % HOUR + second, 0, True
        return self._read(stamp.strip())

    def write(self, micros: int) -> str:
        """RFC 3339 in UTC, as `schemas.instant.write_instant` has it."""
        number, rest = divmod(micros, DAY)
        if rest % SECOND:
            return write_instant(micros)
        date = self._texts.get(number)
        if date is None:
            if len(self._texts) >= _KEPT:
                self._texts.clear()
            date = self._texts[number] = write_instant(number * DAY)[:11]
        return date + _MINUTE_TEXTS[rest // MINUTE] + _SECOND_TEXTS[rest % MINUTE // SECOND]

    def _read(self, stamp: str) -> Stamp:
        found = _DTM.match(stamp)
        if found is None:
            raise ValueError("no HL7 time: YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]][+/-ZZZZ] is expected")
        *numbers, fraction, offset = found.groups()
        parts = [int(n) for n in numbers if n is not None]
        second = parts[5] if len(parts) == 6 else 0
        if second > 60:  # 60 is a leap second, which datetime does not know: it is the next minute's first
            raise ValueError("seconds are from 00 to 60")
        year, month, day, hour, minute = [*parts[:5], *(1, 1, 0, 0)[len(parts) - 1 :]] if len(parts) < 5 else parts[:5]
        zone = _offset(offset) if offset else self._zone
        try:
            whole = from_datetime(datetime(year, month, day, hour, minute, tzinfo=zone))
            if not offset and len(parts) > 3:
                self._remember(stamp, datetime(year, month, day, hour, tzinfo=zone))
        except OverflowError:
            raise ValueError("the time lies outside the years 1 to 9999") from None
        if not _LEAST <= whole <= _LARGEST - HOUR:
            raise ValueError("the time lies outside the years 1 to 9999")
        micros = int((fraction or "").ljust(6, "0")[:6])
        return whole + second * SECOND + micros, _PRECISIONS.get(len(parts), 0), not offset

    def _remember(self, stamp: str, hour: datetime) -> None:
        """Keep where a day begins, or where the clock is changed on it an hour, if all its wall clocks are that far
        from its beginning as they say."""
        midnight = hour.replace(hour=0)
        if midnight.utcoffset() == hour.replace(hour=23, minute=59, second=59).utcoffset():
            kept, key, begins = self._days, stamp[:8], from_datetime(midnight)
        elif hour.utcoffset() == hour.replace(minute=59, second=59).utcoffset():
            kept, key, begins = self._hours, stamp[:10], from_datetime(hour)
        else:
            return
        if _LEAST <= begins <= _LARGEST - 2 * DAY:
            if len(kept) >= _KEPT:
                kept.clear()
            kept[key] = begins


def _offset(text: str) -> tzinfo:
    hours, minutes = int(text[1:3]), int(text[3:5])
    if hours > 15 or minutes > 59:
        raise ValueError("the offset of the stamp is none")
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(-away if text[0] == "-" else away)
