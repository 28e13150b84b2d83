"""States that become transitions: what a message that only says how a thing stands tells that happened.

Theory. A FHIR resource, and some HL7 messages, state how an appointment, an order, a report stands, and not what
changed. Each statement is a version of its thing; what it tells follows from the versions before it, in order of time,
and of versions at one instant in order of arrival. Events that say themselves what happened (SIU^S13) are versions
too. A thing that is first seen in a later state gives the event of that state alone; what went before it is for nobody
to invent. A version that comes late gives the event of its own state if no version gave that yet.

A statement may name the moments of what it states (`moments`: event type to microseconds): an order is placed when it
was authored, however late its resource was seen. What it does not name happened when the version was made.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from schemas.event import Event
from streams.core.state import BY_TIME, Person

STATUS: Final = "status"
MOMENTS: Final = "moments"


class Thing(NamedTuple):
    """What can be stated. `key`: the attribute that names one; `stands`: what happened when it comes to stand so, by
    status; `between`: by what it stood as and its status, where that is something else; `passed`: states behind
    which another says nothing new; `again`: said of each version that states it; `versions`: events that tell a
    version by themselves; `moves`: an attribute whose change is an event; `changed`: the event of any other change."""

    key: str
    stands: Mapping[str, str]
    between: Mapping[tuple[str, str], str] = {}
    passed: Mapping[str, frozenset[str]] = {}
    again: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()
    moves: tuple[str, str] | None = None
    changed: str | None = None


_APPOINTMENT: Final = Thing(
    key="appointment_id",
    stands={
        "proposed": "appointment.requested",
        "pending": "appointment.requested",
        "waitlist": "appointment.requested",
        "booked": "appointment.booked",
        "arrived": "appointment.arrived",
        "started": "appointment.arrived",
        "checked-in": "appointment.arrived",
        "fulfilled": "appointment.completed",
        "completed": "appointment.completed",
        "complete": "appointment.completed",
        "cancelled": "appointment.cancelled",
        "entered-in-error": "appointment.cancelled",
        "deleted": "appointment.cancelled",
        "noshow": "appointment.missed",
    },
    passed={"appointment.booked": frozenset(("appointment.arrived", "appointment.completed"))},
    versions=frozenset(
        f"appointment.{word}"
        for word in ("requested", "booked", "rescheduled", "changed", "cancelled", "missed", "arrived", "completed")
    ),
    moves=("start", "appointment.rescheduled"),
    changed="appointment.changed",
)
THINGS: Final[Mapping[str, Thing]] = {
    "appointment.stated": _APPOINTMENT,
    "order.stated": Thing(
        key="order_id",
        stands={"active": "order.placed", "revoked": "order.cancelled", "entered-in-error": "order.cancelled"},
    ),
    "referral.stated": Thing(
        key="referral_id",
        stands={
            "active": "referral.requested",
            "revoked": "referral.cancelled",
            "entered-in-error": "referral.cancelled",
        },
    ),
    "result.stated": Thing(
        key="report_id",
        stands={
            "partial": "result.preliminary",
            "preliminary": "result.preliminary",
            "final": "result.final",
            "amended": "result.corrected",
            "corrected": "result.corrected",
            "appended": "result.corrected",
            "cancelled": "result.cancelled",
            "entered-in-error": "result.cancelled",
        },
        again=frozenset(("result.corrected",)),
    ),
    "visit.stated": Thing(
        key="visit_id",
        stands={
            "arrived": "visit.started",
            "triaged": "visit.started",
            "in-progress": "visit.started",
            "finished": "visit.ended",
            "cancelled": "visit.cancelled",
            "entered-in-error": "visit.cancelled",
        },
        between={
            ("visit.started", "cancelled"): "visit.left",
            ("visit.ended", "in-progress"): "visit.discharge_cancelled",
        },
    ),
    "authorization.stated": Thing(
        key="authorization_id",
        stands={"active": "authorization.requested", "cancelled": "authorization.cancelled"},
    ),
}
"""By the event that states one."""
_MEANS: Final = {"appointment.rescheduled": "appointment.booked", "visit.discharge_cancelled": "visit.started"}
"""How a thing stands after an event that is not named for it."""
_OF_VERSION: Final = {type_: thing for thing in THINGS.values() for type_ in thing.versions}
STATING: Final = frozenset(THINGS)
VERSIONS: Final = frozenset(_OF_VERSION)
"""Events that are versions though they say themselves what happened."""


def keep_version(person: Person, event: Event) -> bool:
    """Keep one version of a thing in order of time. True when a later version that only states how things are must
    now be told anew, for what went before it has changed."""
    found = _name(person, event)
    if found is None:
        return False
    if person.versions is None:
        person.versions = {}
    versions = person.versions.setdefault(found, [])
    if not versions or versions[-1].time <= event.time:
        versions.append(event)
        return False
    insort(versions, event, key=BY_TIME)
    return versions[-1] is not event and any(v.type in THINGS and v.time >= event.time for v in versions)


def transition(person: Person, event: Event) -> Event | None:
    """What a statement says happened, against the versions before it; None where it tells nothing new. The id of the
    event follows from the statement's."""
    thing = THINGS[event.type]
    before = _before(person, event)
    data = {name: value for name, value in event.data.items() if name not in (STATUS, MOMENTS)}
    type_ = _told(thing, event, before, data)
    if type_ is None:
        return None
    moments = event.data.get(MOMENTS)
    time = moments.get(type_, event.time) if isinstance(moments, dict) else event.time
    return msgspec.structs.replace(event, id=f"{event.id}/{type_.partition('.')[2]}", type=type_, data=data, time=time)


def _told(thing: Thing, event: Event, before: list[Event], data: dict[str, Any]) -> str | None:
    status = str(event.data.get(STATUS) or "").lower()
    stands = thing.stands.get(status)
    if not before:
        return stands or thing.changed  # it was heard of; that it was ordered or booked is for nobody to invent
    held = _stood(thing, before)
    if held is not None and (held, status) in thing.between:
        return thing.between[held, status]
    if stands is not None and stands in thing.again:
        return stands
    if stands is not None and stands != held and held not in thing.passed.get(stands, ()):
        return stands
    if thing.moves is not None:
        attribute, moved = thing.moves
        now = data.get(attribute)
        was = next((at for version in reversed(before) if (at := version.data.get(attribute)) is not None), None)
        if now is not None and was is not None and now != was:
            data[f"previous_{attribute}"] = was
            return moved
    return thing.changed


def _stood(thing: Thing, before: list[Event]) -> str | None:
    """How a thing stood after these versions, as the event that brought it there; None where none says it."""
    held: str | None = None
    for version in before:
        if version.type in THINGS:
            status = str(version.data.get(STATUS) or "").lower()
            told = thing.between.get((held, status)) if held is not None else None
            told = told or thing.stands.get(status)
        else:
            told = None if version.type == thing.changed else version.type
        held = _MEANS.get(told, told) if told is not None else held
    return held


def _name(person: Person, event: Event) -> tuple[str, str] | None:
    """Which thing a version is of: the attribute that names it, and its number as the person knows it."""
    thing = THINGS.get(event.type) or _OF_VERSION.get(event.type)
    number = None if thing is None else event.data.get(thing.key)
    if thing is None or not isinstance(number, str):
        return None
    name = (thing.key, number)
    return (thing.key, person.aliases.get(name, number)) if person.aliases else name


def _before(person: Person, event: Event) -> list[Event]:
    found = _name(person, event)
    if found is None or person.versions is None:
        return []
    versions = person.versions.get(found, [])
    at = bisect_left(versions, event.time, key=BY_TIME)
    while at < len(versions) and versions[at] is not event:
        at += 1
    return versions[:at]
