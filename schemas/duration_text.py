"""Durations read from text: `4h`, `90 min`, `10 days`, `2 business days`."""

from __future__ import annotations

import re
from typing import Final

from schemas.declaration import suggest
from schemas.duration import Duration, Unit

_FORM: Final = re.compile(r"([-+]?[0-9]+(?:[.,][0-9]+)?)\s*([A-Za-z][A-Za-z \t-]*)?")
_SECONDS: Final = {Unit.SECONDS: 1, Unit.MINUTES: 60, Unit.HOURS: 3600, Unit.DAYS: 86_400, Unit.WEEKS: 604_800}
_YEARS: Final = 100  # longer than any promise; beyond it calendar arithmetic would leave the years it knows
_SPELLINGS: Final = {
    Unit.SECONDS: ("s", "sec", "secs", "second", "seconds"),
    Unit.MINUTES: ("m", "min", "mins", "minute", "minutes"),
    Unit.HOURS: ("h", "hr", "hrs", "hour", "hours"),
    Unit.DAYS: ("d", "day", "days"),
    Unit.WEEKS: ("w", "wk", "wks", "week", "weeks"),
    Unit.BUSINESS_HOURS: ("business hour", "business hours"),
    Unit.BUSINESS_DAYS: ("business day", "business days"),
}
UNIT_BY_SPELLING: Final = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
_OTHERS: Final = {  # what people write for a unit that is not there, and what serves instead
    "month": "30 days",
    "months": "30 days",
    "year": "365 days",
    "years": "365 days",
    "bd": "business days",
    "working days": "business days",
    "working day": "business day",
    "workdays": "business days",
    "weekdays": "business days",
    "bh": "business hours",
    "working hours": "business hours",
    "ms": "seconds",
}


class WrongDuration(ValueError):
    """No duration. `suggestion` is what the text likely means."""

    def __init__(self, text: str, suggestion: str | None = None) -> None:
        super().__init__(text)
        self.suggestion = suggestion


def read_duration(text: str, *, least: int = 1) -> Duration:
    """A whole number of at least `least` and a unit, singular or plural. Raises WrongDuration."""
    parsed = _FORM.fullmatch(text.strip())
    if parsed is None:
        raise _no_form(text)
    number, spelling = parsed[1], " ".join((parsed[2] or "").replace("-", " ").split()).casefold()
    if not spelling:
        raise WrongDuration("a duration needs a unit", f"{number}h")
    unit = UNIT_BY_SPELLING.get(spelling)
    if unit is None:
        raise _no_unit(number, spelling)
    if not number.isdigit():
        raise WrongDuration("a duration is a whole number of its unit", _whole(number, unit))
    count = int(number[:12])
    if count < least:
        raise WrongDuration("a duration is above zero")
    if count * _SECONDS.get(unit, 3600) > _YEARS * 366 * 86_400:
        raise WrongDuration(f"a duration is at most {_YEARS} years")
    return Duration(count, unit)


def exact_seconds(duration: Duration) -> int | None:
    """The length in seconds, a day being 24 h; None for business units, whose length depends on the calendar."""
    seconds = _SECONDS.get(duration.unit)
    return None if seconds is None else duration.count * seconds


def _no_form(text: str) -> WrongDuration:
    parts = re.findall(r"([0-9]+)\s*([a-zA-Z]+)", text)
    units = [UNIT_BY_SPELLING.get(unit.casefold()) for _, unit in parts]
    if len(parts) > 1 and all(unit in _SECONDS for unit in units):
        total = sum(int(count[:12]) * _SECONDS[unit] for (count, _), unit in zip(parts, units, strict=True) if unit)
        return WrongDuration("a duration is one number and one unit", _in_units(total))
    return WrongDuration('a duration is a whole number and a unit, as "4h", "10 days" or "2 business days"')


def _no_unit(number: str, spelling: str) -> WrongDuration:
    if spelling in _OTHERS:
        instead = _OTHERS[spelling]
        meant = instead if instead[0].isdigit() else f"{number} {instead}"
        return WrongDuration(f"`{spelling}` is no unit", meant if number == "1" or meant != instead else None)
    near = suggest(spelling, (word for word in UNIT_BY_SPELLING if len(word) > 2))
    return WrongDuration(
        f"`{spelling}` is no unit (s, m, h, days, weeks, business hours, business days)",
        f"{number} {near}" if near else None,
    )


def _whole(number: str, unit: Unit) -> str | None:
    """A fraction of an exact unit, in a smaller one."""
    if number[0] in "-+" or unit not in _SECONDS:
        return number.lstrip("-+") + f" {unit.value}" if number[1:].isdigit() else None
    whole, _, rest = number.replace(",", ".").partition(".")
    seconds = int(whole[:9]) * _SECONDS[unit] + int(rest[:6]) * _SECONDS[unit] // 10 ** len(rest[:6])
    return _in_units(seconds) if seconds else None


def _in_units(seconds: int) -> str:
    for unit in (Unit.HOURS, Unit.MINUTES):
        if seconds % _SECONDS[unit] == 0:
            return str(Duration(seconds // _SECONDS[unit], unit))
    return str(Duration(seconds, Unit.SECONDS))
