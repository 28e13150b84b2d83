"""How busy the clinic is: the shape of a day and of a week, and the Tuesday on which the analyser breaks down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from hub.simulate.wall import HOUR, MINUTE, Wall

# Arrivals in the emergency department by hour of the day, as shares of a day: low at four, high from late morning on.
ED_BY_HOUR: Final = (22, 17, 14, 12, 11, 13, 20, 30, 42, 54, 62, 66, 66, 63, 60, 58, 58, 60, 61, 58, 52, 44, 36, 28)
ED_BY_WEEKDAY: Final = (1.15, 1.0, 0.97, 0.96, 0.98, 0.97, 0.97)  # Monday first

CLINIC_OPENS: Final = 8 * 60  # minutes since midnight
CLINIC_CLOSES: Final = 17 * 60


@dataclass(frozen=True, slots=True)
class Load:
    """Factors on what the clinic needs time for, by instant. `tuesday` is the day of the breakdown."""

    wall: Wall
    tuesday: date

    def laboratory(self, received: int) -> float:
        """How many times longer a specimen takes that the laboratory receives at `received`.

        The chemistry analyser stands still from 10 to 14 h; the backlog is worked off until 18 h.
        """
        if self.wall.day(received) != self.tuesday:
            return 1.0
        minute = self.wall.minute(received)
        if 10 * 60 <= minute < 14 * 60:
            return 4.2
        if 14 * 60 <= minute < 18 * 60:
            return 4.2 - 3.0 * (minute - 14 * 60) / 240
        return 1.0

    def emergency(self, at: int) -> float:
        """How many times longer people wait in the emergency department; it fills up behind the laboratory."""
        minute = self.wall.minute(at)
        usual = 0.8 if minute < 8 * 60 else 1.15 if 16 * 60 <= minute < 22 * 60 else 1.0
        if self.wall.day(at) != self.tuesday or minute < 11 * 60:
            return usual
        return usual * (2.6 if minute < 21 * 60 else 1.7)

    def beds(self, at: int) -> float:
        """How many times longer a bed on a ward takes to become free."""
        return 2.4 if self.wall.day(at) == self.tuesday and self.wall.minute(at) >= 12 * 60 else 1.0

    def arrivals(self, day: date) -> float:
        return ED_BY_WEEKDAY[day.weekday()] * (1.6 if day == self.tuesday else 1.0)


def first_tuesday(start: date) -> date:
    return start + timedelta(days=(1 - start.weekday()) % 7)


@dataclass(frozen=True, slots=True)
class Outage:
    """An interface stands still; what it has to send waits, and goes out in its order at `until`."""

    file: str
    since: int
    until: int


def planned_outages(wall: Wall, start: date) -> tuple[Outage, ...]:
    """The night of Thursday: the engine room takes the results and the schedule down for maintenance."""
    thursday = start + timedelta(days=(3 - start.weekday()) % 7)
    since = wall.at(thursday, 60)
    return (
        Outage("results.hl7", since, since + 3 * HOUR + 10 * MINUTE),
        Outage("siu.hl7", since, since + 2 * HOUR),
    )
