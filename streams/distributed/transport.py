"""A Faust transport that hands over what was fetched a partition at a time: one Faust message is a whole batch.

Theory. Faust costs some 70 microseconds a message: a task, a hop through a queue, an acknowledgement. Its consumer here
yields one message for all records of a partition that one fetch brought; the agent meets a `Batch`, and the offsets
are acknowledged as a range when the batch is done. Membership, assignment, agents and sensors stay Faust's; the records
are fetched by librdkafka beside it (fetching.py), and aiokafka, which keeps the membership, is paused.

Where a partition is read from is said by `positions` (a stage knows it from what it keeps), never by the group: after
every rebalance each partition is sought there, and what was fetched before is let go of, so that no gap is read over.
A batch says from where to where it reaches, for offsets of a log with transactions are not consecutive.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

import aiokafka
import faust
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.distributed.fetching import Fetched, Fetching

SCHEME: Final = "pxhub"
_LOG_APPENDED: Final = 1  # whose stamp it is, as Kafka numbers it
_LISTENS: Final = 0.25  # seconds that are waited for records at once
_ATTENDS: Final = 1.0  # seconds after which aiokafka is told again that its records are taken

Positions = Callable[[set[TP], int], Awaitable[Mapping[TP, int]]]
"""Where to read each partition from, of an assignment and its generation."""


class BatchApp(faust.App):
    """An application whose transport hands over batches. `positions` says where its partitions are read from,
    `aiokafka` and `confluent` how the two clients reach the brokers."""

    positions: Positions
    aiokafka: Mapping[str, Any]
    confluent: Mapping[str, Any]


class Batch(NamedTuple):
    """Records of a partition in their order: all that there is from `begin` up to, not including, `end`."""

    begin: int
    end: int
    records: list[Fetched]


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread in which aiokafka lives. `client` are its arguments beyond those of the broker's address."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer[bytes, bytes]:
        conf = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[StickyPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=1,  # of what it fetches before it is paused nobody is told
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=30_000,
            check_crcs=conf.broker_check_crcs,
            **cast("BatchApp", self.app).aiokafka,
        )

    def rest(self) -> None:
        """Fetch nothing."""
        consumer = self._ensure_consumer()
        with contextlib.suppress(IllegalStateError):  # they were just taken from us
            consumer.pause(*consumer.assignment())

    def verify_event_path(self, now: float, tp: TP) -> None:
        """That aiokafka fetches nothing is no fault; whether records are taken is watched by ourselves."""

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """The application tells of what it ends of; nothing is printed."""


class BatchConsumer(driver.Consumer):
    """Yields a message a batch."""

    _thread: BatchThread
    _fetching: Fetching
    _next: dict[TP, int]  # up to where each partition was handed over, since it was sought
    _sought: dict[TP, int]  # how often each was sought
    _room: asyncio.Event  # a partition may be fetched again
    _attended: float

    def _new_consumer_thread(self) -> BatchThread:
        self._next, self._sought, self._room, self._attended = {}, {}, asyncio.Event(), 0.0
        self._fetching = Fetching(cast("BatchApp", self.app).confluent)
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def on_stop(self) -> None:
        await super().on_stop()
        await asyncio.to_thread(self._fetching.close)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._next.clear()
        self._thread.rest()
        self._fetching.keep(())
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Have every partition read from where its stage says."""
        app = cast("BatchApp", self.app)
        assigned = {TP(tp.topic, tp.partition) for tp in self.assignment()}
        wanted = await app.positions(assigned, app.consumer_generation_id)
        for tp, offset in wanted.items():
            await self.seek_to(tp, offset)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Take of those that stand; the others wait until they are sought."""
        super().resume_partitions({tp for tp in tps if tp in self._next})
        self._room.set()

    def on_buffer_drop(self, tp: TP) -> None:
        super().on_buffer_drop(tp)
        self._room.set()

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Read a partition from an offset on."""
        if tp not in self.assignment():
            return  # it was taken from us; the next assignment says where to read
        self._next[tp] = offset
        self._sought[tp] = self._sought.get(tp, 0) + 1
        self._read_offset[tp] = None
        self._committed_offset[tp] = None
        self._fetching.seek(tp, offset)
        super().resume_partitions({tp})
        self._room.set()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 - Faust's own
        """What librdkafka fetched. aiokafka, which is paused, leaves the group of who never asks it."""
        now = time.monotonic()
        if now - self._attended > _ATTENDS:
            self._attended = now
            await super()._getmany(active_partitions, 0.0)
        return await asyncio.to_thread(self._fetching.fetch, timeout)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's own
        """A message for each partition of which something was fetched."""
        if self.flow_active and (self._buffered_partitions or not self._get_active_partitions()):
            self._room.clear()  # Faust would sleep for a second
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), timeout)
            return
        sought = dict(self._sought)
        fetched, _ = await self._wait_next_records(min(timeout, _LISTENS))
        if not fetched:
            return
        generation = self.app.consumer_generation_id
        for tp, found in fetched.items():
            if self.should_stop or not self.flow_active or generation != self.app.consumer_generation_id:
                return
            begin = self._next.get(tp)
            if begin is None:
                continue  # ours no more
            if self._sought.get(tp) != sought.get(tp):
                await self.seek_to(tp, begin)  # this is of where it was read before, or the fetcher is past it by now
                continue
            end = self._next[tp] = found[-1].offset + 1
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, self._to_message(tp, Batch(begin, end, found))

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        """A batch as Faust's message: its offset, which is acknowledged, is the last record's."""
        batch: Batch = record
        last = batch.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            _LOG_APPENDED,
            None,
            last.key,
            batch,  # type: ignore[arg-type]  # what is raw for Faust
            None,
            None,
            None,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def lags(self, taken: Mapping[TP, int]) -> Mapping[TP, int]:
        """How many offsets lie between what was taken of each partition and its end, as far as is known; marks of
        transactions that nobody is handed count as taken."""
        found: dict[TP, int] = {}
        for tp, offset in taken.items():
            upto = offset if offset < self._next.get(tp, 0) else max(offset, self._fetching.ends.get(tp, 0))
            found[tp] = max(self.highwater(tp) - upto, 0)
        return found

    def highwater(self, tp: TP) -> int:
        return self._fetching.highwater(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Between two batches there is no gap: the seek sees to that."""

    def _new_offset(self, tp: TP) -> int | None:
        """The end of the range that is done: batches are done in their order."""
        acked = self._acked[tp]
        if not acked:
            return None
        offset: int = max(acked) + 1
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return offset


class Transport(driver.Transport):
    """Kafka by batches; `pxhub://host:port`."""

    Consumer = BatchConsumer
