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
from typing import Final

import msgspec

from schemas.event import SECOND, Event
from schemas.instant import read_instant, write_instant
from schemas.threshold import ThresholdSet
from streams.core.alerts import Transition
from streams.core.circle import alerts_of, forget_circle, names_of, read_circle, waits_of, write_circle
from streams.core.engine import Engine
from streams.distributed.bounds import check_ahead, check_asked, check_kept, check_time, check_told, latest, refused
from streams.distributed.circles import is_name
from streams.distributed.formats import POSITION, Spoilt
from streams.distributed.kept import Position, Row, check_judged, read_position, read_row
from streams.distributed.names import STATE
from streams.distributed.records import Buried, Handed, Poison, Record
from streams.distributed.skimming import Readers, skim, tells_second_number
from streams.distributed.wire import (
    ASKED,
    AWAITED,
    CONTROL,
    FORMAT,
    TICKED,
    Envelope,
    Given,
    decode,
    read_told,
    write_given,
)

TAIL: Final = 100_000
"""Records that a start may have to put again: a second or so. A circle is written once in as many at the most."""
_IDLE: Final = 500  # circles that a commit writes beyond what it must
_MEND_ENGINE: Final = "the hub failed on this event and goes on without it; report it, then replay the dead letter"
_pack: Final = msgspec.msgpack.Encoder().encode
_Pending = tuple[list[Event], int]  # of one message for one circle, and their log time


class Partition:
    """One partition under a set of thresholds; `name` tells the set. With `by_event` the clock is the events' own."""

    def __init__(
        self, thresholds: ThresholdSet, name: str, *, by_event: bool = False, tail: int = TAIL, partitions: int = 0
    ) -> None:
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
        self._partitions: int = partitions
        self._names: dict[bytes, list[str]] = {}  # of each circle
        self._singles: dict[str, tuple[str]] = {}  # identifiers that are noted, each as an event alone has it
        self._texts: dict[str, str] = {}  # one copy of each source, type and facility
        self._readers: Readers = Readers(self.engine)
        self._changed: dict[bytes, int] = {}  # the first change that is not written, the longest changed first
        self._covers: dict[bytes, int] = {}  # while the log is put again: up to where each was told
        self._gone: set[bytes] = set()  # circles whose row is to be forgotten
        self._awaits: dict[bytes, set[str]] = {}  # hand-overs, by the circle that awaits them
        self._waiting: dict[bytes, list[_Pending | Envelope]] = {}  # what came of it meanwhile
        self._gathered: list[tuple[Event, bytes, int]] = []  # of a message whose rest is to come
        self._begun: int = 0  # the offset of the first of them
        self._apart: list[int] = []
        self._said: list[Transition] = []  # before their circle was given away

    # -- taking

    def take(self, records: Iterable[Record]) -> None:  # noqa: C901, PLR0912, PLR0915 - a call an event costs a tenth of it
        """Put records to the engine, in their order. Raises Poison where the engine fails on one: then nothing here is
        of use, and the partition is to be read anew without it."""
        by_type, singles, texts = self._readers.by_type, self._singles, self._texts.setdefault
        changed, by_event, apply, advance = self._changed, self._by_event, self.engine.apply, self.engine.advance
        last_stamp, last_at, is_slow = "", 0, bool(self._covers or self._apart)
        for record in records:
            offset = record.offset
            if is_slow or self._awaits or self._gathered:
                self._take_slowly(record)
                continue
            if offset <= self.applied:
                continue
            try:
                wire = skim(record.value or b"")
                type_ = wire.type
                read = by_type[type_] if type_ in by_type else self._readers.add(type_)
                subject, stamp = wire.subject, wire.recorded
                is_foreign = record.key not in changed and not is_name(record.key)
                if (
                    is_foreign
                    or type_ in CONTROL
                    or subject is None
                    or wire.also is not None
                    or wire.following
                    or not stamp
                ):
                    self._take_slowly(record)
                    continue
                time = check_time(read_instant(wire.time))
                if stamp != last_stamp:
                    at = time if stamp == wire.time else read_instant(stamp)
                    last_at, last_stamp = check_ahead(at, latest(record, by_event=by_event)), stamp
                if read is None:
                    if tells_second_number(wire.data):
                        self._take_slowly(record)
                        continue
                    self.recorded = max(self.recorded, last_at)
                    self.applied = offset
                    continue
                data = read(wire.data)
                check_kept(data)
            except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as wrong:
                self._bury(wrong, record)
                self.applied = offset
                continue
            key = record.key or b""
            names, facility, source = singles.get(subject), wire.facility, texts(wire.source, wire.source)
            where, ids = facility and texts(facility, facility), names or (subject,)
            event = Event(
                wire.id, source, texts(type_, type_), time, data, ids, where, wire.precision * SECOND, wire.sensitivity
            )  # fmt: skip
            try:
                if names is None:
                    self._learn(key, event)
                if key not in changed:
                    changed[key] = offset
                self.recorded = max(self.recorded, last_at)
                if by_event:  # what happens at an instant is heard before the clock reaches it
                    advance(self.recorded - 1)
                apply(event, last_at)
            except Exception as wrong:  # a record's edge: whatever it is, the rest of the log goes on
                raise Poison(offset) from wrong
            self.applied = offset
        if by_event and not self._awaits:
            advance(self.recorded - 1)

    def _take_slowly(self, record: Record) -> None:
        """One record, whatever it is."""
        offset = record.offset
        if offset <= self.applied:
            return
        if offset in self._apart:
            self.applied = offset
            return
        try:
            wire = decode(record.value or b"")
            if record.key not in self._names and wire.type != TICKED and not is_name(record.key):
                raise ValueError("the key is no circle")  # noqa: TRY301 - told as whatever else cannot be read
            told = read_told(wire)
            check_told(told, record, by_event=self._by_event)
            if wire.type == ASKED:
                check_asked(wire.data or {}, self._partitions)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as wrong:
            self._bury(wrong, record)
            self.applied = offset
            return
        try:
            if isinstance(told, Event):
                self._take(told, wire, record)
            else:
                self._obey(told, wire, record)
        except Exception as wrong:  # a record's edge: whatever it is, the rest of the log goes on
            raise Poison(offset) from wrong
        self.applied = offset

    def _take(self, event: Event, wire: Envelope, record: Record) -> None:
        at = event.recorded or (max(event.time, self.recorded) if self._by_event else record.timestamp * 1000)
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
        self._put_in(key, [event], at, record.offset, record.offset)

    def _put_gathered(self, gathered: list[tuple[Event, bytes, int]], offset: int) -> None:
        """The events of one message, a circle at a time; `offset` is of the last. Who puts the log again must begin at
        the first."""
        by_key: dict[bytes, list[Event]] = {}
        for event, key, _ in gathered:
            by_key.setdefault(key, []).append(event)
        at = gathered[-1][2]
        for key, events in by_key.items():
            self._put_in(key, events, at, self._begun, offset)

    def _put_in(self, key: bytes, events: list[Event], at: int, begin: int, offset: int) -> None:
        """Events of one message for one circle, now or when it has all that it awaits. They stand in the log from
        `begin` to `offset`; a circle that was told of them before it was written skips them."""
        if offset <= self._covers.get(key, -1):
            return
        for event in events:
            self._learn(key, event)
        self._changed.setdefault(key, begin)
        if key in self._awaits:
            self._waiting[key].append((events, at))
            return
        if at > self.recorded:
            self.recorded = at
            if self._by_event and not self._awaits:
                self.engine.advance(at - 1)  # what happens at an instant is heard before the clock reaches it
        self._put(events, at)

    def _put(self, events: Sequence[Event], at: int) -> None:
        self.engine.apply(events[0], at) if len(events) == 1 else self.engine.apply_together(events, at)

    def _learn(self, key: bytes, event: Event) -> None:
        """Note which names are in a circle."""
        ids = event.identifiers
        names = names_of(event)
        if len(names) == 1 and len(ids) == 1:
            if ids[0] in self._singles:
                return
            self._singles[ids[0]] = (ids[0],)
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
        told, names = wire.data or {}, self._names.pop(key, [])
        self._said = self.take_transitions()  # while it is known whose they are
        alerts = alerts_of(self.engine, names)
        circle = write_circle(self.engine, names)
        self.engine.add_waits(-waits_of(self.engine, names))
        forget_circle(self.engine, names)
        for name in names:
            self._singles.pop(name, None)
        self._changed.pop(key, None)
        self._gone.add(key)
        value = write_given(wire.id, write_instant(max(self.engine.clock, 0)), circle, alerts)
        self.handed.append(Handed(int(told["partition"]), str(told["to"]).encode(), value))

    def _receive(self, key: bytes, id_: str, given: Given, offset: int) -> None:
        """A circle that was handed over; what waited for it is put behind it."""
        self._changed.setdefault(key, offset)
        held = self._names.setdefault(key, [])
        held += [name for name in given.circle.names if name not in held]
        self.engine.say_at(self.recorded)
        before = waits_of(self.engine, given.circle.names)
        read_circle(self.engine, given.circle, given.alerts)
        self.engine.add_waits(waits_of(self.engine, given.circle.names) - before)
        awaited = self._awaits.get(key, set())
        awaited.discard(id_)
        if awaited or key not in self._awaits:
            return  # another one is on its way too, or it was not awaited
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
        self.buried.append(refused(wrong, record))

    # -- what is said

    @property
    def awaited(self) -> int:
        """How many circles await a hand-over."""
        return len(self._awaits)

    @property
    def is_behind(self) -> bool:
        """Whether something changed that is not written."""
        return len(self._changed) > len(self._awaits) or bool(self._gone)

    def take_transitions(self) -> list[Transition]:
        """What changed of alerts since the last call, in order; last those whose person or journey is another one."""
        changes = [*self._said, *self.engine.take_transitions()]
        self._said = []
        if self.engine.has_moved:
            now = max(self.engine.clock, 0)
            changes += [Transition(now, msgspec.structs.replace(alert)) for alert in self.engine.moved()]
            self.engine.forget_moved()
        return changes

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
            if key in self._names:  # else somebody wrote under a key that is not its own
                rows.append((key, _pack(Row(FORMAT, self.applied, write_circle(self.engine, self._names[key])))))
        rows.append((POSITION, _pack(self._position())))
        return rows

    def _position(self) -> Position:
        tail = next(iter(self._changed.values()), self.applied + 1) - 1  # they changed in the order of the log
        if self._gathered:
            tail = min(tail, self._begun - 1)
        apart, clock = [offset for offset in self._apart if offset > tail], max(self.engine.clock, 0)
        return Position(FORMAT, self.applied, clock, self.recorded, tail, self._name, apart)

    def set_apart(self, offset: int, raw: bytes) -> None:
        """Go on without a record on which the engine failed."""
        self._apart.append(offset)
        self.buried.append(Buried("engine", "the event", _MEND_ENGINE, offset, raw))

    # -- standing here again

    def recover(self, rows: Iterable[tuple[bytes, bytes]]) -> Position:
        """Read the rows of px.state back; returns where the log is to be read from (`tail`) and up to where it was put
        (`applied`): `take` takes what lies between. Raises NewerFormat, OtherThresholds and Spoilt."""
        circles: dict[bytes, bytes] = {}
        position = Position()
        for key, value in rows:
            if key == POSITION:
                position = read_position(value)
                check_judged(position, self._name)
            else:
                circles[key] = value
        self.engine.advance(position.clock)
        self.ticked, self.recorded, self._apart = position.clock, position.recorded, list(position.apart)
        for key, value in circles.items():
            row = read_row(value)
            self._names[key], self._covers[key] = row.circle.names, row.upto
            self._singles.update((name, (name,)) for name in row.circle.names)
            try:
                read_circle(self.engine, row.circle)
            except Exception as wrong:  # whatever it is: what was written here can be read
                raise Spoilt(STATE) from wrong
        self.applied = position.tail
        return position

    def end_recovery(self) -> None:
        """All up to the position was put again: what was said on the way was said before."""
        self._covers.clear()
        self.engine.recount()
        self.take_transitions()
        for given in (self.counted, self.handed, self.buried):
            given.clear()
