"""One partition of px.events: its records to an engine, what comes of them, and what is kept to stand here again.

Theory. The law of order makes what stands a matter of evidence and clock alone. So what must be kept of a partition is
its circles, each with the offset up to which it was told of the log, and where clock and log stand: to stand here
again, all circles are read back at that clock, and what the log holds behind the oldest that was not written is put
to them, each skipping what it has seen. Whatever is said on the way was said before, for a slice of work, its outputs
and its position are one transaction.

A circle that has become part of one in another partition is handed over: here it is written down and let go (`ASKED`),
there what comes of the united one waits until it has come (`AWAITED`, `GIVEN`), and the clock stands as long; so nobody
is told that somebody waits whose end was on its way. A hand-over may itself be asked of a circle that awaits one: it
waits with the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from schemas.errors import Reason
from schemas.event import Event
from schemas.instant import read_instant, write_instant
from schemas.threshold import ThresholdSet
from streams.core.alerts import Transition
from streams.core.circle import alerts_of, forget_circle, names_of, read_circle, write_circle
from streams.core.engine import Engine
from streams.distributed.circles import is_name
from streams.distributed.kept import (
    POSITION,
    Position,
    read_position,
    read_row,
    write_position,
    write_row,
)
from streams.distributed.wire import (
    ASKED,
    AWAITED,
    CONTROL,
    FORMAT,
    GIVEN,
    TICKED,
    Envelope,
    Given,
    decode,
    read_event,
    read_given,
    write_given,
)

TAIL: Final = 100_000
"""Records that a start may have to put again: a second or so. A circle is written once in as many at the most."""
_IDLE: Final = 500  # circles that a commit writes beyond what it must
_MEND: Final = "identify writes these records; who else does must write CloudEvents 1.0 with the circle as the key"
_MEND_ENGINE: Final = "the hub failed on this event and goes on without it; report it, then replay the dead letter"


class Record(Protocol):
    """A record of Kafka."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Buried(NamedTuple):
    """A record that cannot be taken: why, where, what to do about it, and its bytes."""

    reason: str
    place: str
    mend: str
    offset: int
    raw: bytes


class Handed(NamedTuple):
    """A record for px.events: a circle for another partition."""

    partition: int
    key: bytes
    value: bytes


class Poison(Exception):
    """The engine failed on a record; `offset` is its."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the engine failed on the record at offset {offset}")
        self.offset: int = offset


_Pending = tuple[list[Event], int]
"""Events of one message for one circle, and their log time."""


class Partition:
    """One partition under a set of thresholds; `name` tells the set. With `by_event` the clock is the events' own."""

    def __init__(self, thresholds: ThresholdSet, name: str, *, by_event: bool = False, tail: int = TAIL) -> None:
        self.engine: Engine = Engine(thresholds, keeps_all=False)
        self.counted: list[tuple[bool, Event]] = self.engine.count_elsewhere()
        self.handed: list[Handed] = []
        self.buried: list[Buried] = []
        self.applied: int = -1
        self.ticked: int = 0  # the clock that was told last
        self.recorded: int = 0
        self._name: str = name
        self._by_event: bool = by_event
        self._tail: int = tail
        self._names: dict[bytes, list[str]] = {}  # of each circle
        self._known: set[tuple[str, ...]] = set()  # identifiers of events whose names are noted
        self._changed: dict[bytes, int] = {}  # the first change that is not written, the longest changed first
        self._covers: dict[bytes, int] = {}  # while the log is put again: up to where each was told
        self._gone: set[bytes] = set()  # circles whose row is to be forgotten
        self._awaits: dict[bytes, set[str]] = {}  # hand-overs, by the circle that awaits them
        self._waiting: dict[bytes, list[_Pending | Envelope]] = {}  # what came of it meanwhile
        self._gathered: list[tuple[Event, bytes, int]] = []  # of a message whose rest is to come
        self._begun: int = 0  # the offset of the first of them
        self._apart: list[int] = []

    # -- taking

    def take(self, records: Iterable[Record]) -> None:
        """Put records to the engine, in their order. Raises Poison where the engine fails on one: then nothing here is
        of use, and the partition is to be read anew without it."""
        for record in records:
            offset = record.offset
            if offset <= self.applied:
                continue
            if offset in self._apart:
                self.applied = offset
                continue
            try:
                wire = decode(record.value or b"")
                told = self._told(wire, record.key)
            except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as wrong:
                self._bury(wrong, record)
                self.applied = offset
                continue
            try:
                if isinstance(told, Event):
                    self._take(told, wire, record)
                else:
                    self._obey(told, wire, record)
            except Exception as wrong:  # a record's edge: whatever it is, the rest of the log goes on
                raise Poison(offset) from wrong
            self.applied = offset

    def _told(self, wire: Envelope, key: bytes | None) -> Event | Given | int | None:
        """What a record tells: an event, a circle, an instant, or something about circles. Raises ValueError."""
        if key not in self._names and wire.type != TICKED and not is_name(key):
            raise ValueError("the key is no circle")
        if wire.type not in CONTROL:
            event = read_event(wire)
            event.recorded = read_instant(wire.recorded) if wire.recorded else 0
            return event
        if wire.type == TICKED:
            return read_instant(wire.time)
        return read_given(wire) if wire.type == GIVEN else None

    def _take(self, event: Event, wire: Envelope, record: Record) -> None:
        at = event.recorded or (event.time if self._by_event else record.timestamp * 1000)
        key = record.key or b""
        if wire.following or self._gathered:
            if not self._gathered:
                self._begun = record.offset
            self._gathered.append((event, key, at))
            if wire.following:
                return
            gathered, self._gathered = self._gathered, []
            self._put_gathered(gathered, record.offset)
            return
        if key in self._covers and record.offset <= self._covers[key]:
            return
        if event.identifiers not in self._known:
            self._learn(key, event)
        if key not in self._changed:
            self._changed[key] = record.offset
        if key in self._awaits:
            self._waiting[key].append(([event], self._log_time(at)))
            return
        if at > self.recorded:
            self.recorded = at
            if self._by_event and not self._awaits:
                self.engine.advance(at - 1)  # what happens at an instant is heard before the clock reaches it
        self.engine.apply(event, self.recorded if self._by_event else at)

    def _put_gathered(self, gathered: list[tuple[Event, bytes, int]], offset: int) -> None:
        """The events of one message, a circle at a time; `offset` is of the last. Who puts the log again must begin at
        the first."""
        by_key: dict[bytes, list[Event]] = {}
        for event, key, _ in gathered:
            by_key.setdefault(key, []).append(event)
        at = gathered[-1][2]
        for key, events in by_key.items():
            if key in self._covers and offset <= self._covers[key]:
                continue
            for event in events:
                self._learn(key, event)
            self._changed.setdefault(key, self._begun)
            if key in self._awaits:
                self._waiting[key].append((events, self._log_time(at)))
                continue
            if at > self.recorded:
                self.recorded = at
                if self._by_event and not self._awaits:
                    self.engine.advance(at - 1)
            self._put(events, self._log_time(at))

    def _log_time(self, at: int) -> int:
        """By event time the clock is the largest that was told."""
        return max(at, self.recorded) if self._by_event else at

    def _put(self, events: Sequence[Event], at: int) -> None:
        if len(events) == 1:
            self.engine.apply(events[0], at)
        else:
            self.engine.apply_together(events, at)

    def _learn(self, key: bytes, event: Event) -> None:
        """Note which names are in a circle."""
        ids = event.identifiers
        names = names_of(event)
        if len(names) == 1 and names[0] == (ids[0] if ids else None):
            self._known.add(ids)
        held = self._names.get(key)
        if held is None:
            self._names[key] = list(names)
            return
        held += [name for name in names if name not in held]

    # -- the clock and the hand-overs

    def _obey(self, told: Given | int | None, wire: Envelope, record: Record) -> None:
        key = record.key or b""
        if isinstance(told, int):
            self.ticked = max(self.ticked, told)
            if not self._awaits:
                self.engine.advance(self.ticked)
        elif key in self._covers and record.offset <= self._covers[key]:
            return
        elif wire.type == AWAITED:
            self._changed.setdefault(key, self._since(record.offset))
            self._awaits.setdefault(key, set()).add(wire.id)
            self._waiting.setdefault(key, [])
        elif wire.type == ASKED:
            if key in self._awaits:
                self._waiting[key].append(wire)
            else:
                self._give(key, wire)
        elif told is not None:
            self._receive(key, wire.id, told, self._since(record.offset))

    def _give(self, key: bytes, wire: Envelope) -> None:
        """Write a circle down for another partition, and let go of it."""
        told = wire.data or {}
        names = self._names.pop(key, [])
        alerts = alerts_of(self.engine, names)
        circle = write_circle(self.engine, names)
        forget_circle(self.engine, names)
        self._known.difference_update((name,) for name in names)
        self._changed.pop(key, None)
        self._gone.add(key)
        value = write_given(wire.id, write_instant(max(self.engine.clock, 0)), circle, alerts)
        self.handed.append(Handed(int(told["partition"]), str(told["to"]).encode(), value))

    def _receive(self, key: bytes, id_: str, given: Given, offset: int) -> None:
        """A circle that was handed over; what waited for it is put behind it."""
        self._changed.setdefault(key, offset)
        held = self._names.setdefault(key, [])
        held += [name for name in given.circle.names if name not in held]
        read_circle(self.engine, given.circle, given.alerts)
        awaited = self._awaits.get(key)
        if awaited is None:
            return
        awaited.discard(id_)
        if awaited:
            return
        del self._awaits[key]
        for waiting in self._waiting.pop(key):
            if isinstance(waiting, Envelope):
                self._give(key, waiting)
            else:
                self._put(*waiting)
        if not self._awaits:
            self.engine.advance(max(self.ticked, self.recorded - 1) if self._by_event else self.ticked)

    def _since(self, offset: int) -> int:
        """Where the log is to be put again from, for a record that may stand between those of one message."""
        return self._begun if self._gathered else offset

    def _bury(self, wrong: Exception, record: Record) -> None:
        kind = Reason.INVALID if isinstance(wrong, msgspec.ValidationError) else Reason.UNREADABLE
        self.buried.append(Buried(kind.value, "the record", _MEND, record.offset, record.value or b""))

    # -- what is said

    @property
    def is_awaiting(self) -> bool:
        """Whether a hand-over is to come."""
        return bool(self._awaits)

    @property
    def is_behind(self) -> bool:
        """Whether something changed that is not written."""
        return len(self._changed) > len(self._awaits) or bool(self._gone)

    def take_transitions(self) -> list[Transition]:
        """What changed of alerts since the last call, in order."""
        return self.engine.take_transitions()

    # -- what is kept

    def checkpoint(self, *, everything: bool = False, idle: bool = False) -> list[tuple[bytes, bytes | None]]:
        """Rows of px.state to write with what was said: circles, the longest changed first, None for those that are
        gone, and the position. When they are durable this is where a start begins."""
        rows: list[tuple[bytes, bytes | None]] = [(key, None) for key in self._gone]
        self._gone.clear()
        must = self.applied - self._tail
        room = _IDLE if idle else 0
        chosen: list[bytes] = []
        for key, since in self._changed.items():
            if since > must and not everything:
                room -= 1
                if room < 0:
                    break
            if key not in self._awaits:
                chosen.append(key)
        for key in chosen:
            del self._changed[key]
            rows.append((key, write_row(self.applied, write_circle(self.engine, self._names[key]))))
        rows.append((POSITION, write_position(self._position())))
        return rows

    def _position(self) -> Position:
        tail = next(iter(self._changed.values()), self.applied + 1) - 1  # they changed in the order of the log
        if self._gathered:
            tail = min(tail, self._begun - 1)
        return Position(
            FORMAT,
            self.applied,
            max(self.engine.clock, 0),
            self.recorded,
            tail,
            self._name,
            [offset for offset in self._apart if offset > tail],
        )

    def set_apart(self, offset: int, raw: bytes) -> None:
        """Go on without a record on which the engine failed."""
        self._apart.append(offset)
        self.buried.append(Buried("engine", "the event", _MEND_ENGINE, offset, raw))

    # -- standing here again

    def recover(self, rows: Iterable[tuple[bytes, bytes]]) -> Position:
        """Read the rows of px.state back; returns where the log is to be read from (`tail`) and up to where it was put
        (`applied`): `put_again` takes what lies between. Raises NewerFormat."""
        circles: dict[bytes, bytes] = {}
        position = Position()
        for key, value in rows:
            if key == POSITION:
                position = read_position(value)
            else:
                circles[key] = value
        self.engine.advance(position.clock)
        self.ticked, self.recorded, self._apart = position.clock, position.recorded, list(position.apart)
        for key, value in circles.items():
            row = read_row(value)
            self._names[key], self._covers[key] = row.circle.names, row.upto
            self._known.update((name,) for name in row.circle.names)
            read_circle(self.engine, row.circle)
        self.applied = position.tail
        return position

    def stands(self, position: Position) -> bool:
        """Whether what is kept was judged by these thresholds."""
        return position.applied < 0 or position.judged_by == self._name

    def end_recovery(self) -> None:
        """All up to the position was put again: what was said on the way was said before."""
        self._covers.clear()
        self.engine.take_transitions()
        self.counted.clear()
        self.handed.clear()
        self.buried.clear()
