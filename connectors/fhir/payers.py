"""Claim, ClaimResponse and CoverageEligibilityResponse: what a payer is asked beforehand, and what it answers.

The verdict is PAS's reviewAction (Da Vinci Prior Authorization Support), a code of X12 306. `outcome` says only how
far processing went. Older versions of PAS put the code on the response itself, newer ones on the adjudication of each
item, as an extension in an extension.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from connectors.fhir.codes import OUTCOMES, USES, VERDICTS, codes, first_code
from connectors.fhir.references import first_number
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.shapes import Claim, ClaimResponse, CoverageEligibilityResponse, Extension, Item, Reference
from connectors.fhir.time import Stamp
from schemas.errors import Reason, Unreadable
from schemas.states import CONTENT

_REVIEW: Final = "/extension-reviewAction"
_REVIEW_CODE: Final = "/extension-reviewActionCode"
_TYPOLOGY: Final = "https://nahdo.org/sopt"
_CLASS_TABLE: Final = "fhir_payer_class"
_NO_CLASS: Final = "other"  # a code that is of no class, though it is a part of one that is
_SERVICE: Final = "/extension-requestedService"


def read_claim(told: Told, claim: Claim) -> None:
    use, status = told.code(claim.use, USES, "use"), told.status(claim.status)
    visits = [i.value_reference for i in claim.supporting_info or ()]
    if use == "predetermination" and status == "active":
        asked_at = told.stamp(claim.created, "created") or told.version_time(path="created")
        names = told.person(claim.patient, "patient")
        told.tell("estimate.requested", names, {"request_id": told.number(), **_for_visit(told, visits)}, asked_at)
        return
    if use != "preauthorization":
        raise PassedBy("Claim that asks for no authorization")
    names = told.person(claim.patient, "patient")
    created = told.stamp(claim.created, "created") if status == "active" else None
    version = told.version_time(created, path="created" if status == "active" else None, tells=status != "draft")
    services = [
        e.value_reference
        for e in (*(claim.extension or ()), *(e for i in claim.item or () for e in i.extension or ()))
        if (e.url or "").endswith(_SERVICE)
    ]
    services += [claim.referral] if claim.referral is not None else []
    amends = next((n for r in claim.related or () if (n := told.known(r.claim, "Claim")) is not None), None)
    data: dict[str, Any] = {
        # the reference stands where the payer's number comes later: both are names of the same request
        **told.numbers("authorization_id", "payer_number"),
        "payer": _payer(told, claim.insurer),
        "payer_class": _payer_class(told, claim),
        "urgent": first_code(claim.priority) == "stat",
        "order_id": next((n for r in services if (n := told.known(r, "ServiceRequest")) is not None), None),
        "visit_id": _visit(told, claim.item),
        **_for_visit(told, visits),
        CONTENT: told.content.hex(),
        "status": "cancelled" if status == "entered-in-error" else status,
    }
    if amends is not None and status == "active":
        # PAS sends an update as a Claim of its own that names the one before: both are the same request
        own = data.pop("authorization_id")
        asked = {name: value for name, value in data.items() if name not in (CONTENT, "status", "payer_number")}
        asked |= {"authorization_id": amends, "payer_number": own if own != amends else None}
        told.tell("authorization.supplemented", names, asked, created or version)
        return
    told.state("authorization.stated", names, data, version=version, moment=("authorization.requested", created))


def _for_visit(told: Told, references: list[Reference | None]) -> dict[str, Any]:
    """The appointment that something is asked for, where it is named."""
    number = next((n for r in references if (n := told.known(r, "Appointment")) is not None), None)
    return {"appointment_id": number}


def read_claim_response(told: Told, response: ClaimResponse) -> None:
    if told.code(response.use, USES, "use") != "preauthorization":
        raise PassedBy("ClaimResponse about no authorization")
    if told.status(response.status) != "active":
        raise PassedBy("ClaimResponse that is not active")
    verdicts = list(_verdicts(response))
    if not verdicts:
        raise PassedBy("ClaimResponse without a review action")
    if not VERDICTS.issuperset(verdicts):
        mend = "a code of X12 306 is expected: A1, A2, A3, A4, A6, CT, NA or C"
        raise Unreadable(Reason.INVALID, place="ClaimResponse.item.adjudication.extension", mend=mend)
    names = told.person(response.patient, "patient")
    created = told.stamp(response.created, "created")
    version = told.version_time(created, path="created")
    asked = told.known(response.request, "Claim")
    number = response.pre_auth_ref or None
    own = asked or number or first_number(response.identifier) or told.number()
    type_, extent = _verdict(verdicts)
    until = response.pre_auth_period.end if response.pre_auth_period is not None else None
    data: dict[str, Any] = {
        "authorization_id": own,
        "payer_number": number if number != own else None,
        "payer": _payer(told, response.insurer),
        "valid_until": told.awaited(until, "preAuthPeriod.end", holds=type_ == "authorization.approved"),
        "extent": extent,
    }
    told.tell(type_, names, data, version)
    ends = told.stamp(until, "preAuthPeriod.end")
    if type_ == "authorization.approved" and ends is not None and ends.time + ends.precision <= version.time:
        passed = {name: value for name, value in data.items() if name != "extent"}
        told.tell("authorization.expired", names, passed, Stamp(ends.time + ends.precision, 0, assumed=False))


def read_eligibility(told: Told, response: CoverageEligibilityResponse) -> None:
    """Whether no coverage could be confirmed."""
    status = told.status(response.status)
    outcome = told.code(response.outcome, OUTCOMES, "outcome")
    if status != "active":
        raise PassedBy("CoverageEligibilityResponse that is not active")
    in_force = [insurance.inforce for insurance in response.insurance or ()]
    if outcome == "queued":
        raise PassedBy("CoverageEligibilityResponse that decides nothing yet")
    if outcome != "error" and (True in in_force or (in_force and None in in_force)):
        raise PassedBy("CoverageEligibilityResponse that denies no coverage")
    names = told.person(response.patient, "patient")
    created = told.stamp(response.created, "created")
    data = {
        **_for_visit(told, [e.value_reference for e in response.extension or ()]),
        "payer": _payer(told, response.insurer),
    }
    told.tell("eligibility.failed", names, data, created or told.version_time(path="created"))


def _verdict(verdicts: Iterable[str]) -> tuple[str, str | None]:
    """What all items together come to: nothing is decided while one is pended."""
    told = set(verdicts)
    if told & {"A4", "CT"}:
        return "authorization.pended", None
    granted = told & {"A1", "A2", "A6"}
    if granted:
        partial = "A2" in told or "A3" in told
        return "authorization.approved", "partial" if partial else "modified" if "A6" in told else "total"
    if "A3" in told:
        return "authorization.denied", None
    return ("authorization.not_required" if "NA" in told else "authorization.cancelled"), None


def _verdicts(response: ClaimResponse) -> Iterator[str]:
    """The codes of the items; where none has one, those of the response as a whole."""
    items = (*(response.item or ()), *(response.add_item or ()))
    found = [c for item in items for a in item.adjudication or () for c in _reviewed(a.extension)]
    found = found or [c for a in response.adjudication or () for c in _reviewed(a.extension)]
    return iter(found or _reviewed(response.extension))


def _reviewed(extensions: list[Extension] | None) -> list[str]:
    found: list[str] = []
    for extension in extensions or ():
        if not (extension.url or "").endswith(_REVIEW):
            continue
        inner = [e for e in extension.extension or () if (e.url or "").endswith(_REVIEW_CODE)]
        for e in (extension, *inner):
            coding = e.value_coding.code if e.value_coding is not None else None
            told = [e.value_code, e.value_string, coding, *codes(e.value_codeable_concept)]
            found += [code for code in told if code]
    return found


def _payer(told: Told, insurer: Reference | None) -> str | None:
    named = told.references.named(insurer)
    return next(iter(named.others), named.number) if named is not None else None


def _payer_class(told: Told, claim: Claim) -> str | None:
    """Of which kind the coverage is that a claim is judged by, where it came with the claim. Codes of the Source of
    Payment Typology are looked up by what they are a part of, too: 1112 is of 111, of 11, of 1."""
    judged_by = claim.insurance or []
    if len(judged_by) > 1:
        judged_by = [insurance for insurance in judged_by if insurance.focal]
    named = told.references.named(judged_by[0].coverage) if len(judged_by) == 1 else None
    for system, code in named.kinds if named is not None else ():
        lengths = range(len(code), 0, -1) if system == _TYPOLOGY else (len(code),)
        found = next((f for n in lengths if (f := told.tables.value(_CLASS_TABLE, code[:n], system)) is not None), None)
        if found is not None:
            return str(found) if found != _NO_CLASS else None
    return None


def _visit(told: Told, items: list[Item] | None) -> str | None:
    visits = (r for item in items or () for r in item.encounter or ())
    return next((n for r in visits if (n := told.known(r, "Encounter")) is not None), None)
