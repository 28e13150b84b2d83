"""The alerts of a hub in Kafka, as they stand: the last record of each on px.alerts."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.kafka.settings import KafkaSettings
from hub.kafka.work import look_at
from schemas.errors import WrongUse
from streams.distributed.names import ALERTS
from streams.distributed.reading import read_topic


def alerts_of(kafka: KafkaSettings) -> list[dict[str, Any]]:
    """Every alert in its last state, as `--alerts-out` writes it, sorted by start and id. Raises TryAgain, and WrongUse
    where there is no such topic."""
    partitions = look_at(kafka).partitions.get(ALERTS)
    if partitions is None:
        raise WrongUse(f"{ALERTS}: no such topic; run: pxhub topics apply --kafka {kafka.servers}")
    last: dict[bytes, bytes] = {}
    for number in range(partitions):
        for record in read_topic(kafka.for_confluent(), ALERTS, number):
            if record.key is not None and record.value is not None:
                last[record.key] = record.value
    found: list[dict[str, Any]] = []
    for value in last.values():
        try:
            alert = msgspec.json.decode(value, type=dict[str, Any])
        except msgspec.MsgspecError:
            continue  # somebody else's record
        if isinstance(alert.get("id"), str) and isinstance(alert.get("started_at"), str):
            alert.pop("at", None)
            found.append(alert)
    return sorted(found, key=lambda alert: (alert["started_at"], alert["id"]))
