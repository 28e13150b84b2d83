"""Records of px.alerts, written as the workers write them, and what the views make of them; `python -m` follows."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterable
from typing import Any

import msgspec
import redis
from confluent_kafka import Producer

from hub.alert_line import AlertSaid
from hub.kafka.cluster import look_at
from hub.kafka.settings import read_kafka_settings
from schemas.alert import OPEN, Level, State
from schemas.instant import write_instant
from streams.distributed.view_shelf import ViewShelf
from streams.distributed.views import Views

MINUTE = 60_000_000
BEGIN = 1_790_000_000_000_000


def said(number: int, state: State = State.BREACHED, *, person: str = "pn-1", at: int = 0) -> AlertSaid:
    """A transition of the alert of a number; it is due as many minutes after the beginning."""
    return AlertSaid(
        id=f"al-{number:024x}", threshold="result.told", key=f"o{number}", person=person, journey=None, state=state,
        level=Level.BREACHED, severity="high", mode="live", started_at=write_instant(BEGIN),
        due_at=write_instant(BEGIN + number * MINUTE), fired_at=write_instant(BEGIN), ended_at=None,
        delay_seconds=None, facility="NORTH" if number % 2 else None, late_start=False, reason="r",
        at=write_instant(BEGIN + at),
    )  # fmt: skip


def drawn(alerts: int, many: int, seed: int) -> list[AlertSaid]:
    """Transitions of some alerts in an order that was drawn; now and then one is another person's."""
    draw = random.Random(seed)
    return [
        said(draw.randrange(alerts), draw.choice(list(State)), person=f"pn-{draw.randrange(5)}", at=at)
        for at in range(many)
    ]


class Writer:
    """Writes to px.alerts of a broker, in transactions."""

    def __init__(self, kafka: str) -> None:
        settings = {"transactional.id": "px-test-alerts", "partitioner": "murmur2_random", "log_level": 2}
        self._producer = Producer({"bootstrap.servers": kafka, **settings})
        self._producer.init_transactions(30)

    def write(self, lines: Iterable[AlertSaid], *, keeps: bool = True) -> None:
        """Write records; without `keeps` they are taken back."""
        self._producer.begin_transaction()
        for line in lines:
            self._producer.produce("px.alerts", msgspec.json.encode(line), line.id.encode())
        if keeps:
            self._producer.commit_transaction(30)
        else:
            self._producer.abort_transaction(30)

    def write_raw(self, key: bytes | None, value: bytes | None, partition: int = 0) -> None:
        """Write a record as it is."""
        self._producer.begin_transaction()
        self._producer.produce("px.alerts", value, key, partition)
        self._producer.commit_transaction(30)


def expected(lines: Iterable[AlertSaid]) -> dict[str, Any]:
    """What the views hold of these."""
    last = {line.id: line for line in lines}
    waiting = [line for line in last.values() if line.state in OPEN]
    return {
        "alerts": {id_.encode(): msgspec.json.encode(line) for id_, line in last.items()},
        "ids": [id_.encode() for id_ in sorted(last)],
        "open": [line.id.encode() for line in sorted(waiting, key=lambda line: (line.due_at, line.id))],
        "persons": sorted(f"{line.person}\0{line.started_at}\0{line.id}".encode() for line in last.values()),
    }


def held(url: str) -> dict[str, Any]:
    """What the views hold."""
    client = redis.Redis.from_url(url)
    try:
        return {
            "alerts": client.hgetall("px:view:alerts"),
            "ids": client.zrange("px:view:ids", 0, -1),
            "open": client.zrange("px:view:open", 0, -1),
            "persons": client.zrange("px:view:persons", 0, -1),
        }
    finally:
        client.close()


def streamed(url: str) -> list[bytes | None]:
    """The stream of transitions; None for a line that says that all before is gone."""
    client = redis.Redis.from_url(url)
    try:
        return [fields.get(b"d") for _, fields in client.xrange("px:view:changes")]
    finally:
        client.close()


def views_of(kafka: str, url: str, **given: Any) -> Views:
    settings = read_kafka_settings(kafka, {})
    cluster = look_at(settings)
    shelf = ViewShelf(url, **given)
    return Views(settings.for_confluent(), shelf, cluster.id, cluster.partitions["px.alerts"], lambda *_, **__: None)


if __name__ == "__main__":
    views_of(sys.argv[1], sys.argv[2]).run(threading.Event())
