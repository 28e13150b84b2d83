"""Codes that we act on: the value sets of R4 that they must come from, and what they mean in the hub's words.

`fhir.resources` checks no required value set, so it is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from connectors.fhir.shapes import Coding, Concept


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


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
    "Observation": _words("registered preliminary final amended corrected cancelled entered-in-error unknown"),
    "Communication": _words("preparation in-progress not-done on-hold stopped completed entered-in-error unknown"),
    "CommunicationRequest": _words("draft active on-hold revoked completed entered-in-error unknown"),
    "CoverageEligibilityResponse": _words("active cancelled draft entered-in-error"),
    "QuestionnaireResponse": _words("in-progress completed amended entered-in-error stopped"),
    "Consent": _words("draft proposed active rejected inactive entered-in-error"),
    "DocumentReference": _words("current superseded entered-in-error"),
    "Composition": _words("preliminary final amended entered-in-error"),
    "CarePlan": _words("draft active on-hold revoked completed entered-in-error unknown"),
    "ChargeItem": _words("planned billable not-billable aborted billed entered-in-error unknown"),
    "Invoice": _words("draft issued balanced cancelled entered-in-error"),
    "Specimen": _words("available unavailable unsatisfactory entered-in-error"),
    "ImagingStudy": _words("registered available cancelled entered-in-error unknown"),
    "Procedure": _words("preparation in-progress not-done on-hold stopped completed entered-in-error unknown"),
    "Slot": _words("busy free busy-unavailable busy-tentative entered-in-error"),
}
DOC_STATUSES: Final = _words("preliminary final amended entered-in-error")
OUTCOMES: Final = _words("queued complete error partial")
ACTIVITIES: Final = _words(
    "not-started scheduled in-progress on-hold completed cancelled stopped unknown entered-in-error"
)
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
    "Observation": {"triggeredBy": "R5", "bodyStructure": "R5", "context": "STU3", "comment": "STU3"},
    "Communication": {"notDone": "STU3", "notDoneReason": "STU3", "context": "STU3", "reason": "R5"},
    "CommunicationRequest": {"context": "STU3", "informationProvider": "R5", "reason": "R5"},
    "QuestionnaireResponse": {"context": "STU3", "parent": "STU3"},
    "Consent": {"consentingParty": "STU3", "except": "STU3", "grantor": "R5", "grantee": "R5", "decision": "R5"},
    "DocumentReference": {"class": "STU3", "indexed": "STU3", "attester": "R5", "modality": "R5"},
    "CarePlan": {"context": "STU3", "definition": "STU3"},
}
"""Elements that R4 does not have, by type: whoever sends one means something else by the rest too."""
OLDER_TYPES: Final = {
    "ProcedureRequest": "ServiceRequest",
    "ReferralRequest": "ServiceRequest",
    "DiagnosticOrder": "ServiceRequest",
    "EligibilityResponse": "CoverageEligibilityResponse",
}
"""Types of STU3 and DSTU2 that tell what an R4 type tells us."""

LAB: Final = "LAB"
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


def sensitivity(security: Iterable[Coding] | None) -> str | None:
    """The label of an event by its resource's meta.security."""
    if not security:
        return None
    told = {coding.code for coding in security if coding.code}
    if told & _SENSITIVE:
        return "protected"
    return "restricted" if told & _RESTRICTED else None
