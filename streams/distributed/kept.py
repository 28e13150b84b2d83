"""What is kept of a partition in px.state: a row a circle, and where the partition stands.

The first element of each is the number of the format, so that one of a newer version stops the worker with a word.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.core.circle import Circle
from streams.distributed.formats import check_format, check_unread
from streams.distributed.names import STATE
from streams.distributed.wire import FORMAT

POSITION: Final = b"position"
"""The key of the row that says where the partition stands; the others are circles."""
_pack: Final = msgspec.msgpack.Encoder().encode


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


def write_row(upto: int, circle: Circle) -> bytes:
    """A circle that was told up to an offset."""
    return _pack(Row(FORMAT, upto, circle))


write_position: Final = msgspec.msgpack.Encoder().encode


def read_position(value: bytes) -> Position:
    """Where a partition stands. Raises NewerFormat."""
    check_unread(STATE, value, FORMAT)
    return msgspec.msgpack.decode(value, type=Position)


_rows: Final = msgspec.msgpack.Decoder(Row)


def read_row(value: bytes) -> Row:
    """A circle. Raises NewerFormat."""
    try:
        row = _rows.decode(value)
    except msgspec.ValidationError:
        check_unread(STATE, value, FORMAT)
        raise
    check_format(STATE, row.format, FORMAT)
    return row
