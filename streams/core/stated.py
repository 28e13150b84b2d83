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

from bisect import insort
from typing import Any, Final

import msgspec

from schemas.event import Event
from schemas.states import CONTENT, MEANS, MOMENTS, STATING, STATUS, THINGS, UNTOLD, VERSION, Thing
from streams.core.state import Person

__all__ = ["STATING", "VERSIONS", "by_version", "keep_version", "transition"]

_OF_VERSION: Final = {type_: thing for thing in THINGS.values() for type_ in thing.versions}
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
    at = by_version(event)
    if not versions or by_version(versions[-1]) <= at:
        versions.append(event)
        return False
    insort(versions, event, key=by_version)
    return any(v.type in THINGS and by_version(v) > at for v in versions)


def by_version(event: Event) -> tuple[int, int]:
    """The order of versions: by time, and at one instant by number, where their source counts them."""
    number = event.data.get(VERSION)
    return event.time, number if isinstance(number, int) else -1


def transition(person: Person, event: Event) -> Event | None:
    """What a statement says happened, against the versions before it; None where it tells nothing new. The id of the
    event follows from the statement's."""
    thing = THINGS[event.type]
    before = _before(person, event)
    data = {name: value for name, value in event.data.items() if name not in UNTOLD}
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
            if thing.changed is not None:
                data[f"previous_{attribute}"] = was
            return moved
    if stands is not None and stands == held and stands in thing.amended and _is_amended(event, before):
        if thing.turns is not None:
            attribute, flag = thing.turns
            was = next((at for version in reversed(before) if (at := version.data.get(attribute)) is not None), None)
            if was is not None and data.get(attribute) is not None:
                data[flag] = was != data[attribute]
        return thing.amended[stands]
    return thing.changed


def _is_amended(event: Event, before: list[Event]) -> bool:
    """Whether a version says something else than the last that said anything."""
    now = event.data.get(CONTENT)
    was = next((told for version in reversed(before) if (told := version.data.get(CONTENT)) is not None), None)
    return now is not None and was is not None and now != was


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
        held = MEANS.get(told, told) if told is not None else held
    return held


def _name(person: Person, event: Event) -> tuple[str, str] | None:
    """Which thing a version is of: the attribute that names it, and its number as the person knows it."""
    thing = THINGS.get(event.type) or _OF_VERSION.get(event.type)
    number = None if thing is None else event.data.get(thing.key)
    if thing is None or not isinstance(number, str):
        return None
    number = person.aliases.get((thing.key, number), number) if person.aliases else number
    return thing.name or thing.key, number


def _before(person: Person, event: Event) -> list[Event]:
    found = _name(person, event)
    if found is None or person.versions is None:
        return []
    versions = person.versions.get(found, [])
    at = len(versions) - 1  # mostly the last
    while at > 0 and versions[at] is not event:
        at -= 1
    return versions[:at] if at >= 0 else []
