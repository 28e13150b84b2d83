"""Which circles are in memory, which of them the file does not hold yet as they are, and which may leave.

Theory. The engine must know everybody whom an event connects before it is told of the event, and nobody else. A circle
is read back when an event names one of it, or a timer of it is about to ring. It is written a while after it changed:
until then the log's tail, from the first change that is not written, makes it again. So each commit writes a few,
the longest changed first, and none stalls; a start reads the tail and no more. What was not used for the longest time
leaves memory when there is too much evidence in it, once it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

import msgspec

from schemas.event import MINUTE, Event
from streams.core.circle import (
    NOBODY,
    Circle,
    earliest_due,
    forget_circle,
    key_of,
    names_of,
    read_circle,
    weight,
    write_circle,
)
from streams.core.engine import Engine
from streams.core.evidence import IDENTITY_EVENTS
from streams.core.identity import PERSON, id_of, named
from streams.core.state import Person
from streams.core.timers import FAR

TAIL: Final = 50_000
"""Entries of the log that a start may have to read again: a second or so. A circle that changes all the time is written
once in as many, for a commit that writes the whole of it each time would do little else."""
MOST: Final = 250_000
"""Evidence in memory, in events and persons: about a kilobyte each."""
_AHEAD: Final = MINUTE  # circles are read back before their timers ring, a few at a time
_STATING: Final = frozenset((*IDENTITY_EVENTS, "identity.moved"))
_FEW: Final = 50
_MANY: Final = 10_000
_BEGIN: Final = (-FAR, 0)

_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(Circle).decode


class Row(msgspec.Struct):
    """A circle as the file holds it: by its number, up to which place of the log, and when its first timer rings."""

    number: int
    upto: int
    due: int | None
    body: bytes


class Written(msgspec.Struct):
    """What a commit writes of a circle: its row, the keys of the names that are new to the file, the due that stood
    there before, and the circles that are part of it now, each with its due."""

    row: Row
    names: list[int]
    before: int | None
    gone: list[tuple[int, int | None]]


class Shelf(Protocol):
    """Where circles are kept that are not in memory."""

    def find(self, keys: Sequence[int]) -> dict[int, list[int]]:
        """The numbers of the circles of names with these keys, by key; of more where keys meet, and of some that are
        gone. A key that no circle has is not there."""
        ...

    def row(self, number: int) -> Row | None:
        """A circle."""
        ...

    def due(self, after: tuple[int, int], upto: int, limit: int) -> list[tuple[int, int]]:
        """When timers ring, and of which circles: in order, behind a place and up to an instant."""
        ...


class Resident:
    """A circle in memory. `since` is the place of its first change that is not written, 0 for none; `covers` the place
    up to which it was told of the log when it was written."""

    __slots__ = ("before", "covers", "gone", "names", "number", "since", "unwritten", "weight")

    def __init__(self) -> None:
        self.number: int = 0  # none yet
        self.names: list[str] = []
        self.unwritten: list[int] | tuple[()] = ()  # keys of names
        self.since: int = 0
        self.covers: int = 0
        self.weight: int = 2
        self.before: int | None = None
        self.gone: list[tuple[int, int | None]] | tuple[()] = ()


class Residence:
    """The circles of one engine. `last` is the largest number given so far."""

    def __init__(self, engine: Engine, shelf: Shelf, *, last: int, most: int = MOST, tail: int = TAIL) -> None:
        self.engine: Engine = engine
        self._shelf: Shelf = shelf
        self._last: int = last
        self._most: int = most
        self._tail: int = tail
        self._weight: int = 0
        self._came: int = 0  # circles read back since the last commit
        self._nowhere: dict[str, int] = {}  # names that the file does not hold, up to the next commit, and their keys
        self._by_name: dict[str, Resident] = {}
        self._by_number: dict[int, Resident] = {}
        self._used: dict[Resident, None] = {}  # the longest unused first
        self._changed: dict[Resident, None] = {}  # the longest changed first
        self._rung: tuple[int, int] = _BEGIN  # timers up to here are those of circles in memory
        self._next: int = self._first_due()
        self._ask((NOBODY,))

    # -- into memory

    def admit(self, event: Event, seq: int) -> bool:
        """Have all in memory that an event connects, which the log holds at `seq`. False: they were told of it before
        they were written."""
        resident = self.find(event)
        if resident is None:
            ids = event.identifiers
            resident = self._ask(names_of(event) if len(ids) != 1 or event.type in _STATING else ids)
        return self.is_told(resident, seq)

    def find(self, event: Event) -> Resident | None:
        """The circle of an event that names one of it and connects nothing, if it is in memory: as with nearly all."""
        ids = event.identifiers
        return self._by_name.get(ids[0]) if len(ids) == 1 and event.type not in _STATING else None

    def is_told(self, resident: Resident, seq: int) -> bool:
        """Note that it is told of an event of the log at `seq`. False: it was before it was written."""
        if seq <= resident.covers:
            return False
        self._note(resident, seq)
        resident.weight += 1
        self._weight += 1
        return True

    def expect(self, events: Iterable[Event]) -> None:
        """These events are about to be admitted: look up at once what each of them would ask for."""
        known = self._by_name
        names = (name for event in events for name in event.identifiers if name not in known)
        keys = {name: key_of(name) for name in names if isinstance(name, str)}  # what is none is met with its event
        if keys:
            found = self._shelf.find(list(keys.values()))
            self._nowhere.update((name, key) for name, key in keys.items() if key not in found)

    def admit_name(self, name: str) -> None:
        """Have a person in memory, by an identifier or an id."""
        self._read_back_all(key_of(one) for one in named(name))

    def admit_due(self, now: int, limit: int, seq: int) -> int:
        """Have those in memory whose timers ring by `now`, `limit` of them at most; what comes of it is written as
        after `seq`. Returns the instant up to which they are in memory."""
        while self._next <= now and limit > 0:
            rows = self._shelf.due(self._rung, now, min(limit, 500))
            for at, number in rows:
                resident = self._read_back(number)
                self._rung = (at, number)  # behind it: what cannot be read for now is asked for again
                if resident is not None and not resident.since:
                    self._note(resident, seq)  # its row is to say what comes after
            limit -= len(rows)
            if not rows:
                self._rung = max(self._rung, (now, 0))
            self._next = self._first_due()
        return now if self._next > now else self._rung[0]

    def look_ahead(self, now: int, seq: int) -> None:
        """Read a few back before their timers ring."""
        if self._next <= now + _AHEAD:
            self.admit_due(now + _AHEAD, _FEW, seq)

    def admit_all(self, numbers: Iterable[int], seq: int) -> None:
        """Have these circles in memory, to be written as after `seq`."""
        for number in numbers:
            resident = self._read_back(number)
            if resident is not None:
                self._note(resident, seq)

    @property
    def numbers(self) -> set[int]:
        """The numbers of the circles in memory."""
        return set(self._by_number)

    @property
    def next_due(self) -> int:
        """Before this instant no timer rings of a circle that is not in memory."""
        return self._next

    def touch(self, person: Person, seq: int) -> None:
        """What is said of a person changed, without an event."""
        resident = self._by_name.get(person.identifiers[0] if person.identifiers else NOBODY)
        if resident is not None:
            self._note(resident, seq)

    def _note(self, resident: Resident, seq: int) -> None:
        if not resident.since:
            resident.since = seq
            self._changed[resident] = None
        self._used.pop(resident, None)
        self._used[resident] = None

    def _ask(self, names: Sequence[str]) -> Resident:
        """The one circle of these names, which are connected from here on."""
        missing = [name for name in names if name not in self._by_name]
        self._read_back_all(key_of(name) for name in missing if name not in self._nowhere)
        meant = (*names, *self._twins(missing))
        found = list({id(r): r for name in meant if (r := self._by_name.get(name)) is not None}.values())
        found.sort(key=lambda r: r.since or FAR)  # the longest changed stays where it is among the changed
        resident = found[0] if found else Resident()
        if not found:
            self._weight += resident.weight
        for other in found[1:]:
            self._unite(resident, other)
        for name in names:
            if self._by_name.get(name) is not resident:
                resident.names.append(name)
                resident.unwritten = [*resident.unwritten, self._nowhere.get(name) or key_of(name)]
                self._by_name[name] = resident
        return resident

    def _twins(self, names: Iterable[str]) -> Iterator[str]:
        """The names in memory that mean the same as names that are new to it: an identifier, and the id that follows
        from it."""
        who = self.engine.identity
        for name in names:
            twin = who.ids().get(name.removeprefix(PERSON)) if name.startswith(PERSON) else PERSON + id_of(name)
            if twin is not None:
                yield twin

    def _unite(self, resident: Resident, other: Resident) -> None:
        resident.names += other.names
        resident.unwritten = [*resident.unwritten, *map(key_of, other.names)]
        resident.weight += other.weight
        resident.covers = max(resident.covers, other.covers)
        resident.gone = [*resident.gone, *other.gone]
        if other.number:
            resident.gone.append((other.number, other.before))
        for number, _ in [*other.gone, (other.number, None)] if other.number else other.gone:
            self._by_number[number] = resident  # the file has it until this one is written
        for name in other.names:
            self._by_name[name] = resident
        self._changed.pop(other, None)
        self._used.pop(other, None)

    def _read_back_all(self, keys: Iterable[int]) -> None:
        """Have all circles of names with these keys in memory."""
        asked = list(keys)
        for numbers in self._shelf.find(asked).values() if asked else ():
            for number in numbers:
                self._read_back(number)

    def _read_back(self, number: int) -> Resident | None:
        """The circle of a number, in memory; None where the file has none."""
        if number in self._by_number:
            return self._by_number[number]
        row = self._shelf.row(number)
        if row is None:
            return None
        circle = _read(row.body)
        resident = Resident()
        resident.number, resident.covers, resident.before = number, row.upto, row.due
        resident.names = circle.names
        resident.weight = weight(circle)
        self._weight += resident.weight
        self._came += 1
        self._by_number[number] = resident
        self._by_name.update(dict.fromkeys(circle.names, resident))
        self._used[resident] = None
        read_circle(self.engine, circle)
        return resident

    # -- out of it

    def to_write(self, seq: int, most: int) -> list[Resident]:
        """Those that a commit should write, `most` of them and as many as were read back: changed long ago; and those
        that are to leave."""
        most += 2 * self._came
        chosen: dict[Resident, None] = {}
        for resident in self._changed:
            if resident.since > seq - self._tail or len(chosen) >= most:
                break
            chosen[resident] = None
        over = self._weight - self._most
        for resident in list(islice(self._used, most)) if over > 0 else ():
            if over <= 0:
                break
            if not self._may_leave(resident):
                self._used[resident] = self._used.pop(resident)  # to the end
                continue
            over -= resident.weight
            if resident.since:
                chosen[resident] = None
        return list(chosen)

    def all_changed(self) -> list[Resident]:
        """All that are not written as they are."""
        return list(self._changed)

    def write(self, residents: Iterable[Resident], seq: int) -> list[Written]:
        """What to write of them, as they are at a place of the log."""
        written = []
        for resident in residents:
            if not resident.number:
                self._last += 1
                resident.number = self._last
                self._by_number[resident.number] = resident
            circle = write_circle(self.engine, resident.names)
            row = Row(resident.number, seq, earliest_due(self.engine, resident.names), _write(circle))
            written.append(Written(row, list(resident.unwritten), resident.before, list(resident.gone)))
            self._weight += (now := weight(circle)) - resident.weight
            resident.weight = now
        return written

    def note_written(self, residents: Iterable[Resident], written: Iterable[Written]) -> None:
        """They are on the disk; who has not been used for the longest time leaves, while there is too much."""
        self._came = 0
        self._nowhere.clear()
        for resident, one in zip(residents, written, strict=True):
            for number, _ in resident.gone:
                del self._by_number[number]
            resident.since, resident.unwritten, resident.gone = 0, (), ()
            resident.before, resident.covers = one.row.due, one.row.upto
            self._changed.pop(resident, None)
            if one.row.due is not None and (one.row.due, one.row.number) > self._rung:
                self._next = min(self._next, one.row.due)
        if self._weight > self._most:
            self._let_leave()

    def first_unwritten(self, written: set[Resident]) -> int | None:
        """The place of the first change that is not written when these are; None where all are."""
        return next((resident.since for resident in self._changed if resident not in written), None)

    def _may_leave(self, resident: Resident) -> bool:
        if NOBODY in resident.names:
            return False
        due = earliest_due(self.engine, resident.names)
        return due is None or due > self._rung[0]

    def _let_leave(self) -> None:
        for resident in list(islice(self._used, _MANY)):
            if self._weight <= self._most:
                return
            if resident.since or not self._may_leave(resident):
                continue
            forget_circle(self.engine, resident.names)
            for name in resident.names:
                del self._by_name[name]
            del self._by_number[resident.number], self._used[resident]
            self._weight -= resident.weight

    def _first_due(self) -> int:
        rows = self._shelf.due(self._rung, FAR, 1)
        return rows[0][0] if rows else FAR
