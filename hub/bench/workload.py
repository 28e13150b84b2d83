"""What is measured: the events of a hospital as CloudEvents, made of stories that repeat, the same at every run.

The mix is what the shipped thresholds concern: laboratory and imaging orders up to their results, emergency and
inpatient visits, appointments and referrals, and the calls beside them. A line is about 400 bytes. Nobody is real.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

import msgspec

from schemas.event import HOUR, MINUTE, SECOND
from schemas.instant import write_instant

FIRST: Final = 1_772_442_000 * SECOND  # Monday 2026-03-02, 09:00 UTC
_BETWEEN_STORIES: Final = 15 * SECOND
_EVENTS_A_PERSON: Final = 20
_FACILITIES: Final = ("NORTH", "SOUTH", "EAST", "WEST")
_DAY: Final = 24 * HOUR
_encode: Final = msgspec.json.Encoder().encode


class Step(NamedTuple):
    """One event of a story: how long after its first, which type, which system tells it, what it says. A value of
    `#` is the story's own number, written in the authority of the system that gives it."""

    after: int
    type: str
    system: str
    says: dict[str, Any]


def _laboratory(priority: str, *, abnormal: bool) -> tuple[Step, ...]:
    order = {"order_id": "#", "code": "24323-8", "category": "LAB", "category_code": "CH", "priority": priority}
    told = {**order, "slow": False, "class": "O"}
    return (
        Step(0, "order.placed", "EHR", told),
        Step(30 * MINUTE, "specimen.collected", "EHR", {**told, "specimen_id": "#"}),
        Step(55 * MINUTE, "specimen.received", "LAB", {**told, "specimen_id": "#"}),
        Step(5 * HOUR, "result.final", "LAB", {**told, "report_id": "#", "abnormal": abnormal, "critical": False}),
        Step(27 * HOUR, "result.viewed", "PORTAL", {"order_id": "#", "report_id": "#", "channel": "portal"}),
    )


_IMAGING: Final = {
    "order_id": "#",
    "code": "71046",
    "category": "RAD",
    "category_code": "RAD",
    "priority": "R",
    "class": "O",
}
_VISIT: Final = {"appointment_id": "#", "visit_type": "FOLLOWUP", "specialty": "cardiology", "visit_kind": "clinic"}
_REFERRED: Final = {**_VISIT, "referral_id": "#"}
_EMERGENCY: Final = {"visit_id": "#", "class": "E", "location": "ED^12^1", "unit": "ed", "admission_type": "E"}
_INPATIENT: Final = {"visit_id": "#", "class": "I", "location": "4W^402^1", "unit": "ward", "service": "MED"}
_CALL: Final = {
    "contact_id": "#",
    "channel": "voice",
    "direction": "inbound",
    "queue": "scheduling",
    "identified": True,
}

STORIES: Final[tuple[tuple[Step, ...], ...]] = (
    _laboratory("R", abnormal=False),
    _laboratory("S", abnormal=True),
    (
        Step(0, "order.placed", "EHR", _IMAGING),
        Step(20 * HOUR, "order.scheduled", "RIS", {**_IMAGING, "start": "2026-03-09T15:00:00Z"}),
        Step(70 * HOUR, "exam.completed", "RIS", _IMAGING),
        Step(76 * HOUR, "result.final", "RIS", {**_IMAGING, "report_id": "#", "abnormal": False, "critical": False}),
    ),
    (
        Step(0, "visit.started", "ADT", _EMERGENCY),
        Step(9 * MINUTE, "visit.triaged", "ADT", {**_EMERGENCY, "acuity": "3"}),
        Step(25 * MINUTE, "visit.roomed", "ADT", _EMERGENCY),
        Step(41 * MINUTE, "visit.provider_seen", "ADT", _EMERGENCY),
        Step(230 * MINUTE, "visit.ended", "ADT", {**_EMERGENCY, "disposition_code": "01", "disposition": "home"}),
    ),
    (
        Step(0, "appointment.requested", "SCHED", {**_VISIT, "priority": "R"}),
        Step(6 * HOUR, "appointment.booked", "SCHED", {**_VISIT, "start": "2026-03-12T18:00:00Z"}),
        Step(100 * HOUR, "appointment.arrived", "SCHED", {**_VISIT, "start": "2026-03-12T18:00:00Z"}),
        Step(101 * HOUR, "appointment.completed", "SCHED", {**_VISIT, "start": "2026-03-12T18:00:00Z"}),
    ),
    (
        Step(0, "contact.started", "CALLS", _CALL),
        Step(20 * SECOND, "contact.queued", "CALLS", {**_CALL, "first": True}),
        Step(70 * SECOND, "contact.answered", "CALLS", {**_CALL, "first": True, "queue_seconds": 50, "agent": "a117"}),
        Step(5 * MINUTE, "contact.ended", "CALLS", {**_CALL, "talk_seconds": 230, "agent": "a117", "outcome": "done"}),
    ),
    (
        Step(0, "visit.started", "ADT", {**_INPATIENT, "admission_type": "U"}),
        Step(12 * HOUR, "visit.moved", "ADT", {**_INPATIENT, "class_changed": False}),
        Step(75 * HOUR, "visit.ended", "ADT", {**_INPATIENT, "disposition_code": "01", "disposition": "home"}),
        Step(90 * HOUR, "document.signed", "EHR", {"document_id": "#", "visit_id": "#", "kind": "DS", "class": "I"}),
    ),
    (
        Step(0, "referral.requested", "EHR", {"referral_id": "#", "specialty": "cardiology", "priority": "R"}),
        Step(2 * _DAY, "referral.accepted", "EHR", {"referral_id": "#", "specialty": "cardiology"}),
        Step(3 * _DAY, "appointment.booked", "SCHED", {**_REFERRED, "start": "2026-03-20T14:00:00Z"}),
        Step(9 * _DAY, "appointment.completed", "SCHED", {**_REFERRED, "start": "2026-03-20T14:00:00Z"}),
        Step(11 * _DAY, "referral.closed", "EHR", {"referral_id": "#", "specialty": "cardiology"}),
    ),
)  # fmt: skip
_OFTEN: Final = (0, 1, 0, 2, 5, 0, 3, 4, 0, 1, 0, 6, 4, 0, 2, 5, 0, 3, 7, 4)
"""Which story comes when: nearly half are laboratory orders, as in the traffic of a hospital's interfaces."""


def write_lines(count: int) -> Iterator[bytes]:
    """`count` CloudEvents, a JSON line each, in order of time."""
    people = max(1, count // _EVENTS_A_PERSON)
    coming: list[tuple[int, int, int]] = []  # when, which story, which of its steps
    story = 0
    for number in range(count):
        while not coming or coming[0][0] >= FIRST + story * _BETWEEN_STORIES:
            heappush(coming, (FIRST + story * _BETWEEN_STORIES, story, 0))
            story += 1
        at, which, index = heappop(coming)
        steps = STORIES[_OFTEN[which % len(_OFTEN)]]
        yield write_line(number, at, steps[index], which, _person(which, people))
        if index + 1 < len(steps):
            heappush(coming, (at - steps[index].after + steps[index + 1].after, which, index + 1))


def _person(story: int, people: int) -> int:
    """Whose story it is: spread as if by chance, so that a person has stories of all kinds."""
    return (story * 2_654_435_761 % 2**32 >> 8) % people


def write_line(number: int, at: int, step: Step, story: int, person: int) -> bytes:
    """One event of a story as a line."""
    facility = _FACILITIES[person % len(_FACILITIES)]
    own = f"{story:08d}^{facility}"
    data: dict[str, Any] = {
        "mrn": f"{person:07d}",
        "assigning_authority": facility,
        "facility": facility,
        "message_id": f"{step.system}{number:09d}",
        "department": "CARDIOLOGY CLINIC 2",
        "provider": f"{story % 400:05d}^NPI",
    }
    for name, value in step.says.items():
        data[name] = own if value == "#" else value
    return (
        _encode(
            {
                "specversion": "1.0",
                "id": f"{number:09d}/{step.type.partition('.')[2]}",
                "source": f"hl7/{step.system}/{facility}",
                "type": step.type,
                "time": write_instant(at),
                "datacontenttype": "application/json",
                "data": data,
            }
        )
        + b"\n"
    )
