"""Writing to Kafka: what belongs together in one transaction, under an id that fences who wrote before.

An idempotent producer alone does not fence: a worker that lost its partition could write after its successor. The
transactional id is of the stage and the partition; whoever opens it last is the only one who can commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.errors import PxError, TryAgain
from streams.distributed.refusals import PASSING, Fenced, Kind, Spent, kind_of, told

_OPEN: Final = 30.0  # seconds in which a transactional id must be had
_COMMIT: Final = 60.0
_MOST: Final = 2_000_000  # messages that librdkafka may hold
_LARGEST: Final = 32 << 20  # a dead letter of the largest message, in base64; each topic has its own bound
_PATIENCE: Final = 30.0  # seconds in which a topic that is not there may come: brokers learn of it one by one


class Out(NamedTuple):
    """A record to write; without a partition the key says which."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None


class Transactions:
    """One transactional id. Every call blocks; call them in a thread, one at a time. `patience` is how many seconds a
    topic may not be there."""

    def __init__(self, client: Mapping[str, Any], id_: str, patience: float = _PATIENCE) -> None:
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
        self._asks: bool = False  # a record was not taken, and only its own report says why
        self._why: tuple[KafkaError, str] | None = None  # its error, and the topic
        self._patience: float = patience
        self._missing: float | None = None  # since when a topic is not there
        self.is_open: bool = False  # nobody took the id since

    def open(self) -> None:
        """Take the id: whoever had it before is fenced, and what it had begun is undone. Raises TryAgain where no
        broker answers, Refused where somebody must mend something."""
        try:
            self._producer.init_transactions(_OPEN)
        except KafkaException as wrong:
            found = told(_error_of(wrong), self.id)
            if isinstance(found, Spent):  # the next one is another producer
                raise TryAgain(str(found)) from wrong
            raise found from wrong
        self.is_open = True

    def write(self, records: Iterable[Out]) -> int:
        """Write records in one transaction; they are durable when this returns, with the offset of the last one. Raises
        Fenced; Spent where this producer can write no more; Refused where somebody must mend something; and TryAgain
        where the brokers do not take them now: nothing was written, they may be given again."""
        *most, last = records
        if self._aborts:
            self._abort()
        self._why = None
        topic = self.id
        try:
            self._producer.begin_transaction()
            for record in most:
                topic = record.topic
                self._produce(record, on_delivery=partial(self._hear, topic) if self._asks else None)
            topic = last.topic
            self._produce(last, on_delivery=partial(self._note, topic))
            topic = self.id
            self._commit()
        except KafkaException as wrong:
            error = _error_of(wrong)
            is_begun = topic != self.id and not (error is not None and error.fatal())  # the client took a record not
            if is_begun or (error is not None and error.txn_requires_abort()):
                self._aborts = True
                self._abort()
            raise self._judged(error, topic) from wrong
        self._asks, self._missing = False, None
        return self._last

    def _judged(self, error: KafkaError | None, topic: str) -> PxError:
        """What an error means; of a record that was not taken its own report says it, which is asked for next time."""
        if self._why is not None:
            error, topic = self._why
        elif error is not None and error.txn_requires_abort() and not self._asks:
            self._asks = True
            return TryAgain(f"Kafka does not take it now ({error.name()})")
        found = told(error, topic)
        if kind_of(error) is not Kind.MISSING:
            self._missing = None
        elif self._missing is None or time.monotonic() - self._missing < self._patience:
            self._missing = self._missing or time.monotonic()
            found = TryAgain(str(found))
        self.is_open = not isinstance(found, Fenced | Spent)
        return found

    def _abort(self) -> None:
        """Undo what was begun; where no broker answers, before the next."""
        try:
            self._producer.abort_transaction(_COMMIT)
        except KafkaException as wrong:
            raise told(_error_of(wrong), self.id) from wrong
        self._aborts = False

    def _commit(self) -> None:
        while True:
            try:
                self._producer.commit_transaction(_COMMIT)
            except KafkaException as wrong:
                error = _error_of(wrong)
                if error is None or not error.retriable():
                    raise
            else:
                return

    def _note(self, topic: str, error: KafkaError | None, message: Message) -> None:
        self._last = message.offset() or 0
        self._hear(topic, error, message)

    def _hear(self, topic: str, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._why is None and error.code() not in PASSING:
            self._why = (error, topic)

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


def _error_of(wrong: KafkaException) -> KafkaError | None:
    error = wrong.args[0]
    return error if isinstance(error, KafkaError) else None
