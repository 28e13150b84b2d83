"""Circles: persons that leave memory together, and come back as they were.

Theory. Whatever is ever said of two identifiers, that they are one or that they are not, makes what is known of the one
depend on the other. A circle is all identifiers that such statements connect, taken back or not: nothing outside it
needs anything of it, so a circle is what can be written down, forgotten and read again alone. Its persons are made
again from their evidence, by the same way that a merge takes; what was said of them is not said again by this module:
the transitions that come of it are the caller's to compare with what it knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import astuple

from schemas.alert import Alert
from schemas.event import Event
from streams.core.identity import CONTACT, MOVABLE, PERSON, Identity, Move, Said, Statement, id_of, named
from streams.core.state import Person

if TYPE_CHECKING:
    from streams.core.engine import Engine

_THING: Final = "\x00thing\x00"
_STATING: Final = frozenset(("person.linked", "person.unlinked"))
NOBODY: Final = "\x00nobody\x00"
"""The name of the circle of those who name nobody."""


EventRow = tuple[str, str, str, int, dict[str, Any], tuple[str, ...], str | None, int, str | None, int]
"""An event, written down: its fields in order."""


class Held(msgspec.Struct, array_like=True):
    """One person, written down: who it is, its evidence in order of arrival, and what rates counted of its statements,
    each as the type that it was told as and the event."""

    identifiers: list[str]
    origins: list[str]
    anonymous: bool
    log: list[EventRow]
    told: list[tuple[str, EventRow]]


class Circle(msgspec.Struct, array_like=True):
    """A circle, written down. `edges` are (one, other, statements), `near` those that stand."""

    names: list[str]
    persons: list[Held]
    edges: list[tuple[str, str, list[Statement]]]
    near: list[tuple[str, str]]
    latest: list[tuple[tuple[str, ...], Said]]
    parted: list[str]
    cuts: list[tuple[str, Said, str]]
    contacts: list[tuple[str, list[tuple[int, str, str, str | None]]]]
    moves: list[tuple[tuple[str, str], list[Move]]]


def names_of(event: Event) -> tuple[str, ...]:
    """All that an event connects: identifiers, and things that are moved; `NOBODY` alone where it names nobody."""
    data = event.data
    names = dict.fromkeys(event.identifiers)
    names.update(dict.fromkeys(named(data.get("surviving"))))
    names.update(dict.fromkeys(named(data.get("retired"))))
    contact = data.get("contact_id")
    if isinstance(contact, str) and contact and (not names or event.type in _STATING):
        names[CONTACT + contact] = None
    if event.type == "identity.moved":
        names.update((_thing(a, v), None) for a in MOVABLE if isinstance(v := data.get(a), str) and v)
    return tuple(names) or (NOBODY,)


def key_of(name: str) -> int:
    """What a name is looked up by, 63 bits: an identifier and the id that follows from it are one. Two names may have
    one key."""
    return int.from_bytes(blake2b(id_of(name).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def _thing(attribute: str, value: str) -> str:
    return f"{_THING}{attribute}\x00{value}"


def write_circle(engine: Engine, names: Iterable[str]) -> Circle:
    """Write down what is known of the persons of these names; the engine keeps them."""
    who, names = engine.identity, sorted(names)  # sorted: the same circle is the same bytes
    moves = [(thing, who.moves[thing]) for n in names if (thing := _thing_of(n)) in who.moves] if who.moves else []
    return Circle(
        names=names,
        persons=[_held(person) for person in _persons(who, names)],
        edges=[(a, b, told) for a in names for b, told in who.edges.get(a, {}).items() if a < b],
        near=[(a, b) for a in names for b in who.near.get(a, ()) if a < b],
        latest=[item for a in names for item in who.latest.get(a, {}).items()],
        parted=[a for a in names if a in who.parted],
        cuts=[(a, *who.cuts[a]) for a in names if a in who.cuts],
        contacts=[(a, who.contacts[a]) for a in names if a in who.contacts],
        moves=moves,
    )


def forget_circle(engine: Engine, names: Iterable[str]) -> None:
    """Let the engine forget them; it must not be told of one of them before they are read back."""
    who, names = engine.identity, list(names)
    for person in _persons(who, names):
        engine.forget(person)
    for name in names:
        who.by_identifier.pop(name, None)
        who.known.pop((name,), None)
        who.edges.pop(name, None)
        who.near.pop(name, None)
        who.latest.pop(name, None)
        who.cuts.pop(name, None)
        who.contacts.pop(name, None)
        who.moves.pop(_thing_of(name), None)
        who.parted.discard(name)
        who.moved.discard(name)
        if who.by_id is not None:
            who.by_id.pop(id_of(name), None)


def read_circle(engine: Engine, circle: Circle, alerts: Iterable[Alert] = ()) -> None:
    """Make the persons of a circle again, as its evidence has them at the engine's clock. What they say then is among
    the engine's transitions: what the caller knows of already is not news. `alerts` were said of them elsewhere: those
    that the evidence gives no more are taken back."""
    _read_statements(engine.identity, circle)
    log: list[Event] = []
    told: list[tuple[str, Event]] = []
    for held in circle.persons:
        _bring_back(engine.identity, held)
        log += [Event(*row) for row in held.log]
        told += [(type_, Event(*row)) for type_, row in held.told]
    engine.bring_back(log, told, alerts)


def _read_statements(who: Identity, circle: Circle) -> None:
    for a, b, told in circle.edges:
        who.edges.setdefault(a, {})[b] = who.edges.setdefault(b, {})[a] = told
    for a, b in circle.near:
        who.near.setdefault(a, {})[b] = None
        who.near.setdefault(b, {})[a] = None
    for names, said in circle.latest:
        who.latest.setdefault(names[0], {})[names] = said
    who.parted.update(circle.parted)
    who.cuts.update((number, (said, whose)) for number, said, whose in circle.cuts)
    who.contacts.update(circle.contacts)
    who.moves.update(circle.moves)
    who.moved.update(name for _, moves in circle.moves for move in moves for name in (*move[3], move[4]))
    if circle.moves:
        who.known.clear()


def _bring_back(who: Identity, held: Held) -> None:
    """A person without its evidence; it was counted before."""
    if not held.identifiers:
        return  # of nobody there is one record, and it is there
    person = Person(anonymous=held.anonymous)
    person.identifiers, person.origins = held.identifiers, held.origins
    for identifier in held.identifiers:
        who.by_identifier[identifier] = person
        if who.by_id is not None and not held.anonymous:
            who.by_id.setdefault(id_of(identifier), identifier)
    if any(identifier.startswith(PERSON) for identifier in held.identifiers):
        who.ids()


def alerts_of(engine: Engine, names: Iterable[str]) -> list[Alert]:
    """The alerts that stand of the persons of these names, addressed to them."""
    return [alert for person in _persons(engine.identity, names) for alert in engine.alerts_of(person)]


def waits_of(engine: Engine, names: Iterable[str]) -> int:
    """How many waits there are of the persons of these names, as `Engine.counts` counts them."""
    persons = _persons(engine.identity, names)
    return sum(len(journey.waits) for person in persons for journey in person.every_journey())


def weight(circle: Circle) -> int:
    """How much evidence there is, for who bounds what stays in memory."""
    return sum(2 + len(held.log) for held in circle.persons)


def earliest_due(engine: Engine, names: Iterable[str]) -> int | None:
    """When the first timer of their persons rings; None where none is set."""
    return min((at for person in _persons(engine.identity, names) for at in person.instants()), default=None)


def _persons(who: Identity, names: Iterable[str]) -> list[Person]:
    found = [who.nobody if name == NOBODY else who.by_identifier.get(name) for name in names]
    if len(found) == 1 and found[0] is not None:
        return [found[0]]  # as nearly always
    return list({id(person): person for person in found if person is not None}.values())


def _held(person: Person) -> Held:
    return Held(
        person.identifiers,
        person.origins,
        person.anonymous,
        list(map(astuple, person.log)),
        [(event.type, astuple(event)) for _, event in person.told] if person.told else [],
    )


def _thing_of(name: str) -> tuple[str, str]:
    if not name.startswith(_THING):
        return "", ""
    attribute, _, value = name.removeprefix(_THING).partition("\x00")
    return attribute, value
