"""Codes that we act on: the value sets of R4 that they must come from, and what they mean in the hub's words.

`fhir.resources` checks no required value set, so it is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from connectors.fhir.shapes import Coding, Concept


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _all(words: str, meaning: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), meaning)


STATUSES: Final[Mapping[str, frozenset[str]]] = {
    "Appointment": _words(
        "proposed pending booked arrived fulfilled cancelled noshow entered-in-error checked-in waitlist"
    ),
    "ServiceRequest": _words("draft active on-hold revoked completed entered-in-error unknown"),
    "DiagnosticReport": _words(
        "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown"
    ),
    "Encounter": _words("planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown"),
    "Claim": _words("active cancelled draft entered-in-error"),
    "ClaimResponse": _words("active cancelled draft entered-in-error"),
    "Task": _words(
        "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed "
        "entered-in-error"
    ),
}
INTENTS: Final = _words("proposal plan directive order original-order reflex-order filler-order instance-order option")
ORDERS: Final = _words("order original-order reflex-order filler-order instance-order")
USES: Final = _words("claim preauthorization predetermination")
LINKS: Final = _words("replaced-by replaces refer seealso")

OTHER_VERSIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "Appointment": {
        "cancellationReason": "R5",
        "virtualService": "R5",
        "reason": "R5 or STU3",
        "incomingReferral": "STU3",
        "indication": "STU3",
    },
    "Encounter": {"actualPeriod": "R5", "admission": "R5", "reason": "R5 or STU3", "incomingReferral": "STU3"},
    "ServiceRequest": {"reason": "R5", "bodyStructure": "R5"},
    "DiagnosticReport": {"composition": "R5", "supportingInfo": "R5", "context": "STU3", "codedDiagnosis": "STU3"},
    "Claim": {"traceNumber": "R5", "information": "STU3", "organization": "STU3"},
    "ClaimResponse": {"traceNumber": "R5", "requestProvider": "STU3", "requestOrganization": "STU3"},
    "Task": {"requestedPerformer": "R5", "definitionUri": "STU3"},
    "Patient": {"animal": "STU3"},
}
"""Elements that R4 does not have, by type: whoever sends one means something else by the rest too."""
OLDER_TYPES: Final = {
    "ProcedureRequest": "ServiceRequest",
    "ReferralRequest": "ServiceRequest",
    "DiagnosticOrder": "ServiceRequest",
}
"""Types of STU3 and DSTU2 that tell what an R4 type tells us."""

REFERRAL: Final = "3457005"  # SNOMED CT: patient referral
LAB: Final = "LAB"
SLOW: Final = _words("MB MCB MYC VR CP SP OSL")
_CATEGORIES: Final = {
    **_all("LAB CH HM MB MCB MYC SR BLB BG IMM TX VR CP SP OSL 108252007 26436-6", LAB),
    **_all("RAD CT NMR NMS RUS OUS VUS CUS RX XRC 363679005 LP29684-5", "RAD"),
}
PRIORITIES: Final = {"stat": "S", "asap": "A", "urgent": "A", "routine": "R"}
CLASSES: Final = {
    **_all("IMP ACUTE NONAC", "I"),
    "EMER": "E",
    **_all("AMB HH VR OBSENC FLD SS", "O"),
    "PRENC": "P",
}
"""v3-ActCode to table 0004."""
_UB_DISPOSITIONS: Final = {
    **_all("01 06 08 81 86", "home"),
    "07": "ama",
    **_all("20 40 41 42", "died"),
    **_all("50 51", "hospice"),
    **_all("02 03 04 05 43 61 62 63 64 65 66 70 82 83 84 85 88 89 90 91 92 93 94 95", "transfer"),
}
DISPOSITIONS: Final = {
    **_UB_DISPOSITIONS,
    "home": "home",
    "alt-home": "home",
    "aadvice": "ama",
    "exp": "died",
    "hosp": "hospice",
    **_all("other-hcf long psy rehab snf", "transfer"),
}
"""UB-04 codes and those of FHIR's discharge-disposition."""
ABNORMAL: Final = _words("H L A HH LL AA HU LU POS DET")
CRITICAL: Final = _words("HH LL AA")
VERDICTS: Final = _words("A1 A2 A3 A4 A6 CT NA C")
"""X12 306, as PAS's reviewAction gives it."""
_RESTRICTED: Final = _words("R V")
_SENSITIVE: Final = _words("ETH PSY PSYTHPN HIV SDV SUD ALC OPIOIDUD STD SEX SICKLE BH MH GDIS VIO ETHUD")
NO_PERSON: Final = _words("SS SSN DL PPN VN AN")
"""Types of table 0203 that are no hospital's number of a person."""
NO_PERSON_SYSTEMS: Final = frozenset(("http://hl7.org/fhir/sid/us-ssn", "urn:oid:2.16.840.1.113883.4.1"))


def codes(concept: Concept | None) -> list[str]:
    """The codes of a concept, in its order."""
    if concept is None or concept.coding is None:
        return []
    return [coding.code for coding in concept.coding if coding is not None and coding.code]


def first_code(*concepts: Concept | None) -> str | None:
    return next((code for concept in concepts for code in codes(concept)), None)


def grouped(concepts: Iterable[Concept] | None) -> tuple[str | None, str | None]:
    """The group and the raw code of categories: the first that belongs to a group we know, else the first as sent,
    which is a group of its own only where table 0074 has it."""
    codings = [c for concept in concepts or () for c in concept.coding or () if c is not None and c.code]
    for coding in codings:
        if coding.code in _CATEGORIES:
            return _CATEGORIES[coding.code], coding.code
    if not codings:
        return None, None
    first = codings[0]
    return (first.code if (first.system or "").endswith("v2-0074") else None), first.code


def sensitivity(security: Iterable[Coding] | None) -> str | None:
    """The label of an event by its resource's meta.security."""
    told = {coding.code for coding in security or () if coding.code}
    if told & _SENSITIVE:
        return "protected"
    return "restricted" if told & _RESTRICTED else None
