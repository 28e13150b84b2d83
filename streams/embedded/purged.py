"""What a store's state is made again from: its log, and what the circles hold of the part that was purged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from schemas.alert import OPEN, Alert
from streams.core.circle import Circle
from streams.embedded.residence import Row
from streams.embedded.shelf import SqlShelf
from streams.embedded.store import Store

_CIRCLES: Final = 1_000
PURGED: Final = "purged"
_RECORDED: Final = 9  # the place of `recorded` in an event's row
_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(Circle).decode


class Purged(msgspec.Struct):
    """What was purged so far: the log up to `upto`, recorded before `before` (microseconds), and how many messages of
    it there were by outcome."""

    upto: int = 0
    before: int = 0
    messages: dict[str, int] = {}


class HasRows(Protocol):
    """What gives the rows of a statement."""

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]: ...


def read_purged(source: HasRows) -> Purged:
    """What was purged of a store."""
    rows = source.rows("SELECT value FROM meta WHERE name = ?", PURGED)
    return msgspec.msgpack.decode(rows[0][0], type=Purged) if rows else Purged()


class Base(SqlShelf):
    """The circles that a store's state is made again from with its log: as they were when the log began, and none where
    nothing was purged."""

    def __init__(self, source: HasRows) -> None:
        super().__init__(source.rows)
        self._purged: Purged = read_purged(source)

    def find(self, keys: Sequence[int]) -> dict[int, list[int]]:
        return super().find(keys) if self._purged.upto else {}

    def row(self, number: int) -> Row | None:
        row = super().row(number)
        if row is None:
            return None
        return Row(number, self._purged.upto, None, as_it_was(row.body, self._purged.before))

    def due(self, after: tuple[int, int], upto: int, limit: int) -> list[tuple[int, int]]:  # noqa: ARG002 - a shelf's
        return []  # who is asked for is judged at the clock

    def numbers(self) -> list[int]:
        return super().numbers() if self._purged.upto else []


def is_of_before(source: HasRows, alert: Alert) -> bool:
    """Whether an alert that the file does not know ended before the log begins: it was said, and purged."""
    if alert.state in OPEN:
        return False
    return (alert.due_at if alert.ended_at is None else alert.ended_at) < read_purged(source).before


def stand_at_base(store: Store, purged: Purged) -> None:
    """Let the circles of a log whose begin was purged stand as they did where it begins now."""
    for numbers in in_pieces(SqlShelf(store.rows).numbers() if purged.upto else []):
        bodies = [store.rows("SELECT body FROM circle WHERE number = ?", number)[0][0] for number in numbers]
        store.write(
            "UPDATE circle SET upto = ?, due = NULL, body = ? WHERE number = ?",
            [
                (purged.upto, as_it_was(body, purged.before), number)
                for number, body in zip(numbers, bodies, strict=True)
            ],
        )


def in_pieces(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Numbers of circles, as many at a time as one commit takes."""
    for at in range(0, len(numbers), _CIRCLES):
        yield numbers[at : at + _CIRCLES]


def as_it_was(body: bytes, before: int) -> bytes:
    """A circle with the evidence alone that was recorded before an instant."""
    circle = _read(body)
    for held in circle.persons:
        held.log = [row for row in held.log if row[_RECORDED] < before]
        held.told = [(type_, row) for type_, row in held.told if row[_RECORDED] < before]
    return _write(circle)
