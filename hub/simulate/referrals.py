"""Referrals to the heart clinic: asked for (REF), answered (RRI), and the note that comes back (MDM)."""

from __future__ import annotations

from typing import Final

from hub.simulate.clinic import DOCUMENTS, FACILITY_NAME, FALLS_ILL, REFERRALS, Clinician
from hub.simulate.people import Person
from hub.simulate.segments import Visit, evn, txa
from hub.simulate.world import Story, World

# TXA-2 in the clinic's own code.
CONSULTATION: Final = "CONSN"
_REJECTED: Final = 0.06


def refer(world: World, visit: Visit) -> str:
    """I12: send somebody to the specialist; return the referral's number."""
    referral = f"{world.number('RF')}^HBREFER"
    priority = "A^As soon as possible^HL70280" if world.chance(0.1) else "R^Routine^HL70280"
    world.send(
        REFERRALS,
        "REF^I12^REF_I12",
        f"RF1|P^Pending^HL70283|{priority}|CAR^Cardiology^HB|RP^Report^HL70282|O^Outpatient^HL70284"
        f"|{referral}|{world.stamp()}",
        _prd("RP^Referring provider^HL70286", visit.attending),
        _prd("RT^Referred to provider^HL70286", FALLS_ILL),
        visit.pid,
        visit.pv1,
    )
    return referral


def answer(world: World, person: Person, referral: str) -> bool:
    """RRI^I12: accepted (true) or rejected."""
    accepted = not world.chance(_REJECTED)
    status = "A^Accepted^HL70283" if accepted else "R^Rejected^HL70283"
    world.send(
        REFERRALS,
        "RRI^I12^RRI_I12",
        f"MSA|AA|{referral.partition('^')[0]}",
        f"RF1|{status}|R^Routine^HL70280|CAR^Cardiology^HB|RP^Report^HL70282|O^Outpatient^HL70284"
        f"|{referral}|{world.stamp()}",
        _prd("RT^Referred to provider^HL70286", FALLS_ILL),
        person.pid,
    )
    return accepted


def consultation_note(world: World, visit: Visit, referral: str) -> Story:
    """T02: what the specialist found, signed; a segment of the clinic's own names the referral it answers."""
    document = world.number("DOC")
    world.send(
        DOCUMENTS,
        "MDM^T02^MDM_T02",
        evn("T02", world.stamp()),
        visit.pid,
        visit.pv1,
        txa(CONSULTATION, at=world.stamp(), author=visit.attending, document=document),
        "OBX|1|TX|11488-4^Consultation note^LN||The note is in the archive.||||||F",
        f"ZRF|1|{referral}",
    )
    yield from ()


def _prd(role: str, who: Clinician) -> str:
    return f"PRD|{role}|{who.family}^{who.given}^^^Dr||{FACILITY_NAME}^{who.department}"
