"""DocumentReference, Composition and Consent: what was signed, what was given, what was agreed to."""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.codes import DOC_STATUSES
from connectors.fhir.links import carried, links
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.shapes import Concept, Reference
from connectors.fhir.shapes_told import Composition, Consent, DocumentReference
from schemas.states import told_by

_NOTICE: Final = "notice.given"


def read_document(told: Told, document: DocumentReference) -> None:
    status = told.status(document.status)
    stands = told.code(document.doc_status, DOC_STATUSES, "docStatus") if document.doc_status else None
    if status == "entered-in-error":
        stands = status
    elif stands is None and document.authenticator is not None:
        stands = "final"
    context = document.context
    about = (*((context.encounter or ()) if context else ()), *((context.related or ()) if context else ()))
    concepts = (document.type, *(document.category or ()))
    _tell(told, document.subject, concepts, stands, about, document.date)


def read_composition(told: Told, composition: Composition) -> None:
    status = told.status(composition.status)
    concepts = (composition.type, *(composition.category or ()))
    _tell(told, composition.subject, concepts, status, (composition.encounter,), composition.date)


def _tell(
    told: Told,
    subject: Reference | None,
    concepts: tuple[Concept | None, ...],
    status: str | None,
    about: tuple[Reference | None, ...],
    date: str | None,
) -> None:
    notice = told.tables.word("fhir_notice", *concepts)
    if status is None and notice is None:
        raise PassedBy(f"{told.type} that nobody is known to have signed")
    if status == "preliminary":
        raise PassedBy(f"{told.type} that is not signed yet")
    names = told.person(subject, "subject")
    type_ = told_by("document.stated", status) if status is not None else None
    signed = told.stamp(date, "date") if type_ != "document.withdrawn" else None
    version = told.version_time(signed, path="date")
    number = told.number()
    data: dict[str, Any] = {**links(told, *about), "document_id": number}
    if notice is not None and status != "entered-in-error":
        told.tell(_NOTICE, names, {**carried(_NOTICE, data), "kind": notice}, signed or version)
    if status is not None:
        kind = told.tables.word("document_kind", *concepts)
        moment = (type_, signed) if type_ is not None else None
        told.state("document.stated", names, {**data, "kind": kind, "status": status}, version=version, moment=moment)


_SIGNED: Final = frozenset(("active", "inactive", "rejected", "entered-in-error"))


def read_consent(told: Told, consent: Consent) -> None:
    """An active consent is given, unless it denies; one that is active no more is revoked."""
    status = told.status(consent.status)
    if status not in _SIGNED:
        raise PassedBy("Consent that nobody gave yet")
    names = told.person(consent.patient, "patient")
    signed = told.stamp(consent.date_time, "dateTime") if status == "active" else None
    version = signed or told.version_time(path="dateTime")
    provision = consent.provision
    concepts = (*(consent.category or ()), consent.scope)
    purposes = (
        [c.get("code") for c in (provision.purpose or ()) if isinstance(c, dict)] if provision is not None else []
    )
    by_code = [told.tables.value("fhir_consent_purpose", c) for c in purposes if isinstance(c, str)]
    found = next((str(p) for p in by_code if p is not None), None)
    denied = provision is not None and provision.type == "deny"
    mapped = told.tables.word("fhir_consent", *concepts)
    type_ = mapped if mapped is not None and status == "active" else None
    data = {
        "channel": told.tables.word("fhir_channel", *concepts),
        "purpose": found or told.tables.word("fhir_consent_purpose", *concepts),
    }
    told.tell(
        type_ or ("consent.given" if status == "active" and not denied else "consent.revoked"), names, data, version
    )
