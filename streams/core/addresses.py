"""Whose an alert is: its person, key and journey, as identity has them now."""

from __future__ import annotations

from hashlib import blake2b

from schemas.alert import Alert
from streams.core.counts import Count
from streams.core.held import key_of_person
from streams.core.identity import Identity
from streams.core.sequences import Momentary
from streams.core.state import Wait, root
from streams.core.waits import PERSON_MARK


def address(alert: Alert, owner: object | None, identity: Identity) -> None:
    """Write the person, the key and the journey into an alert, from the record behind it. A rate has no person, and an
    alert that lost its record keeps what was written last."""
    match owner:
        case Wait():
            person, key, value = root(owner.journey.person), owner.plan.key, owner.journey.key_text()
        case Count():
            person, key, value = root(owner.person), owner.plan.rule.key, owner.value
        case Momentary():
            person, key, value = identity.person_of(owner.event), owner.key or (), owner.value
        case _:
            return
    alert.person = identity.id(person)
    if key_of_person(key):
        alert.key = alert.person or ""
    elif key and alert.person is not None:
        digest = blake2b("\x1f".join((alert.person, *key, value)).encode("utf-8", "surrogatepass"), digest_size=9)
        alert.key = value.replace(PERSON_MARK, alert.person)
        alert.journey = f"jn-{digest.hexdigest()}"
