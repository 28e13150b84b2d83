"""What a person's evidence is besides waits: facts, numbers that are one, and states that become transitions."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any, Final

import msgspec

from schemas.event import Event
from schemas.threshold import PERSON
from streams.core.state import BY_TIME, Person

ALIASES: Final = {
    "order_id": "filler_order_id",
    "appointment_id": "filler_appointment_id",
    "authorization_id": "payer_number",
}
"""A number and the other party's number of the same thing: who carries both says that they are one."""
SECOND_NUMBERS: Final = frozenset(ALIASES.values())

FACT_EVENTS: Final = frozenset({"person.updated", "preference.set"})
APPOINTMENT_STATED: Final = "appointment.stated"
APPOINTMENT_EVENTS: Final = frozenset(
    f"appointment.{word}"
    for word in (
        "requested",
        "booked",
        "rescheduled",
        "changed",
        "cancelled",
        "missed",
        "arrived",
        "completed",
        "stated",
    )
)
_STATED_TYPES: Final = {
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
}
"""What happened when an appointment is first seen to stand so."""
_HAS_SLOT: Final = frozenset(("appointment.booked", "appointment.arrived", "appointment.completed"))


def learn_fact(person: Person, event: Event, names: frozenset[str]) -> bool:
    """Keep the facts of an event that some threshold reads; True when any was told. Age follows from a
    birth date, where one is told."""
    told = False
    for attribute in {**dict.fromkeys(sorted(names)), **({"birth_date": None} if "age" in names else {})}:
        value = event.data.get(attribute)
        if value is None or value == "":
            continue
        if person.facts is None:
            person.facts = {}
        insort(person.facts.setdefault(attribute, []), (event.time, event.source, event.id, value))
        told = True
    return told


def fill_numbers(data: dict[str, Any]) -> None:
    """Who carries the other party's number alone is known by that one."""
    for attribute, second in ALIASES.items():
        number = data.get(second)
        if isinstance(number, str) and number and not data.get(attribute):
            data[attribute] = number


def learn_aliases(person: Person, event: Event) -> list[tuple[str, str]]:
    """Learn which numbers are one from an event that carries both. Returns (attribute, number) of numbers that had
    stood for themselves until now: evidence under them belongs elsewhere from here on.

    All numbers of a thing go by its placer's, the least where there are several.
    """
    changed: list[tuple[str, str]] = []
    data = event.data
    for attribute, second in ALIASES.items():
        filler = data.get(second)
        if not isinstance(filler, str) or not filler:
            continue
        placer = data.get(attribute)
        if isinstance(placer, str) and placer and placer != filler:
            changed += _unite_numbers(person, attribute, placer, filler)
    return changed


def _unite_numbers(person: Person, attribute: str, placer: str, filler: str) -> list[tuple[str, str]]:
    aliases = person.aliases
    if aliases is None:
        aliases = person.aliases = {}
    known = aliases.get((attribute, placer))
    if known is not None and known <= placer and known == aliases.get((attribute, filler)):
        return []  # as nearly always
    first = aliases.get((attribute, placer), placer)
    second = aliases.get((attribute, filler), filler)
    # a number is known as a placer's if it ever was one, which its mapping to itself remembers
    placers = [placer, first] + ([second] if second != filler or (attribute, filler) in aliases else [])
    chosen = min(placers)
    if aliases.get((attribute, placer)) == chosen == aliases.get((attribute, filler)):
        return []
    moved = {first, second, placer, filler} - {chosen}
    if any(aliases.get((attribute, old)) == old for old in moved):
        for name, canonical in list(aliases.items()):
            if name[0] == attribute and canonical in moved:
                aliases[name] = chosen
    for number in (first, second, placer, filler):
        aliases[(attribute, number)] = chosen
    return [(attribute, old) for old in sorted(moved)]


def keep_appointment(person: Person, event: Event) -> bool:
    """Keep one version of an appointment in order of time. True when a later version that only states how things
    are must now be told anew, for what went before it has changed."""
    id_ = event.data.get("appointment_id")
    if not isinstance(id_, str):
        return False
    if person.appointments is None:
        person.appointments = {}
    id_ = person.aliases.get(("appointment_id", id_), id_) if person.aliases else id_
    versions = person.appointments.setdefault(id_, [])
    if not versions or versions[-1].time <= event.time:
        versions.append(event)
        return False
    insort(versions, event, key=BY_TIME)
    return versions[-1] is not event and any(v.type == APPOINTMENT_STATED and v.time >= event.time for v in versions)


def transition(person: Person, event: Event) -> Event:
    """What a stated appointment says happened, against the versions before it. Its id follows from the statement's."""
    data = dict(event.data)
    data.pop("status", None)
    before = _versions_before(person, event)
    stands = _stands(event)
    held = next((s for version in reversed(before) if (s := _stands(version)) is not None), None)
    start = data.get("start")
    held_start = next((t for v in reversed(before) if (t := v.data.get("start")) is not None), None)
    if not before:
        type_ = stands or "appointment.changed"  # it was heard of; that it was booked is for nobody to invent
    elif stands is not None and stands != held and not (stands == "appointment.booked" and held in _HAS_SLOT):
        type_ = stands
    elif start is not None and held_start is not None and start != held_start:
        type_ = "appointment.rescheduled"
        data["previous_start"] = held_start
    else:
        type_ = "appointment.changed"
    return msgspec.structs.replace(event, id=f"{event.id}/{type_.partition('.')[2]}", type=type_, data=data)


def _stands(version: Event) -> str | None:
    """How an appointment stands by one version, as the event that brought it there; None where it does not say."""
    if version.type == APPOINTMENT_STATED:
        return _STATED_TYPES.get(str(version.data.get("status") or "").lower())
    if version.type == "appointment.rescheduled":
        return "appointment.booked"
    return None if version.type == "appointment.changed" else version.type


def _versions_before(person: Person, event: Event) -> list[Event]:
    id_ = event.data.get("appointment_id")
    if not isinstance(id_, str) or person.appointments is None:
        return []
    id_ = person.aliases.get(("appointment_id", id_), id_) if person.aliases else id_
    versions = person.appointments.get(id_, [])
    at = bisect_left(versions, event.time, key=BY_TIME)
    while at < len(versions) and versions[at] is not event:
        at += 1
    return versions[:at]


def key_of_person(key: tuple[str, ...]) -> bool:
    """Whether a key means the person alone."""
    return key == (PERSON,)
