"""The people who come: each is made from the seed and a number, so that a million of them take no memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from hub.simulate.clinic import FACILITY
from hub.simulate.dice import Dice
from hub.simulate.names import NAMES, written

_STREETS: Final = ("Quay Street", "Mill Lane", "Cooper Avenue", "Harbour Road", "Chapel Hill", "Orchard Way")
_TOWNS: Final = (("Eastmere", "01904"), ("Northwick", "01907"), ("Saltford", "01911"), ("Hollins", "01915"))
# PV1-20 and IN1-15 in the clinic's own codes; site.yaml says which payer each is.
_PAYERS: Final = (("MCR", 24), ("MCA", 14), ("MCD", 20), ("COM", 36), ("SLF", 6))
_PLANS: Final = {
    "MCR": "Federal Plan",
    "MCA": "Harbour Advantage",
    "MCD": "State Plan",
    "COM": "Northlight Mutual",
    "SLF": "Self",
}


@dataclass(frozen=True, slots=True)
class Person:
    """One registered person. `pid` is the PID segment, `in1` the IN1 segment."""

    number: int
    mrn: str
    pid: str
    in1: str
    payer: str
    age: int
    sex: str
    language: str

    def pid_under(self, mrn: str) -> str:
        """PID of the same human being under another medical record number, as a hurried desk registers."""
        fields = self.pid.split("|")
        fields[3] = f"{mrn}^^^{FACILITY}^MR"
        return "|".join(fields)

    def pid_of_the_dead(self, stamp: str) -> str:
        """PID with the time of death (PID-29) and the fact (PID-30)."""
        return f"{self.pid}{'|' * 11}{stamp}|Y"


class People:
    """`people[n]` for `0 <= n < count`: the same seed and number always give the same person."""

    def __init__(self, *, seed: int, count: int, today: date) -> None:
        self.count = count
        self._seed = seed
        self._today = today
        self.find = lru_cache(maxsize=8192)(self._make)

    def _make(self, number: int) -> Person:
        dice = Dice(f"person {self._seed} {number}")
        names = dice.pick(NAMES)
        sex = dice.choice("FM")
        family = dice.choice(names.families.split())
        given = dice.choice((names.women if sex == "F" else names.men).split())
        age = min(97, int(dice.triangular(1, 98, 62)))
        born = self._today - timedelta(days=age * 365 + dice.randrange(365))
        town, postcode = dice.choice(_TOWNS)
        address = f"{dice.randrange(1, 240)} {dice.choice(_STREETS)}^^{town}^MA^{postcode}^USA^H"
        phone = f"^PRN^PH^^1^978^555{number % 10000:04}"
        mrn = f"{4_100_000 + number}"
        payer = "MCR" if age > 66 and dice.random() < 0.6 else dice.pick(_PAYERS)
        numbers = f"{mrn}^^^{FACILITY}^MR~P{number:07}^^^HBPORTAL^PI"
        pid = (
            f"PID|1||{numbers}||{written(family, given)}||{born:%Y%m%d}|{sex}|||{address}||{phone}||"
            f"{names.language}|||8{number:07}^^^{FACILITY}^AN"
        )
        in1 = f"IN1|1|{payer}01|HB{payer}|{_PLANS[payer]}|||||||||||{payer}"
        return Person(number, mrn, pid, in1, payer, age, sex, names.language)
