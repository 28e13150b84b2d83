"""The alerts of a hub in Kafka, as they stand: the last record of each on px.alerts, with what px.persons knows of whom
they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from hub.alert_line import AlertSaid
from hub.kafka.cluster import WORKED, look_at
from hub.kafka.settings import KafkaSettings
from schemas.alert import Alert
from schemas.instant import read_instant
from streams.distributed.identify import read_row
from streams.distributed.index import KNOWN, TIES, Index, IndexedDirectory
from streams.distributed.names import ALERTS, PERSONS
from streams.distributed.reading import read_topic

_read: Final = msgspec.json.Decoder(AlertSaid).decode


class _Rows:
    """Tables of px.persons in memory, for one look."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[bytes, bytes]] = {KNOWN: {}, TIES: {}}

    def fetch(self, table: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        held = self.tables.get(table, {})
        return [held.get(key) for key in keys]


def alerts_of(kafka: KafkaSettings) -> list[Alert]:
    """Every alert in its last state, sorted by start and id. Raises TryAgain, and WrongUse where there is no such
    topic."""
    partitions = look_at(kafka, (*WORKED, ALERTS, PERSONS)).partitions[ALERTS]
    last: dict[bytes, bytes] = {}
    for number in range(partitions):
        for record in read_topic(kafka.for_confluent(), ALERTS, number):
            if record.key is not None and record.value is not None:
                last[record.key] = record.value
    found = [alert for value in last.values() if (alert := read_alert(value)) is not None]
    return sorted(found, key=lambda alert: (alert.started_at, alert.id))


def directory_of(kafka: KafkaSettings) -> IndexedDirectory:
    """What is known of persons, out of px.persons. Raises TryAgain."""
    rows = _Rows()
    for record in read_topic(kafka.for_confluent(), PERSONS, 0):
        row = None if record.key is None else read_row(record.key, record.value)
        if row is None or row[1][0] not in rows.tables:
            continue
        table, key, value = row[1]
        if value is None:
            rows.tables[table].pop(key, None)
        else:
            rows.tables[table][key] = value
    return IndexedDirectory(Index(rows))


def read_alert(value: bytes) -> Alert | None:
    """The alert of a record of px.alerts; None for what is somebody else's."""
    try:
        said = _read(value)
        ended = said.ended_at
        return Alert(
            id=said.id,
            threshold=said.threshold,
            key=said.key,
            person=said.person,
            journey=said.journey,
            state=said.state,
            level=said.level,
            severity=said.severity,
            mode=said.mode,
            started_at=read_instant(said.started_at),
            due_at=read_instant(said.due_at),
            fired_at=read_instant(said.fired_at),
            ended_at=None if ended is None else read_instant(ended),
            delay_seconds=said.delay_seconds,
            facility=said.facility,
            late_start=said.late_start,
            reason=said.reason,
            superseded_by=said.superseded_by or None,
            sensitivity=",".join(said.sensitivity or ()) or None,
            purpose=said.purpose or None,
        )
    except (msgspec.MsgspecError, ValueError):
        return None
