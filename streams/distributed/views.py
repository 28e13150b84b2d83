"""Follows px.alerts and keeps the read views in Redis: exact after a crash, and made anew where Redis lost them.

Theory. What is in Redis says itself how far px.alerts is in it, in the transaction that put it there. So who starts
reads on from there, whoever wrote before; and where the mark is gone, of another log, or beyond what px.alerts holds,
all is read anew. Two who follow at once disturb each other and nobody else: whose mark was moved looks where it stands.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.errors import TryAgain
from streams.distributed.names import ALERTS
from streams.distributed.reading import bytes_of, ends_of
from streams.distributed.stage import Tell
from streams.distributed.view_shelf import Change, ViewShelf, read_change

_AT_ONCE: Final = 5_000
_PAUSE: Final = 0.2  # seconds until it is looked whether to stop
_CHECK: Final = 1.0  # seconds between two looks whether Redis is what it was
_AGAIN: Final = 0.5  # seconds until what did not answer is asked again
_PATIENCE: Final = 30.0  # seconds without a record or an end, while all is made anew


class Views:
    """The follower. `client` is librdkafka's configuration; `log` names the cluster, so that views of another one are
    not taken for its own; `partitions` is how many px.alerts has."""

    def __init__(self, client: Mapping[str, Any], shelf: ViewShelf, log: str, partitions: int, tell: Tell) -> None:
        self._client: Mapping[str, Any] = client
        self._shelf: ViewShelf = shelf
        self._log: str = log
        self._partitions: int = partitions
        self._tell: Tell = tell
        self._offsets: list[int] = []
        self._at_end: set[int] = set()
        self._checked: float = 0.0
        self._is_away: bool = False
        self.foreign: int = 0
        """Records that are none of ours, and were passed by."""

    def run(self, stop: threading.Event) -> None:
        """Follow until `stop`. Where Kafka or Redis does not answer, it says so and tries again."""
        while not stop.is_set():
            try:
                self._follow(stop)
            except TryAgain as wrong:
                if not self._is_away:
                    self._is_away = True
                    self._tell("views.pause", reason=str(wrong))
                stop.wait(_AGAIN)

    def rebuild(self) -> int:
        """Make the views anew, out of all that px.alerts holds now; how many alerts are in. Raises TryAgain."""
        self._shelf.clear(self._log, self._partitions)
        self._follow(threading.Event(), only_until_whole=True)
        return self._shelf.count()

    def _follow(self, stop: threading.Event, *, only_until_whole: bool = False) -> None:
        self._stand()
        consumer = self._consumer()
        heard = monotonic()
        try:
            consumer.assign([TopicPartition(ALERTS, p, offset) for p, offset in enumerate(self._offsets)])
            while not stop.is_set():
                messages = _consume(consumer)
                heard = monotonic() if messages else heard
                self._take(messages)
                if not self._shelf.is_whole and len(self._at_end) == self._partitions:
                    self._shelf.note_whole()
                    self._tell("views.whole", alerts=self._shelf.count())
                if only_until_whole and self._shelf.is_whole:
                    return
                if only_until_whole and monotonic() - heard > _PATIENCE:
                    raise TryAgain(f"Kafka gives nothing of {ALERTS} now")
        except KafkaException as wrong:
            raise TryAgain(f"Kafka gives nothing of {ALERTS} now") from wrong
        finally:
            with suppress(KafkaException, RuntimeError):
                consumer.close()

    def _stand(self) -> None:
        """See where the views stand; where they are none of this log, begin anew. Raises TryAgain."""
        found = self._shelf.stand()
        ends = ends_of(self._client, ALERTS, self._partitions)
        if found is not None and found[0] == self._log and len(found[1]) == self._partitions:
            self._offsets = found[1]
            if all(offset <= end for offset, end in zip(self._offsets, ends, strict=True)):
                return
        self._tell("views.rebuilt", offset=sum(ends))
        self._shelf.clear(self._log, self._partitions)
        self._offsets = [0] * self._partitions

    def _consumer(self) -> Consumer:
        self._at_end = set()
        return Consumer(
            {
                **self._client,
                "group.id": "px-views",  # nothing is committed under it
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.queue.backoff.ms": 20,
                "fetch.wait.max.ms": 50,
                "log_level": 2,
            }
        )

    def _take(self, messages: list[Message]) -> None:
        """Put in what came; where nothing did, look whether Redis is what it was. Raises TryAgain."""
        changes: list[Change] = []
        offsets = list(self._offsets)
        for message in messages:
            error, partition = message.error(), message.partition() or 0
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - so named
                    raise TryAgain(f"Kafka gives nothing of {ALERTS} now ({error.name()})")
                self._at_end.add(partition)
                continue
            offsets[partition] = (message.offset() or 0) + 1
            change = read_change(bytes_of(message.key()), bytes_of(message.value()))
            if change is not None:
                changes.append(change)
            else:
                self.foreign += 1
        if offsets != self._offsets:
            self._shelf.put(changes, self._log, offsets)
            self._offsets = offsets
        elif monotonic() - self._checked >= _CHECK:
            self._shelf.check()
        else:
            return
        self._checked = monotonic()
        if self._is_away:
            self._is_away = False
            self._tell("views.go_on")


def _consume(consumer: Consumer) -> list[Message]:
    """What there is; it waits a little where there is nothing."""
    first = consumer.poll(_PAUSE)
    return [] if first is None else [first, *consumer.consume(_AT_ONCE, 0)]
