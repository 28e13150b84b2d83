"""What a resource is about: the numbers of the things that it refers to, as the attributes that name them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from connectors.fhir.resource import Told
from connectors.fhir.shapes import Reference
from schemas.vocabulary import EVENT_TYPES

_LINKED: Final = {
    "Account": ("account_id",),
    "Appointment": ("appointment_id",),
    "Claim": ("authorization_id",),
    "Composition": ("document_id",),
    "DiagnosticReport": ("report_id",),
    "DocumentReference": ("document_id",),
    "Encounter": ("visit_id",),
    "Observation": ("report_id",),
    "QuestionnaireResponse": ("survey_id",),
    "ServiceRequest": ("order_id", "referral_id"),
    "Task": ("task_id",),
}
_BY_REFERENCE: Final = frozenset(("report_id", "document_id", "survey_id", "task_id"))
"""Named by the reference; the others by their identifier, where it is known here."""
_OWN: Final = {
    "advocate": "request_id",
    "amendment": "request_id",
    "callback": "callback_id",
    "complaint": "complaint_id",
    "estimate": "request_id",
    "record": "request_id",
    "refill": "request_id",
}
_ASKING: Final = frozenset(("Task", "CommunicationRequest", "Communication"))


def links(told: Told, *references: Reference | None) -> dict[str, Any]:
    """The numbers of what is referred to, the first of each kind."""
    found: dict[str, Any] = {}
    for reference in references:
        named = told.references.named(reference)
        if named is None or named.type is None:
            continue
        for attribute in _LINKED.get(named.type, ()):
            other = next(iter(named.others), None)
            number = named.number or other if attribute in _BY_REFERENCE else other or named.number
            if number is not None:
                found.setdefault(attribute, number)
    return found


def own_number(told: Told, type_: str, references: Iterable[Reference | None], own: str) -> dict[str, Any]:
    """The number of the request that an event belongs to: what it answers or is about, else its own."""
    attribute = _OWN.get(type_.partition(".")[0])
    if attribute is None:
        return {}
    for reference in references:
        named = told.references.named(reference)
        if named is not None and named.type in _ASKING and (number := named.number or next(iter(named.others), None)):
            return {attribute: number}
    return {attribute: own}


def carried(type_: str, data: dict[str, Any]) -> dict[str, Any]:
    """What an event of this type carries of it; a site's own type carries all."""
    known = EVENT_TYPES.get(type_)
    return data if known is None else {name: value for name, value in data.items() if name in known.attributes}
