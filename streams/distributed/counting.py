"""Records of px.counted: what rates, averages and silences are judged from, a slice of work of one origin each.

An origin is a partition of px.events, or identify, which alone knows of messages that told nothing. A slice says up to
where its origin's clock has come; measure's own clock is the least of all origins', so it outruns none.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.threshold import AverageRule, RateRule, SilenceRule, ThresholdSet
from streams.core.circle import EventRow
from streams.distributed.formats import check_format, check_unread
from streams.distributed.names import COUNTED

IDENTIFY: Final = -1
"""The origin of what was heard; the others are partitions."""
FORMAT: Final = 1


class Heard(msgspec.Struct, array_like=True):
    """A message came at a log time: whether it was accepted, or only shows that its source is there."""

    source: str
    at: int
    facility: str | None
    accepted: bool


class Slice(msgspec.Struct, array_like=True):
    """What one origin tells: its clock, the offset of its own log that comes next, events that count (True) or count no
    more, what was heard, and spans in which the hub did not listen."""

    format: int
    origin: int
    clock: int
    upto: int
    counted: list[tuple[bool, EventRow]]
    heard: list[Heard] = []
    away: list[tuple[int, int]] = []


def is_counted(thresholds: ThresholdSet) -> bool:
    """Whether any of these is measure's to judge."""
    return any(isinstance(t.rule, RateRule | AverageRule | SilenceRule) for t in thresholds.thresholds)


write_slice: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(Slice).decode


def read_slice(value: bytes) -> Slice:
    """A slice. Raises ValueError for what is none, and NewerFormat."""
    try:
        found = _read(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        check_unread(COUNTED, value, FORMAT)
        raise ValueError("this is no slice") from wrong
    check_format(COUNTED, found.format, FORMAT)
    return found
