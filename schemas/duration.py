"""Durations as they are declared: a whole number and a unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    SECONDS = "s"
    MINUTES = "m"
    HOURS = "h"
    DAYS = "days"
    WEEKS = "weeks"
    BUSINESS_HOURS = "business hours"
    BUSINESS_DAYS = "business days"


BUSINESS: Final = frozenset({Unit.BUSINESS_HOURS, Unit.BUSINESS_DAYS})


@dataclass(frozen=True, slots=True)
class Duration:
    """`Duration(2, Unit.BUSINESS_DAYS)`. `count` is above zero, but for `plus: 0m`."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        if self.unit in (Unit.SECONDS, Unit.MINUTES, Unit.HOURS):
            return f"{self.count}{self.unit.value}"
        unit = self.unit.value
        return f"{self.count} {unit if self.count != 1 else unit.removesuffix('s')}"
