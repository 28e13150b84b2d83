"""`pxhub serve --kafka`: the doors over Kafka, put together; started, drained and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from hub.api.hooks import HookDoor
from hub.api.metrics import Counters
from hub.api.plain_app import make_plain_app
from hub.api.serve_http import bind_http, listen
from hub.declared import Declared
from hub.kafka.cluster import look_at
from hub.kafka.intake import KafkaIntake
from hub.kafka.redis_url import at_redis
from hub.kafka.settings import KafkaSettings
from hub.serve.doors import mllp_door
from hub.serve.life import Door, Life, stay_alive, tell_manager
from hub.serve.service import ServeSettings, live_reader, machine_time, read_settings
from streams.core.compiled import compile_thresholds
from streams.distributed.names import COMMENTS, INBOUND
from streams.distributed.view_reads import ViewReads

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


class KafkaService:
    """Running doors. Their ports are taken, and what is declared is read, before Kafka is asked for anything."""

    def __init__(self, settings: ServeSettings, kafka: KafkaSettings, redis: str, log: BoundLogger) -> None:
        self.log: BoundLogger = log
        self.declared: Declared = read_settings(settings)
        self._settings: ServeSettings = settings
        self._views: ViewReads = at_redis(redis, ViewReads)
        self._counters: list[Counters] = []
        with ExitStack() as held:
            self._openings: list[Callable[[], Awaitable[Door]]] = []
            if settings.mllp is not None:
                open_mllp = mllp_door(settings, held)
                self._openings.append(lambda: open_mllp(self.intake, log, self._counters))
            if settings.http is not None:
                self._openings.append(self._http_door(settings.http, held))
            look_at(kafka, (INBOUND, COMMENTS))
            self._held: ExitStack = held.pop_all()
        reader = live_reader(settings, self.declared, compile_thresholds(self.declared.thresholds))
        self._counters.append(reader.counted)
        self.intake: KafkaIntake = KafkaIntake(kafka.for_confluent(), reader, log.warning)

    def _http_door(self, at: tuple[str, int], held: ExitStack) -> Callable[[], Awaitable[Door]]:
        hooks = HookDoor(self.declared.site.sources)
        listening = held.enter_context(bind_http(*at))
        self._counters.append(hooks.counts)

        def counters() -> Mapping[str, float]:
            return {name: value for numbers in self._counters for name, value in numbers().items()}

        async def opened() -> Door:
            if hooks.unsigned:
                self.log.warning("hooks.unsigned", webhook=", ".join(hooks.unsigned), count=len(hooks.unsigned))
            app = make_plain_app(
                self.intake,
                self._views,
                machine_time,
                hooks,
                log=self.log,
                counters=counters,
                fhir_servers=self.declared.site.fhir,
            )
            return await listen(app, listening)

        return opened

    async def run(self, ready: Callable[[list[Door]], None]) -> None:
        """Serve until SIGTERM or SIGINT; then drain. `ready` is told once all doors are open."""
        life = Life(self.log, self._settings.drain_seconds)
        life.hear_signals()
        taking = asyncio.create_task(self.intake.run())
        doors: list[Door] = []
        try:
            for opened in self._openings:
                doors.append(await opened())  # noqa: PERF401 - those that are open are closed where one fails
            ready(doors)
            tell_manager("READY=1")
            alive = asyncio.create_task(stay_alive())
            await life.go_on(taking)
            alive.cancel()
        finally:
            await life.drain(doors, self.intake, taking)
            self._held.close()
        self.log.info("service.stopped", messages=self.intake.counts.total())
