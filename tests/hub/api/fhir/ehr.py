"""A small FHIR server that keeps the notifications of one subscription, and gives them when it is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub.api.fhir.outcomes import FHIR_JSON
from hub.api.serve_http import _Server, bind_http

HEARTBEAT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period"


def notification(
    kind: str, *numbers: int, since: int | None = None, resources: tuple[dict[str, Any], ...] = (), r4b: bool = False
) -> dict[str, Any]:
    """A notification bundle; each number's focus is the resource of its place, where there is one."""
    foci = [f"{one['resourceType']}/{one['id']}" for one in resources]
    if r4b:
        events = [
            {"eventNumber": str(n), "focus": {"reference": focus}} for n, focus in zip(numbers, foci, strict=False)
        ]
        status: dict[str, Any] = {
            "resourceType": "SubscriptionStatus",
            "type": kind,
            "subscription": {"reference": "Subscription/s1"},
            "notificationEvent": events,
        }
        if since is not None:
            status["eventsSinceSubscriptionStart"] = str(since)
    else:
        told: list[dict[str, Any]] = [
            {"name": "subscription", "valueReference": {"reference": "Subscription/s1"}},
            {"name": "type", "valueCode": kind},
        ]
        if since is not None:
            told.append({"name": "events-since-subscription-start", "valueString": str(since)})
        for place, number in enumerate(numbers):
            part: list[dict[str, Any]] = [{"name": "event-number", "valueString": str(number)}]
            if place < len(foci):
                part.append({"name": "focus", "valueReference": {"reference": foci[place]}})
            told.append({"name": "notification-event", "part": part})
        status = {"resourceType": "Parameters", "parameter": told}
    first = {
        "fullUrl": "urn:uuid:0a5d4a0e-6b1c-4a8e-9a53-5e3d5a2f0009",
        "resource": status,
        "request": {"method": "GET", "url": "Subscription/s1/$status"},
        "response": {"status": "200"},
    }
    rest = [
        {"fullUrl": f"https://ehr.example/fhir/{focus}", "resource": one, "request": {"method": "PUT", "url": focus}}
        for focus, one in zip(foci, resources, strict=True)
    ]
    return {"resourceType": "Bundle", "type": "history", "timestamp": "2026-03-02T09:00:00Z", "entry": [first, *rest]}


class Ehr:
    """What a server has; `asked` is what it was asked for, with the token."""

    def __init__(self) -> None:
        self.by_number: dict[int, dict[str, Any]] = {}
        self.asked: list[tuple[int, int, str]] = []
        self.base: str = ""
        self.fails: int = 0
        self.pages: list[list[dict[str, Any]]] = []
        self.searched: list[str] = []
        self.heartbeat: int | None = None  # seconds
        self.answers: int = 200  # when it is asked for the Subscription
        self.counted: int | None = None  # what $status says; None where it fails
        self.status_asked: int = 0

    async def subscription(self, _: Request) -> Response:
        said = {"resourceType": "Subscription", "id": "s1", "criteria": "Appointment?status=booked"}
        if self.answers != 200:
            return Response(status_code=self.answers)
        if self.heartbeat is not None:
            promised = {"url": HEARTBEAT, "valueUnsignedInt": self.heartbeat}
            return JSONResponse({**said, "channel": {"extension": [promised]}}, media_type=FHIR_JSON)
        return JSONResponse(said, media_type=FHIR_JSON)

    async def status(self, _: Request) -> Response:
        self.status_asked += 1
        if self.counted is None:
            return Response(status_code=503)
        told = notification("query-status", since=self.counted)
        return JSONResponse({**told, "type": "searchset"}, media_type=FHIR_JSON)

    async def search(self, request: Request) -> Response:
        self.searched.append(request.url.query)
        page = int(request.query_params.get("page", "0"))
        found: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
        found["entry"] = [
            {"fullUrl": f"{self.base}/{one['resourceType']}/{one['id']}", "resource": one} for one in self.pages[page]
        ]
        if page + 1 < len(self.pages):
            found["link"] = [{"relation": "next", "url": f"{self.base}/Appointment?page={page + 1}"}]
        return JSONResponse(found, media_type=FHIR_JSON)

    async def events(self, request: Request) -> Response:
        first = int(request.query_params["eventsSinceNumber"])
        last = int(request.query_params["eventsUntilNumber"])
        self.asked.append((first, last, request.headers.get("authorization", "")))
        if self.fails:
            self.fails -= 1
            return Response(status_code=500)
        numbers = [number for number in range(first, last + 1) if number in self.by_number]
        resources = tuple(self.by_number[number] for number in numbers)
        return JSONResponse(notification("query-event", *numbers, resources=resources), media_type=FHIR_JSON)


@contextlib.asynccontextmanager
async def an_ehr() -> AsyncIterator[Ehr]:
    """A server that listens on a port of its own."""
    import uvicorn

    ehr = Ehr()
    app = Starlette(
        routes=[
            Route("/fhir/Subscription/s1", ehr.subscription),
            Route("/fhir/Subscription/s1/$status", ehr.status),
            Route("/fhir/Subscription/s1/$events", ehr.events),
            Route("/fhir/Appointment", ehr.search),
        ]
    )
    listening = bind_http("127.0.0.1", 0)
    ehr.base = f"http://127.0.0.1:{listening.getsockname()[1]}/fhir"
    server = _Server(uvicorn.Config(app, loop="none", ws="none", lifespan="off", log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield ehr
    finally:
        server.should_exit = True
        await serving
