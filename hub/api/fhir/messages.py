"""A message bundle: its header read, and the header that answers it (FHIR R4, 2.4)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

from hub.api.fhir.bundles import Bundle
from hub.api.fhir.outcomes import FhirRefused

Code = Literal["ok", "transient-error", "fatal-error"]
_PLACE: Final = "Bundle.entry[0].resource"
_UNPROCESSABLE: Final = HTTPStatus.UNPROCESSABLE_ENTITY


def read_header(bundle: Bundle) -> dict[str, Any]:
    """The MessageHeader that a message begins with. Raises FhirRefused where there is none, or one of another
    version."""
    first = bundle.entries[0].members.get("resource") if bundle.entries else None
    value = msgspec.json.decode(first) if first is not None else None
    if not isinstance(value, dict) or value.get("resourceType") != "MessageHeader":
        raise FhirRefused(_UNPROCESSABLE, "required", "a message begins with its MessageHeader", expression=_PLACE)
    if "event" in value or "timestamp" in value:
        raise _other_version("STU3", "event" if "event" in value else "timestamp")
    if "eventCanonical" in value:
        raise _other_version("R5", "eventCanonical")
    if not isinstance(value.get("id"), str) or not value["id"]:
        raise FhirRefused(_UNPROCESSABLE, "required", "the answer names the message by it", expression=f"{_PLACE}.id")
    if not ("eventCoding" in value or "eventUri" in value):
        told = "a message says its event by eventCoding or eventUri"
        raise FhirRefused(_UNPROCESSABLE, "required", told, expression=f"{_PLACE}.event")
    return value


def _other_version(version: str, element: str) -> FhirRefused:
    told = f"it is {version}: send FHIR R4 or R4B; nothing of it was kept"
    return FhirRefused(_UNPROCESSABLE, "not-supported", told, expression=f"{_PLACE}.{element}")


def answer_of(header: dict[str, Any], code: Code, outcome: dict[str, Any], base: str, now: str) -> dict[str, Any]:
    """The message that answers one: the same whenever that is sent again."""
    id_ = str(uuid5(NAMESPACE_URL, f"{base}|{header['id']}|{code}"))
    details = str(uuid5(NAMESPACE_URL, f"{id_}|details"))
    event: dict[str, Any] = {name: header[name] for name in ("eventCoding", "eventUri") if name in header}
    told: dict[str, Any] = {
        "resourceType": "MessageHeader",
        "id": id_,
        **event,
        "source": {"name": "PX Hub", "endpoint": f"{base}/$process-message"},
        "response": {
            "identifier": header["id"],
            "code": code,
            "details": {"reference": f"urn:uuid:{details}"},
        },
    }
    return {
        "resourceType": "Bundle",
        "type": "message",
        "timestamp": now,
        "entry": [
            {"fullUrl": f"urn:uuid:{id_}", "resource": told},
            {"fullUrl": f"urn:uuid:{details}", "resource": {**outcome, "id": details}},
        ],
    }
