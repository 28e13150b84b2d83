"""`/readyz`, `/healthz` and `/metrics` of a hub that keeps nothing itself: does Kafka take what comes?

Where Redis does not answer, no alerts can be read, and messages are taken all the same: such a hub is degraded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

from hub.api.alert_stream import StreamCounts
from hub.api.health import Health, HealthSum, answer_health
from hub.api.metrics import Counters, answer_metrics, messages_of, others_of, streams_of
from hub.api.view_feed import ViewFeed
from hub.kafka.intake import KafkaIntake
from schemas.errors import StoreFailed
from streams.distributed.view_reads import ViewReads


class PlainHealths:
    """The three checks."""

    def __init__(self, intake: KafkaIntake, feed: ViewFeed) -> None:
        self._intake: KafkaIntake = intake
        self._feed: ViewFeed = feed

    def _ready(self) -> Health:
        if self._intake.stopping:
            return Health(status="failing", reason="the hub is being stopped")
        if self._intake.condition.failed is not None:
            return Health(status="failing", reason=self._intake.condition.failed)
        if self._feed.away is not None:
            return Health(status="degraded", reason=self._feed.away)
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

    def __init__(
        self,
        intake: KafkaIntake,
        feed: ViewFeed,
        views: ViewReads,
        streams: StreamCounts,
        registry: CollectorRegistry,
        counters: Counters,
    ) -> None:
        self._intake: KafkaIntake = intake
        self._feed: ViewFeed = feed
        self._views: ViewReads = views
        self._streams: StreamCounts = streams
        self._registry: CollectorRegistry = registry
        self._counters: Counters = counters

    async def metrics(self, _: Request) -> Response:
        """GET /metrics"""
        families = list(self._families())
        with suppress(StoreFailed):  # what cannot be read is left out
            waiting = await self._views.open_count()
            families.append(
                GaugeMetricFamily("pxhub_view_alerts_open", "Alerts that are warned of or breached.", value=waiting)
            )
        return answer_metrics(families, self._registry)

    def _families(self) -> Iterator[Metric]:
        yield from messages_of(self._intake.counts.copy())
        takes = self._intake.condition.failed is None
        yield GaugeMetricFamily("pxhub_store_writable", "1 while Kafka takes what comes.", value=takes)
        is_here = self._feed.away is None
        yield GaugeMetricFamily("pxhub_view_readable", "1 while alerts can be read from Redis.", value=is_here)
        yield from streams_of(self._streams)
        yield from others_of(self._counters())
