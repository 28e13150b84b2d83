"""HL7 times (DTM, TS) to microseconds, with the coarseness of the stamp.

`YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]` (HL7 v2.5.1, chapter 2A, DTM). A stamp without an offset is read in
the zone of its facility.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from schemas.event import DAY, HOUR, MINUTE, SECOND
from schemas.instant import from_datetime

_DTM: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{0,9}))?)?)?)?)?)?([+-]\d{4})?\Z", re.ASCII
)
_YEAR: Final = 366 * DAY
_MONTH: Final = 31 * DAY
_PRECISIONS: Final = {1: _YEAR, 2: _MONTH, 3: DAY, 4: HOUR, 5: MINUTE}
PRECISION_NAMES: Final = {_YEAR: "year", _MONTH: "month", DAY: "day", HOUR: "hour", MINUTE: "minute"}
_KEPT: Final = 100_000
# What RFC 3339 can write: the years 1 to 9999 in UTC.
_LEAST: Final = from_datetime(datetime(1, 1, 1, tzinfo=UTC))
_LARGEST: Final = from_datetime(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))

Stamp = tuple[int, int, bool]
"""Microseconds, coarseness in microseconds (0: to the second or finer), whether the zone was not in the stamp."""


class Times:
    """Reads stamps in one zone, and remembers their minutes: messages of one visit repeat theirs."""

    __slots__ = ("_minutes", "_zone")

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone: tzinfo = zone
        self._minutes: dict[str, int] = {}

    def read(self, stamp: str) -> Stamp:
        """Raises ValueError for what is no time.

        A wall clock that does not exist moves forward by the gap; of one that exists twice it is the first (PEP 495,
        fold 0).
        """
        if len(stamp) == 14 and stamp.isdigit() and stamp.isascii():
            minute = self._minutes.get(stamp[:12])
            second = stamp[12:]
            if minute is not None and second < "60":
                return minute + int(second) * SECOND, 0, True
        return self._read(stamp)

    def _read(self, stamp: str) -> Stamp:
        found = _DTM.match(stamp.strip())
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
        except OverflowError:
            raise ValueError("the time lies outside the years 1 to 9999") from None
        if not _LEAST <= whole <= _LARGEST - HOUR:
            raise ValueError("the time lies outside the years 1 to 9999")
        if not offset and len(parts) > 4:
            self._remember(stamp.strip()[:12], whole)
        micros = int((fraction or "").ljust(6, "0")[:6])
        return whole + second * SECOND + micros, _PRECISIONS.get(len(parts), 0), not offset

    def _remember(self, minute: str, micros: int) -> None:
        if len(self._minutes) >= _KEPT:
            self._minutes.clear()
        self._minutes[minute] = micros


def _offset(text: str) -> tzinfo:
    hours, minutes = int(text[1:3]), int(text[3:5])
    if hours > 15 or minutes > 59:
        raise ValueError("the offset of the stamp is none")
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(-away if text[0] == "-" else away)
