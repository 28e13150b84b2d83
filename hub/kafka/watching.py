"""A worker watched from a thread of its own, for a loop that hangs watches nothing; one that is stuck ends at once.

What was not durable by then is worked again by whoever has the partition next, so there is nothing to tidy up.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from faust.types import TP

from streams.distributed.reading import read_topic
from streams.distributed.stage import Stage
from streams.distributed.watchdog import Watchdog

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

TRY_AGAIN: Final = 75


@contextmanager
def watched(
    stage: Stage[Any],
    client: Mapping[str, Any],
    seconds: float,
    log: BoundLogger,
    is_rebalancing: Callable[[], bool],
) -> Iterator[None]:
    """Watch a stage meanwhile; exit code 75 when a partition of it stands still for so many seconds."""
    ended = threading.Event()

    def has_more(tp: TP, offset: int) -> bool:
        return next(read_topic(client, tp.topic, tp.partition, begin=offset), None) is not None

    def watch() -> None:
        dog = Watchdog(stage, has_more, seconds)
        while not ended.wait(dog.interval):
            stuck = dog.look(time.monotonic(), rebalancing=is_rebalancing())
            if stuck is not None and not ended.is_set():
                tp, offset, reason = stuck
                at = None if offset < 0 else offset
                log.error(
                    "worker.stuck", topic=tp.topic, partition=tp.partition, offset=at, seconds=seconds, reason=reason
                )
                os._exit(TRY_AGAIN)

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def end_within(seconds: float, log: BoundLogger) -> None:
    """End the process if it has not by so many seconds from now: Kafka's client waits for brokers that are away for as
    long as it likes."""

    def end() -> None:
        log.error("worker.ended_undone", seconds=seconds)
        os._exit(TRY_AGAIN)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
