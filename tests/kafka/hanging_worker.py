"""A worker whose agent takes nothing for ever, watched as `pxhub work` is.

`python -m tests.kafka.hanging_worker SERVERS`
It stands for Faust's agents that stop after an outage of the broker (faust-streaming 523, 532, 602).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from hub.kafka.watching import watched
from hub.telemetry import start_telemetry
from streams.distributed.app import make_app, run_app
from streams.distributed.names import COUNTED
from streams.distributed.stage import Figures, Stage
from streams.distributed.transactions import Out, Transactions


class Hanging:
    """Work that never returns."""

    piece: int = 100

    next: int = 0

    async def take(self, records: Sequence[Any], end: int) -> None:
        await asyncio.Event().wait()

    def isolate(self, offset: int, raw: bytes) -> None:
        """It has nothing."""

    def collect(self, *, idle: bool) -> list[Out]:
        del idle
        return []

    def figures(self) -> Figures:
        return Figures()

    def end(self) -> None:
        """It waits for nothing that could be ended."""


async def run(servers: str) -> None:
    client, log = {"bootstrap.servers": servers}, start_telemetry()
    stage: Stage[Hanging] = Stage(COUNTED, lambda _: (Hanging(), Transactions(client, "px-hanging")), log.info)
    app = make_app("px-hanging", stage, servers, aiokafka={}, confluent=client)
    with watched(stage, client, 2.0, log, lambda: False):
        await run_app(app, stage, asyncio.Event(), lambda: None)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
