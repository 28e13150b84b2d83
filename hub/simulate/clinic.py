"""The clinic that is simulated: its departments, its staff, its systems and the codes they use.

Nothing here is real. The codes are the clinic's own on purpose (what its schedule calls a check-in, what its
registration calls a treatment room): `site.yaml` beside this module is where they become words of the hub.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FACILITY: Final = "HBMC"
FACILITY_NAME: Final = "Harbour Bridge Medical Center"


@dataclass(frozen=True, slots=True)
class Interface:
    """One system that sends: the file its messages go to, its name in MSH-3, and what people call it."""

    file: str
    application: str
    name: str


REGISTRATION: Final = Interface("adt.hl7", "HBREG", "registration")
SCHEDULE: Final = Interface("siu.hl7", "HBSCHED", "appointment desk")
ORDERS: Final = Interface("orders.hl7", "HBORDER", "order entry")
LABORATORY: Final = Interface("results.hl7", "HBLAB", "laboratory")
RADIOLOGY: Final = Interface("imaging.hl7", "HBRAD", "radiology")
DOCUMENTS: Final = Interface("documents.hl7", "HBDOC", "document archive")
REFERRALS: Final = Interface("referrals.hl7", "HBREFER", "referral desk")
CHARGES: Final = Interface("charges.hl7", "HBBILL", "billing")

INTERFACES: Final = (REGISTRATION, SCHEDULE, ORDERS, LABORATORY, RADIOLOGY, DOCUMENTS, REFERRALS, CHARGES)


@dataclass(frozen=True, slots=True)
class Department:
    """`code` is PV1-3.1 and AIL-3.1; `rooms` are numbered from 1; `visit_type` is SCH-8, empty where nobody books."""

    code: str
    name: str
    rooms: int
    visit_type: str = ""
    minutes: int = 30


EMERGENCY: Final = Department("ED", "Emergency Department", 18)
FAMILY_CLINIC: Final = Department("FAMC", "Family Clinic", 10, "OFFV", 20)
CARDIOLOGY: Final = Department("CARD", "Cardiology Clinic", 6, "OFFV", 30)
IMAGING: Final = Department("RADI", "Radiology", 5, "IMGV", 30)
BLOOD_DRAW: Final = Department("LABO", "Laboratory", 4, "LABV", 10)
SURGICAL_WARD: Final = Department("W4S", "Surgical Ward 4", 24)
HEART_WARD: Final = Department("W2H", "Heart Ward 2", 16)
THEATRE: Final = Department("OR", "Operating Theatre", 3)

DEPARTMENTS: Final = (
    EMERGENCY,
    FAMILY_CLINIC,
    CARDIOLOGY,
    IMAGING,
    BLOOD_DRAW,
    SURGICAL_WARD,
    HEART_WARD,
    THEATRE,
)


@dataclass(frozen=True, slots=True)
class Clinician:
    number: str
    family: str
    given: str
    department: str

    @property
    def xcn(self) -> str:
        return f"{self.number}^{self.family}^{self.given}^^^Dr^^^{FACILITY}"


STAFF: Final = tuple(
    Clinician(f"D{number}", family, given, department.code)
    for number, (family, given, department) in enumerate(
        (
            ("Okonkwo", "Adaeze", EMERGENCY),
            ("Lindqvist", "Maja", EMERGENCY),
            ("Ferreira", "Tomás", EMERGENCY),
            ("Haddad", "Rania", EMERGENCY),
            ("Bellamy", "Ruth", FAMILY_CLINIC),
            ("Trần", "Quốc Huy", FAMILY_CLINIC),
            ("Castillo", "Inés", FAMILY_CLINIC),
            ("Sørensen", "Niels", FAMILY_CLINIC),
            ("Rao", "Meenakshi", CARDIOLOGY),
            ("Petrenko", "Oksana", CARDIOLOGY),
            ("Achterberg", "Joost", CARDIOLOGY),
            ("Nakagawa", "Emi", IMAGING),
            ("Dubois", "Étienne", IMAGING),
            ("Mwangi", "Joseph", BLOOD_DRAW),
            ("Kowalczyk", "Zofia", SURGICAL_WARD),
            ("Thornbury", "Giles", SURGICAL_WARD),
            ("Yıldız", "Deniz", HEART_WARD),
            ("Marchetti", "Paola", HEART_WARD),
            ("Gallagher", "Fionn", THEATRE),
        ),
        start=101,
    )
)

STAFF_BY_DEPARTMENT: Final = {
    department.code: tuple(clinician for clinician in STAFF if clinician.department == department.code)
    for department in DEPARTMENTS
}

# The cardiologist who falls ill on Wednesday: the whole list of two days has to be moved.
FALLS_ILL: Final = STAFF_BY_DEPARTMENT[CARDIOLOGY.code][0]
NURSES: Final = tuple(f"N{number}" for number in range(501, 531))
