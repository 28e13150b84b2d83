"""`/readyz`, `/healthz` and `/metrics` of a hub that keeps nothing itself: does Kafka take what comes?"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

from hub.api.health import Health, HealthSum, answer_health
from hub.api.metrics import Counters, answer_metrics, messages_of, others_of
from hub.kafka.intake import KafkaIntake


class PlainHealths:
    """The three checks."""

    def __init__(self, intake: KafkaIntake) -> None:
        self._intake: KafkaIntake = intake

    def _ready(self) -> Health:
        if self._intake.stopping:
            return Health(status="failing", reason="the hub is being stopped")
        if self._intake.condition.failed is not None:
            return Health(status="failing", reason=self._intake.condition.failed)
        return Health(status="ok")

    async def livez(self, _: Request) -> Response:
        """GET /livez"""
        return answer_health(Health(status="ok"))

    async def readyz(self, _: Request) -> Response:
        """GET /readyz"""
        return answer_health(self._ready())

    async def healthz(self, _: Request) -> Response:
        """GET /healthz"""
        ready = self._ready()
        return answer_health(HealthSum(status=ready.status, live=Health(status="ok"), ready=ready))


class PlainMetrics:
    """Gathers the numbers of an intake and its doors."""

    def __init__(self, intake: KafkaIntake, registry: CollectorRegistry, counters: Counters) -> None:
        self._intake: KafkaIntake = intake
        self._registry: CollectorRegistry = registry
        self._counters: Counters = counters

    async def metrics(self, _: Request) -> Response:
        """GET /metrics"""
        return answer_metrics(list(self._families()), self._registry)

    def _families(self) -> Iterator[Metric]:
        yield from messages_of(self._intake.counts.copy())
        takes = self._intake.condition.failed is None
        yield GaugeMetricFamily("pxhub_store_writable", "1 while Kafka takes what comes.", value=takes)
        yield from others_of(self._counters())
