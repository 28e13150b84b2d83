"""The programme of the days: how many come, and when. Everything else follows from their stories."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from hub.simulate.appointments import ask_and_book, booked_before
from hub.simulate.calls import phone_day
from hub.simulate.clinic import CARDIOLOGY, FAMILY_CLINIC, Department
from hub.simulate.emergency import emergency_visit
from hub.simulate.laboratory import walk_in
from hub.simulate.load import ED_BY_HOUR
from hub.simulate.stay import planned_surgery
from hub.simulate.wall import MINUTE
from hub.simulate.world import Story, World

# For each person who belongs to the clinic, how often in a week of seven days.
_EMERGENCY: Final = 0.42
_SURGERY: Final = 0.035
_WALK_IN: Final = 0.2
_CLINIC_BY_DEPARTMENT: Final = ((FAMILY_CLINIC, 0.5), (CARDIOLOGY, 0.22))
# How many days before the visit something may happen to an appointment that was given before the first day.
_KNOWN_AHEAD: Final = 3
# Days from the call to the visit, with their shares of a hundred.
_LEAD: Final = ((1, 14), (2, 16), (3, 14), (5, 14), (8, 14), (13, 14), (20, 14))


def programme(world: World) -> Story:
    """Begin each day's stories when the day comes, so that no more than a day is planned ahead."""
    day = world.first
    for offset in range(_KNOWN_AHEAD):
        _booked_already(world, day + timedelta(days=offset))
    while day <= world.last:
        world.forget_the_idle()
        _booked_already(world, day + timedelta(days=_KNOWN_AHEAD))
        _emergency_day(world, day)
        if day.weekday() < 5:
            _weekday(world, day)
        day += timedelta(days=1)
        yield world.wall.at(day)


def _emergency_day(world: World, day: date) -> None:
    midnight = world.wall.at(day)
    for _ in range(_how_many(world, _EMERGENCY / 7 * world.load.arrivals(day))):
        hour = world.dice.choices(range(24), ED_BY_HOUR)[0]
        world.begin(emergency_visit(world), midnight + (hour * 60 + world.dice.randrange(60)) * MINUTE)


def _weekday(world: World, day: date) -> None:
    world.begin(phone_day(world, day))
    for _ in range(_how_many(world, _SURGERY / 5)):
        world.begin(planned_surgery(world), world.wall.at(day, 9 * 60 + world.dice.randrange(360)))
    for _ in range(_how_many(world, _WALK_IN / 5)):
        world.begin(walk_in(world), world.wall.at(day, 7 * 60 + 30 + int(world.dice.triangular(0, 540, 60))))
    for department, often in _CLINIC_BY_DEPARTMENT:
        for _ in range(_how_many(world, often / 5)):
            lead = world.dice.pick(_LEAD)
            world.begin(
                ask_and_book(world, department, lead), world.wall.at(day, 8 * 60 + world.dice.randrange(9 * 60))
            )


def _booked_already(world: World, day: date) -> None:
    """Appointments of `day` that were given before the first day. The later the day, the fewer of them."""
    elapsed = (day - world.first).days
    known = sum(share for lead, share in _LEAD if lead > elapsed) / sum(share for _, share in _LEAD)
    if day.weekday() >= 5 or not known:
        return
    for department, often in _CLINIC_BY_DEPARTMENT:
        for _ in range(_how_many(world, often / 5 * known)):
            world.begin(booked_before(world, department, _slot_on(world, department, day)))


def _slot_on(world: World, department: Department, day: date) -> int:
    step = department.minutes
    return world.wall.at(day, 8 * 60 + step * world.dice.randrange((8 * 60 + 30) // step))


def _how_many(world: World, each: float) -> int:
    """A whole number around the expected one: it scatters as much as counts of independent people do."""
    expected = world.people.count * each
    return max(0, round(world.dice.gauss(expected, expected**0.5 * 0.6)))
