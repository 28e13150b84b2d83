"""What the clinic's patient portal says, in FHIR R4: a batch a quarter of an hour, a bundle a line.

It knows people by its own account number, orders, appointments and visits by the numbers of the systems that gave
them; `site.yaml` says which of its systems of numbers is whose.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from hub.simulate.people import Person
from hub.simulate.wall import Wall

_BASE: Final = "https://portal.harbourbridge.example"
_CODES: Final = f"{_BASE}/codes/communication"
_REASONS: Final = f"{_BASE}/codes/reason"
_MODES: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"
_AUDIT: Final = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_QUARTER: Final = 900

# Communication.category in the clinic's own codes; site.yaml says which event each is.
POSTED: Final = "RESULT-POSTED"
HELD: Final = "RESULT-HELD"
REMINDER: Final = "REMINDER"
OUTREACH: Final = "OUTREACH"

Reference = dict[str, Any]


def order(number: str) -> Reference:
    """`number` is an entity identifier, number and namespace (`O0000001^HBORDER`); so are the next two."""
    return _reference("ServiceRequest", "orders", number.partition("^")[0])


def report(number: str) -> Reference:
    """A report goes by its filler's number; the laboratory and radiology number theirs apart."""
    return _reference("DiagnosticReport", f"reports/{number.partition('^')[2]}", number.partition("^")[0])


def appointment(number: str) -> Reference:
    return _reference("Appointment", "appointments", number.partition("^")[0])


def encounter(number: str) -> Reference:
    return _reference("Encounter", "visits", number)


def patient(person: Person) -> Reference:
    return _reference("Patient", "accounts", f"P{person.number:07}")


def _reference(type_: str, system: str, value: str) -> Reference:
    return {"type": type_, "identifier": {"system": f"{_BASE}/{system}", "value": value}}


class Portal:
    """Collects what is said within a quarter of an hour and writes it as one batch, as the portal's export does.
    `sent` counts resources."""

    def __init__(self, write: Callable[[str], object], wall: Wall) -> None:
        self.sent: int = 0
        self._write: Callable[[str], object] = write
        self._wall: Wall = wall
        self._entries: list[dict[str, Any]] = []
        self._quarter: int = -1

    def post_result(self, at: int, person: Person, placer: str, filler: str) -> None:
        """A result can be read at the portal from now on."""
        self._communicate(at, person, POSTED, medium="ELECTRONIC", basedOn=[order(placer)], about=[report(filler)])

    def hold_result(self, at: int, person: Person, placer: str, filler: str) -> None:
        """A result is kept back: a clinician wants to tell it first."""
        self._communicate(at, person, HELD, medium="ELECTRONIC", basedOn=[order(placer)], about=[report(filler)])

    def show_result(self, at: int, person: Person, placer: str, filler: str) -> None:
        """The patient has opened a result."""
        resource = {
            "resourceType": "AuditEvent",
            "id": self._next("a"),
            "type": {"system": _AUDIT, "code": "rest", "display": "RESTful Operation"},
            "action": "R",
            "recorded": self._stamp(at),
            "outcome": "0",
            "agent": [{"who": patient(person), "requestor": True}],
            "source": {"observer": {"display": "Harbour Bridge portal"}},
            "entity": [{"what": report(filler)}, {"what": order(placer)}],
        }
        self._say(at, resource)

    def remind(self, at: int, person: Person, number: str) -> None:
        """A text message or a message at the portal reminds of an appointment."""
        self._communicate(at, person, REMINDER, medium="SMSWRIT", about=[appointment(number)])

    def note_outreach(self, at: int, person: Person, reason: str, *, reached: bool, **about: Any) -> None:
        """Somebody of the staff has called a patient, and notes whether they were reached."""
        status = {"status": "completed"} if reached else {"status": "not-done", "statusReason": _concept("no-answer")}
        self._communicate(
            at,
            person,
            OUTREACH,
            medium="PHONE",
            reasonCode=[{"coding": [{"system": _REASONS, "code": reason}]}],
            **about,
            **status,
        )

    def flush(self) -> None:
        """Write the batch that is held."""
        if not self._entries:
            return
        stamp = datetime.fromtimestamp((self._quarter + 1) * _QUARTER, UTC)
        bundle = {
            "resourceType": "Bundle",
            "type": "batch",
            "timestamp": stamp.isoformat().replace("+00:00", "Z"),
            "entry": self._entries,
        }
        self._write(json.dumps(bundle, separators=(",", ":"), ensure_ascii=False) + "\n")
        self._entries = []

    def _communicate(self, at: int, person: Person, category: str, *, medium: str, **more: Any) -> None:
        resource = {
            "resourceType": "Communication",
            "id": self._next("c"),
            "status": "completed",
            "category": [_concept(category)],
            "subject": patient(person),
            "recipient": [patient(person)],
            "sent": self._stamp(at),
            "medium": [{"coding": [{"system": _MODES, "code": medium}]}],
        }
        self._say(at, resource | more)

    def _say(self, at: int, resource: dict[str, Any]) -> None:
        quarter = at // _QUARTER
        if quarter != self._quarter:
            self.flush()
            self._quarter = quarter
        url = f"{resource['resourceType']}/{resource['id']}"
        self._entries.append(
            {"fullUrl": f"{_BASE}/fhir/{url}", "resource": resource, "request": {"method": "PUT", "url": url}}
        )
        self.sent += 1

    def _next(self, prefix: str) -> str:
        return f"{prefix}{self.sent + 1:07}"

    def _stamp(self, at: int) -> str:
        return datetime.fromtimestamp(at, self._wall.zone).isoformat()


def _concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": _CODES, "code": code}]}
