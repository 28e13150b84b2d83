"""Journeys: the events of one person that carry the same number of a referral, order, appointment, and so on."""

from __future__ import annotations

from typing import Any, Final

from schemas.event import Event
from streams.core.state import Person, root

KEYS: Final = (
    "order_id",
    "appointment_id",
    "visit_id",
    "referral_id",
    "contact_id",
    "authorization_id",
    "account_id",
    "complaint_id",
    "request_id",
)
"""What ties events: referral, order, appointment, encounter, contact, claim and account, case (DESIGN.md)."""


class Journeys:
    """Which persons each number was met with. A number of two persons is two journeys."""

    __slots__ = ("_owners",)

    def __init__(self) -> None:
        self._owners: dict[str, dict[str, Person | list[Person]]] = {key: {} for key in KEYS}

    def add(self, person: Person, data: dict[str, Any], ties: tuple[str, ...]) -> None:
        """Note the journeys of an event that may carry these keys."""
        owners_by_key = self._owners
        for key in ties:
            value = data.get(key)
            if value is None or type(value) is not str:
                continue
            owners = owners_by_key[key]
            known = owners.get(value)
            if known is None:
                owners[value] = person
            elif known is not person:
                if not isinstance(known, list):
                    owners[value] = known = [known]
                if person not in known:
                    known.append(person)

    def forget(self, persons: list[Person], log: list[Event]) -> None:
        """Let go of the journeys of events that may be somebody else's from here on."""
        for event in log:
            for key in KEYS:
                value = event.data.get(key)
                if not isinstance(value, str) or value not in self._owners[key]:
                    continue
                known = self._owners[key][value]
                left = [p for p in (known if isinstance(known, list) else [known]) if root(p) not in persons]
                if left:
                    self._owners[key][value] = left if len(left) > 1 else left[0]
                else:
                    del self._owners[key][value]

    def has(self, key: str, value: str, person: Person) -> bool:
        """Whether a person's events carried this number."""
        known = self._owners[key].get(value)
        return known is not None and person in map(root, known if isinstance(known, list) else [known])

    def count(self) -> int:
        """How many there are, two numbers of one thing being one."""
        seen: set[tuple[int, str, str]] = set()
        total = 0
        for key, owners in self._owners.items():
            for value, known in owners.items():
                persons = known if isinstance(known, list) else [known]
                if len(persons) == 1 and root(persons[0]).aliases is None:
                    total += 1
                    continue
                for person in {id(root(p)): root(p) for p in persons}.values():
                    name = person.aliases.get((key, value), value) if person.aliases else value
                    seen.add((id(person), key, name))
        return total + len(seen)
