"""One FHIR resource to events: sans-I/O, and whatever the bytes are, a Reading.

A resource says how a thing stands; what changed is for the engine to tell (`streams.core.stated`). Named paths are
read and no others: an element that is strange to R4 spoils nothing, unless it shows that another version of FHIR was
meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC
from hashlib import blake2b
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from connectors.api import Reading, dead
from connectors.fhir import shapes
from connectors.fhir import shapes_told as told_shapes
from connectors.fhir.accounts import read_audit_event, read_charge_item, read_invoice
from connectors.fhir.bundle import path_of, split_bundle
from connectors.fhir.codes import OLDER_TYPES, OTHER_VERSIONS
from connectors.fhir.encounters import read_encounter
from connectors.fhir.messages import read_communication, read_communication_request
from connectors.fhir.orders import read_observation, read_report, read_service_request
from connectors.fhir.papers import read_composition, read_consent, read_document
from connectors.fhir.payers import read_claim, read_claim_response, read_eligibility
from connectors.fhir.people import read_patient, read_related_person
from connectors.fhir.references import ALONE, Around
from connectors.fhir.resource import PassedBy, Teller, Told
from connectors.fhir.scheduling import read_appointment, read_slot
from connectors.fhir.spoken import SPOKEN, take_words
from connectors.fhir.surveys import read_questionnaire_response
from connectors.fhir.tables import Tables
from connectors.fhir.tasks import read_care_plan, read_task
from connectors.fhir.validate import faults
from connectors.fhir.workup import read_imaging_study, read_procedure, read_specimen
from connectors.json_text import BOM, NOT_JSON
from connectors.mapping.spec import Scalar
from connectors.surveys.instruments import Instrument, shipped_instruments
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason, Unreadable

_READ: Final[dict[str, tuple[type[shapes.Resource], Callable[[Told, Any], None]]]] = {
    "Appointment": (shapes.Appointment, read_appointment),
    "AuditEvent": (told_shapes.AuditEvent, read_audit_event),
    "CarePlan": (told_shapes.CarePlan, read_care_plan),
    "ChargeItem": (told_shapes.ChargeItem, read_charge_item),
    "Claim": (shapes.Claim, read_claim),
    "ClaimResponse": (shapes.ClaimResponse, read_claim_response),
    "Communication": (told_shapes.Communication, read_communication),
    "CommunicationRequest": (told_shapes.CommunicationRequest, read_communication_request),
    "Composition": (told_shapes.Composition, read_composition),
    "Consent": (told_shapes.Consent, read_consent),
    "CoverageEligibilityResponse": (shapes.CoverageEligibilityResponse, read_eligibility),
    "DiagnosticReport": (shapes.DiagnosticReport, read_report),
    "DocumentReference": (told_shapes.DocumentReference, read_document),
    "Encounter": (shapes.Encounter, read_encounter),
    "ImagingStudy": (shapes.ImagingStudy, read_imaging_study),
    "Invoice": (told_shapes.Invoice, read_invoice),
    "Observation": (shapes.Observation, read_observation),
    "Patient": (shapes.Patient, read_patient),
    "Procedure": (shapes.Procedure, read_procedure),
    "QuestionnaireResponse": (told_shapes.QuestionnaireResponse, read_questionnaire_response),
    "RelatedPerson": (told_shapes.RelatedPerson, read_related_person),
    "ServiceRequest": (shapes.ServiceRequest, read_service_request),
    "Slot": (shapes.Slot, read_slot),
    "Specimen": (shapes.Specimen, read_specimen),
    "Task": (shapes.Task, read_task),
}
READ_TYPES: Final = frozenset(_READ)
FHIR_INVALID: Final = "fhir_invalid"
FHIR_SYSTEM: Final = "fhir"
"""The system of what comes from no server that is named."""
_TYPE: Final = "send the type that FHIR R4 gives it"
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_VERSION: Final = ("versionId", "lastUpdated")


class FhirReader:
    """Reads resources of one system. `base` is the URL that its references may begin with; `zone` is for days and for
    stamps without an offset: without it they are read as UTC, and noted (`zone_assumed`). `validates`: what the models
    of fhir.resources refuse is noted too (`fhir_invalid`). `tables`: what a site's codes mean, `instruments`: its
    surveys, else the shipped."""

    def __init__(
        self,
        *,
        system: str = FHIR_SYSTEM,
        base: str | None = None,
        zone: str | None = None,
        validates: bool = False,
        tables: Mapping[str, Mapping[str, Scalar]] | None = None,
        instruments: Mapping[str, Instrument] | None = None,
    ) -> None:
        self._validates: bool = validates
        self._zone_name: str | None = zone
        self._tables: Mapping[str, Mapping[str, Scalar]] | None = tables
        self._instruments: Mapping[str, Instrument] = shipped_instruments() if instruments is None else instruments
        home = base.rstrip("/") if base else None
        known = Tables(tables)
        self._teller: Teller = Teller(
            system, home, ZoneInfo(zone) if zone else UTC, zone is None, known, self._instruments
        )

    def named(self, system: str, *, base: str | None = None, zone: str | None = None) -> FhirReader:
        """The reader of another system, in the same zone unless one is named."""
        return FhirReader(
            system=system, base=base, zone=zone or self._zone_name, validates=self._validates, tables=self._tables,
            instruments=self._instruments,
        )  # fmt: skip

    def read(self, raw: bytes | msgspec.Raw | dict[str, Any], place: str, around: Around = ALONE) -> Reading:
        """What one resource is. `place` names file and entry, for dead letters."""
        value = raw if isinstance(raw, dict) else _decoded(raw, place)
        if isinstance(value, Reading):
            return value
        if not isinstance(value, dict):
            return dead(Reason.INVALID, place, "a resource is a JSON object")
        type_ = value.get("resourceType")
        if not isinstance(type_, str) or not type_:
            return dead(Reason.INVALID, f"{place}, resourceType", "name the type of the resource there")
        found = _READ.get(type_)
        if found is None:
            return _not_read(type_, place)
        for element in OTHER_VERSIONS.get(type_, {}):
            if element in value:
                version = OTHER_VERSIONS[type_][element]
                return dead(Reason.INVALID, f"{place}, {type_}.{element}", f"it is {version}: send FHIR R4 or R4B")
        shape, read = found
        if type_ == SPOKEN:
            value = deepcopy(value) if value is raw else value
            take_words(value)
        try:
            resource = msgspec.convert(value, shape)
        except msgspec.ValidationError as wrong:
            return dead(Reason.INVALID, f"{place}, {path_of(wrong, type_)}", _TYPE)
        digest = content_digest(value)
        told = Told(type_, resource, self._teller, around, digest)
        told.id = _version_id(told, resource, digest)
        identity = (told.source, told.id, digest)
        try:
            read(told, resource)
        except PassedBy as why:
            return Reading(*identity, ignored=str(why), notes=once(told.notes))
        except Unreadable as wrong:
            letter = DeadLetter(reason=wrong.reason, place=f"{place}, {wrong.place}", mend=wrong.mend)
            return Reading(*identity, dead=letter, notes=once(told.notes))
        if self._validates and faults(value):
            told.notes.append(FHIR_INVALID)
        return Reading(*identity, tuple(told.events), notes=once(told.notes))

    def read_all(self, raw: bytes, place: str) -> Iterator[Reading]:
        """A bundle, each of its resources; or one resource."""
        for piece in split_bundle(raw, place):
            yield piece if isinstance(piece, Reading) else self.read(piece.raw, piece.place, piece.around)


def _decoded(raw: bytes | msgspec.Raw, place: str) -> Any:
    try:
        return msgspec.json.decode(raw.removeprefix(BOM) if isinstance(raw, bytes) else raw)
    except RecursionError:
        return dead(Reason.UNREADABLE, place, "JSON nested so deeply is not read")
    except NOT_JSON:
        return dead(Reason.UNREADABLE, place, "one whole JSON object is expected")


def content_digest(resource: dict[str, Any]) -> bytes:
    """A digest of what a resource says, whatever its version is called."""
    meta = resource.get("meta")
    if not isinstance(meta, dict) or meta.keys().isdisjoint(_VERSION):
        return blake2b(_encode(resource), digest_size=16).digest()
    held = {name: meta.pop(name) for name in _VERSION if name in meta}
    if not meta:
        del resource["meta"]
    try:
        return blake2b(_encode(resource), digest_size=16).digest()
    finally:  # nobody shall miss what was left out for a moment: copying all the rest would cost more
        meta.update(held)
        resource["meta"] = meta


def _version_id(told: Told, resource: shapes.Resource, digest: bytes) -> str:
    """`Type/id@version`, the same for every copy of a version."""
    meta = resource.meta
    version = (meta.version_id or meta.last_updated) if meta is not None else None
    own = told.reference
    name = own.removesuffix(f"^{told.source.removeprefix('fhir/')}") if own is not None else told.type
    return f"{name}@{version or digest.hex()}" if own is not None else f"{name}@{digest.hex()}"


def _not_read(type_: str, place: str) -> Reading:
    if type_ in OLDER_TYPES:
        mend = f"it is of an older FHIR: send {OLDER_TYPES[type_]} of R4"
        return dead(Reason.INVALID, f"{place}, resourceType", mend)
    if type_ == "Bundle":
        return dead(Reason.INVALID, place, "a bundle is split into its resources first")
    if not (type_.isascii() and type_.isalpha() and len(type_) <= 64):
        return dead(Reason.INVALID, f"{place}, resourceType", "name the type of the resource there")
    return Reading(ignored=f"no mapping for {type_}")


def once(notes: list[str]) -> tuple[str, ...]:
    """Each note once."""
    return tuple(dict.fromkeys(notes)) if notes else ()
