"""One FHIR resource to events: sans-I/O, and whatever the bytes are, a Reading.

A resource says how a thing stands; what changed is for the engine to tell (`streams.core.stated`). Named paths are
read and no others: an element that is strange to R4 spoils nothing, unless it shows that another version of FHIR was
meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, tzinfo
from hashlib import blake2b
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from connectors.api import Reading, dead
from connectors.fhir import shapes
from connectors.fhir.bundle import BOM, NOT_JSON, path_of, split_bundle
from connectors.fhir.codes import OLDER_TYPES, OTHER_VERSIONS
from connectors.fhir.orders import read_report, read_service_request, read_task
from connectors.fhir.payers import read_claim, read_claim_response
from connectors.fhir.people import read_patient
from connectors.fhir.references import ALONE, Around
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.scheduling import read_appointment, read_encounter
from connectors.fhir.validate import faults
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason, Unreadable

_READ: Final[dict[str, tuple[type[shapes.Resource], Callable[[Told, Any], None]]]] = {
    "Appointment": (shapes.Appointment, read_appointment),
    "Claim": (shapes.Claim, read_claim),
    "ClaimResponse": (shapes.ClaimResponse, read_claim_response),
    "DiagnosticReport": (shapes.DiagnosticReport, read_report),
    "Encounter": (shapes.Encounter, read_encounter),
    "Patient": (shapes.Patient, read_patient),
    "ServiceRequest": (shapes.ServiceRequest, read_service_request),
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
    of fhir.resources refuse is noted too (`fhir_invalid`)."""

    def __init__(
        self, *, system: str = FHIR_SYSTEM, base: str | None = None, zone: str | None = None, validates: bool = False
    ) -> None:
        self._validates: bool = validates
        self._system: str = system
        self._base: str | None = base.rstrip("/") if base else None
        self._zone: tzinfo = ZoneInfo(zone) if zone else UTC
        self._assumed: bool = zone is None
        self._zone_name: str | None = zone

    def named(self, system: str) -> FhirReader:
        """The reader of another system, in the same zone."""
        return FhirReader(system=system, zone=self._zone_name, validates=self._validates)

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
        try:
            resource = msgspec.convert(value, shape)
        except msgspec.ValidationError as wrong:
            return dead(Reason.INVALID, f"{place}, {path_of(wrong, type_)}", _TYPE)
        told = Told(
            type_,
            resource,
            system=self._system,
            base=self._base,
            around=around,
            zone=self._zone,
            assumed=self._assumed,
        )
        digest = content_digest(value)
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
    if isinstance(meta, dict) and not meta.keys().isdisjoint(_VERSION):
        rest = {name: value for name, value in meta.items() if name not in _VERSION}
        resource = {**resource, "meta": rest}
        if not rest:
            del resource["meta"]
    return blake2b(_encode(resource), digest_size=16).digest()


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
