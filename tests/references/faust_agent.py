"""The work of the distributed benchmark by a plain Faust agent with a Table, as its guide would have one write it.

    python faust_agent.py HOST:PORT TOPIC ALERTS END,END,...

It reads CloudEvents of laboratory orders from TOPIC, writes alerts to ALERTS, and ends when each partition is taken up
to its END. The last line that it prints is JSON: events, seconds of the processor and of the clock. It knows nothing of
pxhub, and is run as a process of its own.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import sys
import time
from datetime import datetime

import faust

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

servers, name, told, ends = sys.argv[1:5]
END = [int(end) for end in ends.split(",")]
app = faust.App(
    f"reference-{name}",
    broker="kafka://" + servers,
    store="memory://",
    web_enabled=False,
    topic_partitions=len(END),
    topic_replication_factor=1,
)
events = app.topic(name, key_type=bytes, value_serializer="json")
alerts = app.topic(told, value_serializer="json", partitions=len(END))
waits = app.Table("waits", default=dict, partitions=len(END))

timers = [[] for _ in END]  # of each partition: due, threshold, order
clocks = [0.0 for _ in END]
left = {partition for partition, end in enumerate(END) if end}
taken = 0
began = (0.0, 0.0)
finished = asyncio.Event()


def seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


async def tell(threshold: str, order: str, wait: dict, state: str, ended: float | None) -> None:
    value = {"threshold": threshold, "key": order, "state": state, "due": wait["due"], "ended": ended}
    await alerts.send(key=wait["id"], value=value)


async def advance(partition: int, now: float, *, closes: bool = False) -> None:
    """Breach what is due before now; with `closes` at it too."""
    heap = timers[partition]
    while heap and (heap[0][0] < now or (closes and heap[0][0] == now)):
        _, threshold, order = heapq.heappop(heap)
        open_waits = waits[order]
        wait = open_waits.get(threshold)
        if wait is not None and not wait["breached"]:
            wait["breached"] = True
            waits[order] = open_waits  # so that the table notes it
            await tell(threshold, order, wait, "breached", None)


@app.agent(events)
async def correlate(stream: faust.Stream) -> None:
    global began, taken  # noqa: PLW0603 - what it reports
    async for event in stream.events():
        if not taken:
            began = (time.monotonic(), time.process_time())
        taken += 1
        value, partition = event.value, event.message.partition
        now = seconds(value["time"])
        kind = value["type"]
        if kind == "clock.ticked":
            await advance(partition, now, closes=True)
        else:
            clocks[partition] = max(clocks[partition], now)
            await advance(partition, clocks[partition])
            order = value["data"]["order_id"]
            open_waits = waits[order]
            if kind in ENDS and (wait := open_waits.pop(ENDS[kind], None)) is not None:
                if now > wait["due"]:
                    await tell(ENDS[kind], order, wait, "resolved", now)
                waits[order] = open_waits
            if kind in STARTS:
                threshold, within = STARTS[kind]
                wait = {"id": f"{threshold}/{value['source']}/{value['id']}", "due": now + within, "breached": False}
                open_waits[threshold] = wait
                waits[order] = open_waits
                heapq.heappush(timers[partition], (wait["due"], threshold, order))
        if event.message.offset + 1 >= END[partition]:
            left.discard(partition)
            if not left:
                finished.set()


async def main() -> None:
    await app.start()
    await finished.wait()
    await app.producer.flush()
    wall, cpu = time.monotonic() - began[0], time.process_time() - began[1]
    print(json.dumps({"events": taken, "wall": wall, "cpu": cpu}), flush=True)  # noqa: T201
    await app.stop()


if __name__ == "__main__":
    asyncio.run(main())
