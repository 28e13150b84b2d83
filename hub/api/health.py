"""`/livez`, `/readyz` and `/healthz`: does the loop turn, can the store be written, does the clock move."""

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
from schemas.errors import StoreFailed
from schemas.event import SECOND
from schemas.instant import write_instant
from streams.embedded.runtime import SETTLE, Runtime

_PATIENCE: Final = 5.0  # seconds that the runtime may take to answer
_LATE: Final = 60 * SECOND
_PROBE: Final = "INSERT OR REPLACE INTO meta VALUES ('probe', ?)"
_encode: Final = msgspec.json.Encoder().encode


class Health(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`ok`, or `failing` with the reason."""

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
    """Where the clock stands. `age` is for how long something due was not said, in microseconds."""

    recorded: int
    age: int
    entries: int
    set_back: bool


class Healths:
    """The three checks. `clock` tells the machine's time in microseconds."""

    def __init__(self, intake: Intake, clock: Callable[[], int]) -> None:
        self._intake: Intake = intake
        self._clock: Callable[[], int] = clock
        self._began: int = clock()

    async def clock_age(self) -> ClockAge:
        """Raises TimeoutError where the runtime does not answer."""
        now = self._clock()

        def asked(runtime: Runtime) -> ClockAge:
            age = 0 if runtime.by_event else max(0, now - runtime.due)
            return ClockAge(runtime.recorded, age, runtime.entries, runtime.set_back)

        async with asyncio.timeout(_PATIENCE):
            return await self._intake.ask(asked)

    async def _ready(self) -> tuple[Health, ClockAge | None]:
        if self._intake.stopping:
            return Health(status="failing", reason="the hub is being stopped"), None
        try:
            stands = await self.clock_age()
            if self._intake.failed is not None:
                # nothing may come any more that would try it again: a failing hub is sent nothing
                now = self._clock()
                async with asyncio.timeout(_PATIENCE):
                    await self._intake.ask(lambda runtime: runtime.store.write(_PROBE, [(now,)]))
        except StoreFailed as wrong:
            return Health(status="failing", reason=str(wrong)), None
        except TimeoutError:
            return Health(status="failing", reason="the runtime does not answer"), None
        settled = self._began + SETTLE + _LATE  # after a gap the clock stands for a while
        if stands.age > _LATE and self._clock() > settled:
            return Health(status="failing", reason="the clock does not move: something due is not said"), stands
        return Health(status="ok"), stands

    async def livez(self, _: Request) -> Response:
        """GET /livez"""
        return _answer(Health(status="ok"))

    async def readyz(self, _: Request) -> Response:
        """GET /readyz"""
        ready, _stands = await self._ready()
        return _answer(ready)

    async def healthz(self, _: Request) -> Response:
        """GET /healthz"""
        ready, stands = await self._ready()
        told = HealthSum(status=ready.status, live=Health(status="ok"), ready=ready)
        if stands is not None:
            told.clock, told.messages = write_instant(stands.recorded), stands.entries
        return _answer(told)


def _answer(told: Health | HealthSum) -> Response:
    status = HTTPStatus.OK if told.status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(_encode(told), status, {"Cache-Control": "no-store"}, "application/json")
