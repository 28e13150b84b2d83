"""Segments as HL7 v2.5.1 places them. Text in, text out; stamps are already written."""

from __future__ import annotations

from dataclasses import dataclass

from hub.simulate.clinic import FACILITY, FACILITY_NAME, Clinician, Department
from hub.simulate.people import Person


@dataclass(slots=True)
class Visit:
    """A visit as registration knows it; it changes while it goes on, and every message shows what it is by then.

    `patient_class` is of table 0004, `place` is PV1-3, `admission` PV1-4, `disposition` PV1-36. `started` and `ended`
    are stamps.
    """

    number: str
    person: Person
    patient_class: str
    place: str
    attending: Clinician
    started: str
    admission: str = ""
    service: str = ""
    mrn: str = ""
    disposition: str = ""
    ended: str = ""
    billed: bool = False

    def move(self, department: Department, room: int | str) -> None:
        self.place = place(department, room)

    @property
    def pid(self) -> str:
        return self.person.pid_under(self.mrn) if self.mrn else self.person.pid

    @property
    def pv1(self) -> str:
        closing = f"{'|' * 16}{self.disposition}{'|' * 8}{self.started}"
        return (
            f"PV1|1|{self.patient_class}|{self.place}|{self.admission}|||{self.attending.xcn}|||{self.service}"
            f"{'|' * 9}{self.number}^^^{FACILITY}^VN|{self.person.payer}{closing}"
            f"{'|' + self.ended if self.ended else ''}"
        )


def place(department: Department, room: int | str) -> str:
    """PV1-3: the department, the room (a number, or a name such as WAIT) and the facility."""
    return f"{department.code}^{f'{room:02}' if isinstance(room, int) else room}^^{FACILITY}"


def evn(trigger: str, recorded: str, *, reason: str = "", occurred: str = "") -> str:
    """`reason` is EVN-4, where the clinic's registration tells triage from the treatment room; `occurred` is EVN-6."""
    return f"EVN|{trigger}|{recorded}||{reason}||{occurred}".rstrip("|")


def mrg(mrn: str) -> str:
    return f"MRG|{mrn}^^^{FACILITY}^MR"


def orc(control: str, *, placer: str, filler: str, status: str, at: str, by: Clinician) -> str:
    """`placer` and `filler` are entity identifiers, number and namespace; either may be empty."""
    return f"ORC|{control}|{placer}|{filler}||{status}||||{at}|||{by.xcn}"


def tq1(priority: str) -> str:
    return f"TQ1|1||||||||{priority}"


def sch(
    appointment: str, department: Department, *, reason: str, start: str, end: str, status: str, order: str = ""
) -> str:
    """`reason` is SCH-6, `status` SCH-25, `order` the placer's number of the order that is booked (SCH-26)."""
    minutes, visit_type = department.minutes, f"{department.visit_type}^{department.name}^HB"
    number, _, namespace = appointment.partition("^")
    return (
        f"SCH|{appointment}|F{number}^{namespace}||||{reason}||{visit_type}|{minutes}|min|^^{minutes}^{start}^{end}"
        f"|||||^{FACILITY_NAME} desk||||^{FACILITY_NAME} desk|||||{status}|{order}"
    ).rstrip("|")


def resources(department: Department, clinician: Clinician, start: str, minutes: int) -> str:
    """RGS, AIS, AIL, AIP of an appointment."""
    return (
        f"RGS|1|A\rAIS|1|A|{department.visit_type}^{department.name}^HB|{start}|||{minutes}|min"
        f"\rAIL|1|A|{department.code}^{department.name}^^{FACILITY}|||{start}|||{minutes}|min"
        f"\rAIP|1|A|{clinician.xcn}|ATND||{start}|||{minutes}|min"
    )


def txa(kind: str, *, at: str, author: Clinician, document: str, order: str = "", status: str = "AU") -> str:
    """`kind` is TXA-2 in the clinic's own codes, `order` TXA-14, `status` TXA-17 (AU is authenticated)."""
    return f"TXA|1|{kind}|TX|{at}|{author.xcn}||{at}|||||{document}^HBDOC||{order}|||{status}|U"


def ft1(number: str, *, at: str, code: str, cents: int) -> str:
    return f"FT1|1|{number}||{at}|{at}|CG|{code}|||1|{cents / 100:.2f}&USD"
