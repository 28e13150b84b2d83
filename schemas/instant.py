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

_micros_by_minute: dict[str, int] = {}
_text_by_minute: dict[int, str] = {}  # number of the minute -> its text, up to the colon before the seconds


def read_instant(text: str) -> int:
    """Microseconds of an RFC 3339 text with an offset. Raises ValueError for anything else, naive texts included."""
    if len(text) == 20 and text[19] == "Z" and text[16] == ":":
        seconds = text[17:19]
        minute = _micros_by_minute.get(text[:16])
        if minute is None:
            minute = _exact(text[:16] + ":00Z")
            if len(_micros_by_minute) >= _MINUTES_KEPT:
                _micros_by_minute.clear()
            _micros_by_minute[text[:16]] = minute
        past = _MICROS_BY_SECONDS.get(seconds)
        if past is not None:
            return minute + past
        raise ValueError("seconds are no number from 00 to 60")
    return _exact(text)


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
    if not past % _SECOND:  # as nearly always
        text = _text_by_minute.get(minute)
        if text is None:
            text = (_EPOCH + timedelta(microseconds=minute * _MINUTE)).isoformat()[:17]
            if len(_text_by_minute) >= _MINUTES_KEPT:
                _text_by_minute.clear()
            _text_by_minute[minute] = text
        return f"{text}{past // _SECOND:02d}Z"
    moment = _EPOCH + timedelta(microseconds=micros)
    text = moment.isoformat()[:19]
    return f"{text}.{micros % _SECOND:06d}".rstrip("0") + "Z"


def from_datetime(moment: datetime) -> int:
    """Microseconds of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(micros: int) -> datetime:
    """An aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=micros)
