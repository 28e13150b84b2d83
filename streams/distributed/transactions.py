"""Writing to Kafka: what belongs together in one transaction, under an id that fences who wrote before.

An idempotent producer alone does not fence: a worker that lost its partition could write after its successor. The
transactional id is of the stage and the partition; whoever opens it last is the only one who can commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import PxError, TryAgain

_OPEN: Final = 30.0  # seconds in which a transactional id must be had
_COMMIT: Final = 60.0
_MOST: Final = 2_000_000  # messages that librdkafka may hold
_LARGEST: Final = 20 << 20


class Fenced(PxError):
    """Somebody else writes under this transactional id: this partition is no longer ours."""


class Out(NamedTuple):
    """A record to write; without a partition the key says which."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None


class Transactions:
    """One transactional id. Every call blocks; call them in a thread, one at a time."""

    def __init__(self, client: Mapping[str, Any], id_: str) -> None:
        self._producer: Producer = Producer(
            {
                **client,
                "transactional.id": id_,
                "transaction.timeout.ms": 60_000,
                "linger.ms": 5,
                "batch.size": 1 << 20,
                "message.max.bytes": _LARGEST,
                "queue.buffering.max.messages": _MOST,
                "queue.buffering.max.kbytes": 1 << 20,
                "partitioner": "murmur2_random",
                "log_level": 2,
            }
        )
        self.id: str = id_
        self._last: int = 0
        self._aborts: bool = False  # what was begun is to be undone first
        self.is_open: bool = False  # nobody took the id since

    def open(self) -> None:
        """Take the id: whoever had it before is fenced, and what it had begun is undone. Raises TryAgain where no
        broker answers."""
        try:
            self._producer.init_transactions(_OPEN)
        except KafkaException as wrong:
            raise _told(wrong) from wrong
        self.is_open = True

    def write(self, records: Iterable[Out]) -> int:
        """Write records in one transaction; they are durable when this returns, with the offset of the last one. Raises
        Fenced, and TryAgain where the brokers do not take them now: nothing was written, they may be given again."""
        *most, last = records
        if self._aborts:
            self._abort()
        try:
            self._producer.begin_transaction()
            for record in most:
                self._produce(record)
            self._produce(last, on_delivery=self._note)
            self._commit()
        except KafkaException as wrong:
            error = wrong.args[0]
            told = _told(wrong)
            self.is_open = not isinstance(told, Fenced)
            if isinstance(error, KafkaError) and error.txn_requires_abort():
                self._aborts = True
                self._abort()
            raise told from wrong
        return self._last

    def _abort(self) -> None:
        """Undo what was begun; where no broker answers, before the next."""
        try:
            self._producer.abort_transaction(_COMMIT)
        except KafkaException as wrong:
            raise _told(wrong) from wrong
        self._aborts = False

    def _commit(self) -> None:
        while True:
            try:
                self._producer.commit_transaction(_COMMIT)
            except KafkaException as wrong:
                error = wrong.args[0]
                if not (isinstance(error, KafkaError) and error.retriable()):
                    raise
            else:
                return

    def _note(self, _: KafkaError | None, message: Message) -> None:
        self._last = message.offset() or 0

    def _produce(self, record: Out, on_delivery: Callable[[KafkaError | None, Message], None] | None = None) -> None:
        topic, partition, key, value = record
        while True:
            try:
                self._producer.produce(topic, value, key, -1 if partition is None else partition, on_delivery)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def close(self) -> None:
        """Let go of what was not committed."""
        self.is_open = False
        self._producer.purge()


def _told(wrong: KafkaException) -> PxError:
    error = wrong.args[0]
    code = error.code() if isinstance(error, KafkaError) else None
    if code in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH):  # noqa: SLF001 - so named
        return Fenced("another worker has this partition by now")
    if isinstance(error, KafkaError) and error.fatal():
        return Fenced(f"this producer can write no more ({error.name()}): the partition is to be taken anew")
    return TryAgain(f"Kafka does not take it now ({error.name() if isinstance(error, KafkaError) else 'unknown'})")
