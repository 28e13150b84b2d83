"""Messages onto px.inbound: read, written by an idempotent producer, and told of when the in-sync replicas have them.

Theory. Two threads. One reads what the doors hand over and gives it to the producer; the other waits for delivery
reports, and whoever handed over is told when the last of its records was reported. Nothing is acknowledged on any other
ground. A record that the brokers do not take within `_DELIVERY` is refused; whether it is there all the same is not
known then, so its sender sends it again, and identify finds the repetition.

While nothing else is written a look at the clock is, each second: timers behind identify go by it, a gap of a minute
would be taken for a hub that was down, and its delivery report says whether px.inbound takes what comes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Record

from hub.contents import content
from hub.kafka.comments import write_comment
from hub.serve.reading import LiveReader
from hub.serve.threads import live
from hub.serve.writer import Asked
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason, StoreFailed
from schemas.message import Message, Outcome, Verdict
from streams.distributed.inbound import Told, told_of, write_tick, write_told
from streams.distributed.names import COMMENTS, INBOUND

LARGEST: Final = 20_000_000
"""Bytes of a record: below what px.inbound takes, by what Kafka puts around it."""
TICK: Final = 1.0
"""Seconds without a record after which a look at the clock is written."""
_DELIVERY: Final = 10.0  # seconds in which a record is on the in-sync replicas, or refused
_POLL: Final = 0.1  # seconds between two looks whether all has ended
_MOST: Final = 100_000  # records that may be on their way
_DIGEST: Final = 16
_ROOM: Final = 4096  # bytes for what Kafka puts around a record
_NAME: Final = 256  # characters of a source or an id that are kept of what is too large, and of a record's key
_TOO_LARGE: Final = "what was read of it is larger than a record of px.inbound; send less in one message"
_NOT_KEPT: Final = "it is larger than a record of px.inbound, so nothing of it is kept here; send less in one message"
_LARGE_COMMENT: Final = "a comment in it is larger than a record of px.comments, and not kept; send less in one message"
_FAILED: Final = "the hub failed to keep it and goes on without it; report it, then replay the dead letter"

Hear = Callable[[Asked, "list[Verdict] | StoreFailed"], object]
"""Told what became of what was handed over, in one of our threads."""


class Waiting:
    """Who handed over, while records of it are on their way; touched under the lock of the writer."""

    __slots__ = ("asked", "left", "verdicts", "wrong")

    def __init__(self, asked: Asked) -> None:
        self.asked: Asked = asked
        self.left: int = 1  # until all of it was given to the producer
        self.verdicts: list[Verdict] = []
        self.wrong: StoreFailed | None = None


class InboundWriter:
    """Works through a queue until None comes out of it, and then until all that was given was reported."""

    def __init__(
        self,
        client: Mapping[str, Any],
        reader: LiveReader,
        queue: SimpleQueue[Sequence[Asked | None]],
        hear: Hear,
        stands: Callable[[str | None], object],
    ) -> None:
        self._client: Mapping[str, Any] = client
        self._reader: LiveReader = reader
        self._queue: SimpleQueue[Sequence[Asked | None]] = queue
        self._hear: Hear = hear
        self._stands: Callable[[str | None], object] = stands
        self._lock: Lock = Lock()
        self._producer: Producer = self._produce_anew()
        self._spoilt: bool = False  # the producer takes no more, for good
        self._ended: Event = Event()
        self._on_the_way: int = 0
        self._ticks: int = 0  # looks at the clock on their way
        self._wrote: float = 0.0
        self._failed: str | None = None
        self.counts: Counter[tuple[str, str]] = Counter()
        """(kind, outcome) -> messages that are durable."""

    def _produce_anew(self) -> Producer:
        return Producer(
            {
                **self._client,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 2,
                "message.max.bytes": LARGEST,
                "queue.buffering.max.messages": _MOST,
                "queue.buffering.max.kbytes": 512 << 10,
                "delivery.timeout.ms": int(_DELIVERY * 1000),
                "reconnect.backoff.max.ms": 1_000,
                "error_cb": self._hear_error,
                "log_level": 2,
            }
        )

    async def run(self) -> None:
        """Work in threads of our own; what ends them too early is raised here."""
        loop = asyncio.get_running_loop()
        ended: list[asyncio.Future[None]] = []
        threads: list[Thread] = []
        for name, work in (("inbound", self._work), ("delivery", self._poll)):
            future: asyncio.Future[None] = loop.create_future()
            ended.append(future)
            threads.append(Thread(target=live, args=(loop, future, work), name=name, daemon=True))
        for thread in threads:
            thread.start()
        try:
            await asyncio.shield(asyncio.gather(*ended))
        finally:
            self._queue.put([None])  # where somebody has cancelled us, or one of the two failed
            self._ended.set()
            for thread in threads:
                await asyncio.to_thread(thread.join)

    # -- the thread that reads

    def _work(self) -> None:
        try:
            while self._take(self._next()):
                pass
        finally:
            self._ended.set()

    def _next(self) -> Sequence[Asked | None]:
        try:
            return self._queue.get(timeout=max(0.0, self._wrote + TICK - monotonic()))
        except Empty:
            return ()

    def _take(self, handed: Sequence[Asked | None]) -> bool:
        """Whether more may come."""
        if self._spoilt:
            self._replace()
        for asked in handed:
            if asked is None:
                return False
            self._write(asked)
        if monotonic() >= self._wrote + TICK:
            self._tick()
        return True

    def _replace(self) -> None:
        """Go on with a producer that takes something; what the other one had is refused."""
        spoilt, self._producer, self._spoilt = self._producer, self._produce_anew(), False
        spoilt.purge()
        spoilt.flush(_DELIVERY)

    def _write(self, asked: Asked) -> None:
        waiting = Waiting(asked)
        if self._failed is not None:
            waiting.wrong = StoreFailed(self._failed)
        else:
            try:
                for raw in asked.raws:
                    self._write_message(waiting, self._reader.read(asked.kind, raw))
            except StoreFailed as wrong:
                waiting.wrong = wrong
        self._settle(waiting)

    def _write_message(self, waiting: Waiting, message: Message) -> None:
        """A message and what was taken out of it. Raises StoreFailed where the producer takes no more now."""
        message, said = comments_apart(message)
        for text, id_ in said:
            self._produce(COMMENTS, text, id_, waiting)
        value, verdict = record_of(message)
        self._produce(INBOUND, value, message.id if 0 < len(message.id) <= _NAME else None, waiting)
        waiting.verdicts.append(verdict)

    def _produce(self, topic: str, value: bytes, key: str | None, waiting: Waiting | None) -> None:
        def report(error: KafkaError | None, _: Record) -> None:
            self._report(waiting, error)

        with self._lock:
            self._on_the_way += 1
            if waiting is not None:
                waiting.left += 1
            else:
                self._ticks += 1
        named = None if key is None else key.encode("utf-8", "replace")
        try:
            self._producer.produce(topic, value, named, 0, report)
        except BufferError as wrong:
            self._take_back(waiting)
            raise StoreFailed("too much is on its way to Kafka") from wrong
        except KafkaException as wrong:
            self._take_back(waiting)
            error = wrong.args[0]
            self._spoilt = self._spoilt or (isinstance(error, KafkaError) and error.fatal())
            raise StoreFailed(_told(error)) from wrong
        self._wrote = monotonic()

    def _take_back(self, waiting: Waiting | None) -> None:
        with self._lock:
            self._on_the_way -= 1
            if waiting is not None:
                waiting.left -= 1
            else:
                self._ticks -= 1

    def _tick(self) -> None:
        self._wrote = monotonic()
        if self._ticks:
            return  # the one that is on its way will say how it stands
        try:
            self._produce(INBOUND, write_tick(), None, None)
        except StoreFailed as wrong:
            self._fails(str(wrong))

    # -- the thread that hears of deliveries

    def _poll(self) -> None:
        while not self._ended.is_set() or self._on_the_way:
            self._producer.poll(_POLL)

    def _report(self, waiting: Waiting | None, error: KafkaError | None) -> None:
        """What became of one record."""
        if error is not None:
            self._spoilt = self._spoilt or error.fatal()
            self._fails(_told(error))
        elif self._failed is not None:
            self._failed = None
            self._stands(None)
        with self._lock:
            self._on_the_way -= 1
            if waiting is None:
                self._ticks -= 1
        if waiting is not None:
            if error is not None:
                waiting.wrong = StoreFailed(_told(error))
            self._settle(waiting)

    def _settle(self, waiting: Waiting) -> None:
        """One thing less to wait for; the last one tells."""
        with self._lock:
            waiting.left -= 1
            if waiting.left:
                return
        if waiting.wrong is not None:
            self._hear(waiting.asked, waiting.wrong)
            return
        kind = waiting.asked.kind.partition("/")[0]
        for verdict in waiting.verdicts:
            self.counts[kind, verdict.outcome.value] += 1
        self._hear(waiting.asked, waiting.verdicts)

    def _hear_error(self, error: KafkaError) -> None:
        """Something of the connections; only what concerns all of them is the hub's condition."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN or error.fatal():  # noqa: SLF001 - so named
            self._spoilt = self._spoilt or error.fatal()
            self._fails(_told(error))

    def _fails(self, why: str) -> None:
        if self._failed is None:
            self._stands(why)
        self._failed = why


def record_of(message: Message) -> tuple[bytes, Verdict]:
    """A message as it goes onto px.inbound, and what its sender is told once it is durable; whether it came before is
    found later. What cannot be kept as it was read is a dead letter; where its bytes are larger than a record it has
    none."""
    try:
        digest = blake2b(content(message.kind, message.raw), digest_size=_DIGEST).digest()
        told = told_of(message, digest)
        value = write_told(told)
        if len(value) + len(message.id) <= LARGEST - _ROOM:
            return value, _verdict_of(told)
        is_kept = len(message.raw) <= LARGEST - 2 * _ROOM
        message = _as_letter(message, _TOO_LARGE if is_kept else _NOT_KEPT, message.raw if is_kept else b"")
    except Exception:  # noqa: BLE001 - a message's edge: whatever it is, the hub goes on, and the bytes are kept
        digest = blake2b(message.raw, digest_size=_DIGEST).digest()
        if len(message.raw) > LARGEST - _ROOM:
            message = Message(message.kind, b"", dead=_too_large(_NOT_KEPT))
        else:
            letter = DeadLetter(reason=Reason.INVALID, place="the message", mend=_FAILED)
            message = Message(message.kind, message.raw, dead=letter)
    told = told_of(message, digest)
    return write_told(told), _verdict_of(told)


def comments_apart(message: Message) -> tuple[Message, list[tuple[bytes, str]]]:
    """What goes onto px.comments of a message, each under its id, and the message: a dead letter where one of them is
    larger than a record."""
    said = [(write_comment(each), each.id) for each in message.comments]
    if any(len(text) + len(id_) > LARGEST - _ROOM for text, id_ in said):
        return _as_letter(message, _LARGE_COMMENT, message.raw), []
    return message, said


def _as_letter(message: Message, mend: str, raw: bytes) -> Message:
    """The dead letter that a message is that is too large; its name too may be what is large."""
    source, id_ = (part if len(part) <= _NAME else "" for part in (message.source, message.id))
    return Message(message.kind, raw, source, id_, message.digest, dead=_too_large(mend))


def _too_large(mend: str) -> DeadLetter:
    return DeadLetter(reason=Reason.TOO_LARGE, place="the message", mend=mend)


def _verdict_of(told: Told) -> Verdict:
    if told.dead is not None:
        return Verdict(Outcome.DEAD, None, *told.dead)
    if told.ignored is not None:
        return Verdict(Outcome.IGNORED, None, told.ignored)
    return Verdict(Outcome.ACCEPTED)


def _told(error: Any) -> str:
    name = error.name() if isinstance(error, KafkaError) else type(error).__name__
    return f"Kafka does not take it now ({name})"
