"""Times as vendors write them, to microseconds: RFC 3339, epoch seconds or milliseconds, RFC 5322 (Twilio's callbacks).

A stamp without an offset is read in the source's zone; without one it is read as UTC, and that is said.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any, Final

from schemas.event import DAY, MINUTE, SECOND
from schemas.instant import from_datetime, read_instant

Stamp = tuple[int, int, bool]
"""Microseconds, coarseness in microseconds (0: to the second or finer), whether no zone was known for it."""
_DIGITS: Final = re.compile(r"\d{9,16}(\.\d{1,6})?\Z", re.ASCII)
_MILLISECONDS: Final = 100_000_000_000  # as seconds this lies in the year 5138, as milliseconds in 1973
_LARGEST: Final = 253_402_300_799 * SECOND  # what RFC 3339 can write: the year 9999


_MINUTES_KEPT: Final = 200_000  # beyond it the memory of minutes starts anew
_minutes: dict[str, int] = {}
_rests: dict[str, int] = {}


def read_stamp(value: Any, zone: tzinfo | None) -> Stamp:
    """Raises ValueError or OverflowError for what is no time."""
    if type(value) is str:
        if value[-1:] == "Z" and value[19:20] in ("Z", "."):
            return quick_instant(value), 0, False
        return _of_text(value.strip(), zone)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _of_number(value), 0, False
    raise ValueError("no text and no number")


def quick_instant(text: str) -> int:
    """An RFC 3339 text in UTC as most vendors write it, with milliseconds: minutes and what follows them are remembered
    each for itself. Raises ValueError."""
    minute, rest = _minutes.get(text[:17]), _rests.get(text[17:])
    if minute is not None and rest is not None:
        return minute + rest
    instant = read_instant(text)
    if len(text) == 24 and text[23] == "Z" and text[17:19] < "60":
        if len(_minutes) >= _MINUTES_KEPT:
            _minutes.clear()
        _rests[text[17:]] = instant % MINUTE  # 60,000 at most
        _minutes[text[:17]] = instant - instant % MINUTE
    return instant


def _of_number(value: float) -> int:
    micros = value * 1000 if value >= _MILLISECONDS else value * SECOND
    if not 0 <= micros <= _LARGEST:
        raise ValueError("outside of the years 1970 to 9999")
    return round(micros)


def _of_text(text: str, zone: tzinfo | None) -> Stamp:
    if _DIGITS.match(text):
        return _of_number(float(text) if "." in text else int(text)), 0, False
    if text[:1].isalpha() or "," in text:
        try:
            moment = parsedate_to_datetime(text)
        except (TypeError, IndexError):
            raise ValueError("no time") from None
    else:
        moment = datetime.fromisoformat(text.upper() if text.endswith("z") else text)
    precision = DAY if len(text) == 10 else MINUTE if re.fullmatch(r"[^T ]+[T ]\d\d:?\d\d([Zz]|[+-].*)?", text) else 0
    if moment.tzinfo is not None:
        return from_datetime(moment), precision, False
    # a wall clock that does not exist moves forward by the gap: fold=0 reads it with the offset before
    return from_datetime(moment.replace(tzinfo=zone or UTC)), precision, zone is None
