"""What is told to patients: results, reminders, a call after a stay or a visit that was missed.

Most of it happens in time. What does not has its reason here: an export that stands still, a number that is wrong,
a list that leaves somebody out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from hub.simulate.calls import call_about_result, desk_time
from hub.simulate.portal import appointment as booking
from hub.simulate.portal import encounter, order
from hub.simulate.wall import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from hub.simulate.appointments import Appointment
    from hub.simulate.people import Person
    from hub.simulate.segments import Visit
    from hub.simulate.world import World

Story = Iterator[int]

_HELD: Final = 0.015
_DIED: Final = "20"
_HOME: Final = frozenset(("01", "06"))


def tell_result(world: World, visit: Visit, placer: str, filler: str) -> Story:
    """From the final result to the patient who knows of it: posted, opened at the portal, or told by telephone."""
    voices, person = world.voices, visit.person
    habits = voices.habits(person.number)
    # Who lies on a ward hears of it at the bedside.
    is_owed = visit.patient_class != "I" or (bool(visit.ended) and visit.disposition != _DIED)
    if voices.chance(_HELD):
        voices.portal.hold_result(world.now, person, placer, filler)
        yield from _told_by_clinician(world, person, placer)
        return
    yield _posted_at(world)
    voices.portal.post_result(world.now, person, placer, filler)
    seen = _by_day(world, world.now + voices.minutes(290, 1.15)) if habits.looks else None
    at = desk_time(world, world.now + voices.minutes(19 * 60, 0.2))
    for attempt in range(3 if is_owed else 0):
        if (seen is not None and seen <= at) or person.number in voices.died:
            break
        yield at
        if call_about_result(world, person, placer):
            return
        # A second call on the same day; then the list is full of others.
        at = desk_time(world, at + (voices.minutes(280, 0.3) if attempt == 0 else 2 * DAY))
    if seen is not None and person.number not in voices.died:
        yield max(seen, world.now)
        voices.portal.show_result(world.now, person, placer, filler)


def _posted_at(world: World) -> int:
    """Minutes after the result; on the Tuesday the portal's import stands still from noon to seven, behind the
    laboratory's backlog."""
    wall, soon = world.wall, world.now + world.voices.minutes(7, 0.6)
    tuesday = world.load.tuesday
    if wall.day(soon) == tuesday and 12 * 60 <= wall.minute(soon) < 19 * 60:
        return wall.at(tuesday, 19 * 60) + soon % (20 * MINUTE)
    return soon


def _by_day(world: World, at: int) -> int:
    """Nobody reads at night."""
    minute = world.wall.minute(at)
    return at if minute >= 6 * 60 else at + (6 * 60 + 30 - minute) * MINUTE + at % (2 * HOUR)


def _told_by_clinician(world: World, person: Person, placer: str) -> Story:
    """A result that was kept back: the clinician calls, twice if need be."""
    for hours in (7, 20):
        yield world.in_hours(world.now + world.voices.minutes(hours * 60, 0.3))
        if person.number in world.voices.died:
            return
        reached = world.voices.chance(0.85)
        world.voices.portal.note_outreach(world.now, person, "result", reached=reached, basedOn=[order(placer)])
        if reached:
            return


def remind(world: World, appointment: Appointment) -> Story:
    """A text message at six in the evening, three days ahead; who has no mobile telephone is left out.

    The gateway stands still from Friday evening to Saturday morning: the first of Monday's are reminded too late.
    """
    wall, slot = world.wall, appointment.slot
    at = max(world.now + 20 * MINUTE, wall.at(wall.day(slot) - timedelta(days=3), 18 * 60))
    if wall.day(at).weekday() == 4 and wall.minute(at) >= 17 * 60 + 30:
        at = wall.at(wall.day(at) + timedelta(days=1), 9 * 60)
    yield at + world.voices.dice.randrange(15 * MINUTE)
    moved = appointment.called_off or appointment.slot != slot or world.now >= slot
    if not moved and world.voices.habits(appointment.person.number).mobile:
        world.voices.portal.remind(world.now, appointment.person, appointment.number)


def call_who_missed(world: World, appointment: Appointment) -> Story:
    """Who did not come and has not asked for another date is called, on two days; some cannot be reached."""
    slot, person = appointment.slot, appointment.person
    for hours in (17, 16):
        yield desk_time(world, world.now + world.voices.minutes(hours * 60, 0.2))
        if appointment.slot != slot or person.number in world.voices.died:
            return
        reached = world.voices.habits(person.number).number_right and world.voices.chance(0.78)
        about = [booking(appointment.number)]
        world.voices.portal.note_outreach(world.now, person, "scheduling", reached=reached, about=about)
        if reached:
            return


def call_home(world: World, visit: Visit) -> Story:
    """A nurse calls who went home from a ward, the day after. On the Tuesday the wards are so full that of those who
    leave some are on no list until somebody goes through the week."""
    voices, person = world.voices, visit.person
    if visit.disposition not in _HOME:
        return
    left = visit.ended
    if world.wall.day(world.now) == world.load.tuesday and voices.chance(0.3):
        yield world.now + 2 * DAY
    for hours in (19, 4, 15):
        yield desk_time(world, world.now + voices.minutes(hours * 60, 0.2))
        if visit.ended != left or person.number in voices.died:
            return
        reached = voices.habits(person.number).number_right and voices.chance(0.8)
        about = {"encounter": encounter(visit.number)}
        voices.portal.note_outreach(world.now, person, "discharge", reached=reached, **about)
        if reached:
            return
