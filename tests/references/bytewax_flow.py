"""The work of the distributed benchmark as a Bytewax dataflow, as its guide would have one write it.

    python bytewax_flow.py HOST:PORT TOPIC ALERTS

It reads CloudEvents of laboratory orders from TOPIC up to its end, keeps a state a person (the key of the records),
and writes alerts to ALERTS. A wait that is over is seen at the person's next event, or at the end of the stream: a
timer of the dataflow would ring by the machine's clock. Nothing is kept on disk. The last line that it prints is JSON:
events, seconds of the processor and of the clock. It knows nothing of pxhub, and is run as a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from datetime import datetime

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import run_main

HOUR = 3600
STARTS = {
    "order.placed": ("order.collected", 24 * HOUR),
    "specimen.received": ("result.made", 4 * HOUR),
    "result.final": ("result.seen", 24 * HOUR),
}
ENDS = {
    "specimen.collected": "order.collected",
    "result.final": "result.made",
    "result.viewed": "result.seen",
}
TICKED = "clock.ticked"

Wait = dict[str, object]


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def told(threshold: str, order: str, wait: Wait, state: str, ended: float | None) -> tuple[str, bytes]:
    value = {"threshold": threshold, "key": order, "state": state, "due": wait["due"], "ended": ended}
    return str(wait["id"]), orjson.dumps(value)


class Waits(StatefulBatchLogic):
    """The open waits of a person, by threshold and order."""

    def __init__(self, kept: dict[tuple[str, str], Wait] | None) -> None:
        self.waits = kept or {}

    def on_batch(self, values: list[dict]) -> tuple[Iterable[tuple[str, bytes]], bool]:
        alerts = []
        for value in values:
            alerts += self.take(value)
        return alerts, StatefulBatchLogic.RETAIN

    def take(self, value: dict) -> Iterable[tuple[str, bytes]]:
        now, kind = seconds(value["time"]), value["type"]
        yield from self.breach(now)
        order = value["data"]["order_id"]
        if kind in ENDS and (wait := self.waits.pop((ENDS[kind], order), None)) is not None and now > wait["due"]:
            yield told(ENDS[kind], order, wait, "resolved", now)
        if kind in STARTS:
            threshold, within = STARTS[kind]
            id_ = f"{threshold}/{value['source']}/{value['id']}"
            self.waits[(threshold, order)] = {"id": id_, "due": now + within, "breached": False}

    def breach(self, now: float) -> Iterable[tuple[str, bytes]]:
        for (threshold, order), wait in self.waits.items():
            if wait["due"] < now and not wait["breached"]:
                wait["breached"] = True
                yield told(threshold, order, wait, "breached", None)

    def on_eof(self) -> tuple[Iterable[tuple[str, bytes]], bool]:
        return list(self.breach(closed)), StatefulBatchLogic.RETAIN

    def snapshot(self) -> dict[tuple[str, str], Wait]:
        return dict(self.waits)


closed = float("inf")
taken = 0


def decoded(message: object) -> tuple[str, dict] | None:
    global taken  # noqa: PLW0603 - what it reports
    taken += 1
    value = orjson.loads(message.value)
    return None if value["type"] == TICKED else (message.key.decode(), value)


def flow(servers: str, topic: str, alerts: str) -> Dataflow:
    made = Dataflow("three_waits")
    source = KafkaSource([servers], [topic], tail=False, add_config={"fetch.queue.backoff.ms": "20"}, batch_size=10_000)
    events = op.filter_map("decode", op.input("events", made, source), decoded)
    waited = op.stateful_batch("waits", events, Waits)
    records = op.map("record", waited, lambda said: KafkaSinkMessage(said[1][0].encode(), said[1][1]))
    op.output("alerts", records, KafkaSink([servers], alerts))
    return made


if __name__ == "__main__":
    made = flow(*sys.argv[1:4])
    wall, cpu = time.monotonic(), time.process_time()
    run_main(made)
    spent = {"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({"events": taken, **spent}), flush=True)  # noqa: T201
