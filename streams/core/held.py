"""What a person's evidence is besides waits: facts, and numbers that are one."""

from __future__ import annotations

from bisect import insort
from typing import Any, Final

from schemas.event import Event
from schemas.threshold import PERSON
from streams.core.state import Person

ALIASES: Final = {
    "order_id": "filler_order_id",
    "appointment_id": "filler_appointment_id",
    "authorization_id": "payer_number",
    "visit_id": "visit_reference",
    "referral_id": "referral_reference",
    "thread_id": "communication_id",
}
"""A number and the other party's number of the same thing: who carries both says that they are one. A reference is what
a FHIR server's other resources call it, and a message is one of its thread, whichever of them an answer names."""
SECOND_NUMBERS: Final = frozenset(ALIASES.values())

FACT_EVENTS: Final = frozenset({"person.updated", "preference.set"})


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


def key_of_person(key: tuple[str, ...]) -> bool:
    """Whether a key means the person alone."""
    return key == (PERSON,)
