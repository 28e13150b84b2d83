"""Who is who: identifiers, the edges between them, and the persons that the edges connect.

Theory. An identifier is a text, `value^authority` or the value alone. An edge between two identifiers says that they
name one person: two identifiers in one message, a merge, a link, a number replaced by another. An unmerge or an
unlink takes an edge away. Of the statements about one edge the last by time decides, whatever the order in which they
arrived, and a person is what the edges that stand connect; so chains and cycles need no rule, and a merge said twice
is said once. A person's id follows from the identifier it was first recorded under, and a united person goes by the
least of its ids. A visit or an account that was moved belongs to the person of the identifier it was moved to.

Who names nobody is nobody: such events share one anonymous record, in which keys match but `by: person` finds
nothing; a contact that nobody could place has a record of its own until a link says whose it was.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

from schemas.event import Event
from streams.core.state import Person

CONTACT: Final = "\x00contact\x00"
PERSON: Final = "\x00person\x00"
_ID: Final = "pn-"
_NEVER: Final = (-(2**63), "", "")
Move = tuple[int, str, str, tuple[str, ...], str]
"""Time, source and id of what said it; from whose identifiers, to whose."""
Said = tuple[int, str, str]
"""When something was said, and by what: time, source, id."""
Statement = tuple[int, str, str, bool]
"""The same, and whether it says that two identifiers name one person."""
MOVABLE: Final = ("visit_id", "account_id")


def person_identifier(person: str) -> str:
    """The identifier of an event that names its person by the hub's own id."""
    return PERSON + person


def id_of(identifier: str) -> str:
    """The id of a person first recorded under this identifier."""
    if identifier.startswith(PERSON):
        return identifier.removeprefix(PERSON)
    return _ID + blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def listed(value: Any) -> tuple[str, ...]:
    """Identifiers given as one text or a list of texts."""
    if isinstance(value, str):
        return (value,) if value else ()
    if isinstance(value, list | tuple):
        return tuple(v for v in value if isinstance(v, str) and v)
    return ()


def named(value: Any) -> tuple[str, ...]:
    """The same, a person's id (`pn-`) among them as the identifier that stands for it."""
    return tuple(person_identifier(name) if name.startswith(_ID) else name for name in listed(value))


class Identity:
    """Persons by identifier. `known` maps the identifiers of an event, as they stand, to their person: the way in
    for all but the first event of somebody. It is emptied when an edge changes."""

    __slots__ = (
        "by_id",
        "by_identifier",
        "contacts",
        "count",
        "cuts",
        "edges",
        "known",
        "latest",
        "moved",
        "moves",
        "near",
        "nobody",
        "parted",
    )

    def __init__(self) -> None:
        self.known: dict[tuple[str, ...], Person] = {}
        self.nobody: Person = Person(anonymous=True)
        self.moves: dict[tuple[str, str], list[Move]] = {}  # (attribute, value) -> from whom to whom, by time
        self.moved: set[str] = set()  # identifiers that moves name
        self.cuts: dict[str, tuple[Said, str]] = {}  # number -> when it became whose, the latest
        self.contacts: dict[str, list[tuple[int, str, str, str | None]]] = {}  # contact's record -> whose, by time
        self.count: int = 0  # persons, the anonymous ones not among them
        self.by_identifier: dict[str, Person] = {}
        self.by_id: dict[str, str] | None = None  # id -> identifier, once somebody asks by id
        self.edges: dict[str, dict[str, list[Statement]]] = {}  # both ways, each edge one list
        self.near: dict[str, dict[str, None]] = {}
        self.latest: dict[str, dict[tuple[str, ...], Said]] = {}  # by the first of names that are one: last together
        self.parted: set[str] = set()  # identifiers of edges that were ever taken away

    def names(self, event: Event) -> tuple[str, ...]:
        """The identifiers that an event is about: its own, else a merge's surviving ones, else its contact."""
        if event.identifiers:
            return event.identifiers
        surviving = named(event.data.get("surviving"))
        if surviving:
            return surviving
        contact = event.data.get("contact_id")
        return (CONTACT + contact,) if isinstance(contact, str) and contact else ()

    def person(self, identifier: str) -> Person:
        """The person of an identifier, made when it is new."""
        person = self.by_identifier.get(identifier)
        if person is None:
            person = self._new(identifier)
        return person

    def find(self, key: str) -> Person | None:
        """The person of an identifier or of an id, former ids too."""
        person = self.by_identifier.get(key)
        if person is None:
            identifier = self.ids().get(key)
            person = self.by_identifier.get(identifier) if identifier is not None else None
        return person

    def id(self, person: Person) -> str | None:
        """The least of its ids; None for somebody unknown."""
        if person.anonymous:
            return None
        return min(id_of(origin) for origin in (person.origins or person.identifiers[:1]))

    def owner(self, event: Event, identifier: str) -> Person:
        """Whose event it is that came under an identifier, a placed contact and a moved visit or account considered."""
        told = self.contacts.get(identifier)
        if told is not None and told[-1][3] is not None:
            return self.person(told[-1][3])
        if self.moves:
            for attribute in MOVABLE:
                value = event.data.get(attribute)
                moves = self.moves.get((attribute, value)) if isinstance(value, str) else None
                if moves:
                    return self._follow(identifier, moves)
        return self.person(identifier)

    def _follow(self, identifier: str, moves: list[Move]) -> Person:
        """Whose a thing is by now that came under an identifier: each move takes it from who had it, or has it."""
        first = latest = self.person(identifier)
        for _, _, _, retired, surviving in moves:
            if any(self.person(name) in (first, latest) for name in retired):
                latest = self.person(surviving)
        return latest

    def move(self, thing: tuple[str, str], retired: tuple[str, ...], surviving: str, event: Event) -> None:
        """Note that a visit or an account is another person's from here on."""
        told = (event.time, event.source, event.id, retired, surviving)
        moves = self.moves.setdefault(thing, [])
        if told not in moves:
            insort(moves, told)
        self.moved.update((*retired, surviving))
        self.known.clear()

    def is_moved(self, names: tuple[str, ...]) -> bool:
        """Whether moves name one of the persons of these identifiers."""
        return any(not self.moved.isdisjoint(self.person(name).identifiers) for name in names)

    def concerned_by_moves(self, names: tuple[str, ...]) -> list[Person]:
        """The persons of these identifiers, and those that share a moved thing with them."""
        found = {id(p): p for p in map(self.person, names)}
        for moves in self.moves.values():
            sharing = {id(p): p for m in moves for p in map(self.person, (*m[3], m[4]))}
            if not found.keys().isdisjoint(sharing):
                found |= sharing
        return list(found.values())

    def cut(self, number: str, surviving: str, event: Event) -> list[Person]:
        """A number is another person's from here on, whatever was said of it before. Returns the persons that parted,
        if any did."""
        person = self.person(number)
        told = (event.time, event.source, event.id)
        if number in self.cuts and self.cuts[number][0] >= told:
            return []
        self.cuts[number] = (told, surviving)
        self.parted.add(number)
        for near in list(self.near.get(number, ())):
            if near.startswith(PERSON):
                continue  # the id that was made of the number goes where it goes
            pair = (number, near) if number < near else (near, number)
            self.parted.add(near)
            self._tell_latest(pair)
            if not self._stands(pair):
                self.near[number].pop(near, None)
                self.near[near].pop(number, None)
        self.known.clear()
        return self.part(person)

    def _stands(self, pair: tuple[str, str]) -> bool:
        """Whether an edge stands: the last statement says so, and none of its ends was moved to somebody since."""
        told = self.edges.get(pair[0], {}).get(pair[1])
        if not told or not told[-1][3]:
            return False
        for number, other in (pair, pair[::-1]):
            cut = self.cuts.get(number)
            if cut is not None and cut[1] != other and told[-1][:3] < cut[0]:
                return False
        return True

    def person_of(self, event: Event) -> Person:
        """Whose an event is now, by the identifier that it came under."""
        names = self.names(event)
        return self.owner(event, names[0]) if names else self.nobody

    def is_stated(self, names: tuple[str, ...]) -> bool:
        """Whether naming these identifiers together says nothing new."""
        first = names[0]
        near = self.near.get(first)
        return near is not None and all(n in near or n == first for n in names[1:]) and not self.is_parted(names)

    def note(self, names: tuple[str, ...], event: Event) -> None:
        """Names that are one already are named together again: only the latest time of it can ever matter, against
        an unmerge that comes later."""
        said = (event.time, event.source, event.id)
        latest = self.latest.setdefault(names[0], {})
        if said > latest.get(names, _NEVER):
            latest[names] = said

    def _tell_latest(self, pair: tuple[str, str]) -> None:
        """Put on an edge what was only noted until now."""
        told = self._told(pair)
        for first in pair:
            for names, said in self.latest.get(first, {}).items():
                if any(n in pair for n in names[1:] if n != first):
                    statement = (*said, True)
                    if statement not in told:
                        insort(told, statement)

    def _told(self, pair: tuple[str, str]) -> list[Statement]:
        """The statements about an edge, to be added to."""
        one, other = pair
        told = self.edges.setdefault(one, {}).setdefault(other, [])
        self.edges.setdefault(other, {})[one] = told
        return told

    def is_parted(self, names: tuple[str, ...]) -> bool:
        """Whether an edge of one of them was ever taken away: then naming them together again is news."""
        return not self.parted.isdisjoint(names)

    def place_contact(self, contact: str, identifier: str | None, event: Event) -> list[Person]:
        """Say whose a contact was (None: nobody's after all). Returns the persons whose evidence changes."""
        name = CONTACT + contact
        before = self.owner(event, name)
        insort(self.contacts.setdefault(name, []), (event.time, event.source, event.id, identifier))
        after = self.owner(event, name)
        return [] if before is after else [before, after]

    def state(self, a: str, b: str, event: Event, *, together: bool) -> bool:
        """Put a statement on the edge between two identifiers; True when that changes whether it stands."""
        if a == b:
            return False
        pair = (a, b) if a < b else (b, a)
        told = self._told(pair)
        if not together:
            self._tell_latest(pair)
        before = b in self.near.get(a, ())
        statement = (event.time, event.source, event.id, together)
        if statement not in told:
            insort(told, statement)
        if not together:
            self.parted.update(pair)
        now = self._stands(pair)
        if now == before:
            return False
        self.known.clear()
        for one, other in (pair, pair[::-1]):
            if now:
                self.near.setdefault(one, {})[other] = None
            else:
                self.near[one].pop(other, None)
        return True

    def neighbours(self, identifier: str) -> list[str]:
        """The identifiers that an edge connects with this one now."""
        return list(self.near.get(identifier, ()))

    def unite(self, winner: Person, loser: Person) -> None:
        """Let the winner take the loser's identifiers and ids."""
        for identifier in loser.identifiers:
            self.by_identifier[identifier] = winner
        winner.identifiers += loser.identifiers
        winner.origins += loser.origins
        loser.into = winner
        if not loser.anonymous and not winner.anonymous:
            self.count -= 1
        self.known.clear()

    def part(self, person: Person) -> list[Person]:
        """Make persons of what the edges still connect; the first is the old record. Empty when nothing parted."""
        components = self._components(person.identifiers)
        if len(components) < 2:
            return []
        origins = set(person.origins)
        parts = [person]
        for component in components[1:]:
            part = Person(anonymous=all(i.startswith(CONTACT) for i in component))
            part.identifiers = component
            part.origins = [i for i in component if i in origins] or [min(component)]
            for identifier in component:
                self.by_identifier[identifier] = part
            parts.append(part)
            self.count += not part.anonymous
        was_anonymous = person.anonymous
        person.identifiers = components[0]
        person.origins = [i for i in components[0] if i in origins] or [min(components[0])]
        person.anonymous = all(i.startswith(CONTACT) for i in components[0])
        self.count += was_anonymous - person.anonymous
        self.known.clear()
        return parts

    def persons(self) -> list[Person]:
        """All persons as they are now, the anonymous ones too, in the order in which they were first named."""
        return list(dict.fromkeys((*self.by_identifier.values(), self.nobody)))

    def _components(self, identifiers: Iterable[str]) -> list[list[str]]:
        components: list[list[str]] = []
        placed: set[str] = set()
        for start in identifiers:
            if start in placed:
                continue
            component = [start]
            placed.add(start)
            for identifier in component:  # grows while it is walked
                for other in self.near.get(identifier, ()):
                    if other not in placed:
                        placed.add(other)
                        component.append(other)
            components.append(component)
        return components

    def _new(self, identifier: str) -> Person:
        if identifier.startswith(PERSON):
            known = self.ids().get(identifier.removeprefix(PERSON))
            if known is not None and known in self.by_identifier:
                return self._join(identifier, known)
        elif self.by_id is not None and (named := PERSON + id_of(identifier)) in self.by_identifier:
            return self._join(identifier, named)
        person = Person(anonymous=identifier.startswith(CONTACT))
        person.identifiers.append(identifier)
        person.origins.append(identifier)
        self.by_identifier[identifier] = person
        if self.by_id is not None and not person.anonymous:
            self.by_id.setdefault(id_of(identifier), identifier)
        self.count += not person.anonymous
        return person

    def _join(self, identifier: str, other: str) -> Person:
        """Let a new identifier be the person's of one that means the same."""
        person = self.by_identifier[other]
        person.identifiers.append(identifier)
        self.by_identifier[identifier] = person
        self.near.setdefault(other, {})[identifier] = None
        self.near.setdefault(identifier, {})[other] = None
        return person

    def ids(self) -> dict[str, str]:
        """The identifier of each id; kept from the first time on that somebody asks."""
        if self.by_id is None:
            self.by_id = {id_of(i): i for i in self.by_identifier}
        return self.by_id
