"""Appointments: asked for, given, moved, called off, missed, kept (SIU), and what is ordered in a visit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from hub.simulate.clinic import CARDIOLOGY, FALLS_ILL, FAMILY_CLINIC, IMAGING, SCHEDULE, Clinician, Department
from hub.simulate.imaging import PLANNED_STUDIES, Exam, cancel_exam, order_exam, read_exam
from hub.simulate.laboratory import BLOOD_COUNT, CHEMISTRY, LIPIDS, plan_test, run_test
from hub.simulate.people import Person
from hub.simulate.referrals import answer, consultation_note, refer
from hub.simulate.registration import leave, register, tell
from hub.simulate.segments import Visit, resources, sch
from hub.simulate.telling import call_who_missed, remind
from hub.simulate.wall import DAY, HOUR, MINUTE
from hub.simulate.world import Story, World

# SCH-6 and SCH-25 in the clinic's own codes; site.yaml says who was behind a reason.
ROUTINE: Final = "ROUT^Routine^HB"
PATIENT_ASKED: Final = "PTRQ^Patient's wish^HB"
CLINICIAN_AWAY: Final = "DRAW^Clinician away^HB"
BOOKED: Final = "BKD^Booked^HB"
WAITING: Final = "WAITLIST^On the list^HB"
CHECKED_IN: Final = "CHKIN^Checked in^HB"
FINISHED: Final = "FIN^Finished^HB"
CANCELLED: Final = "CANC^Cancelled^HB"
NO_SHOW: Final = "NSHW^Did not come^HB"


@dataclass(slots=True)
class Appointment:
    """`slot` is when it starts, in seconds since the epoch. `referral` and `exam` are what it is for, if anything."""

    number: str
    person: Person
    department: Department
    clinician: Clinician
    slot: int
    referral: str = ""
    exam: Exam | None = None
    called_off: bool = False


def new_appointment(world: World, person: Person, department: Department, slot: int) -> Appointment:
    return Appointment(f"{world.number('A')}^HBSCHED", person, department, world.clinician(department), slot)


def find_slot(world: World, department: Department, lead_days: int) -> int:
    """A free slot `lead_days` from now, on a weekday between eight and half past four."""
    step = department.minutes
    minute = 8 * 60 + step * world.dice.randrange((8 * 60 + 30) // step)
    return world.wall.at(world.open_day(world.now, lead_days), minute)


def send_schedule(
    world: World,
    appointment: Appointment,
    trigger: str,
    *,
    status: str,
    reason: str = ROUTINE,
    visit: Visit | None = None,
) -> None:
    wall, department = world.wall, appointment.department
    start = wall.stamp(appointment.slot)
    header = sch(
        appointment.number,
        department,
        reason=reason,
        start=start,
        end=wall.stamp(appointment.slot + department.minutes * MINUTE),
        status=status,
        order=appointment.exam.placer if appointment.exam else "",
    )
    segments = [header, appointment.person.pid]
    if visit is not None:
        segments.append(visit.pv1)
    segments.append(resources(department, appointment.clinician, start, department.minutes))
    if appointment.referral:
        segments.append(f"ZRF|1|{appointment.referral}")
    world.send(SCHEDULE, f"SIU^{trigger}^SIU_S12", *segments)
    if status == BOOKED:
        world.begin(remind(world, appointment))


def ask_and_book(world: World, department: Department, lead_days: int) -> Story:
    """Somebody calls, is put on the list or gets a slot at once; then waits for the day."""
    person = world.somebody(busy_for=4 * HOUR)
    appointment = new_appointment(world, person, department, find_slot(world, department, lead_days))
    if world.chance(0.45):
        send_schedule(world, appointment, "S12", status=WAITING)
        yield world.in_hours(world.now + world.minutes(150, 1.35))
        appointment.slot = find_slot(world, department, lead_days)
    send_schedule(world, appointment, "S12", status=BOOKED)
    yield from until_the_day(world, appointment)


def booked_before(world: World, department: Department, slot: int) -> Story:
    """An appointment given before the first day: what is heard of it begins with what happens to it."""
    person = world.somebody(busy_for=HOUR, at=slot - HOUR)
    yield from until_the_day(world, new_appointment(world, person, department, slot))


def book_follow_up(world: World, person: Person, department: Department) -> Story:
    """The visit after a stay, a week or so on."""
    slot = find_slot(world, department, 4 + world.dice.randrange(9))
    appointment = new_appointment(world, person, department, slot)
    send_schedule(world, appointment, "S12", status=BOOKED)
    yield from until_the_day(world, appointment)


def until_the_day(world: World, appointment: Appointment) -> Story:
    """What may come between the booking and the visit, then the visit."""
    yield from _changes(world, appointment)
    if appointment.called_off:
        return
    if world.chance(0.06):
        yield from _missed(world, appointment)
        return
    yield from _visit(world, appointment)


def _changes(world: World, appointment: Appointment) -> Story:
    if world.chance(0.12) and appointment.slot - world.now > 20 * HOUR:
        yield from _patients_wish(world, appointment)
    away = _days_away(world)
    if appointment.called_off or appointment.clinician is not FALLS_ILL or world.wall.day(appointment.slot) not in away:
        return
    # Half past seven on the first day, the desk starts to call; it works through the list of that day first.
    told = world.wall.at(away[0], 7 * 60 + 30) + world.minutes(50, 0.7)
    if world.now >= told or world.wall.day(world.now) >= away[0]:
        return
    yield min(told, appointment.slot - 5 * MINUTE)
    if world.chance(0.3):
        yield from _call_off_and_rebook(world, appointment)
        return
    yield from _move(world, appointment, CLINICIAN_AWAY, away_days=1)
    if world.chance(0.4):
        # The illness lasts: Friday's list, filled with those who were moved, is moved as well.
        yield world.in_hours(world.now + DAY)
        yield from _move(world, appointment, CLINICIAN_AWAY, away_days=4)


def _days_away(world: World) -> tuple[date, date]:
    """The two days after the overloaded Tuesday, on which one cardiologist is ill."""
    return world.load.tuesday + timedelta(days=1), world.load.tuesday + timedelta(days=2)


def _patients_wish(world: World, appointment: Appointment) -> Story:
    yield world.in_hours(
        world.now + world.dice.randrange(HOUR, max(2 * HOUR, appointment.slot - world.now - 12 * HOUR))
    )
    if world.now >= appointment.slot:
        return
    if world.chance(0.4):
        send_schedule(world, appointment, "S15", status=CANCELLED, reason=PATIENT_ASKED)
        if appointment.exam is not None and world.chance(0.5):
            cancel_exam(world, _order_header(world, appointment), appointment.exam)
        appointment.called_off = True
        return
    yield from _move(world, appointment, PATIENT_ASKED, away_days=2)


def _order_header(world: World, appointment: Appointment) -> Visit:
    """The visit an order was written in; only its header is needed to call the order off."""
    return Visit(
        world.number("V"), appointment.person, "O", appointment.department.code, appointment.clinician, world.stamp()
    )


def _move(world: World, appointment: Appointment, reason: str, *, away_days: int) -> Story:
    """S13, or an S14 that tells another time, as some schedules do."""
    day = world.wall.day(appointment.slot)
    later = world.wall.at(day, 0) + away_days * DAY + world.dice.randrange(3) * DAY
    minute = world.wall.minute(appointment.slot)
    appointment.slot = world.wall.at(world.open_day(max(later, world.now + DAY)), minute)
    trigger = "S14" if reason == PATIENT_ASKED and world.chance(0.3) else "S13"
    send_schedule(world, appointment, trigger, status=BOOKED, reason=reason)
    yield world.now + MINUTE


def _call_off_and_rebook(world: World, appointment: Appointment) -> Story:
    """S15 by us; another date comes soon for most, for some only after days."""
    appointment.called_off = True
    send_schedule(world, appointment, "S15", status=CANCELLED, reason=CLINICIAN_AWAY)
    yield world.in_hours(world.now + world.minutes(240, 1.5))
    another = new_appointment(
        world, appointment.person, appointment.department, find_slot(world, appointment.department, 3)
    )
    send_schedule(world, another, "S12", status=BOOKED)


def _missed(world: World, appointment: Appointment) -> Story:
    yield appointment.slot + world.minutes(40, 0.3)
    send_schedule(world, appointment, "S26", status=NO_SHOW)
    world.begin(call_who_missed(world, appointment))
    if world.chance(0.6):
        yield world.in_hours(world.now + world.minutes(20 * 60, 0.9))
        appointment.slot = find_slot(world, appointment.department, 3 + world.dice.randrange(6))
        send_schedule(world, appointment, "S13", status=BOOKED, reason=PATIENT_ASKED)


def _visit(world: World, appointment: Appointment) -> Story:
    yield max(world.now, appointment.slot - world.minutes(11, 0.5))
    visit = register(world, appointment.person, appointment.department, "O")
    send_schedule(world, appointment, "S14", status=CHECKED_IN, visit=visit)
    yield max(world.now + MINUTE, appointment.slot + world.minutes(7, 0.7))
    visit.move(appointment.department, 1 + world.dice.randrange(appointment.department.rooms))
    tell(world, visit, "A02", reason="ROOM")
    if appointment.exam is not None:
        yield from read_exam(world, visit, appointment.exam)
        return
    yield world.now + world.minutes(appointment.department.minutes * 0.8, 0.3)
    _order_in_visit(world, visit, appointment)
    yield world.now + world.minutes(4)
    send_schedule(world, appointment, "S14", status=FINISHED, visit=visit)
    leave(world, visit)
    if appointment.referral:
        world.begin(consultation_note(world, visit, appointment.referral), world.now + world.minutes(20 * 60, 0.9))


def _order_in_visit(world: World, visit: Visit, appointment: Appointment) -> None:
    if world.chance(0.3):
        for panel in world.dice.sample((BLOOD_COUNT, CHEMISTRY, LIPIDS), world.dice.choice((1, 2))):
            world.begin(run_test(world, visit, plan_test(world, panel, "R", visit.attending, world.minutes(25))))
    if world.chance(0.15):
        exam = order_exam(world, visit, world.dice.choice(PLANNED_STUDIES), "R")
        world.begin(planned_exam(world, visit.person, exam), world.in_hours(world.now + world.minutes(20 * 60, 1.0)))
    if appointment.department is FAMILY_CLINIC and world.chance(0.14):
        referral = refer(world, visit)
        world.begin(answer_and_book(world, visit.person, referral))


def planned_exam(world: World, person: Person, exam: Exam) -> Story:
    """The imaging desk gives a date for an order (SCH-26 names it)."""
    appointment = new_appointment(world, person, IMAGING, find_slot(world, IMAGING, 1 + world.dice.randrange(9)))
    appointment.exam = exam
    send_schedule(world, appointment, "S12", status=BOOKED)
    yield from until_the_day(world, appointment)


def answer_and_book(world: World, person: Person, referral: str) -> Story:
    """The heart clinic accepts a referral, or lets it lie, and gives a date."""
    if world.chance(0.08):
        return
    yield world.in_hours(world.now + world.minutes(17 * 60, 0.9))
    if not answer(world, person, referral):
        return
    yield world.in_hours(world.now + world.minutes(9 * 60, 1.2))
    appointment = new_appointment(world, person, CARDIOLOGY, find_slot(world, CARDIOLOGY, 1 + world.dice.randrange(14)))
    appointment.referral = referral
    send_schedule(world, appointment, "S12", status=BOOKED)
    yield from until_the_day(world, appointment)
