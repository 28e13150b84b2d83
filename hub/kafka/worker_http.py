"""What a worker tells of itself over HTTP: `/metrics` for Prometheus, `/livez`, `/readyz`. No label names a person."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from faust.types import TP
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hub.api.serve_http import HttpDoor, listen
from hub.listen.access import is_loopback
from hub.listen.bind import bind
from hub.serve.service import machine_time
from schemas.errors import WrongUse
from schemas.event import SECOND
from streams.distributed.stage import Stage

_GAUGES: Final = {
    "offset": "The offset of the record that is taken next.",
    "lag_offsets": "Offsets from there to the end of what is committed, as the consumer knows it.",
    "clock_seconds": "Where the partition's clock stands, in seconds since 1970.",
    "clock_age_seconds": "How far the partition's clock is behind this machine's.",
    "waits_open": "Promises that are kept in mind.",
    "handovers_awaited": "Persons whose evidence is to come from another partition.",
    "commit_seconds": "How long the last commit took.",
}
_COUNTERS: Final = {
    "poison_records": "Records that were set apart, for the stage failed on them.",
    "slices": "Transactions that were committed.",
}

Ends = Callable[[], Mapping[TP, int]]
"""How many offsets lie between what was taken and the end, of each partition that is held."""


class _NoStreams:
    async def close(self) -> None:
        """Nothing of a worker's HTTP stays open."""


class _Once(Collector):
    """What was gathered for one answer."""

    def __init__(self, families: list[Metric]) -> None:
        self._families: list[Metric] = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


class WorkerHttp:
    """The answers of a worker of one stage. `clock` is this machine's, in microseconds."""

    def __init__(self, name: str, stage: Stage[Any], lags: Ends, clock: Callable[[], int]) -> None:
        self._name: str = name
        self._stage: Stage[Any] = stage
        self._lags: Ends = lags
        self._clock: Callable[[], int] = clock

    def app(self) -> Starlette:
        """`/metrics`, `/livez`, `/readyz`."""
        routes = [Route(f"/{what.__name__}", what, methods=["GET"]) for what in (self.metrics, self.livez, self.readyz)]
        app = Starlette(routes=routes)
        app.state.feed = _NoStreams()
        return app

    async def livez(self, _: Request) -> Response:
        """200 while the loop turns; what stands still ends of itself."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        """200 while all that the group gave us stands; a worker that stands by has nothing and is ready."""
        stage = self._stage
        if not stage.stands.is_set():
            return PlainTextResponse("no partitions yet\n", 503)
        if stage.opening:
            return PlainTextResponse(f"{len(stage.opening)} partitions are being stood up\n", 503)
        lost = len([tp for tp in stage.assigned if tp not in stage.held])
        return PlainTextResponse(f"{lost} partitions are held by nobody\n", 503) if lost else PlainTextResponse("ok\n")

    async def metrics(self, _: Request) -> Response:
        """Text for Prometheus."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once(list(self._families(self._lags()))))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_1_0_0)

    def _families(self, lags: Mapping[TP, int]) -> Iterator[Metric]:
        stage, now = self._stage, self._clock()
        yield InfoMetricFamily("pxhub_work", "Which stage this worker runs.", value={"stage": self._name})
        states = GaugeMetricFamily("pxhub_work_partitions", "Partitions that are ours, by state.", labels=("state",))
        lost = len([tp for tp in stage.assigned if tp not in stage.held and tp not in stage.opening])
        for state, count in (("held", len(stage.held)), ("opening", len(stage.opening)), ("unheld", lost)):
            states.add_metric((state,), count)
        yield states
        families: dict[str, Metric] = {
            what: GaugeMetricFamily(f"pxhub_work_{what}", told, labels=("partition",)) for what, told in _GAUGES.items()
        } | {
            what: CounterMetricFamily(f"pxhub_work_{what}", told, labels=("partition",))
            for what, told in _COUNTERS.items()
        }
        for tp, held in sorted(stage.held.items()):
            figures = held.work.figures()
            numbers: dict[str, float | None] = {
                "offset": held.work.next,
                "lag_offsets": lags.get(tp),
                "clock_seconds": figures.clock / SECOND if figures.clock else None,
                "clock_age_seconds": (now - figures.clock) / SECOND if figures.clock else None,
                "waits_open": figures.waits,
                "handovers_awaited": figures.awaited,
                "commit_seconds": held.commit_seconds,
                "poison_records": held.poison,
                "slices": held.slices,
            }
            for what, value in numbers.items():
                if value is not None:
                    families[what].add_metric((str(tp.partition),), value)  # type: ignore[attr-defined]  # both have it
        yield from families.values()


def bind_metrics(host: str, port: int) -> socket.socket:
    """Listen at a loopback address. Raises WrongUse for any other."""
    if not is_loopback(host):
        raise WrongUse(
            f"--metrics {host}: metrics are told on loopback only (127.0.0.1, ::1, localhost), for nobody signs in; "
            "let an agent on this machine or a proxy that signs people in stand before it"
        )
    return bind("--metrics", "127.0.0.1" if host == "localhost" else host, port)


async def serve_worker(
    listening: socket.socket, name: str, stage: Stage[Any], lags: Ends, clock: Callable[[], int] | None = None
) -> HttpDoor:
    """Answer on a socket of `bind_metrics`."""
    return await listen(WorkerHttp(name, stage, lags, clock or machine_time).app(), listening)
