"""A Faust transport that hands over what was fetched a partition at a time: one Faust message is a whole batch.

Theory. Faust costs some 70 microseconds a message: a task, a hop through a queue, an acknowledgement. Its consumer here
yields one message for all records of a partition that one fetch brought; the agent meets a `Batch`, and the offsets
are acknowledged as a range when the batch is done. Membership, assignment, agents and sensors stay Faust's.

Where a partition is read from is said by `positions` (a stage knows it from what it keeps), never by the group: after
every rebalance each partition is sought there, and what was fetched before is let go of, so that no gap is read over.
A batch says from where to where it reaches, for offsets of a log with transactions are not consecutive.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

import aiokafka
import faust
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

SCHEME: Final = "pxhub"
FETCHED: Final = 20_000  # records of a batch at most
_FETCH_BYTES: Final = 8 << 20  # of a partition
_FETCH_WAIT: Final = 100  # milliseconds that the broker may wait for something to come
_FULL: Final = 0.02  # seconds to wait for records of the others, while a partition's agent has all that it may have

Positions = Callable[[set[TP], int], Awaitable[Mapping[TP, int]]]
"""Where to read each partition from, of an assignment and its generation."""


class BatchApp(faust.App):
    """An application whose transport hands over batches. `positions` says where its partitions are read from,
    `aiokafka` how that reaches the brokers."""

    positions: Positions
    aiokafka: Mapping[str, Any]


class Batch(NamedTuple):
    """Records of a partition in their order: all that there is from `begin` up to, not including, `end`."""

    begin: int
    end: int
    records: list[aiokafka.ConsumerRecord[bytes, bytes]]


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
            max_poll_records=FETCHED,
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_FETCH_WAIT,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=30_000,
            check_crcs=conf.broker_check_crcs,
            **cast("BatchApp", self.app).aiokafka,
        )

    async def position_of(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Up to where each partition was handed over, of those that are still ours."""
        consumer = self._ensure_consumer()
        found: dict[TP, int] = {}
        for tp in tps:
            with contextlib.suppress(IllegalStateError):  # it was taken from us
                found[tp] = await consumer.position(driver.ensure_aiokafka_TP(tp))
        return found

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """The application tells of what it ends of; nothing is printed."""

    def stable_end(self, tp: TP) -> int:
        """Up to where a partition is committed, as far as is known."""
        consumer, asked = self._ensure_consumer(), driver.ensure_aiokafka_TP(tp)
        return consumer.last_stable_offset(asked) or 0 if asked in consumer.assignment() else 0


class BatchConsumer(driver.Consumer):
    """Yields a message a batch."""

    _thread: BatchThread
    _next: dict[TP, int]  # up to where each partition was handed over, since it was sought
    _sought: dict[TP, int]  # how often each was sought
    _room: asyncio.Event  # a partition may be fetched again

    def _new_consumer_thread(self) -> BatchThread:
        self._next, self._sought, self._room = {}, {}, asyncio.Event()
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._next.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Have every partition read from where its stage says."""
        app = cast("BatchApp", self.app)
        assigned = {TP(tp.topic, tp.partition) for tp in self.assignment()}
        wanted = await app.positions(assigned, app.consumer_generation_id)
        for tp, offset in wanted.items():
            await self.seek_to(tp, offset)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Fetch those that stand; the others wait until they are sought."""
        super().resume_partitions({tp for tp in tps if tp in self._next})
        self._room.set()

    def on_buffer_drop(self, tp: TP) -> None:
        super().on_buffer_drop(tp)
        self._room.set()

    async def seek_to(self, tp: TP, offset: int) -> None:
        """Read a partition from an offset on."""
        try:
            self._thread.seek(driver.ensure_aiokafka_TP(tp), offset)
        except IllegalStateError:
            return  # it was taken from us; the next assignment says where to read
        self._next[tp] = offset
        self._sought[tp] = self._sought.get(tp, 0) + 1
        self._read_offset[tp] = None
        self._committed_offset[tp] = None
        super().resume_partitions({tp})
        self._room.set()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 - Faust's own
        """A message for each partition of which something was fetched."""
        if self.flow_active and not self._get_active_partitions():  # Faust would sleep for a second
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), timeout)
            return
        sought = dict(self._sought)
        records, _ = await self._wait_next_records(_FULL if self._buffered_partitions else timeout)
        if not records or self.should_stop or not self.flow_active:
            return
        generation = self.app.consumer_generation_id
        fetched = {TP(tp.topic, tp.partition): list(found) for tp, found in records.items() if found}
        ends = await self._thread.call_thread(self._thread.position_of, fetched)
        for tp, found in fetched.items():
            if not self.flow_active or generation != self.app.consumer_generation_id:
                return
            begin = self._next.get(tp)
            if begin is not None and self._sought.get(tp) != sought.get(tp):
                await self.seek_to(tp, begin)  # this is of where it was read before, or the fetcher is past it by now
                continue
            if begin is None or found[0].offset < begin or tp not in ends:
                continue  # fetched before the partition was sought, or ours no more
            end = max(ends[tp], found[-1].offset + 1)
            self._next[tp] = end
            message = self._to_message(tp, found[-1])
            message.value = Batch(begin, end, found)  # type: ignore[assignment]  # what is raw for Faust
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, message

    async def lags(self, taken: Mapping[TP, int]) -> Mapping[TP, int]:
        """How many offsets lie between what was taken of each partition and its end, as far as is known; marks of
        transactions that nobody is handed count as taken."""
        read = await self._thread.call_thread(self._thread.position_of, list(taken))
        found: dict[TP, int] = {}
        for tp, offset in taken.items():
            upto = offset if offset < self._next.get(tp, 0) else max(offset, read.get(tp, 0))
            found[tp] = max(self._thread.stable_end(tp) - upto, 0)
        return found

    def highwater(self, tp: TP) -> int:
        return self._thread.stable_end(tp)

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
