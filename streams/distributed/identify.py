"""Identify: what each message of px.inbound is, whose its events are, and where they go.

Theory. One partition, one who is active: so identity has one writer, and what is decided by arrival (which of two
messages with one id came first, whose a contact is, which circle a name is in) is decided in one order. All of it
follows from px.inbound and what was decided before, so a slice that is worked again after a crash gives the same.

The clock is the log's: the broker's stamp, as a running maximum, or the events' own. Behind identify only ticks move
it; each says the least that was passed, so no clock outruns what is on its way. After a gap of over a minute it stands
for a while, as in the embedded runtime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from schemas.dead_letter import MEND_CONFLICT, MEND_ENGINE
from schemas.errors import PxError, Reason, StoreFailed
from schemas.event import HOUR, Event
from schemas.identity import IdentityRules
from schemas.instant import to_datetime, write_instant
from streams.core.circle import names_of
from streams.core.directory import contact_key, key_of
from streams.core.evidence import IDENTITY_EVENTS
from streams.core.learning import LEARNS
from streams.core.linking import Linker
from streams.core.settling import GAP, SETTLE
from streams.distributed.bounds import Ahead, check_ahead, check_time, latest
from streams.distributed.circles import Circles, name_of, partition_of
from streams.distributed.counting import FORMAT as COUNTING
from streams.distributed.counting import IDENTIFY as ORIGIN
from streams.distributed.counting import Heard, Slice, write_slice
from streams.distributed.formats import POSITION
from streams.distributed.identify_standing import Standing
from streams.distributed.inbound import LATEST, Ticked, Told, read_inbound
from streams.distributed.index import KNOWN, PLACED, SEEN, Change, Index, IndexedDirectory, key_bytes
from streams.distributed.letters import Letter, write_letter
from streams.distributed.names import COUNTED, DEAD_LETTERS, EVENTS, INBOUND, PERSONS
from streams.distributed.records import Record
from streams.distributed.transactions import Out
from streams.distributed.unwritable import Unwritable, writable
from streams.distributed.wire import write_asked, write_awaited, write_tick
from streams.embedded.entries import read_events
from streams.embedded.ids import id_hash, letter_hash_of

_CONNECTING: Final = frozenset((*IDENTITY_EVENTS, "identity.moved"))
_NO_MONTH: Final = "000000"
_MEND_FOREIGN: Final = "the doors write these records; who else does must use `pxhub load`"
_MEND_CLOSING: Final = (
    "it closes more than an hour ahead of the broker's clock: `load --until` is for workers with --clock event; "
    "else check the clock of the machine that wrote it"
)
_MEND_FUTURE: Final = "it lies more than an hour ahead of the broker's clock; check the sender's clock"


_Keys = list[list[bytes]]
"""What each event of a message connects, as it is looked up."""


class _Read(NamedTuple):
    """A message as it was read: its events, and what each connects."""

    told: Told
    events: tuple[Event, ...]
    keys: _Keys


class _Taken(NamedTuple):
    """A message that is taken, when it came, and where it lies."""

    events: tuple[Event, ...]
    keys: _Keys
    recorded: int
    offset: int


class Identify:
    """Works slices of px.inbound. `partitions` is how many px.events has; with `listens` what was heard is told to
    measure too."""

    def __init__(
        self, index: Index, rules: IdentityRules, partitions: int, *, by_event: bool = False, listens: bool = False
    ) -> None:
        self.index: Index = index
        self.standing: Standing = Standing()
        self.tallies: Counter[tuple[str, str, str]] = Counter()
        self._circles: Circles = Circles(index)
        self._linker: Linker = Linker(rules, IndexedDirectory(index))
        self._partitions: int = partitions
        self._by_event: bool = by_event
        self._listens: bool = listens
        self._taken: list[_Taken] = []
        self._heard: list[Heard] = []
        self._away: list[tuple[int, int]] = []
        self._close: int = 0  # an instant that closes what was loaded

    def stand(self, standing: Standing) -> None:
        """Go on from where was committed last."""
        self.standing = standing
        self.tallies = Counter({(kind, outcome, reason): n for kind, outcome, reason, n in standing.tallies})
        self._linker.forget()

    def take(self, records: Sequence[Record], end: int) -> list[Out]:
        """Work records of px.inbound; `end` is the offset behind them. What is to be written of them, at once. Raises
        what the index raises, and then nothing was learned."""
        before, tallies = msgspec.structs.replace(self.standing), self.tallies.copy()
        apart: dict[int, tuple[str, str, str]] = {}
        while True:
            try:
                return self._take_all(records, end, apart)
            except Unwritable as wrong:  # the slice again without it: what was learned of it is forgotten
                apart[wrong.offset] = wrong.why
                self.index.forget()
                self.stand(msgspec.structs.replace(before))
                self.tallies = tallies.copy()

    def _take_all(self, records: Sequence[Record], end: int, apart: dict[int, tuple[str, str, str]]) -> list[Out]:
        out: list[Out] = []
        self._taken, self._heard, self._away = [], [], []
        found = [(record, self._read(record, out)) for record in records]
        self._expect([one for _, one in found if isinstance(one, _Read)])
        for record, one in found:
            if one is None:
                continue
            self._hear_stamp(record)
            if isinstance(one, Ticked):
                self._close = max(self._close, self._closing(one, record))
            elif record.offset in apart:
                self._bury(out, record, *apart[record.offset], one.told)
            else:
                self._take_safely(one, record, out)
        standing = self.standing
        standing.next = end
        out += self._placed()
        out += self._ticks()
        if self._listens:
            clock = standing.recorded - 1 if self._by_event and not self._close else standing.ticked
            heard = Slice(COUNTING, ORIGIN, clock, standing.next, [], self._heard, self._away)
            out.append(Out(COUNTED, 0, None, write_slice(heard)))
        out += self._learned()
        return out

    def changes(self) -> list[tuple[str, Change]]:
        """What was learned of the last slice, each with the month of what was seen."""
        month = self.month
        return [(month if change[0] == SEEN else "", change) for change in self.index.changes()]

    # -- the clock

    def _hear_stamp(self, record: Record) -> None:
        """The broker's stamp moves the log time; a gap lets the clock stand."""
        if self._by_event:
            return
        standing, stamp = self.standing, record.timestamp * 1000
        if standing.recorded and stamp - standing.recorded > GAP:
            standing.settled = stamp + SETTLE
            self._away.append((standing.recorded, standing.settled))
        standing.recorded = max(standing.recorded, stamp)

    def _closing(self, told: Ticked, record: Record) -> int:
        """The instant that a look at the clock closes at: by log time none that the log has not come to, for what
        follows has the stamps for it."""
        if self._by_event:
            return self.standing.recorded if told.at == LATEST else told.at
        return min(told.at, record.timestamp * 1000)

    def _ticks(self) -> list[Out]:
        standing = self.standing
        if self._by_event:
            clock = self._close
        elif standing.recorded < standing.settled:
            return []
        else:
            clock = max(standing.recorded - 1, self._close)
        if clock <= standing.ticked:
            return []
        standing.ticked = clock
        value = write_tick(clock, f"tick/{standing.next}")
        return [Out(EVENTS, partition, None, value) for partition in range(self._partitions)]

    # -- messages

    def _read(self, record: Record, out: list[Out]) -> _Read | Ticked | None:
        try:
            found = read_inbound(record.value or b"")
            if isinstance(found, Ticked):
                if found.at != LATEST:
                    check_ahead(found.at, latest(record, by_event=self._by_event))
                return found
            events = read_events(found.events) if found.events else ()
            for event in events:
                check_time(event.time)
            return _Read(found, events, self._keys(events))
        except Ahead:
            self._bury(out, record, Reason.FROM_THE_FUTURE.value, "time", _MEND_CLOSING, None)
        except (ValueError, StoreFailed):
            self._bury(out, record, Reason.UNREADABLE.value, "the record", _MEND_FOREIGN, None)
        return None

    def _keys(self, events: Sequence[Event]) -> _Keys:
        return [self._circles.keys(_names(event)) for event in events]

    def _expect(self, messages: Sequence[_Read]) -> None:
        """Ask the index at once for what this slice will look up."""
        known, placed = list[bytes](), list[bytes]()
        for one in messages:
            for event in one.events:
                contact = event.data.get("contact_id")
                if isinstance(contact, str) and contact:
                    placed.append(key_bytes(contact_key(contact)))
                if event.type in LEARNS:
                    known += [key_bytes(key_of(name)) for name in event.identifiers]
        self._circles.expect(key for one in messages for names in one.keys for key in names)
        self.index.expect(KNOWN, known)
        self.index.expect(PLACED, placed)
        self.index.expect(SEEN, [_hash_of(one.told) for one in messages if one.told.ignored is None])

    def _take_safely(self, one: _Read, record: Record, out: list[Out]) -> None:
        """Take a message; what identify itself fails on is set apart, and the log goes on."""
        before = len(out)
        try:
            self._take(*one, record, out)
        except PxError:
            raise
        except Exception:  # noqa: BLE001 - a message's edge
            del out[before:]
            self._bury(out, record, "engine", "the message", MEND_ENGINE, one.told)

    def _take(self, told: Told, events: tuple[Event, ...], keys: _Keys, record: Record, out: list[Out]) -> None:
        if told.ignored is not None:
            self._count(told, "ignored", told.ignored)
            self._hear(told.source, None, accepted=False)
            return
        if told.dead is not None:
            self._bury(out, record, *told.dead, told)
            return
        standing = self.standing
        if not self._by_event and _latest(events) > standing.recorded + HOUR:
            self._bury(out, record, Reason.FROM_THE_FUTURE.value, "time", _MEND_FUTURE, told)
            return
        hash_, mark = id_hash(told.source, told.id), _mark(told, record.offset)
        seen = self.index.find(SEEN, hash_)
        if seen is not None and seen[32:] != mark[32:]:
            if seen[:16] == mark[:16] or seen[16:32] == mark[16:32]:
                self._count(told, "duplicate", "")
            else:
                self._bury(out, record, Reason.CONFLICT.value, "id", MEND_CONFLICT, told)
            return
        linked = self._linker.take(events)
        if self._by_event:
            standing.recorded = max(standing.recorded, *(event.time for event in linked))
        keys = keys if linked is events else self._keys(linked)
        self._taken.append(_Taken(linked, keys, standing.recorded, record.offset))
        self.index.put(SEEN, hash_, mark)
        self._count(told, "accepted", "")
        for event in linked:
            self._hear(event.source, event.facility, accepted=True)

    def _placed(self) -> list[Out]:
        """Where the events of a slice go, behind what they join. Who is one is timeless, so all that is joined in the
        slice is joined before its events: what the slice itself brings is never handed over."""
        taken, self._taken = self._taken, []
        partitions, circles = self._partitions, self._circles
        place, root = circles.place, circles.root
        gone: dict[bytes, None] = {}
        made: set[bytes] = set()  # in this slice: nothing of them is anywhere
        for one in taken:
            for names in one.keys:
                circle, joined, is_new = place(names)
                if is_new:
                    made.add(circle)
                if joined:
                    gone.update(dict.fromkeys(joined))
        out: list[Out] = []
        for circle in gone:
            if circle not in made:
                out += self._handed_over(circle)
        hex_names: dict[bytes, bytes] = {}
        at, written = 0, ""
        for events, message, recorded, offset in taken:
            if recorded != at:
                at, written = recorded, write_instant(recorded)
            if len(events) == 1:  # as nearly always
                circle = root(message[0][0]) or message[0][0]
                key = hex_names.get(circle) or hex_names.setdefault(circle, name_of(circle))
                out.append(Out(EVENTS, partition_of(circle, partitions), key, writable(events[0], written, 0, offset)))
                continue
            placed = [root(names[0]) or names[0] for names in message]
            homes = [partition_of(circle, partitions) for circle in placed]
            following = Counter(homes)
            for event, circle, home in zip(events, placed, homes, strict=True):
                following[home] -= 1
                out.append(Out(EVENTS, home, name_of(circle), writable(event, written, following[home], offset)))
        return out

    def _handed_over(self, circle: bytes) -> list[Out]:
        """What is said of a circle that has become part of another one: it is asked for, and awaited."""
        into = self._circles.root(circle) or circle
        home, now = partition_of(into, self._partitions), write_instant(self.standing.recorded)
        id_ = f"{INBOUND}/{self.standing.next}/{name_of(circle).decode()}"
        asked = write_asked(id_, now, name_of(into).decode(), home)
        return [
            Out(EVENTS, partition_of(circle, self._partitions), name_of(circle), asked),
            Out(EVENTS, home, name_of(into), write_awaited(id_, now)),
        ]

    def _bury(self, out: list[Out], record: Record, reason: str, place: str, mend: str, told: Told | None) -> None:
        """A dead letter; the same again from the same sender is a repetition of it."""
        raw = told.raw if told is not None else record.value or b""
        letter = Letter(reason, place, mend, INBOUND, 0, record.offset, raw)
        if told is not None:
            letter.kind, letter.source, letter.id = told.kind, told.source, told.id
            hash_, mark = _letter_hash(told, reason), _mark(told, record.offset)
            seen = self.index.find(SEEN, hash_)
            if seen is not None and seen[32:] != mark[32:]:
                self._count(told, "duplicate", reason)
                return
            self.index.put(SEEN, hash_, mark)
            self._count(told, "dead", reason)
            self._hear(told.source, None, accepted=False)
        else:
            self.tallies[("foreign", "dead", reason)] += 1
        out.append(Out(DEAD_LETTERS, 0, None, write_letter(letter)))

    def _count(self, told: Told, outcome: str, reason: str) -> None:
        self.tallies[(told.kind.partition("/")[0], outcome, reason)] += 1

    def _hear(self, source: str, facility: str | None, *, accepted: bool) -> None:
        if self._listens and source:
            self._heard.append(Heard(source, self.standing.recorded, facility, accepted))

    # -- what is kept

    def _learned(self) -> Iterable[Out]:
        """What was learned, and where we stand, for px.persons."""
        self.standing.tallies = [(*key, count) for key, count in self.tallies.items()]
        month = self.month
        for table, key, value in self.index.changes():
            yield Out(PERSONS, 0, row_key(table, key, month), value)
        yield Out(PERSONS, 0, POSITION, msgspec.msgpack.encode(self.standing))

    @property
    def month(self) -> str:
        """The month that what was seen is remembered under; one for all by event time, for there is no horizon."""
        return _NO_MONTH if self._by_event else month_of(self.standing.recorded)


def month_of(recorded: int) -> str:
    """The month of an instant, as `YYYYMM`."""
    return to_datetime(max(recorded, 0)).strftime("%Y%m")


def row_key(table: str, key: bytes, month: str) -> bytes:
    """The key of a row of px.persons: the table, of what was seen the month, and the row's own."""
    return table.encode() + (month.encode() if table == SEEN else b"") + key


def read_row(key: bytes, value: bytes | None) -> tuple[str, Change] | None:
    """A row of px.persons: the month of what was seen, or nothing; None for what is no row of a table."""
    table = key[:1].decode("ascii", "replace")
    if key == POSITION:
        return None
    if table == SEEN:
        return key[1:7].decode("ascii", "replace"), (table, key[7:], value)
    return "", (table, key[1:], value)


def _names(event: Event) -> tuple[str, ...]:
    """All that an event connects (streams/core/circle.py): as nearly always, the one identifier that it names."""
    ids = event.identifiers
    return ids if len(ids) == 1 and event.type not in _CONNECTING else names_of(event)


def _latest(events: Sequence[Event]) -> int:
    return events[0].time if len(events) == 1 else max(event.time for event in events)


def _mark(told: Told, offset: int) -> bytes:
    """What is remembered of a message: digests of its bytes and of what they say, and its place."""
    return told.digest[:16].ljust(16, b"\0") + told.content[:16].ljust(16, b"\0") + offset.to_bytes(8, "big")


def _letter_hash(told: Told, reason: str) -> bytes:
    return letter_hash_of(reason, told.source, told.id, told.content)


def _hash_of(told: Told) -> bytes:
    return _letter_hash(told, told.dead[0]) if told.dead is not None else id_hash(told.source, told.id)
