"""ChargeItem, Invoice and AuditEvent: what was charged and billed, and that somebody looked at their own result."""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.links import carried, links
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.shapes import Reference
from connectors.fhir.shapes_told import AuditEvent, ChargeItem, Invoice

_PATIENTS: Final = frozenset(("Patient", "RelatedPerson"))
_RESULTS: Final = frozenset(("DiagnosticReport", "Observation"))
_BESIDE: Final = frozenset(("ServiceRequest", "Encounter"))
_READ: Final = "R"
_FAILED: Final = frozenset(("4", "8", "12"))


def read_charge_item(told: Told, charge: ChargeItem) -> None:
    if told.status(charge.status) not in ("billable", "billed"):
        raise PassedBy("ChargeItem that charges nothing")
    names = told.person(charge.subject, "subject")
    entered = told.stamp(charge.entered_date, "enteredDate")
    version = entered or told.version_time(path="enteredDate")
    amount = charge.price_override.value if charge.price_override is not None else None
    data: dict[str, Any] = {**links(told, *(charge.account or ())), "amount": amount}
    told.tell("charge.posted", names, carried("charge.posted", data), version)


def read_invoice(told: Told, invoice: Invoice) -> None:
    if told.status(invoice.status) not in ("issued", "balanced"):
        raise PassedBy("Invoice that was not sent")
    names = told.person(invoice.subject, "subject")
    sent = told.stamp(invoice.date, "date")
    amount = invoice.total_net.value if invoice.total_net is not None else None
    data = {**links(told, invoice.account), "amount": amount, "statement_id": told.number()}
    told.tell("bill.sent", names, carried("bill.sent", data), sent or told.version_time(path="date"))


def read_audit_event(told: Told, audit: AuditEvent) -> None:
    """A patient, or who speaks for them, has read a result. Who else reads what is none of ours."""
    whats = [entity.what for entity in audit.entity or ()]
    results = [r for r in whats if _is(told, r, _RESULTS)]
    readers = [agent.who for agent in audit.agent or () if agent.requestor and _is(told, agent.who, _PATIENTS)]
    if audit.action != _READ or audit.outcome in _FAILED or not results or not readers:
        raise PassedBy("AuditEvent of no result that its patient read")
    own = next((r for r in (*readers, *whats) if _is(told, r, frozenset(("Patient",)))), None)
    names = told.person(own, "agent.who")
    at = told.stamp(audit.recorded, "recorded") or told.version_time(path="recorded")
    # Of one result, what is named beside it is what it belongs to: its order, where the reports come by HL7 v2.
    beside = [r for r in whats if _is(told, r, _BESIDE)] if len(results) == 1 else []
    for result in results:
        data = {**links(told, result, *beside), "channel": "portal"}
        told.tell("result.viewed", names, carried("result.viewed", data), at)


def _is(told: Told, reference: Reference | None, types: frozenset[str]) -> bool:
    named = told.references.named(reference)
    return named is not None and named.type in types
