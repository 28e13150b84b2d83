"""The distributed runtime without services: topics are lists, and what moves next is drawn by chance.

    run = Run(thresholds, partitions=3, random=random)
    run.tell(messages)          # onto px.inbound
    run.close(until)            # with the tick that closes it
    run.work()                  # until nothing is left to be done
    run.said                    # what a consumer of px.alerts heard

The stages are the real ones, but for their reading and writing: what a stage writes of a slice and where it stands
then go into the lists at once, as a transaction has it. A crash lets go of everything that was not written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from random import Random
from typing import Final

import msgspec
from msgspec.structs import astuple

from schemas.alert import Alert
from schemas.event import Event
from schemas.identity import IdentityRules
from schemas.message import Message
from schemas.threshold import ThresholdSet
from streams.core.alerts import Transition
from streams.core.circle import Circle, write_circle
from streams.distributed.counting import FORMAT, Slice, write_slice
from streams.distributed.formats import POSITION
from streams.distributed.identify import Identify, read_row
from streams.distributed.identify_standing import read_standing
from streams.distributed.inbound import write_message, write_tick
from streams.distributed.index import Index
from streams.distributed.measure import Measuring
from streams.distributed.names import ALERTS, COUNTED, DEAD_LETTERS, EVENTS, INBOUND, MEASURES, PERSONS
from streams.distributed.partition import Partition, Poison
from streams.distributed.transactions import Out
from streams.embedded.entries import read_events, write_events

_MOST: Final = 6  # records of a slice
_STAMP: Final = 1_772_400_000_000  # milliseconds, of every record: by event time it says nothing


class Record(msgspec.Struct, frozen=True):
    """A record of a topic."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Shelf:
    """The tables of identify in memory."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[bytes, bytes]] = defaultdict(dict)

    def fetch(self, table: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        held = self.tables[table]
        return [held.get(key) for key in keys]

    def put(self, rows: Iterable[tuple[str, bytes, bytes | None]]) -> None:
        for table, key, value in rows:
            if value is None:
                self.tables[table].pop(key, None)
            else:
                self.tables[table][key] = value


class Topics:
    """Lists of records; the end of a transaction takes an offset of every partition that it wrote to."""

    def __init__(self) -> None:
        self._logs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self._nexts: dict[tuple[str, int], int] = defaultdict(int)
        self._open: set[tuple[str, int]] = set()

    def put(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        name = (topic, partition)
        self._logs[name].append(Record(self._nexts[name], _STAMP, key, value))
        self._nexts[name] += 1
        self._open.add(name)

    def commit(self) -> None:
        for name in self._open:
            self._nexts[name] += 1
        self._open.clear()

    def read(self, topic: str, partition: int, begin: int, end: int | None = None) -> list[Record]:
        log = self._logs[(topic, partition)]
        return [record for record in log if record.offset >= begin and (end is None or record.offset < end)]

    def all(self, topic: str) -> Iterator[Record]:
        for name, partition in sorted(self._logs):
            if name == topic:
                yield from self._logs[(name, partition)]


class Correlate:
    """One partition, with what is kept of it. `random` draws how much is kept when."""

    def __init__(self, run: Run, number: int) -> None:
        self.number: int = number
        self._run: Run = run
        self.rows: dict[bytes, bytes] = {}
        self._tail: int = run.random.choice((1, 3, 1000))
        self._open()

    def _open(self) -> None:
        run = self._run
        self.partition: Partition = Partition(run.thresholds, "t", by_event=True, tail=self._tail)
        position = self.partition.recover(list(self.rows.items()))
        self.partition.take(run.topics.read(EVENTS, self.number, position.tail + 1, position.applied + 1))
        self.partition.applied = position.applied
        self.partition.end_recovery()
        self.next: int = position.applied + 1

    def crash(self) -> None:
        """Let go of what was not written, and stand again."""
        self._open()

    @property
    def has_more(self) -> bool:
        return bool(self._run.topics.read(EVENTS, self.number, self.next))

    def take(self, count: int) -> None:
        records = self._run.topics.read(EVENTS, self.number, self.next)[:count]
        try:
            self.partition.take(records)
        except Poison as wrong:
            raw = next(record.value or b"" for record in records if record.offset == wrong.offset)
            self._open()
            self.partition.set_apart(wrong.offset, raw)
            return
        self.next = records[-1].offset + 1 if records else self.next

    def commit(self) -> None:
        """Write what was concluded, and where this stands."""
        run, partition = self._run, self.partition
        run.hear(partition.take_transitions())
        for handed in partition.handed:
            run.topics.put(EVENTS, handed.partition, handed.key, handed.value)
        for buried in partition.buried:
            run.topics.put(DEAD_LETTERS, 0, None, buried.raw)
        counted = [(counts, astuple(event)) for counts, event in partition.counted]
        told = Slice(FORMAT, self.number, max(partition.engine.clock, 0), self.next, counted)
        run.topics.put(COUNTED, 0, None, write_slice(told))
        for key, value in partition.checkpoint(idle=run.random.random() < 0.3):
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        run.topics.commit()
        partition.handed.clear()
        partition.buried.clear()
        partition.counted.clear()

    def circles(self) -> dict[bytes, tuple[object, ...]]:
        """All that is known here, for comparing."""
        names = self.partition._names
        return {key: told_of(write_circle(self.partition.engine, held)) for key, held in names.items()}


def told_of(circle: Circle) -> tuple[object, ...]:
    """A circle's content, whatever the order in which it was heard of."""
    persons = sorted((sorted(p.identifiers), sorted(map(repr, p.log))) for p in circle.persons)
    return (sorted(circle.names), persons, sorted(circle.near), sorted(circle.parted))


class Run:
    """A cluster of its own. Without `crashes` nothing ever fails."""

    def __init__(
        self, thresholds: ThresholdSet, partitions: int, random: Random, *, crashes: Random | None = None
    ) -> None:
        self.thresholds: ThresholdSet = thresholds
        self.random: Random = random
        self.topics: Topics = Topics()
        self.said: list[tuple[int, Alert]] = []
        self._crashes: Random | None = crashes
        self._partitions: int = partitions
        self.persons: dict[bytes, bytes] = {}
        self._measures: dict[bytes, bytes] = {}
        self._open_identify()
        self.correlate: list[Correlate] = [Correlate(self, number) for number in range(partitions)]
        self._open_measure()

    # -- what is told

    def tell(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.topics.put(INBOUND, 0, None, write_message(message, message.digest))

    def close(self, until: int) -> None:
        self.topics.put(INBOUND, 0, None, write_tick(until))

    def hear(self, changes: Iterable[Transition]) -> None:
        self.said += [(change.at, msgspec.structs.replace(change.alert)) for change in changes]

    @property
    def alerts(self) -> dict[str, Alert]:
        """All that were said, as they were said last."""
        return {alert.id: alert for _, alert in self.said}

    def letters(self) -> list[bytes]:
        return [record.value or b"" for record in self.topics.all(DEAD_LETTERS)]

    # -- what moves

    def work(self) -> None:
        """Move whatever can be moved, by chance, until nothing is left."""
        while movable := self._movable():
            self.random.choice(movable)()
        for one in self.correlate:
            assert not one.partition.awaited

    def _movable(self) -> list[Callable[[], None]]:
        found: list[Callable[[], None]] = []
        if self.topics.read(INBOUND, 0, self.identify.standing.next):
            found.append(self._identify)
        found += [lambda one=one: self._correlate(one) for one in self.correlate if one.has_more]
        if self.topics.read(COUNTED, 0, self.measure.next):
            found.append(self._measure)
        return found

    def _fails(self) -> bool:
        return self._crashes is not None and self._crashes.random() < 0.25

    def _slice(self, topic: str, begin: int) -> list[Record]:
        return self.topics.read(topic, 0, begin)[: self.random.randrange(1, _MOST)]

    def _identify(self) -> None:
        records = self._slice(INBOUND, self.identify.standing.next)
        out = self.identify.take(records, records[-1].offset + 1)
        if self._fails():
            self._open_identify()
            return
        for topic, partition, key, value in out:
            if topic == PERSONS:
                assert key is not None
                self._keep(self.persons, key, value)
            else:
                self.topics.put(topic, partition or 0, key, value)
        self.topics.commit()
        if self._fails():  # what was written is not on the shelf
            self._open_identify()
            return
        self.shelf.put(change for _, change in self.identify.changes())
        self.identify.index.note_written()

    def _open_identify(self) -> None:
        """The shelf anew from px.persons."""
        self.shelf = Shelf()
        rows = (read_row(key, value) for key, value in self.persons.items())
        self.shelf.put(row[1] for row in rows if row is not None)
        self.identify = Identify(Index(self.shelf), IdentityRules(), self._partitions, by_event=True, listens=True)
        self.identify.stand(read_standing(self.persons.get(POSITION)))

    def _correlate(self, one: Correlate) -> None:
        for _ in range(self.random.randrange(1, 3)):
            one.take(self.random.randrange(1, _MOST))
        if self._fails():
            one.crash()
            return
        one.commit()
        if self._fails():
            one.crash()

    def _measure(self) -> None:
        records = self._slice(COUNTED, self.measure.next)
        for record in records:
            if record.offset >= self.measure.position.next:
                self.measure._take(record)
        self.measure.position.next = records[-1].offset + 1
        out = self.measure.collect(idle=self.random.random() < 0.3)
        if self._fails():
            self._open_measure()
            return
        self._write(out)
        if self._fails():
            self._open_measure()

    def _write(self, out: Iterable[Out]) -> None:
        for topic, _, key, value in out:
            if topic == MEASURES:
                assert key is not None
                self._keep(self._measures, key, value)
            elif topic == ALERTS:
                at, alert = msgspec.msgpack.decode(value or b"", type=tuple[int, Alert])
                self.said.append((at, alert))
            else:
                self.topics.put(topic, 0, key, value)
        self.topics.commit()

    def _open_measure(self) -> None:
        self.measure = Measuring(
            {},
            self.thresholds,
            "t",
            self._partitions,
            lambda change: msgspec.msgpack.encode((change.at, change.alert)),
            by_event=True,
        )
        self.measure.stand(self._measures)

    @staticmethod
    def _keep(rows: dict[bytes, bytes], key: bytes, value: bytes | None) -> None:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value


def messages_of(groups: Iterable[Sequence[Event]]) -> list[Message]:
    """A message for each group of events, under its first event's source and id, with events of its own."""
    found: list[Message] = []
    for group in groups:
        raw = write_events(group)
        digest = blake2b(raw, digest_size=16).digest()
        found.append(Message("cloudevents", raw, group[0].source, group[0].id, digest, read_events(raw)))
    return found
