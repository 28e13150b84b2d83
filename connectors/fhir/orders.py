"""ServiceRequest, DiagnosticReport and Observation: what was ordered or asked of somebody else, and what came back."""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.codes import ABNORMAL, CRITICAL, INTENTS, LAB, ORDERS, codes, first_code
from connectors.fhir.resource import MORE_ORDERS, PassedBy, Told
from connectors.fhir.shapes import Concept, DiagnosticReport, Observation, Reference, ServiceRequest
from connectors.fhir.time import Stamp
from schemas.errors import Reason, Unreadable
from schemas.states import told_by

_RESULT: Final = "result.stated"
_OBSERVATION: Final = "observation.stated"
_GONE: Final = "result.cancelled"
_PLANS: Final = {"admission": "admit", "discharge": "discharge"}


def read_service_request(told: Told, request: ServiceRequest) -> None:
    intent = told.code(request.intent, INTENTS, "intent")
    status = told.status(request.status)
    if request.code is not None and request.code.concept is not None:
        mend = "a CodeableReference is R5: send the shape of FHIR R4"
        raise Unreadable(Reason.INVALID, place="ServiceRequest.code.concept", mend=mend)
    if intent not in ORDERS:
        raise PassedBy("ServiceRequest that is no order")
    if request.do_not_perform:
        raise PassedBy("ServiceRequest of what is not to be done")
    names = told.person(request.subject, "subject")
    ordered = told.stamp(request.authored_on, "authoredOn") if status == "active" else None
    path = "authoredOn" if status == "active" else None
    version = told.version_time(ordered, path=path, tells=told_by("order.stated", status) is not None)
    use = told.tables.word("fhir_request", *(request.category or ()), request.code)
    priority = told.tables.value("priority", request.priority)
    reasons = request.reason_reference or []
    report = next((n for r in reasons if (n := told.thing(r, "DiagnosticReport")) is not None), None)
    if use == "referral":
        performers = request.performer or []
        data: dict[str, Any] = {
            **told.numbers("referral_id", "referral_reference", "PLAC"),
            "specialty": told.tables.word("fhir_specialty", request.performer_type, request.code),
            "priority": priority,
            "to": next((n for r in performers if (n := _anybody(told, r)) is not None), None),
            "report_id": report,
            "status": status,
        }
        told.state("referral.stated", names, data, version=version, moment=("referral.requested", ordered))
        return
    visit = told.known(request.encounter, "Encounter")
    if use in _PLANS:
        _tell_plan(told, request, names, {"visit_id": visit, "plan": _PLANS[use], "status": status}, (ordered, version))
        return
    group, raw = told.tables.group("category", request.category)
    data = {
        **told.numbers("order_id", "filler_order_id", "PLAC"),
        "code": first_code(request.code),
        "category": group,
        "category_code": raw,
        "priority": priority,
        "visit_id": visit,
        "screening": told.tables.word("fhir_screening", request.code),
        "slow": _is_slow(told, group, raw, request.code),
        "report_id": report,
        "status": status,
    }
    told.state("order.stated", names, data, version=version, moment=("order.placed", ordered))


def _tell_plan(
    told: Told,
    request: ServiceRequest,
    names: tuple[str, ...],
    data: dict[str, Any],
    when: tuple[Stamp | None, Stamp],
) -> None:
    """That somebody is to be admitted, or to go home."""
    statement = "admission.stated" if data["plan"] == "admit" else "discharge.stated"
    period = request.occurrence_period
    expected = request.occurrence_date_time or (period.start if period is not None else None)
    if data["plan"] == "discharge":
        data["expected_end"] = told.awaited(expected, "occurrence", holds=data["status"] == "active")
    moment = (told_by(statement, "active") or "", when[0])
    told.state(statement, names, {"request_id": told.number(), **data}, version=when[1], moment=moment)


def _is_slow(told: Told, group: str | None, raw: str | None, code: Concept | None) -> bool | None:
    """Whether a laboratory takes days for it by nature, by its section or by a site's own codes."""
    if group != LAB:
        return None
    return told.tables.value("slow", raw) is True or told.tables.word("slow_codes", code) == "True"


def _anybody(told: Told, reference: Reference) -> str | None:
    named = told.references.named(reference)
    return named.number or next(iter(named.others), None) if named is not None else None


def read_report(told: Told, report: DiagnosticReport) -> None:
    status = told.status(report.status)
    names = told.person(report.subject, "subject")
    type_ = _with_moment(_RESULT, status)
    issued = told.stamp(report.issued, "issued") if type_ is not None else None
    version = told.version_time(
        issued, path="issued" if type_ is not None else None, tells=told_by(_RESULT, status) is not None
    )
    orders = [n for r in report.based_on or () if (n := told.known(r, "ServiceRequest")) is not None]
    group, raw = told.tables.group("category", report.category)
    abnormal, critical = _flags(told, report)
    data: dict[str, Any] = {
        "report_id": told.number(),
        "order_id": orders[0] if orders else None,
        "code": first_code(report.code),
        "category": group,
        "category_code": raw,
        "visit_id": told.known(report.encounter, "Encounter"),
        "slow": _is_slow(told, group, raw, report.code),
        "abnormal": abnormal,
        "critical": critical,
        "observations": _parts(told, report.result),
        "status": status,
    }
    told.state(_RESULT, names, data, version=version, moment=(type_, issued) if type_ is not None else None)
    if len(orders) > 1:
        _tell_further(told, names, data, orders[1:], (type_, issued))


def _with_moment(statement: str, status: str) -> str | None:
    """What comes to be by this status at a moment that the resource names: when it was cancelled it does not say."""
    type_ = told_by(statement, status)
    return type_ if type_ != _GONE else None


def _parts(told: Told, references: list[Reference] | None) -> list[str] | None:
    """The observations that belong to a report or a panel: what they say is said by it."""
    found = [n for r in references or () if (n := told.thing(r, "Observation")) is not None]
    return found or None


def _tell_further(
    told: Told, names: tuple[str, ...], data: dict[str, Any], orders: list[str], moment: tuple[str | None, Stamp | None]
) -> None:
    """A report that answers several orders: the statement is of the first, and the others hear of what happened. Only
    its own moment can say it to them: each version says it again, and must say the same."""
    type_, issued = moment
    if type_ is None or issued is None:
        told.notes.append(MORE_ORDERS)
        return
    untold = ("report_id", "status", "moments", "version", "observations")
    shared = {name: value for name, value in data.items() if name not in untold}
    for order in dict.fromkeys(orders):
        told.tell(type_, names, {**shared, "order_id": order}, issued)


def _flags(told: Told, report: DiagnosticReport) -> tuple[bool | None, bool | None]:
    """Whether a report is abnormal, and whether it is critical, by the Observations that it names; None where none of
    those that are at hand says it, and no denial where some are not at hand."""
    found: set[str] = set()
    all_at_hand = True
    for reference in report.result or ():
        named = told.references.named(reference)
        flags = named.flags if named is not None else None
        all_at_hand = all_at_hand and flags is not None
        found.update(flags or ())
    if not found:
        return None, None
    denied = False if all_at_hand else None
    return (True if found & ABNORMAL else denied), (True if found & CRITICAL else denied)


def read_observation(told: Told, observation: Observation) -> None:
    """A part of a report, which is as abnormal as it; or, of a laboratory or for an order, a result of its own, unless
    a report names it: that is for the engine to know."""
    status = told.status(observation.status)
    orders = [n for r in observation.based_on or () if (n := told.known(r, "ServiceRequest")) is not None]
    group, _ = told.tables.group("fhir_observation", observation.category)
    group = group if group in ("LAB", "RAD") else None
    flags = _interpreted(observation.interpretation)
    if not (orders or group or flags):
        raise PassedBy("Observation that is no result")
    names = told.person(observation.subject, "subject")
    type_ = _with_moment(_OBSERVATION, status)
    issued = told.stamp(observation.issued, "issued") if type_ is not None else None
    if issued is None and type_ is not None:
        issued = told.stamp(observation.effective_date_time, "effectiveDateTime")
    version = told.version_time(
        issued, path="issued" if type_ is not None else None, tells=told_by(_RESULT, status) is not None
    )
    number = told.number()
    data: dict[str, Any] = {
        "observation_id": number,
        "report_id": number,
        "order_id": orders[0] if orders else None,
        "code": first_code(observation.code),
        "category": group,
        "visit_id": told.known(observation.encounter, "Encounter"),
        "slow": _is_slow(told, group, None, observation.code),
        "abnormal": bool(flags & ABNORMAL) if flags else None,
        "critical": bool(flags & CRITICAL) if flags else None,
        "observations": _parts(told, observation.has_member),
        "status": status,
    }
    told.state(_OBSERVATION, names, data, version=version, moment=(type_, issued) if type_ is not None else None)


def _interpreted(interpretation: list[Concept] | None) -> frozenset[str]:
    return frozenset(code for concept in interpretation or () for code in codes(concept))
