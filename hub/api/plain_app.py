"""The HTTP API of a hub that keeps nothing itself: what comes goes to Kafka, what is asked for is read from Redis."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.routing import Route

from hub import __version__
from hub.api.alert_stream import AlertStream, StreamCounts
from hub.api.app import LOOPBACK_NAMES, put_together, taking_routes, telling_routes
from hub.api.bodies import Bodies, BodySettings
from hub.api.fhir.door import FhirDoor
from hub.api.fhir.planning import PlainPlanning
from hub.api.hooks import HookDoor
from hub.api.metrics import Counters, HttpCounts, no_counters
from hub.api.plain_health import PlainHealths, PlainMetrics
from hub.api.view_alerts import ViewAlerts
from hub.api.view_feed import ViewFeed
from hub.kafka.intake import KafkaIntake
from hub.site_fhir import FhirServer
from streams.distributed.view_reads import ViewReads

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


def make_plain_app(  # noqa: PLR0913 - what it stands on
    intake: KafkaIntake,
    views: ViewReads,
    clock: Callable[[], int],
    hooks: HookDoor,
    *,
    log: BoundLogger | None = None,
    counters: Counters = no_counters,
    hosts: frozenset[str] | None = LOOPBACK_NAMES,
    fhir_servers: Mapping[str, FhirServer] | None = None,
) -> Starlette:
    """The app over an intake and the views of alerts. `clock` tells the machine's time in microseconds; `counters` are
    numbers of other doors for /metrics; `hosts` are the names it may be called by, None for any; `hooks` takes
    deliveries of webhooks. Its `state.feed` is to be closed before a graceful stop, for streams end by nothing else."""
    bodies, feed, streams = Bodies(BodySettings()), ViewFeed(views), StreamCounts()
    healths, alerts = PlainHealths(intake, feed), ViewAlerts(views)
    registry = CollectorRegistry()
    counts = HttpCounts(registry)
    fhir = FhirDoor(intake, PlainPlanning(), bodies, clock, servers=fhir_servers, version=__version__)
    routes = [
        *telling_routes(healths, PlainMetrics(intake, feed, views, streams, registry, counters).metrics),
        *taking_routes(intake, bodies, hooks, clock),
        Route("/v1/alerts", alerts.list_alerts, methods=["GET"]),
        Route("/v1/alerts/stream", AlertStream(feed, streams).stream_alerts, methods=["GET"]),
        Route("/v1/alerts/{id}", alerts.show_alert, methods=["GET"]),
        *fhir.routes(),
    ]

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        await feed.start()
        await fhir.start()
        yield
        await fhir.close()
        await feed.close()
        await views.close()

    app = put_together(routes, life, counts, hosts=hosts, log=log)
    app.state.feed = feed
    return app
