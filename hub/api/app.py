"""The HTTP API put together: its routes, what stands around them, and what starts and ends with it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hub import __version__
from hub.api.alert_stream import SLOW_SECONDS, STREAMS, AlertStream, StreamCounts
from hub.api.alerts import AlertOne, AlertPages
from hub.api.bodies import Bodies, BodySettings
from hub.api.cursor import cursors_of
from hub.api.events import EventIntake
from hub.api.feed import Feed
from hub.api.feedback import FeedbackIntake
from hub.api.fhir.door import FhirDoor, answers_in_fhir, failed, is_fhir
from hub.api.fhir.followed import Followed
from hub.api.fhir.planning import StoredPlanning
from hub.api.fhir.subscriptions import PATIENCE
from hub.api.health import Healths
from hub.api.hooks import HookDoor, HookIntake
from hub.api.metrics import Counters, HttpCounts, Metrics, no_counters
from hub.api.openapi import serve_openapi
from hub.api.problems import (
    Problem,
    Refused,
    answer_failure,
    answer_http_exception,
    answer_problem,
    answer_refused,
    problem_type,
    unavailable,
)
from hub.api.reads import Reads
from hub.asyncapi import serve_asyncapi
from hub.fhir_server import Connect, PlainAsker
from hub.hook_sources import HookSources
from hub.serve.intake import Intake
from hub.serve.takes import Takes
from hub.site_fhir import FhirServer
from schemas.errors import StoreFailed
from streams.embedded.reader import Reader

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

LOOPBACK_NAMES: Final = frozenset(("localhost", "127.0.0.1", "[::1]"))


def make_app(  # noqa: PLR0913 - what it stands on
    intake: Intake,
    open_reader: Callable[[], Reader],
    clock: Callable[[], int],
    *,
    zone: str = "UTC",
    log: BoundLogger | None = None,
    counters: Counters = no_counters,
    hosts: frozenset[str] | None = LOOPBACK_NAMES,
    bodies: BodySettings | None = None,
    slow_seconds: float = SLOW_SECONDS,
    streams_at_once: int = STREAMS,
    hooks: HookDoor | None = None,
    fhir_servers: Mapping[str, FhirServer] | None = None,
    fhir_patience: float = PATIENCE,
    fhir_connect: Connect = PlainAsker,
) -> Starlette:
    """The app over an intake and readers of its store. `clock` tells the machine's time in microseconds; `zone` is
    what explanations without a calendar are told in; `counters` are numbers of other doors for /metrics; `hosts` are
    the names it may be called by, None for any; `hooks` takes deliveries of webhooks. Its `state.feed` is to be closed
    before a graceful stop, for streams end by nothing else."""
    pages, followed = Reads(open_reader), Reads(open_reader)
    with contextlib.closing(open_reader()) as reader:
        cursors = cursors_of(reader)
    feed, streams, healths = Feed(intake, followed, cursors), StreamCounts(), Healths(intake, clock)
    all_bodies = Bodies(bodies or BodySettings())
    fhir_reads, bundle_reads = Reads(open_reader), Reads(open_reader)
    fhir_followed = Followed(
        intake, fhir_reads, clock, fhir_servers or {}, connect=fhir_connect, log=log, patience=fhir_patience
    )
    fhir = FhirDoor(
        intake,
        StoredPlanning(fhir_reads, bundle_reads),
        all_bodies,
        clock,
        servers=fhir_servers,
        followed=fhir_followed,
        version=__version__,
    )
    registry = CollectorRegistry()
    counts = HttpCounts(registry)
    metrics = Metrics(intake, pages, feed, healths, streams, registry, lambda: {**counters(), **fhir.numbers})
    stream = AlertStream(feed, streams, slow_seconds=slow_seconds, most=streams_at_once)
    routes = [
        *telling_routes(healths, metrics.metrics),
        *taking_routes(intake, all_bodies, hooks or HookDoor(HookSources()), clock),
        Route("/v1/alerts", AlertPages(pages, cursors).list_alerts, methods=["GET"]),
        Route("/v1/alerts/stream", stream.stream_alerts, methods=["GET"]),
        Route("/v1/alerts/{id}", AlertOne(intake, pages, clock, zone).show_alert, methods=["GET"]),
        *fhir.routes(),
    ]

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        await feed.start()
        await fhir.start()
        yield
        await fhir.close()
        await bundle_reads.close()
        await fhir_reads.close()
        await feed.close()
        await followed.close()
        await pages.close()

    app = put_together(routes, life, counts, hosts=hosts, log=log)
    app.state.feed = feed
    return app


class Checks(Protocol):
    """Answers how a hub is."""

    async def livez(self, request: Request, /) -> Response: ...
    async def readyz(self, request: Request, /) -> Response: ...
    async def healthz(self, request: Request, /) -> Response: ...


def telling_routes(healths: Checks, metrics: Callable[[Request], Awaitable[Response]]) -> list[Route]:
    """What every hub tells of itself."""
    return [
        Route("/livez", healths.livez, methods=["GET"]),
        Route("/readyz", healths.readyz, methods=["GET"]),
        Route("/healthz", healths.healthz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/openapi.json", serve_openapi, methods=["GET"]),
        Route("/asyncapi.json", serve_asyncapi, methods=["GET"]),
    ]


def taking_routes(intake: Takes, bodies: Bodies, hooks: HookDoor, clock: Callable[[], int]) -> list[Route]:
    """What every hub takes, beside FHIR."""
    return [
        Route("/v1/events", EventIntake(intake, bodies).post_events, methods=["POST"]),
        Route("/v1/feedback", FeedbackIntake(intake, bodies, clock).post_feedback, methods=["POST"]),
        Route("/v1/hooks/{source}", HookIntake(hooks, intake, clock).post_hook, methods=["POST"]),
    ]


def put_together(
    routes: Sequence[Route],
    life: Callable[[Starlette], AbstractAsyncContextManager[None]],
    counts: HttpCounts,
    *,
    hosts: frozenset[str] | None,
    log: BoundLogger | None,
) -> Starlette:
    """Routes, counted and called by names that are ours, with what goes wrong answered."""
    counts.routes = {route.endpoint: route.path for route in routes}
    counts.streams = frozenset(("/v1/alerts/stream",))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(counts.around), Middleware(_Named, hosts=hosts)],
        exception_handlers={
            HTTPException: answers_in_fhir(answer_http_exception),
            Refused: answer_refused,
            StoreFailed: _answer_store_failed,
            TimeoutError: _answer_timeout,
            Exception: _answer_failure(log),
        },
        lifespan=life,
    )
    app.router.redirect_slashes = False
    return app


async def _answer_store_failed(request: Request, wrong: Exception) -> Response:
    return await answer_refused(request, unavailable("store-failed", str(wrong)))


async def _answer_timeout(request: Request, _: Exception) -> Response:
    return await answer_refused(request, unavailable("busy", "the runtime does not answer in time"))


def _answer_failure(log: BoundLogger | None) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, wrong: Exception) -> Response:
        if log is not None:
            log.error("http.failed", reason=type(wrong).__name__)
        return failed() if is_fhir(request) else await answer_failure(request, wrong)

    return answer


class _Named:
    """Middleware: takes requests to names that are ours. A page in somebody's browser may point a name of its own at
    this machine, and would read what only this machine should."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app: ASGIApp = app
        self._hosts: frozenset[str] | None = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._hosts is not None:
            host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
            name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
            if name.lower() not in self._hosts:
                detail = "the Host header names another machine; call the hub by localhost or its loopback address"
                problem = Problem(
                    type=problem_type("wrong-host"), title="Misdirected Request", status=421, detail=detail
                )
                await answer_problem(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)
