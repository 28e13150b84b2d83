"""Registration: who is here, where, and since when (ADT)."""

from __future__ import annotations

from hub.simulate.clinic import CHARGES, REGISTRATION, Department
from hub.simulate.people import Person
from hub.simulate.segments import Visit, evn, ft1, mrg, place
from hub.simulate.world import Story, World

HOME = "01"


def open_visit(
    world: World, person: Person, department: Department, patient_class: str, *, admission: str = "", service: str = ""
) -> Visit:
    """A visit that registration has numbered and not yet told anybody about."""
    return Visit(
        number=world.number("V"),
        person=person,
        patient_class=patient_class,
        place=place(department, "WAIT"),
        attending=world.clinician(department),
        started=world.stamp(),
        admission=admission,
        service=service,
    )


def register(world: World, person: Person, department: Department, patient_class: str, *, mrn: str = "") -> Visit:
    """A04: somebody comes in. Who is new here, or comes under a hurried `mrn`, gets a record first (A28)."""
    visit = open_visit(world, person, department, patient_class, admission="E" if patient_class == "E" else "R")
    visit.mrn = mrn
    stamp = world.stamp()
    if mrn or world.chance(0.05):
        world.send(REGISTRATION, "ADT^A28^ADT_A05", evn("A28", stamp), visit.pid, "PV1|1|N")
    world.send(REGISTRATION, "ADT^A04^ADT_A01", evn("A04", stamp), visit.pid, visit.pv1, person.in1)
    if world.chance(0.06):
        world.begin(correct_record(world, person), world.now + world.minutes(20))
    return visit


def correct_record(world: World, person: Person) -> Story:
    """A31: a telephone number or an address was wrong."""
    world.send(REGISTRATION, "ADT^A31^ADT_A05", evn("A31", world.stamp()), person.pid, "PV1|1|N")
    yield from ()


def tell(world: World, visit: Visit, trigger: str, *, reason: str = "", occurred: int | None = None) -> None:
    """Any other ADT message about `visit`; `occurred` is when it really happened, for what is entered afterwards."""
    structure = {"A04": "A01", "A08": "A01", "A13": "A01", "A14": "A05"}.get(trigger, trigger)
    structure = {"A11": "A09"}.get(structure, structure)
    happened = world.stamp(occurred) if occurred is not None else ""
    segments = (evn(trigger, world.stamp(), reason=reason, occurred=happened), visit.pid, visit.pv1)
    world.send(REGISTRATION, f"ADT^{trigger}^ADT_{structure}", *segments)


def leave(world: World, visit: Visit, disposition: str = HOME, *, reason: str = "") -> None:
    """A03: the visit is over, and is billed the night after."""
    visit.disposition, visit.ended = disposition, world.stamp()
    tell(world, visit, "A03", reason=reason)
    night = world.wall.at(world.open_day(world.now, 1), 60) + world.minutes(30)
    world.begin(bill(world, visit), night)


def bill(world: World, visit: Visit) -> Story:
    """P03: what the visit cost. A visit whose end was taken back is billed once, after its second end."""
    yield from ()
    if visit.billed or not visit.ended:
        return
    visit.billed = True
    codes = {"E": "99284^Emergency visit^C4", "I": "99232^Hospital care^C4"}
    cents = world.dice.randrange(60, 900) * (100 if visit.patient_class == "O" else 400)
    world.send(
        CHARGES,
        "DFT^P03^DFT_P03",
        evn("P03", world.stamp()),
        visit.pid,
        visit.pv1,
        ft1(
            world.number("T"),
            at=visit.ended,
            code=codes.get(visit.patient_class, "99213^Office visit^C4"),
            cents=cents,
        ),
    )


def merge_duplicate(world: World, visit: Visit) -> Story:
    """A40: the record made in a hurry is found to be somebody known; from now on the visit goes under their number."""
    yield world.now + world.minutes(190, 0.5)
    hurried, visit.mrn = visit.mrn, ""
    world.send(REGISTRATION, "ADT^A40^ADT_A39", evn("A40", world.stamp()), visit.pid, mrg(hurried))


def hurried_record(world: World) -> str:
    """A medical record number for somebody who could not say who they are."""
    return f"88{world.number('')}"


def update_later(world: World, visit: Visit) -> Story:
    """A08: something about the visit is put right on the day."""
    yield world.now + world.minutes(45, 0.6)
    if not visit.ended:
        tell(world, visit, "A08")
