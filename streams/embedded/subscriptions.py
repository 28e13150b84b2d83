"""How far each subscription was heard, in the store."""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from schemas.errors import StoreFailed
from streams.embedded.reader import Reading

_ROW: Final = "SELECT last, missing FROM subscription WHERE system = ? AND id = ?"
_PUT: Final = "INSERT OR REPLACE INTO subscription VALUES (?,?,?,?,?)"
_ranges: Final = msgspec.json.Decoder(tuple[tuple[int, int], ...])
_encode: Final = msgspec.json.Encoder().encode


class Row(msgspec.Struct, frozen=True):
    """`last` is the highest number heard of, `missing` the ranges before it that were not."""

    last: int
    missing: tuple[tuple[int, int], ...] = ()


class _Writes(Protocol):
    def write(self, statement: str, values: Any) -> int: ...


def find_subscription(reading: Reading, system: str, id_: str) -> Row | None:
    """One subscription of a server; None where nothing was heard of it."""
    rows = reading.rows(_ROW, system, id_)
    return Row(rows[0][0], _read(rows[0][1])) if rows else None


def write_subscription(store: _Writes, system: str, id_: str, row: Row, now: int) -> None:
    """Note how far it was heard, at an instant in microseconds. Raises StoreFailed."""
    store.write(_PUT, [(system, id_, row.last, _encode(row.missing).decode(), now)])


def subscriptions_of(reading: Reading) -> list[tuple[str, str]]:
    """Server and id of all subscriptions that were heard of."""
    return [(system, id_) for system, id_ in reading.rows("SELECT system, id FROM subscription ORDER BY system, id")]


def incomplete(reading: Reading) -> list[tuple[str, str]]:
    """Server and id of the subscriptions of which something is missing."""
    return [(s, i) for s, i in reading.rows("SELECT system, id FROM subscription WHERE missing != '[]'")]


def count_missing(reading: Reading) -> int:
    """How many notifications are missing of all subscriptions."""
    rows = reading.rows("SELECT missing FROM subscription WHERE missing != '[]'")
    return sum(end - begin + 1 for (text,) in rows for begin, end in _read(text))


def _read(text: str) -> tuple[tuple[int, int], ...]:
    try:
        return _ranges.decode(text)
    except msgspec.MsgspecError as wrong:
        raise StoreFailed("a row of the subscriptions is damaged; restore a backup") from wrong
