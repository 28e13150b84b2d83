"""Imaging: ordered, done, read. Mammograms carry their BI-RADS category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.simulate.clinic import IMAGING, ORDERS, RADIOLOGY, Clinician
from hub.simulate.registration import leave
from hub.simulate.segments import Visit, orc, tq1
from hub.simulate.telling import tell_result
from hub.simulate.wall import MINUTE
from hub.simulate.world import Story, World


@dataclass(frozen=True, slots=True)
class Study:
    """`code` is OBR-4 in the clinic's own codes, `section` OBR-24 (table 0074)."""

    code: str
    section: str
    minutes: int


CHEST: Final = Study("IMG020^Chest radiograph^HB", "RAD", 10)
ABDOMEN_CT: Final = Study("IMG114^CT abdomen^HB", "CT", 22)
HEAD_CT: Final = Study("IMG101^CT head^HB", "CT", 15)
ULTRASOUND: Final = Study("IMG310^Ultrasound abdomen^HB", "RUS", 25)
KNEE_MR: Final = Study("IMG205^MR knee^HB", "NMR", 35)
MAMMOGRAM: Final = Study("IMG401^Screening mammogram^HB", "RAD", 15)

URGENT_STUDIES: Final = (CHEST, CHEST, HEAD_CT, ABDOMEN_CT)
PLANNED_STUDIES: Final = (CHEST, ULTRASOUND, KNEE_MR, MAMMOGRAM, MAMMOGRAM, ABDOMEN_CT)

# BI-RADS of a screening mammogram: 1 and 2 are benign; 0 asks for more pictures; 4 for a biopsy.
_BIRADS: Final = ((1, 50), (2, 34), (3, 4), (0, 9), (4, 3))


@dataclass(frozen=True, slots=True)
class Exam:
    """One imaging order; `priority` is S or R."""

    study: Study
    priority: str
    placer: str
    filler: str
    by: Clinician


def order_exam(world: World, visit: Visit, study: Study, priority: str) -> Exam:
    """Send the order; the exam comes later."""
    number = world.number("")
    exam = Exam(study, priority, f"O{number}^HBORDER", f"R{number}^HBRAD", visit.attending)
    _send_order(world, visit, exam, "NW")
    return exam


def cancel_exam(world: World, visit: Visit, exam: Exam) -> None:
    _send_order(world, visit, exam, "CA")


def urgent_exam(world: World, visit: Visit, exam: Exam, wait: int) -> Story:
    """An exam on the way through the emergency department: it is begun `wait` seconds from now."""
    yield world.now + wait
    yield from read_exam(world, visit, exam)


def read_exam(world: World, visit: Visit, exam: Exam) -> Story:
    """The exam itself, and who reads it: at once for STAT, in the course of the day otherwise."""
    yield world.now + exam.study.minutes * MINUTE
    done = world.now
    _send_done(world, visit, exam)
    if visit.patient_class == "O" and visit.place.startswith(IMAGING.code):
        leave(world, visit)
    if exam.priority == "S":
        yield done + world.minutes(31, 0.4)
        _send_reading(world, visit, exam, done, "P")
        yield world.now + world.minutes(80, 0.7)
    else:
        yield world.in_hours(done + world.minutes(260, 0.8))
    _send_reading(world, visit, exam, done, "F")


def _obr(exam: Exam, *, done: str = "", reported: str = "", status: str = "") -> str:
    return (
        f"OBR|1|{exam.placer}|{exam.filler if done else ''}|{exam.study.code}|||{done}"
        f"{'|' * 9}{exam.by.xcn}||||||{reported}||{exam.study.section}|{status}"
    ).rstrip("|")


def _send_order(world: World, visit: Visit, exam: Exam, control: str) -> None:
    status = "CA" if control == "CA" else ""
    world.send(
        ORDERS,
        "ORM^O01^ORM_O01",
        visit.pid,
        visit.pv1,
        orc(control, placer=exam.placer, filler="", status=status, at=world.stamp(), by=exam.by),
        tq1(exam.priority),
        _obr(exam),
    )


def _send_done(world: World, visit: Visit, exam: Exam) -> None:
    at = world.wall.stamp_with_offset(world.now)
    world.send(
        RADIOLOGY,
        "ORM^O01^ORM_O01",
        visit.pid,
        visit.pv1,
        orc("SC", placer=exam.placer, filler=exam.filler, status="CM", at=at, by=exam.by),
        tq1(exam.priority),
        _obr(exam, done=at),
    )


def _send_reading(world: World, visit: Visit, exam: Exam, done: int, status: str) -> None:
    stamp = world.wall.stamp_with_offset
    told: list[str] = []
    if exam.study is MAMMOGRAM and status == "F":
        category = world.dice.pick(_BIRADS)
        told.append(f"CE|BIRADS^BI-RADS category^HB||BR{category}^BI-RADS category {category}^HB")
    told.append("TX|18748-4^Diagnostic imaging report^LN||The report is in the archive.")
    world.send(
        RADIOLOGY,
        "ORU^R01^ORU_R01",
        visit.pid,
        visit.pv1,
        orc("RE", placer=exam.placer, filler=exam.filler, status="CM", at=stamp(world.now), by=exam.by),
        tq1(exam.priority),
        _obr(exam, done=stamp(done), reported=stamp(world.now), status=status),
        *(f"OBX|{row}|{text}||||||{status}|||{stamp(done)}" for row, text in enumerate(told, start=1)),
    )
    if status == "F":
        world.begin(tell_result(world, visit, exam.placer, exam.filler))
