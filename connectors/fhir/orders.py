"""ServiceRequest, DiagnosticReport and Task: what was ordered or asked of somebody else, and what came back."""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.codes import (
    ABNORMAL,
    CRITICAL,
    INTENTS,
    LAB,
    ORDERS,
    PRIORITIES,
    REFERRAL,
    SLOW,
    codes,
    first_code,
    grouped,
)
from connectors.fhir.resource import MORE_ORDERS, PassedBy, Told
from connectors.fhir.shapes import DiagnosticReport, Reference, ServiceRequest, Task
from connectors.fhir.time import Stamp
from schemas.errors import Reason, Unreadable

_REPORTED: Final = {
    "partial": "result.preliminary",
    "preliminary": "result.preliminary",
    "final": "result.final",
    "amended": "result.corrected",
    "corrected": "result.corrected",
    "appended": "result.corrected",
}
_ANSWERS: Final = {"accepted": "referral.accepted", "rejected": "referral.rejected", "completed": "referral.closed"}


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
    version = told.version_time(ordered, path="authoredOn" if status == "active" else None)
    priority = PRIORITIES.get(request.priority or "")
    reasons = request.reason_reference or []
    report = next((n for r in reasons if (n := told.thing(r, "DiagnosticReport")) is not None), None)
    if any(REFERRAL in codes(concept) for concept in request.category or ()):
        performers = request.performer or []
        data: dict[str, Any] = {
            "referral_id": told.number(),
            "priority": priority,
            "to": next((n for r in performers if (n := _anybody(told, r)) is not None), None),
            "report_id": report,
            "status": status,
        }
        told.state("referral.stated", names, data, version=version, moment=("referral.requested", ordered))
        return
    group, raw = grouped(request.category)
    data = {
        **told.numbers("order_id", "filler_order_id", "PLAC"),
        "code": first_code(request.code),
        "category": group,
        "category_code": raw,
        "priority": priority,
        "visit_id": told.thing(request.encounter, "Encounter"),
        "slow": raw in SLOW if group == LAB else None,
        "report_id": report,
        "status": status,
    }
    told.state("order.stated", names, data, version=version, moment=("order.placed", ordered))


def _anybody(told: Told, reference: Reference) -> str | None:
    named = told.references.named(reference)
    return named.number or next(iter(named.others), None) if named is not None else None


def read_report(told: Told, report: DiagnosticReport) -> None:
    status = told.status(report.status)
    names = told.person(report.subject, "subject")
    type_ = _REPORTED.get(status)
    issued = told.stamp(report.issued, "issued") if type_ is not None else None
    version = told.version_time(issued, path="issued" if type_ is not None else None)
    orders = [n for r in report.based_on or () if (n := told.known(r, "ServiceRequest")) is not None]
    group, raw = grouped(report.category)
    abnormal, critical = _flags(told, report)
    data: dict[str, Any] = {
        "report_id": told.number(),
        "order_id": orders[0] if orders else None,
        "code": first_code(report.code),
        "category": group,
        "category_code": raw,
        "visit_id": told.thing(report.encounter, "Encounter"),
        "slow": raw in SLOW if group == LAB else None,
        "abnormal": abnormal,
        "critical": critical,
        "status": status,
    }
    told.state("result.stated", names, data, version=version, moment=(type_, issued) if type_ is not None else None)
    if len(orders) > 1:
        _tell_further(told, names, data, orders[1:], (type_, issued))


def _tell_further(
    told: Told, names: tuple[str, ...], data: dict[str, Any], orders: list[str], moment: tuple[str | None, Stamp | None]
) -> None:
    """A report that answers several orders: the statement is of the first, and the others hear of what happened. Only
    its own moment can say it to them: each version says it again, and must say the same."""
    type_, issued = moment
    if type_ is None or issued is None:
        told.notes.append(MORE_ORDERS)
        return
    shared = {name: value for name, value in data.items() if name not in ("report_id", "status", "moments")}
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


def read_task(told: Told, task: Task) -> None:
    """The answer to a referral. Every other task needs a site's codes to be understood."""
    focus = told.references.named(task.focus)
    referral = told.thing(task.focus, "ServiceRequest")
    if referral is None or focus is None or focus.type != "ServiceRequest":
        raise PassedBy("no mapping for Task")
    status = told.status(task.status)
    type_ = _ANSWERS.get(status)
    if type_ is None:
        raise PassedBy("Task that answers nothing yet")
    names = told.person(task.for_, "for")
    moved = told.stamp(task.last_modified, "lastModified")
    told.tell(type_, names, {"referral_id": referral}, moved or told.version_time(path="lastModified"))
