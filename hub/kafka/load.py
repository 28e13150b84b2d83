"""`pxhub load`: what `replay` reads, in the same order, onto px.inbound."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from hub.declared import read_declared
from hub.inputs import find_inputs
from hub.kafka.cluster import WORKED, look_at
from hub.kafka.inbound import comments_apart, record_of
from hub.kafka.settings import KafkaSettings
from hub.replay import ReplayOptions
from hub.serve.service import ServeSettings, live_reader, machine_time
from hub.store_replay import read_messages
from schemas.errors import TryAgain
from schemas.event import HOUR
from schemas.instant import write_instant
from schemas.message import Outcome
from streams.core.compiled import compile_thresholds
from streams.distributed.inbound import LATEST, write_tick
from streams.distributed.names import COMMENTS, INBOUND

_AGAIN: Final = "load them again: none counts twice"
_LARGEST: Final = 20 << 20
_FLUSH: Final = 120.0  # seconds


class Loader:
    """Writes to px.inbound and px.comments, in order. All of it is on the in-sync replicas when `end` returns."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._failed: KafkaError | None = None
        self._producer: Producer = Producer(
            {
                **kafka.for_confluent(),
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.max.bytes": _LARGEST,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": 512 << 10,
                "delivery.timeout.ms": 60_000,
                "on_delivery": self._note,
                "log_level": 2,
            }
        )

    def _note(self, error: KafkaError | None, _: Message) -> None:
        self._failed = error or self._failed

    def put(self, value: bytes, topic: str = INBOUND, key: str | None = None) -> None:
        """Raises TryAgain where the brokers do not take it."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition=0)
                self._producer.poll(0)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as wrong:
                raise TryAgain("Kafka does not take the messages") from wrong
            else:
                break
        self._check()

    def end(self) -> None:
        """Wait until all is there. Raises TryAgain."""
        left = self._producer.flush(_FLUSH)
        self._check()
        if left:
            raise TryAgain(f"Kafka did not take {left} messages within {_FLUSH:.0f} s; {_AGAIN}")

    def _check(self) -> None:
        if self._failed is not None:
            raise TryAgain(f"Kafka does not take the messages ({self._failed.name()}); {_AGAIN}")


def load(kafka: KafkaSettings, options: ReplayOptions) -> dict[str, Any]:
    """Publish the messages of files, and close with a tick at `until`, or at the largest time of an event that counts
    (a conflict's does not); returns what was published. Raises TryAgain where Kafka does not answer, and WrongUse."""
    look_at(kafka, (*WORKED, COMMENTS))
    declared = read_declared(options.site, options.thresholds, options.mapping, options.timezone)
    named = options.timezone or declared.site.timezone
    settings = ServeSettings(store=Path(), timezone=named or "UTC", clock="event", takes_tests=True)
    reader = live_reader(settings, declared, compile_thresholds(declared.thresholds))
    inputs = find_inputs(options.paths)
    asked = replace(settings, timezone=options.timezone)
    cloud, messages = read_messages(inputs, asked, declared, reader, options, machine_time() + HOUR)
    loader, counts, last = Loader(kafka), Counter[str](), options.until or 0
    for read in messages:
        message, said = comments_apart(read)
        for text, id_ in said:
            loader.put(text, COMMENTS, id_)
        value, verdict = record_of(message)
        if options.until is None and message.events and verdict.outcome is Outcome.ACCEPTED:
            last = max(last, *(event.time for event in message.events))
        counts["messages"] += 1
        counts["events"] += len(message.events)
        loader.put(value)
    loader.put(write_tick(LATEST if options.until is None else options.until))
    loader.end()
    return {
        "messages": counts["messages"],
        "events": counts["events"],
        "clock": write_instant(last) if last else None,
        "assumed_utc": cloud.assumed_utc,
    }
