"""`pxhub work`: the stages of the distributed runtime, put together; started, drained, and ended when all is judged."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hub.alert_line import AlertSaid, alert_fields
from hub.declared import Declared
from hub.kafka.cluster import WORKED, Cluster, look_at
from hub.kafka.redis_url import at_redis
from hub.kafka.settings import KafkaSettings
from hub.kafka.watching import end_within, watched
from hub.library_log import listen_to_libraries
from schemas.errors import TryAgain, WrongUse
from schemas.instant import write_instant
from streams.core.alerts import Transition
from streams.distributed.caught_up import Progress
from streams.distributed.correlate import Correlating
from streams.distributed.counting import is_counted
from streams.distributed.identifying import Identifying
from streams.distributed.measure import Measuring
from streams.distributed.names import ALERTS, COUNTED, DEAD_LETTERS, EVENTS, INBOUND, MEASURES, PERSONS, STATE
from streams.distributed.shelf import RedisShelf
from streams.distributed.stage import Stage
from streams.distributed.view_shelf import ViewShelf
from streams.distributed.views import Views
from streams.embedded.judging import name_of
from streams.embedded.runtime import Clock

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

STAGES: Final = ("identify", "correlate", "measure")
_NEEDED: Final = {
    "identify": (PERSONS, DEAD_LETTERS),
    "correlate": (STATE, ALERTS, DEAD_LETTERS),
    "measure": (MEASURES, ALERTS, DEAD_LETTERS),
}
"""Topics that a stage reads or writes, beside those that all look at."""
_STILL_EVERY: Final = 2.0  # seconds
_LOOK: Final = 0.2  # seconds between two looks whether all is judged
_END_WITHIN: Final = 30.0  # seconds
STUCK_AFTER: Final = 60.0
"""Seconds that a partition may stand still."""
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSettings:
    """What `pxhub work` was asked for."""

    stage: str
    kafka: KafkaSettings
    redis: str
    clock: Clock = "log"
    until_caught_up: bool = False
    metrics: tuple[str, int] | None = None
    stuck_after: float = STUCK_AFTER


def write_alert(change: Transition) -> bytes:
    """A change as it goes onto px.alerts."""
    fields = alert_fields(change.alert)
    purpose = change.alert.purpose or msgspec.UNSET
    return _encode(AlertSaid(at=write_instant(change.at), purpose=purpose, **fields))  # type: ignore[arg-type]  # they are its fields


def make_stage(settings: WorkSettings, declared: Declared, cluster: Cluster, log: BoundLogger) -> Stage[Any]:
    """The stage that was asked for."""
    client = {**settings.kafka.for_confluent()}
    thresholds, by_event = declared.thresholds, settings.clock == "event"
    name = name_of(thresholds)
    if settings.stage == "identify":
        at_redis(settings.redis, RedisShelf)  # what is no URL is told now

        def identifying() -> Identifying:
            return Identifying(
                client,
                RedisShelf(settings.redis),
                declared.site.identity,
                cluster.partitions[EVENTS],
                cluster.id,
                log.info,
                by_event=by_event,
                listens=is_counted(thresholds),
            )

        return Stage(INBOUND, lambda _: identifying().open(), log.info)
    if settings.stage == "measure":
        measuring = Measuring(client, thresholds, name, cluster.partitions[EVENTS], write_alert, by_event=by_event)
        return Stage(COUNTED, lambda _: measuring.open(), log.info)

    def correlating(number: int) -> Any:
        partitions = cluster.partitions[EVENTS]
        made = Correlating(number, client, thresholds, name, write_alert, by_event=by_event, partitions=partitions)
        return made.open()

    return Stage(EVENTS, correlating, log.info)


def clients_of(kafka: KafkaSettings) -> dict[str, Any]:
    """How the clients of an application reach the brokers, as `make_app` takes it."""
    aiokafka = {name: value for name, value in kafka.for_aiokafka().items() if name != "bootstrap_servers"}
    return {"aiokafka": aiokafka, "confluent": kafka.for_confluent(), "credentials": kafka.faust_credentials()}


async def work(settings: WorkSettings, declared: Declared, log: BoundLogger, ready: Callable[[], object]) -> None:
    """Run a stage until it is asked to end, or all that was there is judged."""
    from streams.distributed.app import lags_of, make_app, run_app  # noqa: PLC0415 - Faust takes long to load

    listen_to_libraries(log)
    cluster = await asyncio.to_thread(look_at, settings.kafka, (*WORKED, *_NEEDED[settings.stage]))
    if settings.stage == "correlate" and cluster.partitions[STATE] < cluster.partitions[EVENTS]:
        raise WrongUse(f"{STATE} has fewer partitions than {EVENTS}; run: pxhub topics check")
    stage = make_stage(settings, declared, cluster, log)
    app = make_app(f"px-{settings.stage}", stage, settings.kafka.servers, **clients_of(settings.kafka))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        if not ended.is_set():
            end_within(_END_WITHIN, log)
        ended.set()

    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, end)
    gc.collect()
    gc.freeze()
    gc.disable()  # records make no cycles, and a million of them would be walked in vain
    still = asyncio.create_task(keep_still())
    views_end = _follow_views(settings, cluster, log)
    watching = asyncio.create_task(_end_when_caught_up(settings, stage, cluster, ended))
    watching.add_done_callback(lambda _: ended.set() if settings.until_caught_up else None)
    try:
        with watched(stage, settings.kafka.for_confluent(), settings.stuck_after, log, lambda: bool(app.rebalancing)):
            async with _told(settings, stage, lambda: lags_of(app, stage), log):
                await run_app(app, stage, ended, ready)
        if watching.done():
            await watching
    finally:
        watching.cancel()
        still.cancel()
        views_end.set()


def _follow_views(settings: WorkSettings, cluster: Cluster, log: BoundLogger) -> threading.Event:
    """Measure keeps the read views in Redis meanwhile, in a thread of its own; what it ends by is given."""
    stop = threading.Event()
    if settings.stage == "measure" and ALERTS in cluster.partitions:
        client = settings.kafka.for_confluent()
        views = Views(client, at_redis(settings.redis, ViewShelf), cluster.id, cluster.partitions[ALERTS], log.info)
        threading.Thread(target=views.run, args=(stop,), name="views", daemon=True).start()
    return stop


async def keep_still() -> None:
    """What libraries make in circles is collected while it is young; what stays is kept from the collector."""
    while True:
        await asyncio.sleep(_STILL_EVERY)
        gc.collect(0)
        gc.freeze()


@contextlib.asynccontextmanager
async def _told(
    settings: WorkSettings, stage: Stage[Any], lags: Callable[[], Any], log: BoundLogger
) -> AsyncIterator[None]:
    """Tell of the worker over HTTP meanwhile, where that was asked for."""
    if settings.metrics is None:
        yield
        return
    from hub.kafka.worker_http import bind_metrics, serve_worker  # noqa: PLC0415 - it takes a second to load

    with bind_metrics(*settings.metrics) as listening:
        door = await serve_worker(listening, settings.stage, stage, lags)
        log.info("metrics.opened", address=door.address)
        try:
            yield
        finally:
            await door.stop()


async def _end_when_caught_up(
    settings: WorkSettings, stage: Stage[Any], cluster: Cluster, ended: asyncio.Event
) -> None:
    if not settings.until_caught_up:
        return
    progress = Progress(
        settings.stage, settings.kafka.for_confluent(), at_redis(settings.redis, RedisShelf), cluster.partitions
    )
    is_done = False
    while not is_done:
        await asyncio.sleep(_LOOK)
        with contextlib.suppress(TryAgain):  # a service is away, or the index has just moved on
            is_done = await progress.is_done(stage)
    ended.set()
