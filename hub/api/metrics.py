"""`/metrics`: what the hub counts, for Prometheus. Labels are declared here and bounded; none names a person."""

from __future__ import annotations

import re
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.alert_stream import StreamCounts
from hub.api.feed import Feed
from hub.api.health import ClockAge, Healths
from hub.api.reads import Reads
from hub.serve.intake import Intake
from schemas.event import SECOND
from schemas.message import Outcome

Counters = Callable[[], Mapping[str, float]]
"""Numbers of other doors, by their whole Prometheus name (`pxhub_mllp_connections`); `_total` makes a counter."""

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT"))
_NAME: Final = re.compile(r"pxhub_[a-z_]+")


def no_counters() -> Mapping[str, float]:
    """Nothing beside our own."""
    return {}


class HttpCounts:
    """Middleware: requests by route, method and status, and how long they took; a stream's duration is none."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests: Counter = Counter(
            "pxhub_http_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._seconds: Histogram = Histogram(
            "pxhub_http_request_duration_seconds", "Time to answer.", ("route",), registry=registry, buckets=_BUCKETS
        )
        self.routes: dict[object, str] = {}
        """Endpoint -> its path as declared."""
        self.streams: frozenset[str] = frozenset()

    def around(self, app: ASGIApp) -> ASGIApp:
        """The app, counted."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status = HTTPStatus.INTERNAL_SERVER_ERROR.value

            async def noting(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            began = time.perf_counter()
            try:
                await app(scope, receive, noting)
            finally:
                route = self.routes.get(scope.get("endpoint"), "other")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._requests.labels(route, method, str(status)).inc()
                if route not in self.streams:
                    self._seconds.labels(route).observe(time.perf_counter() - began)

        return counted


class _Once(Collector):
    """What was gathered for one answer."""

    def __init__(self, families: list[Metric]) -> None:
        self._families: list[Metric] = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


class Metrics:
    """Gathers the numbers of an intake and its doors."""

    def __init__(
        self,
        intake: Intake,
        reads: Reads,
        feed: Feed,
        healths: Healths,
        streams: StreamCounts,
        registry: CollectorRegistry,
        counters: Counters = no_counters,
    ) -> None:
        self._intake: Intake = intake
        self._reads: Reads = reads
        self._feed: Feed = feed
        self._healths: Healths = healths
        self._streams: StreamCounts = streams
        self._registry: CollectorRegistry = registry
        self._counters: Counters = counters

    async def metrics(self, _: Request) -> Response:
        """GET /metrics"""
        tallies: Counts[tuple[str, str]] = Counts()
        for (kind, outcome, _reason), count in (await self._reads.ask(lambda reader: reader.tallies())).items():
            tallies[kind.partition("/")[0], outcome] += count  # a label is bounded: of hook/NAME the first part
        families = [
            *messages_of(tallies),
            *self._alerts(),
            *self._state(),
            *_clock(await self._healths.clock_age(), self._intake.condition.behind),
            *others_of(self._counters()),
        ]
        return answer_metrics(families, self._registry)

    def _alerts(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "pxhub_alerts_open", "Alerts of mode live that are warned of or breached.", labels=("threshold", "severity")
        )
        for (threshold, severity), count in sorted(self._feed.open_counts().items()):
            family.add_metric((threshold, severity), count)
        yield family
        yield CounterMetricFamily(
            "pxhub_alert_transitions", "Changes of alerts that are durable.", value=self._feed.tip
        )

    def _state(self) -> Iterator[Metric]:
        failed = self._intake.condition.failed is not None
        yield GaugeMetricFamily("pxhub_store_writable", "1 while the store takes what comes.", value=not failed)
        yield from streams_of(self._streams)


def streams_of(streams: StreamCounts) -> Iterator[Metric]:
    """Who follows the alerts."""
    yield GaugeMetricFamily("pxhub_http_streams_open", "Clients of the alert stream.", value=streams.open)
    yield CounterMetricFamily(
        "pxhub_http_streams_cut", "Clients of the alert stream cut off: too slow.", value=streams.cut
    )


def answer_metrics(families: list[Metric], registry: CollectorRegistry) -> Response:
    """What was gathered for this answer, and what the registry counts, in Prometheus' text."""
    gathered = CollectorRegistry(auto_describe=False)
    gathered.register(_Once(families))
    return Response(generate_latest(gathered) + generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_1_0_0)


def others_of(numbers: Mapping[str, float]) -> Iterator[Metric]:
    """Numbers of other doors, by their whole names; a name that is none of ours is left out."""
    for name, value in sorted(numbers.items()):
        if not _NAME.fullmatch(name):
            continue
        what = "Of another door."
        if name.endswith("_total"):
            yield CounterMetricFamily(name.removesuffix("_total"), what, value=value)
        else:
            yield GaugeMetricFamily(name, what, value=value)


def messages_of(tallies: Mapping[tuple[str, str], int]) -> Iterator[Metric]:
    """(kind, outcome) -> messages, as a family."""
    family = CounterMetricFamily("pxhub_messages", "Messages by where they ended.", labels=("source_kind", "outcome"))
    for kind in sorted({kind for kind, _ in tallies}):
        for outcome in Outcome:
            family.add_metric((kind, outcome.value), tallies.get((kind, outcome.value), 0))
    yield family


def _clock(stands: ClockAge, behind: int) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "pxhub_clock_age_seconds", "For how long something due was not said.", value=stands.age / SECOND
    )
    yield GaugeMetricFamily(
        "pxhub_clock_behind_seconds", "How far the machine's clock stands behind the log's.", value=behind / SECOND
    )
