"""`GET [base]/metadata`: what the door does, and nothing that it does not."""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.read import READ_TYPES
from hub.api.fhir.bundles import MOST
from hub.api.fhir.conditions import SUPPORTED

_PROCESS: Final = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
_KEPT: Final = (
    "A receiver of states: what is sent is taken as events, and of a resource its id, its latest version and its "
    "identifiers are known. Nothing can be read back, searched for, patched or deleted."
)


_PASSED_ON: Final = (
    "A receiver of states: what is sent is taken as events. Nothing of a resource is kept here, so nothing can be read "
    "back, searched for, patched or deleted, and no condition is answered."
)


def capability(base: str, version: str, date: str, *, keeps: bool = True) -> dict[str, Any]:
    """The CapabilityStatement of a base. `date` is when it began to be so; without `keeps` nothing is known of what
    came before."""
    about = _KEPT if keeps else _PASSED_ON
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "software": {"name": "PX Hub", "version": version},
        "implementation": {"description": about, "url": base},
        "rest": [
            {
                "mode": "server",
                "documentation": (
                    f"{about} A bundle holds at most {MOST} entries. A history bundle is taken as states; one that "
                    "begins with a subscription's status is a notification (Subscriptions R5 Backport)."
                ),
                "security": {"description": "None of its own: it listens on a loopback address."},
                "resource": [_resource(type_, keeps=keeps) for type_ in sorted(READ_TYPES)],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [{"name": "process-message", "definition": _PROCESS}],
            },
            *([_CLIENT] if keeps else []),
        ],
        "messaging": [
            {
                "documentation": "Any event: the resources of a message are taken as states, all or none.",
                "endpoint": [
                    {
                        "protocol": {
                            "system": "http://terminology.hl7.org/CodeSystem/message-transport",
                            "code": "http",
                        },
                        "address": f"{base}/$process-message",
                    }
                ],
            }
        ],
    }


_EVENTS: Final = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-events"

_STATUS: Final = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status"
_CLIENT: Final[dict[str, Any]] = {
    "mode": "client",
    "documentation": "Asks a server that the site file names for notifications that did not come, and how "
    "a subscription stands whose heartbeat does not.",
    "operation": [{"name": "events", "definition": _EVENTS}, {"name": "status", "definition": _STATUS}],
}


def terminology(date: str) -> dict[str, Any]:
    """`?mode=terminology`: there is none."""
    return {"resourceType": "TerminologyCapabilities", "status": "active", "date": date, "kind": "instance"}


def _resource(type_: str, *, keeps: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": type_,
        "interaction": [{"code": "create"}, {"code": "update"}],
        "versioning": "versioned" if keeps else "no-version",
        "readHistory": False,
        "updateCreate": True,
        "conditionalCreate": keeps,
        "conditionalRead": "not-supported",
        "conditionalUpdate": keeps,
        "conditionalDelete": "not-supported",
    }
    if keeps:
        told["searchParam"] = [
            {"name": name, "type": "token", "documentation": f"In conditional creates and updates alone: {SUPPORTED}."}
            for name in ("_id", "identifier")
        ]
    return told
