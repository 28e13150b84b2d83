"""What is kept of a partition of px.events in px.state: its circles, and where it stands."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.core.circle import Circle
from streams.distributed.wire import FORMAT

POSITION: Final = b"position"
"""The key of the row that says where a partition stands; the others are circles."""


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


class NewerFormat(Exception):
    """What is kept was written by a newer version of the hub."""


def check_format(format_: int) -> None:
    """Raises NewerFormat."""
    if format_ > FORMAT:
        raise NewerFormat(f"px.state is of format {format_}, and this version knows up to {FORMAT}: run the newer one")


def read_position(value: bytes) -> Position:
    """Raises NewerFormat."""
    check_format(_format_of(value))
    return msgspec.msgpack.decode(value, type=Position)


_rows: Final = msgspec.msgpack.Decoder(Row)


def read_row(value: bytes) -> Row:
    """Raises NewerFormat."""
    try:
        row = _rows.decode(value)
    except msgspec.ValidationError:
        check_format(_format_of(value))
        raise
    check_format(row.format)
    return row


def _format_of(value: bytes) -> int:
    parts = msgspec.msgpack.decode(value)
    return parts[0] if isinstance(parts, list) and parts and isinstance(parts[0], int) else 0
