"""HL7 times (DTM, TS) to microseconds, with the coarseness of the stamp.

`YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]` (HL7 v2.5.1, chapter 2A, DTM). A stamp without an offset is read in
the zone of its facility.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from schemas.event import DAY, HOUR, MINUTE
from schemas.instant import from_datetime

_DTM: Final = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{0,9}))?)?)?)?)?)?([+-]\d{4})?\Z", re.ASCII
)
_YEAR: Final = 366 * DAY
_MONTH: Final = 31 * DAY
_PRECISIONS: Final = {1: _YEAR, 2: _MONTH, 3: DAY, 4: HOUR, 5: MINUTE}
PRECISION_NAMES: Final = {_YEAR: "year", _MONTH: "month", DAY: "day", HOUR: "hour", MINUTE: "minute"}
_KEPT: Final = 100_000


class Times:
    """Reads stamps in one zone, and remembers them: messages of one visit repeat theirs."""

    __slots__ = ("_known", "_zone")

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone: tzinfo = zone
        self._known: dict[str, tuple[int, int, bool]] = {}

    def read(self, stamp: str) -> tuple[int, int, bool]:
        """(microseconds, coarseness in microseconds, whether the zone was taken from the facility).

        Raises ValueError for what is no time. A wall clock that does not exist moves forward by the gap; of one that
        exists twice it is the first.
        """
        known = self._known.get(stamp)
        if known is None:
            known = self._read(stamp)
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[stamp] = known
        return known

    def _read(self, stamp: str) -> tuple[int, int, bool]:
        found = _DTM.match(stamp.strip())
        if found is None:
            raise ValueError("no HL7 time: YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]][+/-ZZZZ] is expected")
        *numbers, fraction, offset = found.groups()
        parts = [int(n) for n in numbers if n is not None]
        second = parts[5] if len(parts) > 5 else 0
        leap = second == 60  # noqa: PLR2004 - a leap second, which datetime does not know
        filled = [*parts, *(1, 1, 0, 0, 0)[len(parts) - 1 :]] if len(parts) < 6 else [*parts[:5], second - leap]
        micros = int((fraction or "").ljust(6, "0")[:6] or 0)
        moment = datetime(*filled, micros, tzinfo=_offset(offset) if offset else self._zone)  # type: ignore[arg-type]
        if leap:
            moment += timedelta(seconds=1)
        return from_datetime(moment), _PRECISIONS.get(len(parts), 0), offset is None


def _offset(text: str) -> tzinfo:
    hours, minutes = int(text[1:3]), int(text[3:5])
    if hours > 15 or minutes > 59:  # noqa: PLR2004
        raise ValueError("the offset of the stamp is none")
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(-away if text[0] == "-" else away)
