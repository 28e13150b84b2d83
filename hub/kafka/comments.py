"""What patients said in their own words, as a hub in Kafka has it: on px.comments, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from hub.kafka.cluster import look_at
from hub.kafka.settings import KafkaSettings
from schemas.comment import Comment
from schemas.instant import write_instant
from streams.distributed.names import COMMENTS, EVENTS
from streams.distributed.reading import Found, read_topic
from streams.distributed.wire import Envelope, decode


class _Said(msgspec.Struct):
    text: str


_read: Final = msgspec.json.Decoder(_Said).decode
_encode: Final = msgspec.json.Encoder().encode


def write_comment(comment: Comment) -> bytes:
    """A comment as it goes onto px.comments, under its id."""
    return _encode(_Said(comment.text.encode("utf-8", "replace").decode()))


def comment_of(kafka: KafkaSettings, id_: str) -> str | None:
    """What was said; None where there is no such comment, or no more. Raises TryAgain, and WrongUse without topics."""
    look_at(kafka, (COMMENTS,))
    for record in read_topic(kafka.for_confluent(), COMMENTS, 0):
        if record.key == id_.encode("utf-8", "replace") and (said := _read_text(record)) is not None:
            return said
    return None


def comments_of(kafka: KafkaSettings) -> list[dict[str, Any]]:
    """Which comments there are, in their order, and what each was said about: `id`, `time`, `type`, `facility`,
    `topic`; None for what no event tells. Raises TryAgain, and WrongUse without topics."""
    cluster, client = look_at(kafka, (COMMENTS, EVENTS)), kafka.for_confluent()
    stamps: dict[str, int] = {}
    for record in read_topic(client, COMMENTS, 0):
        if record.key is not None and _read_text(record) is not None:
            stamps.setdefault(record.key.decode("utf-8", "replace"), record.timestamp * 1000)
    about: dict[str, Envelope] = {}
    for number in range(cluster.partitions[EVENTS]) if stamps else ():
        for id_, event in _commented(read_topic(client, EVENTS, number)):
            about.setdefault(id_, event)
    return [_row(id_, stamp, about.get(id_)) for id_, stamp in stamps.items()]


def _row(id_: str, stamp: int, event: Envelope | None) -> dict[str, Any]:
    if event is None:
        return {"id": id_, "time": write_instant(stamp), "type": None, "facility": None, "topic": None}
    topic = (event.data or {}).get("topic")
    return {"id": id_, "time": event.time, "type": event.type, "facility": event.facility, "topic": topic}


def _commented(records: Iterator[Found]) -> Iterator[tuple[str, Envelope]]:
    for record in records:
        if record.value is None or b'"comment_id"' not in record.value:
            continue
        try:
            event = decode(record.value)
        except msgspec.MsgspecError:
            continue  # who works px.events tells of it
        id_ = (event.data or {}).get("comment_id")
        if isinstance(id_, str):
            yield id_, event


def _read_text(record: Found) -> str | None:
    try:
        return _read(record.value or b"").text
    except msgspec.MsgspecError:
        return None  # somebody else's
