"""The emergency department: from the door to home, to a ward, or away without having been seen."""

from __future__ import annotations

from typing import Final

from hub.simulate.clinic import EMERGENCY, HEART_WARD, SURGICAL_WARD
from hub.simulate.imaging import URGENT_STUDIES, order_exam, urgent_exam
from hub.simulate.laboratory import BLOOD_COUNT, CHEMISTRY, CULTURE, TROPONIN, plan_test, run_test
from hub.simulate.people import Person
from hub.simulate.registration import hurried_record, leave, merge_duplicate, register, tell, update_later
from hub.simulate.segments import Visit
from hub.simulate.stay import ward_stay
from hub.simulate.wall import HOUR, MINUTE
from hub.simulate.world import Story, World, days

# PV1-36 of who went away before being seen, in the clinic's own code.
LEFT: Final = "LWBS"
AGAINST_ADVICE: Final = "07"
_ADMITTED_SHARE: Final = 0.2
_COMES_BACK: Final = 0.035


def emergency_visit(world: World, person: Person | None = None) -> Story:
    """One visit; who is admitted goes on to a ward, and a few of the others are back within days."""
    who = world.somebody(busy_for=days(4)) if person is None else person
    # One in thirty cannot say who they are: a record is made in a hurry, and merged in the afternoon (A40).
    unknown = person is None and world.chance(0.033)
    visit = register(world, who, EMERGENCY, "E", mrn=hurried_record(world) if unknown else "")
    if unknown:
        world.begin(merge_duplicate(world, visit))
    elif world.chance(0.02):
        yield from _mistaken(world, visit)
        return
    crowd = world.load.emergency(world.now)
    yield world.now + int(world.minutes(4.5) * min(crowd, 1.6))
    tell(world, visit, "A08", reason="TRIAGE")
    if world.chance(0.012 * crowd * crowd):
        yield world.now + int(world.minutes(65) * crowd)
        leave(world, visit, LEFT)
        return
    yield world.now + int(world.minutes(7.5) * crowd)
    visit.move(EMERGENCY, 1 + world.dice.randrange(EMERGENCY.rooms))
    tell(world, visit, "A02", reason="ROOM")
    yield world.now + int(world.minutes(6.5) * crowd)
    tell(world, visit, "A08", reason="SEEN")
    if world.chance(0.1):
        world.begin(update_later(world, visit))
    yield _work_up(world, visit)
    if world.chance(_ADMITTED_SHARE):
        yield from _admit(world, visit)
        return
    leave(world, visit, AGAINST_ADVICE if world.chance(0.02) else "01")
    if world.chance(_COMES_BACK):
        yield world.now + days(0.4) + world.minutes(26 * 60, 0.4)
        yield from emergency_visit(world, who)


def _mistaken(world: World, visit: Visit) -> Story:
    """A11: the wrong name was picked from the list."""
    yield world.now + world.minutes(5)
    tell(world, visit, "A11")


def _work_up(world: World, visit: Visit) -> int:
    """Order what is needed and say when a decision can be made: not before the last result is there."""
    decided = world.now + int(world.minutes(75, 0.4) * min(1.4, world.load.emergency(world.now)))
    if world.chance(0.62):
        panels = [BLOOD_COUNT, CHEMISTRY, TROPONIN][: world.dice.choice((1, 2, 2, 3))]
        for panel in panels:
            test = plan_test(world, panel, "S", visit.attending, world.minutes(9))
            world.begin(run_test(world, visit, test))
            decided = max(decided, test.final + world.minutes(18))
    if world.chance(0.06):
        world.begin(run_test(world, visit, plan_test(world, CULTURE, "R", visit.attending, 12 * MINUTE)))
    if world.chance(0.34):
        exam = order_exam(world, visit, world.dice.choice(URGENT_STUDIES), "S")
        wait = world.minutes(24)
        world.begin(urgent_exam(world, visit, exam, wait))
        decided = max(decided, world.now + wait + exam.study.minutes * MINUTE + world.minutes(50))
    return decided


def _admit(world: World, visit: Visit) -> Story:
    """A14: a bed is asked for; on paper the person is admitted soon, and lies in the department until it is free."""
    ward = HEART_WARD if world.chance(0.45) else SURGICAL_WARD
    tell(world, visit, "A14")
    decided = world.now
    bed_free = decided + int(world.minutes(105, 0.42) * world.load.beds(decided))
    yield min(decided + world.minutes(30), bed_free - MINUTE)
    world.begin(ward_stay(world, visit.person, ward, admission="E", bed_free=bed_free, comes_from=visit.place))
    yield bed_free + 2 * MINUTE
    # 09: admitted as an inpatient to this hospital.
    leave(world, visit, "09")
    world.keep_busy(visit.person.number, world.now + 6 * 24 * HOUR)
