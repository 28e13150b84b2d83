"""Fetching partitions by librdkafka, whose threads fetch, unpack and check without Python's lock.

aiokafka, which keeps the membership, would wait for that lock while a slice is worked. Which partitions are fetched,
and from where, is said by who holds them.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from faust.types import TP

from schemas.errors import TryAgain
from streams.distributed.reading import bytes_of

FETCHED: Final = 20_000  # records that are handed over together at most
_FETCH_BYTES: Final = 2 << 20  # of a partition
_QUEUED_KILOBYTES: Final = 8 << 10  # that wait in librdkafka, of all partitions
_FETCH_WAIT: Final = 100  # milliseconds that the broker may wait for something to come


class Fetched(NamedTuple):
    """A record as it was fetched; the stamp in milliseconds since 1970."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Fetching:
    """The fetched partitions of one worker. `client` is librdkafka's configuration. Any thread may call.

    `ends` says, of a partition that was read to its end, where that was; marks of transactions, which nobody is handed,
    lie before it.
    """

    def __init__(self, client: Mapping[str, Any]) -> None:
        self._consumer: Consumer = Consumer(
            {
                **client,
                "group.id": "px-fetching",  # nothing is committed under it
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "max.partition.fetch.bytes": _FETCH_BYTES,
                "queued.max.messages.kbytes": _QUEUED_KILOBYTES,
                "fetch.wait.max.ms": _FETCH_WAIT,
                "fetch.queue.backoff.ms": 5,
                "fetch.error.backoff.ms": 100,
                "log_level": 2,
            }
        )
        self._held: set[TP] = set()
        self._fetches: threading.Lock = threading.Lock()
        self._changes: threading.Lock = threading.Lock()  # is never held for long
        self._closed: bool = False
        self.ends: dict[TP, int] = {}

    def seek(self, tp: TP, offset: int) -> None:
        """Fetch a partition from an offset on."""
        place = TopicPartition(tp.topic, tp.partition, offset)
        with self._changes:
            if self._closed:
                return
            if tp in self._held:
                self._consumer.incremental_unassign([place])
            self._held.add(tp)
            self.ends.pop(tp, None)
            self._consumer.incremental_assign([place])

    def keep(self, tps: Collection[TP]) -> None:
        """Fetch no others any more."""
        with self._changes:
            gone = [] if self._closed else [tp for tp in self._held if tp not in tps]
            if gone:
                self._consumer.incremental_unassign([TopicPartition(tp.topic, tp.partition) for tp in gone])
            self._held.difference_update(gone)
            for tp in gone:
                self.ends.pop(tp, None)

    def fetch(self, seconds: float) -> dict[TP, list[Fetched]]:
        """What came, as soon as something is there, each partition in its order. Blocks for so many seconds at most.
        Raises TryAgain for what librdkafka does not mend itself."""
        with self._fetches:
            if self._closed:
                return {}
            first = self._consumer.poll(seconds)
            messages = [] if first is None else [first, *self._consumer.consume(FETCHED - 1, 0)]
        found: dict[TP, list[Fetched]] = {}
        by_place: dict[tuple[str | None, int | None], list[Fetched]] = {}
        for message in messages:
            error = message.error()
            if error is not None:
                self._note_error(error, TP(message.topic() or "", message.partition() or 0), message.offset() or 0)
                continue
            place = (message.topic(), message.partition())
            records = by_place.get(place)
            if records is None:
                tp = TP(place[0] or "", place[1] or 0)
                records = by_place[place] = found[tp] = []
                self.ends.pop(tp, None)
            key, value = message.key(), message.value()
            records.append(Fetched(message.offset() or 0, message.timestamp()[1], bytes_of(key), bytes_of(value)))
        return found

    def _note_error(self, error: KafkaError, tp: TP, offset: int) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - so named
            self.ends[tp] = offset
        elif not (error.retriable() or error.code() in _PASSING):
            raise TryAgain(f"Kafka gives nothing of {tp.topic} now ({error.name()})")

    def highwater(self, tp: TP) -> int:
        """Up to where a partition reaches, as far as is known; 0 where it is not."""
        if self._closed:
            return 0
        try:
            told = self._consumer.get_watermark_offsets(TopicPartition(tp.topic, tp.partition), cached=True)
        except (KafkaException, RuntimeError):  # the second: it was closed meanwhile
            return 0
        return max(told[1], 0) if told else 0

    def close(self) -> None:
        """Fetch nothing any more; who waits in `fetch` returns first."""
        with self._changes:
            self._closed = True
        with self._fetches:
            self._consumer.close()


_PASSING: Final = frozenset(
    (
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - so named
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
    )
)
"""What passes when a broker is there again."""
