"""What a cluster says of itself, and whether the topics are there that somebody needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from hub.kafka.settings import KafkaSettings
from schemas.errors import TryAgain, WrongUse
from streams.distributed.names import COUNTED, EVENTS, INBOUND

WORKED: Final = (INBOUND, EVENTS, COUNTED)
"""Topics without which there is no work."""
_SECONDS: Final = 15.0  # until somebody of the cluster has answered


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster's id, and how many partitions each topic has."""

    id: str
    partitions: Mapping[str, int]


def look_at(kafka: KafkaSettings, needed: Iterable[str] = WORKED) -> Cluster:
    """Ask the brokers. Raises TryAgain where none answers, WrongUse where a topic is not there that is needed."""
    try:
        told = AdminClient({**kafka.for_confluent(), "log_level": 2}).list_topics(timeout=_SECONDS)
    except KafkaException as wrong:
        raise TryAgain(f"no broker answers at {kafka.servers}; see that Kafka runs there") from wrong
    partitions = {name: len(topic.partitions) for name, topic in told.topics.items()}
    missing = [name for name in needed if name not in partitions]
    if missing:
        raise WrongUse(f"{', '.join(missing)}: no such topic; run: pxhub topics apply --kafka {kafka.servers}")
    return Cluster(told.cluster_id or "", partitions)
