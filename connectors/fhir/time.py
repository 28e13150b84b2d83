"""FHIR date, dateTime and instant to microseconds, with how coarse the stamp is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.event import DAY, MINUTE, SECOND
from schemas.instant import from_datetime, read_instant, to_datetime

# FHIR R4, 2.24.0.1: the dateTime type. Seconds are required there and often left out; a zone too.
_STAMP: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)
_WHOLE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.(?:\d{3}|\d{6}))?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
"""As nearly every stamp is written: nothing is left out, nothing is a leap second."""
_ENDS: Final = frozenset(("0000", "0001", "9999"))  # years whose stamps may lie outside of UTC's
PRECISION_NAMES: Final = {MINUTE: "minute", DAY: "day"}


class TooCoarse(ValueError):
    """A year or a month: a time, and none that a promise can be counted from."""


class Stamp(NamedTuple):
    """`precision` in microseconds, 0 for seconds and finer; `assumed`: no zone was written."""

    time: int
    precision: int
    assumed: bool


@lru_cache(maxsize=8192)
def read_stamp(text: str, zone: tzinfo = UTC) -> Stamp:
    """Raises ValueError for what is no dateTime, TooCoarse for a year or a month, OverflowError for what lies outside
    the years 1 to 9999 of UTC. `zone` is for stamps without one:
    days, and what senders leave out."""
    if len(text) == 20 and text[19] == "Z" and text[10] == "T" and text[4] == text[7] == "-" and text[:4] not in _ENDS:
        return Stamp(read_instant(text), 0, assumed=False)  # it remembers minutes
    if _WHOLE.fullmatch(text) is not None and text[:4] not in _ENDS:
        return Stamp(from_datetime(datetime.fromisoformat(text)), 0, assumed=False)
    found = _STAMP.fullmatch(text.strip())
    if found is None:
        raise ValueError("not a FHIR dateTime")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if day is None:
        if month is not None and not 1 <= int(month) <= 12:
            raise ValueError("not a FHIR dateTime")
        raise TooCoarse("a day is needed")
    if hour is None:
        return Stamp(_exact(datetime(int(year), int(month), int(day), tzinfo=zone)), DAY, assumed=True)
    leap = second == "60"
    micros = int((fraction or "")[:6].ljust(6, "0"))
    seconds = "59" if leap else second or "00"
    moment = datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{seconds}{offset or ''}")
    if offset is None:
        moment = moment.replace(tzinfo=zone)
    time = _exact(moment) + micros
    if leap:
        time += SECOND
        to_datetime(time)  # the last second of the calendar has none behind it
    return Stamp(time, 0 if second is not None else MINUTE, assumed=offset is None)


def _exact(moment: datetime) -> int:
    return from_datetime(moment.astimezone(UTC))
