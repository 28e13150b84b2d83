"""What is kept of a partition of px.events in px.state: its circles, and where it stands."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.errors import WrongUse
from streams.core.circle import Circle
from streams.distributed.bounds import read_place
from streams.distributed.formats import UNREAD, Spoilt, check_format, check_unread
from streams.distributed.names import STATE
from streams.distributed.wire import FORMAT


class Row(msgspec.Struct, array_like=True):
    """A circle in px.state: the format, up to which offset it was told, and the circle."""

    format: int
    upto: int
    circle: Circle


class Position(msgspec.Struct, array_like=True):
    """Where a partition stands: the last offset that was put, the clock and the largest log time, the offset behind
    which circles are to be told again, by which thresholds it was judged, and the offsets that were set apart."""

    format: int = FORMAT
    applied: int = -1
    clock: int = 0
    recorded: int = 0
    tail: int = -1
    judged_by: str = ""
    apart: list[int] = []


class OtherThresholds(WrongUse):
    """What is kept was judged by other thresholds."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"{topic} was judged by other thresholds than these: run the workers with those, or have the log "
            "judged anew: stop them, pxhub topics remake --kafka HOST:PORT --partitions N --yes, and start them"
        )


def check_judged(position: Position, name: str) -> None:
    """Raises OtherThresholds where a position is of another set than the one of this name."""
    if position.applied >= 0 and position.judged_by != name:
        raise OtherThresholds(STATE)


def read_position(value: bytes) -> Position:
    """Raises NewerFormat and Spoilt."""
    return read_place(STATE, value, FORMAT, Position, lambda position: (position.clock, position.recorded))


_rows: Final = msgspec.msgpack.Decoder(Row)


def read_row(value: bytes) -> Row:
    """Raises NewerFormat and Spoilt."""
    try:
        row = _rows.decode(value)
    except UNREAD as wrong:
        check_unread(STATE, value, FORMAT)
        raise Spoilt(STATE) from wrong
    check_format(STATE, row.format, FORMAT)
    return row
