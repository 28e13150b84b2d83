"""Faust applications, one a stage: the group, the agent, and the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import faust
from faust.tables import TableManager
from faust.types import TP

from streams.distributed.stage import Stage
from streams.distributed.transport import SCHEME, BatchApp

_BUFFERED: Final = 2  # batches that may wait for the agent
_SESSION: Final = 10.0  # seconds without a heartbeat, after which a worker is taken for dead
_REBALANCE: Final = 60.0  # seconds that a worker may take to come back in a rebalance
_POLL: Final = 900.0  # seconds that an agent may take for its batches: standing up a partition is one of them
_SETTLE: Final = 20.0  # seconds that what was taken may take to be durable at the end
_OPENING: Final = 600.0  # seconds in which an assignment must stand


class _NoTables(TableManager):
    """Faust waits a second for tables that are still to be declared; here is none."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


def make_app(
    group: str,
    stage: Stage[Any],
    brokers: str,
    *,
    aiokafka: Mapping[str, Any],
    confluent: Mapping[str, Any],
    credentials: Any = None,
) -> BatchApp:
    """The application of a stage. `brokers` is `host:port`, several with commas; `aiokafka` are its further arguments,
    `confluent` the whole configuration of librdkafka, `credentials` what Faust's own clients show the brokers."""
    first, *others = brokers.split(",")
    url = ";".join((f"{SCHEME}://{first}", *others))
    app = BatchApp(
        group,
        broker=url,
        broker_credentials=credentials,
        broker_session_timeout=_SESSION,
        broker_heartbeat_interval=_SESSION / 4,
        broker_rebalance_timeout=_REBALANCE,
        broker_max_poll_interval=_POLL,
        broker_request_timeout=_OPENING,
        stream_buffer_maxsize=_BUFFERED,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
        TableManager=_NoTables,
        key_serializer="raw",
        value_serializer="raw",
    )
    app.positions, app.aiokafka, app.confluent = stage.positions, aiokafka, confluent
    topic = app.topic(stage.topic, key_serializer="raw", value_serializer="raw", value_type=bytes, key_type=bytes)

    async def take(stream: faust.Stream[Any]) -> None:
        async for event in stream.noack().events():
            message = event.message
            await stage.take(TP(message.topic, message.partition), event.value, message)

    app.agent(topic, name=f"{group}.take")(take)  # type: ignore[arg-type]  # Faust says StreamT and gives Stream

    async def seek(tp: TP, offset: int) -> None:
        await app.consumer.seek_to(tp, offset)  # type: ignore[attr-defined]  # it is a BatchConsumer

    stage.seek = seek
    stage.ack = lambda message: message.ack(app.consumer)
    return app


def lags_of(app: faust.App, stage: Stage[Any]) -> Mapping[TP, int]:
    """How many offsets lie between what was taken and the end, of each partition that is held."""
    taken = {tp: held.work.next for tp, held in stage.held.items()}
    found: Mapping[TP, int] = app.consumer.lags(taken)  # type: ignore[attr-defined]  # it is a BatchConsumer
    return found


async def run_app(app: faust.App, stage: Stage[Any], ended: asyncio.Event, ready: Callable[[], object]) -> None:
    """Run an application until it is asked to end; what was taken is durable then, unless the services are away.
    `ready` is called when what was assigned first stands. Raises what it crashed of."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(stage.rest()), asyncio.create_task(_say_ready(stage, ready))]
    try:
        await app.start()
        ending = asyncio.create_task(ended.wait())
        stopping = asyncio.create_task(app.wait_until_stopped())
        tasks += [ending, stopping]
        await asyncio.wait({*tasks[2:], stage.failed}, return_when=asyncio.FIRST_COMPLETED)
        if stage.failed.done():
            stage.failed.result()
        if app.crash_reason is not None:
            raise app.crash_reason
        with contextlib.suppress(TimeoutError):  # what is not durable by then is worked again
            await asyncio.wait_for(stage.settle(), _SETTLE)
    finally:
        for task in tasks:
            task.cancel()
        stage.end()
        await app.stop()


async def _say_ready(stage: Stage[Any], ready: Callable[[], object]) -> None:
    await stage.stands.wait()
    ready()
