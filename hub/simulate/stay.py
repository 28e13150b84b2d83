"""Stays on a ward: admitted from the emergency department or for surgery, discharged, and what comes after."""

from __future__ import annotations

from typing import Final

from hub.simulate.appointments import book_follow_up
from hub.simulate.clinic import (
    CARDIOLOGY,
    DOCUMENTS,
    FAMILY_CLINIC,
    HEART_WARD,
    REGISTRATION,
    SURGICAL_WARD,
    THEATRE,
    Department,
)
from hub.simulate.laboratory import BLOOD_COUNT, CHEMISTRY, CULTURE, plan_test, run_test
from hub.simulate.people import Person
from hub.simulate.registration import leave, open_visit, tell
from hub.simulate.segments import Visit, evn, place, txa
from hub.simulate.telling import call_home
from hub.simulate.wall import DAY, HOUR, MINUTE
from hub.simulate.world import Story, World, days

# TXA-2 in the clinic's own codes: a discharge summary, a note of a consultation.
SUMMARY: Final = "DISCH"
_DIED: Final = "20"
# PV1-36: home, home with home care, a skilled nursing facility, against advice, died.
_DISPOSITIONS: Final = (("01", 66), ("06", 16), ("03", 13), ("07", 2), (_DIED, 2))


def ward_stay(
    world: World, person: Person, ward: Department, *, admission: str, bed_free: int, comes_from: str
) -> Story:
    """From the paper admission on. Until `bed_free` the person lies where they are (`comes_from`, a PV1-3)."""
    visit = open_visit(world, person, ward, "I", admission=admission, service="CAR" if ward is HEART_WARD else "SUR")
    visit.place = comes_from
    world.send(REGISTRATION, "ADT^A01^ADT_A01", evn("A01", world.stamp()), visit.pid, visit.pv1, person.in1)
    yield bed_free
    visit.move(ward, 1 + world.dice.randrange(ward.rooms))
    if world.chance(0.08):
        # The ward clerk enters the move when there is time, and dates it back to when it was.
        yield bed_free + world.minutes(70, 0.6)
        tell(world, visit, "A02", occurred=bed_free)
    else:
        tell(world, visit, "A02")
    yield from _days_on_the_ward(world, visit)
    yield from _discharge(world, visit)


def planned_surgery(world: World) -> Story:
    """Announced days before (A14), admitted in the morning, operated on, a few days on the ward."""
    person = world.somebody(busy_for=9 * DAY)
    visit = open_visit(world, person, SURGICAL_WARD, "P", admission="C", service="SUR")
    visit.place = place(SURGICAL_WARD, "")
    tell(world, visit, "A14")
    yield world.wall.at(world.open_day(world.now, 1 + world.dice.randrange(3)), 6 * 60) + world.minutes(40, 0.3)
    visit.patient_class, visit.started = "I", world.stamp()
    visit.move(SURGICAL_WARD, 1 + world.dice.randrange(SURGICAL_WARD.rooms))
    bed = visit.place
    world.send(REGISTRATION, "ADT^A01^ADT_A01", evn("A01", world.stamp()), visit.pid, visit.pv1, person.in1)
    world.begin(run_test(world, visit, plan_test(world, BLOOD_COUNT, "R", visit.attending, 10 * MINUTE)))
    yield world.now + world.minutes(130)
    visit.move(THEATRE, 1 + world.dice.randrange(THEATRE.rooms))
    tell(world, visit, "A02")
    yield world.now + world.minutes(170)
    visit.place = bed
    tell(world, visit, "A02")
    yield from _days_on_the_ward(world, visit)
    yield from _discharge(world, visit)


def _days_on_the_ward(world: World, visit: Visit) -> Story:
    """Blood is drawn every morning at six; now and then a culture that will still grow when the person is home."""
    stay = world.minutes(46 * 60, 0.5)
    last = world.wall.day(world.now + stay)
    while world.wall.day(world.now) < last:
        yield world.wall.at(world.wall.day(world.now + DAY), 5 * 60 + 30) + world.minutes(25, 0.3)
        for panel in (BLOOD_COUNT, CHEMISTRY):
            world.begin(run_test(world, visit, plan_test(world, panel, "R", visit.attending, world.minutes(22))))
        if world.chance(0.3):
            world.begin(run_test(world, visit, plan_test(world, CULTURE, "R", visit.attending, world.minutes(30))))
    hour = 11 * 60 + world.dice.randrange(300)
    yield max(world.wall.at(world.wall.day(world.now), hour), world.now + HOUR)


def _discharge(world: World, visit: Visit) -> Story:
    disposition = world.dice.pick(_DISPOSITIONS)
    if disposition == _DIED:
        yield from _die(world, visit)
        return
    leave(world, visit, disposition)
    if world.chance(0.05):
        yield from _called_back(world, visit, disposition)
    world.begin(call_home(world, visit))
    author = visit.attending
    world.begin(_write_summary(world, visit), world.now + world.minutes(13 * 60, 0.85))
    clinic = CARDIOLOGY if author.department == HEART_WARD.code else FAMILY_CLINIC
    if world.chance(0.8):
        world.begin(book_follow_up(world, visit.person, clinic), world.in_hours(world.now + world.minutes(300, 0.9)))
    world.keep_busy(visit.person.number, world.now + 2 * DAY)
    if world.chance(0.07):
        yield world.now + days(0.6) + world.minutes(22 * 60, 0.5)
        ward = HEART_WARD if author.department == HEART_WARD.code else SURGICAL_WARD
        yield from ward_stay(
            world,
            visit.person,
            ward,
            admission="E",
            bed_free=world.now + world.minutes(50),
            comes_from=place(ward, "ADM"),
        )


def _called_back(world: World, visit: Visit, disposition: str) -> Story:
    """A13: the discharge is taken back, for a night more."""
    yield world.now + world.minutes(35)
    visit.ended = visit.disposition = ""
    tell(world, visit, "A13")
    yield world.now + DAY + world.minutes(30)
    leave(world, visit, disposition)


def _die(world: World, visit: Visit) -> Story:
    visit.disposition, visit.ended = _DIED, world.stamp()
    world.voices.died.add(visit.person.number)
    dead = visit.person.pid_of_the_dead(world.stamp())
    world.send(REGISTRATION, "ADT^A03^ADT_A03", evn("A03", world.stamp()), dead, visit.pv1)
    world.keep_busy(visit.person.number, world.end)
    world.begin(_write_summary(world, visit), world.now + world.minutes(10 * 60, 0.6))
    yield from ()


def _write_summary(world: World, visit: Visit) -> Story:
    """T02: the discharge summary, signed."""
    document = world.number("DOC")
    world.send(
        DOCUMENTS,
        "MDM^T02^MDM_T02",
        evn("T02", world.stamp()),
        visit.pid,
        visit.pv1,
        txa(SUMMARY, at=world.stamp(), author=visit.attending, document=document),
        "OBX|1|TX|18842-5^Discharge summary^LN||The summary is in the archive.||||||F",
    )
    yield from ()
