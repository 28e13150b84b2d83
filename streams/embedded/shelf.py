"""Circles and rates in the file: how a commit writes them, and how they are read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from schemas.alert import Alert
from streams.core.engine import Engine
from streams.core.rate_rows import BucketRow, RateRow
from streams.embedded.residence import Row, Written

Rows = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement with values and gives its rows."""
RateWritten = tuple[RateRow, list[BucketRow]]
_MOST_NAMES: Final = 500  # of one look-up
_write: Final = msgspec.msgpack.Encoder().encode
_read_rate: Final = msgspec.msgpack.Decoder(RateRow).decode
_read_bucket: Final = msgspec.msgpack.Decoder(BucketRow).decode


class SqlShelf:
    """The circles of a file, by its rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows: Rows = rows

    def find(self, keys: Sequence[int]) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for at in range(0, len(keys), _MOST_NAMES):
            some = keys[at : at + _MOST_NAMES]
            marks = ",".join("?" * len(some))
            for key, number in self._rows(f"SELECT key, circle FROM name WHERE key IN ({marks})", *some):  # noqa: S608
                found.setdefault(key, []).append(number)
        return found

    def row(self, number: int) -> Row | None:
        rows = self._rows("SELECT number, upto, due, body FROM circle WHERE number = ?", number)
        return Row(*rows[0]) if rows else None

    def due(self, after: tuple[int, int], upto: int, limit: int) -> list[tuple[int, int]]:
        statement = "SELECT at, circle FROM due WHERE (at, circle) > (?,?) AND at <= ? ORDER BY at, circle LIMIT ?"
        return [(at, number) for at, number in self._rows(statement, *after, upto, limit)]

    def numbers(self) -> list[int]:
        """The numbers of all circles."""
        return [number for (number,) in self._rows("SELECT number FROM circle ORDER BY number")]

    def last(self) -> int:
        """The largest number that was given."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM circle")[0][0])


def write_circles(db: sqlite3.Connection, written: Iterable[Written]) -> None:
    """Write circles; those that are part of another one now are gone."""
    rows, names, dues, old, gone = [], [], [], [], []
    for one in written:
        row = one.row
        rows.append((row.number, row.upto, row.due, row.body))
        names += [(key, row.number) for key in one.names]
        if one.before != row.due:
            if one.before is not None:
                old.append((one.before, row.number))
            if row.due is not None:
                dues.append((row.due, row.number))
        gone += [(number,) for number, _ in one.gone]
        old += [(due, number) for number, due in one.gone if due is not None]
    if gone:
        db.executemany("DELETE FROM circle WHERE number = ?", gone)
    db.executemany("INSERT OR REPLACE INTO circle VALUES (?,?,?,?)", rows)
    if names:
        names.sort()  # a page at a time
        db.executemany("INSERT OR REPLACE INTO name VALUES (?,?)", names)
    if old:
        db.executemany("DELETE FROM due WHERE at = ? AND circle = ?", old)
    if dues:
        db.executemany("INSERT OR REPLACE INTO due VALUES (?,?)", dues)


def write_rates(db: sqlite3.Connection, written: Iterable[RateWritten]) -> None:
    """Write rates and their changed buckets."""
    for row, buckets in written:
        name = (row.threshold, row.value)
        db.execute("INSERT OR REPLACE INTO rate VALUES (?,?,?)", (*name, _write(row)))
        db.executemany(
            "INSERT OR REPLACE INTO bucket VALUES (?,?,?,?,?)",
            [(*name, b.step, b.above, _write(b)) for b in buckets],
        )


def read_rates(rows: Rows, engine: Engine, alert: Callable[[str], Alert | None]) -> None:
    """Give an engine the rates of a file; they ring when they are woken."""
    for threshold, value, body in rows("SELECT threshold, value, body FROM rate"):
        engine.read_rate(_read_rate(body), _buckets(rows, threshold, value), alert)


def _buckets(rows: Rows, threshold: str, value: str) -> Iterator[BucketRow]:
    statement = "SELECT body FROM bucket WHERE threshold = ? AND value = ? ORDER BY step, above"
    return (_read_bucket(body) for (body,) in rows(statement, threshold, value))
