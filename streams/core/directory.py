"""The directory: which points lead to whom, what is known of whom, and whose each contact is.

What leads to somebody (a number, an address, an account) is kept as a hash of 60 bits with its kind: to find who has
it that suffices. Names and birth dates are compared with tolerance, so they stand as they are, names folded. A person
is found by a key that follows from the hub's own id, so an alert's person leads there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from schemas.identity import Point
from streams.core.identity import id_of

_WITHOUT_KIND: Final = ~7  # the last three bits of a point tell its kind
_PREFIXES: Final = {kind: f"{kind.value}\x1f" for kind in Point}
_NAMES: Final = {kind.value: kind.name.lower() for kind in Point}
MANY: Final = 32
"""Persons behind one point, beyond which it leads to nobody: a switchboard, a shelter."""


class Known(msgspec.Struct, gc=False, array_like=True):
    """What was told under one identifier. `time` is that of the latest telling; `name` family and given, folded;
    `points` as `point` gives them; `facts` what changes what may be done, as JSON. Never changed in place."""

    identifier: str
    time: int = 0
    name: tuple[str, str] | None = None
    birth_date: str = ""
    points: tuple[int, ...] = ()
    facts: bytes = b""


class Told(msgspec.Struct, gc=False, array_like=True):
    """What a contact told of itself until now: points, name and birth date."""

    points: tuple[int, ...] = ()
    name: tuple[str, str] | None = None
    birth_date: str = ""


class Placed(msgspec.Struct, gc=False, array_like=True):
    """Whose a contact is. `how`: `open` nobody's yet, `said` the source says so, `joined` the same and a link was
    logged, `linked` by a rule, `hand` by somebody, `undone` by somebody. `time` is that of what decided it."""

    how: str
    time: int
    identifier: str | None = None
    told: Told | None = None


class Directory(Protocol):
    """Where it is kept: in memory for a replay, in the store for a server."""

    def find(self, key: int) -> Known | None: ...

    def put(self, key: int, known: Known) -> None: ...

    def holders(self, point: int) -> Sequence[int]:
        """The keys of whom a point leads to, sorted; where they are more than MANY, more than MANY of them."""

    def hold(self, point: int, key: int) -> None: ...

    def release(self, point: int, key: int) -> None: ...

    def near(self, key: int) -> Sequence[int]:
        """The keys of identifiers that are the same person's, by what was told last of each two; sorted."""

    def tie(self, one: int, other: int) -> None: ...

    def untie(self, one: int, other: int) -> None: ...

    def find_contact(self, key: int) -> Placed | None: ...

    def put_contact(self, key: int, placed: Placed) -> None: ...


def _short(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def point(kind: Point, value: str) -> int:
    """The hash of a point, its kind in the last bits; fits a signed integer of 64 bits."""
    return _short(_PREFIXES[kind] + value) & _WITHOUT_KIND | kind


def kind_of(found: int) -> str:
    """The kind of a point, as rules name it."""
    return _NAMES[found & 7]


def key_of(identifier: str) -> int:
    """The key of an identifier."""
    return key_of_person(id_of(identifier))


def key_of_person(person: str) -> int:
    """The same, from a person's id: the directory knows whom the hub calls by it."""
    try:
        return int(person[3:19], 16) >> 1
    except ValueError:
        return _short(person)


def contact_key(contact: str) -> int:
    """The key of a contact."""
    return _short(contact)


def keys_of_circle(directory: Directory, key: int) -> list[int]:
    """The keys of all identifiers that are one person's, in the order in which they are reached from one."""
    seen = {key: None}
    for one in (queue := [key]):
        for near in directory.near(one):
            if near not in seen:
                seen[near] = None
                queue.append(near)
    return queue


def circle_of(directory: Directory, key: int) -> Iterator[tuple[int, Known]]:
    """Everything known under identifiers that are one person's."""
    for one in keys_of_circle(directory, key):
        known = directory.find(one)
        if known is not None:
            yield one, known


class MemoryDirectory:
    """A directory for one run."""

    __slots__ = ("_contacts", "_holders", "_known", "_near")

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}
        self._holders: dict[int, int | set[int]] = {}  # nearly always one
        self._contacts: dict[int, Placed] = {}
        self._near: dict[int, tuple[int, ...]] = {}

    def find(self, key: int) -> Known | None:
        return self._known.get(key)

    def near(self, key: int) -> Sequence[int]:
        return self._near.get(key, ())

    def tie(self, one: int, other: int) -> None:
        for a, b in ((one, other), (other, one)):
            near = self._near.get(a, ())
            if b not in near:
                self._near[a] = tuple(sorted((*near, b)))

    def untie(self, one: int, other: int) -> None:
        for a, b in ((one, other), (other, one)):
            left = tuple(key for key in self._near.get(a, ()) if key != b)
            if left:
                self._near[a] = left
            else:
                self._near.pop(a, None)

    def put(self, key: int, known: Known) -> None:
        self._known[key] = known

    def holders(self, point: int) -> Sequence[int]:
        found = self._holders.get(point)
        if found is None:
            return ()
        return (found,) if isinstance(found, int) else sorted(found)

    def hold(self, point: int, key: int) -> None:
        found = self._holders.setdefault(point, key)
        if isinstance(found, set):
            found.add(key)
        elif found != key:
            self._holders[point] = {found, key}

    def release(self, point: int, key: int) -> None:
        found = self._holders.get(point)
        if isinstance(found, set):
            found.discard(key)
            if not found:
                del self._holders[point]
        elif found == key:
            del self._holders[point]

    def find_contact(self, key: int) -> Placed | None:
        return self._contacts.get(key)

    def put_contact(self, key: int, placed: Placed) -> None:
        self._contacts[key] = placed
