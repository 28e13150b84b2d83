"""`/livez`, `/readyz` and `/healthz`: does the loop turn, does the store take what comes, does the clock move.

A machine's clock that was set back stops nobody from sending: what comes is taken, only time stands. So such a hub is
ready still, and says that it is degraded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hub.alert_line import Time
from hub.serve.intake import Intake
from schemas.event import SECOND
from schemas.instant import write_instant
from streams.embedded.runtime import Runtime

_PATIENCE: Final = 5.0  # seconds that the runtime may take to answer
_LATE: Final = 60 * SECOND
_encode: Final = msgspec.json.Encoder().encode


class Health(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`ok`, `degraded` or `failing`, the last two with the reason."""

    status: str
    reason: str | None = None


class HealthSum(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Both checks, and where the clock and the log stand."""

    status: str
    live: Health
    ready: Health
    clock: Time | None = None
    messages: int | None = None


class ClockAge(msgspec.Struct, frozen=True):
    """Where the clock stands, in microseconds. `age` is for how long something due was not said; after a gap nothing is
    until `settled`."""

    recorded: int
    age: int
    entries: int
    settled: int


class Healths:
    """The three checks. `clock` tells the machine's time in microseconds."""

    def __init__(self, intake: Intake, clock: Callable[[], int]) -> None:
        self._intake: Intake = intake
        self._clock: Callable[[], int] = clock

    async def clock_age(self) -> ClockAge:
        """Raises TimeoutError where the runtime does not answer."""
        now = self._clock()

        def asked(runtime: Runtime) -> ClockAge:
            # what was judged and cannot be written (a full disk) is not said either
            since = min(runtime.due, runtime.said_since)
            age = 0 if runtime.by_event else max(0, now - since)
            return ClockAge(runtime.recorded, age, runtime.entries, runtime.settled)

        async with asyncio.timeout(_PATIENCE):
            return await self._intake.ask(asked)

    async def _ready(self) -> tuple[Health, ClockAge | None]:
        if self._intake.stopping:
            return Health(status="failing", reason="the hub is being stopped"), None
        if self._intake.condition.failed is not None:
            return Health(status="failing", reason=self._intake.condition.failed), None
        try:
            stands = await self.clock_age()
        except TimeoutError:
            return Health(status="failing", reason="the runtime does not answer"), None
        if stands.age > _LATE and self._clock() > stands.settled + _LATE:
            return Health(status="failing", reason="the clock does not move: something due is not said"), stands
        if behind := self._intake.condition.behind // SECOND:
            reason = f"the machine's clock stands {behind} s behind the log's: until it has caught up, time stands"
            return Health(status="degraded", reason=reason), stands
        return Health(status="ok"), stands

    async def livez(self, _: Request) -> Response:
        """GET /livez"""
        return answer_health(Health(status="ok"))

    async def readyz(self, _: Request) -> Response:
        """GET /readyz"""
        ready, _stands = await self._ready()
        return answer_health(ready)

    async def healthz(self, _: Request) -> Response:
        """GET /healthz"""
        ready, stands = await self._ready()
        told = HealthSum(status=ready.status, live=Health(status="ok"), ready=ready)
        if stands is not None:
            told.clock, told.messages = write_instant(stands.recorded), stands.entries
        return answer_health(told)


def answer_health(told: Health | HealthSum) -> Response:
    """503 where it is failing."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if told.status == "failing" else HTTPStatus.OK
    return Response(_encode(told), status, {"Cache-Control": "no-store"}, "application/json")
