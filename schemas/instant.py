"""Instants as text (RFC 3339) and as whole microseconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_MINUTES_KEPT: Final = 200_000  # about 140 days of distinct minutes; beyond it the cache starts anew
_MICROS_BY_SECONDS: Final = {f"{n:02d}": n * _SECOND for n in range(61)}  # 60: a leap second, RFC 3339 section 5.7

_MICROS_BY_DIGITS: Final = tuple(10 ** (6 - n) for n in range(7))  # what the last of so many digits of a second counts

_micros_by_minute: dict[str, int] = {}
_text_by_minute: dict[int, str] = {}  # number of the minute -> its text, up to the colon before the seconds


def read_instant(text: str) -> int:
    """Microseconds of an RFC 3339 text with an offset. Raises ValueError for anything else, naive texts included."""
    length = len(text)
    if length == 20 and text[19] == "Z" and text[16] == ":":
        fraction = 0
    elif 21 < length < 28 and text[-1] == "Z" and text[19] == "." and text[16] == ":":
        digits = text[20:-1]
        if not (digits.isascii() and digits.isdigit()):
            return _exact(text)
        fraction = int(digits) * _MICROS_BY_DIGITS[length - 21]
    else:
        return _exact(text)
    minute = _micros_by_minute.get(text[:16])
    if minute is None:
        minute = _exact(text[:16] + ":00Z")
        if len(_micros_by_minute) >= _MINUTES_KEPT:
            _micros_by_minute.clear()
        _micros_by_minute[text[:16]] = minute
    past = _MICROS_BY_SECONDS.get(text[17:19])
    if past is None:
        raise ValueError("seconds are no number from 00 to 60")
    return minute + past + fraction


def _exact(text: str) -> int:
    if text[16:19] == ":60":
        return _exact(text[:16] + ":59" + text[19:]) + _SECOND
    parsed = datetime.fromisoformat(text.upper() if text.endswith("z") else text)
    if parsed.tzinfo is None:
        raise ValueError("no offset: the zone is unknown")
    return (parsed - _EPOCH) // _MICROSECOND


def write_instant(micros: int) -> str:
    """RFC 3339 in UTC with `Z`; fractions of a second only where there are any."""
    minute, past = divmod(micros, _MINUTE)
    text = _text_by_minute.get(minute)
    if text is None:
        text = (_EPOCH + timedelta(microseconds=minute * _MINUTE)).isoformat()[:17]
        if len(_text_by_minute) >= _MINUTES_KEPT:
            _text_by_minute.clear()
        _text_by_minute[minute] = text
    seconds, fraction = divmod(past, _SECOND)
    if not fraction:  # as nearly always
        return f"{text}{seconds:02d}Z"
    return f"{text}{seconds:02d}.{fraction:06d}".rstrip("0") + "Z"


def from_datetime(moment: datetime) -> int:
    """Microseconds of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(micros: int) -> datetime:
    """An aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=micros)
