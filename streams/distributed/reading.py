"""Reading a topic that was written, up to where it stands now: what a stage keeps, and what it is told of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.errors import PxError, TryAgain
from streams.distributed.refusals import Kind, Refused, kind_of, told

_AT_ONCE: Final = 10_000
_PAUSE: Final = 0.05
_PATIENCE: Final = 30.0  # seconds without an answer


class Found:
    """A record, as `Partition.take` wants it."""

    __slots__ = ("key", "offset", "partition", "timestamp", "value")

    def __init__(self, message: Message) -> None:
        self.offset: int = message.offset() or 0
        self.partition: int = message.partition() or 0
        self.timestamp: int = message.timestamp()[1]
        self.key: bytes | None = bytes_of(message.key())
        self.value: bytes | None = bytes_of(message.value())


def bytes_of(what: str | bytes | None) -> bytes | None:
    """A key or value as bytes: confluent-kafka says that either may be given."""
    return what.encode() if isinstance(what, str) else what


def read_topic(
    client: Mapping[str, Any], topic: str, partition: int, *, begin: int = 0, end: int | None = None
) -> Iterator[Found]:
    """The committed records of a partition from an offset on, up to where it stands now, or up to, not including,
    `end`. Raises TryAgain where no broker answers, Refused where the topic may not be read or is not there."""
    consumer = Consumer(
        {
            **client,
            "group.id": "px-reader",  # nothing is committed under it
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 20,
            "fetch.wait.max.ms": 10,  # at the end there is nothing to wait for
            "log_level": 2,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, partition, max(begin, 0))])
        waited = 0.0
        missing: PxError | None = None
        while True:
            messages = consumer.consume(_AT_ONCE, _PAUSE)  # it waits as long where there are less
            waited = 0.0 if messages and missing is None else waited + _PAUSE
            if waited >= _PATIENCE:
                raise missing or TryAgain(f"Kafka gives nothing of {topic} now")
            for message in messages:
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - so named
                        return
                    found = told(error, topic)
                    if kind_of(error) is Kind.MISSING:
                        missing = found  # a broker that begins learns of its topics one by one
                        continue
                    raise found if isinstance(found, Refused) else TryAgain(_nothing(topic, error.name()))
                missing = None
                if end is not None and (message.offset() or 0) >= end:
                    return
                yield Found(message)
    except KafkaException as wrong:
        raise TryAgain(f"Kafka gives nothing of {topic} now") from wrong
    finally:
        consumer.close()


def _nothing(topic: str, name: str) -> str:
    return f"Kafka gives nothing of {topic} now ({name})"


def last_by_key(found: Iterator[Found]) -> dict[bytes, bytes]:
    """What a compacted topic holds: the last value of each key."""
    rows: dict[bytes, bytes] = {}
    for record in found:
        if record.key is None:
            continue
        if record.value is None:
            rows.pop(record.key, None)
        else:
            rows[record.key] = record.value
    return rows


def ends_of(client: Mapping[str, Any], topic: str, partitions: int) -> list[int]:
    """Up to where each partition reaches now, what is not committed yet among it. Raises TryAgain."""
    return [end for _, end in _watermarks(client, topic, partitions)]


def begins_of(client: Mapping[str, Any], topic: str, partitions: int) -> list[int]:
    """Where each partition begins now: what lay before is purged. Raises TryAgain."""
    return [begin for begin, _ in _watermarks(client, topic, partitions)]


def _watermarks(client: Mapping[str, Any], topic: str, partitions: int) -> list[tuple[int, int]]:
    consumer = Consumer({**client, "group.id": "px-reader", "log_level": 2})
    try:
        return [consumer.get_watermark_offsets(TopicPartition(topic, p), 30.0) for p in range(partitions)]
    except KafkaException as wrong:
        raise TryAgain(f"Kafka says nothing of {topic} now") from wrong
    finally:
        consumer.close()
