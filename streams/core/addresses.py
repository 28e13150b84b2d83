"""Whose an alert is: its person, key and journey, as identity has them now."""

from __future__ import annotations

from hashlib import blake2b

from schemas.alert import Alert
from schemas.threshold import PERSON
from streams.core.counts import Count
from streams.core.held import key_of_person
from streams.core.identity import Identity
from streams.core.sequences import Momentary
from streams.core.state import Person, Wait, root
from streams.core.waits import PERSON_MARK, as_key


def address(alert: Alert, owner: object | None, identity: Identity) -> None:
    """Write the person, the key and the journey into an alert, from the record behind it. A rate has no person, and an
    alert that lost its record keeps what was written last."""
    match owner:
        case Wait():
            person, key, value = root(owner.journey.person), owner.plan.key, owner.journey.key_text()
        case Count():
            person, key, value = root(owner.person), owner.plan.rule.key, owner.value
        case Momentary():
            person, key = identity.person_of(owner.event), owner.key or ()
            value = _value_now(owner, key, person)
        case _:
            return
    alert.person = identity.id(person)
    if key_of_person(key):
        alert.key = alert.person or value  # of nobody a measure's is the event's id
    elif key and alert.person is not None:
        digest = blake2b("\x1f".join((alert.person, *key, value)).encode("utf-8", "surrogatepass"), digest_size=9)
        alert.key = value.replace(PERSON_MARK, alert.person) if PERSON in key else value
        alert.journey = f"jn-{digest.hexdigest()}"


def _value_now(record: Momentary, key: tuple[str, ...], person: Person) -> str:
    """The key value of an event, its numbers by the names that they are known by now."""
    if not key or key_of_person(key):
        return record.value
    value = as_key(record.event.data, key, person)
    if value is None:
        return record.value
    return value if isinstance(value, str) else "|".join(value)
