"""A Kafka and a Redis that are the benchmark's own: topics made as `pxhub topics apply` makes them, filled, emptied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Any, Final

import redis
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from redis.exceptions import RedisError

from hub.bench.three_waits import Placed
from hub.kafka.admin import compare, copies, open_admin
from hub.kafka.settings import KafkaSettings
from schemas.errors import TryAgain, WrongUse
from streams.distributed.names import EVENTS
from streams.distributed.reading import ends_of, read_topic
from streams.distributed.topics import PARTITIONS, topics

_SECONDS: Final = 30.0
_FLUSH: Final = 300.0


@dataclass(frozen=True, slots=True)
class Own:
    """The services, which nobody else uses meanwhile."""

    kafka: KafkaSettings
    redis: str

    def client(self) -> dict[str, str]:
        return self.kafka.for_confluent()

    def make(self) -> None:
        """Make the topics that are missing. Raises TryAgain and WrongUse."""
        declared = topics(PARTITIONS)
        with open_admin(self.kafka) as admin:
            replication = copies(admin.brokers(), None)
            found = compare(admin.look(declared, None), declared, replication)
            admin.apply(found, declared, replication)

    def delete(self, *names: str) -> None:
        """Delete topics, all of the hub's where none is named, and wait until they are gone. Raises TryAgain."""
        wanted = set(names or (topic.name for topic in topics(PARTITIONS)))
        client, until = AdminClient({**self.client(), "log_level": 2}), monotonic() + _SECONDS
        while there := sorted(wanted & set(client.list_topics(timeout=_SECONDS).topics)):
            if monotonic() > until:
                raise TryAgain(f"{', '.join(there)}: deleted, and still there after {_SECONDS:.0f} s")
            for future in client.delete_topics(there).values():
                with suppress(KafkaException):  # a broker learns a little later what its controller knows
                    future.result()
            Event().wait(0.1)

    def renew(self, *names: str) -> None:
        """Empty topics: all of the hub's, and its index, where none is named."""
        self.delete(*names)
        self.make()
        if not names:
            self.clear()

    def clear(self) -> None:
        """Delete what a hub keeps in Redis. Raises TryAgain."""
        with _redis(self.redis) as client:
            for key in client.scan_iter(match="px:*", count=1000):
                client.unlink(key)

    def write(self, topic: str, records: Iterable[Placed]) -> int:
        """Write records in their order; how many there were when all are on the brokers. Raises TryAgain."""
        producer, count = Producer({**self.client(), **_WRITING}), 0
        for partition, key, value in records:
            while True:
                try:
                    producer.produce(topic, value, key, partition)
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
            count += 1
        if producer.flush(_FLUSH):
            raise TryAgain(f"Kafka did not take all of {topic} within {_FLUSH:.0f} s")
        return count

    def last_stamp(self, topic: str, partitions: int) -> int:
        """When the last committed record of a topic was written, in milliseconds since 1970; 0 for none."""
        found = (read_topic(self.client(), topic, p) for p in range(partitions))
        return max((record.timestamp for records in found for record in records), default=0)


_WRITING: Final[dict[str, Any]] = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 20,
    "batch.size": 1 << 20,
    "queue.buffering.max.messages": 500_000,
    "queue.buffering.max.kbytes": 512 << 10,
    "log_level": 2,
}


@contextmanager
def _redis(url: str) -> Iterator[Any]:
    try:
        with redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as client:
            yield client
    except RedisError as wrong:
        raise TryAgain(f"Redis does not answer ({type(wrong).__name__})") from wrong


@contextmanager
def own_services(kafka: KafkaSettings, url: str) -> Iterator[Own]:
    """The services with empty topics, which are deleted at the end. Raises WrongUse where they hold anything."""
    own = Own(kafka, url)
    _refuse_what_is_used(own)
    try:
        own.make()
        yield own
    finally:
        own.delete()
        _forget_groups(own)
        own.clear()


def _refuse_what_is_used(own: Own) -> None:
    try:
        told = AdminClient({**own.client(), "log_level": 2}).list_topics(timeout=_SECONDS).topics
    except KafkaException as wrong:
        raise TryAgain(f"no broker answers at {own.kafka.servers}; see that Kafka runs there") from wrong
    for name, topic in sorted(told.items()):
        if name.startswith("px.") and any(ends_of(own.client(), name, len(topic.partitions))):
            raise WrongUse(f"{name} holds something: give the benchmark a broker of its own, it deletes the topics")
    with _redis(own.redis) as client:
        if next(client.scan_iter(match="px:*", count=1000), None) is not None:
            raise WrongUse("this Redis holds what a hub keeps: give the benchmark one of its own, it empties it")


def _forget_groups(own: Own) -> None:
    client = AdminClient({**own.client(), "log_level": 2})
    groups = [f"px-{stage}" for stage in ("identify", "correlate", "measure")]
    for future in client.delete_consumer_groups(groups).values():
        with suppress(KafkaException):  # it was not there, or ends with its session
            future.result()


def ends_of_events(own: Own) -> list[int]:
    return ends_of(own.client(), EVENTS, PARTITIONS)
