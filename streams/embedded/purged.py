"""What a store's state is made again from: its log, and what the circles hold of the part that was purged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

import msgspec

from schemas.alert import Alert, State
from streams.core.circle import Circle
from streams.embedded.entries import Taken
from streams.embedded.reader import Reading
from streams.embedded.shelf import SqlShelf
from streams.embedded.store import Store

_CIRCLES: Final = 1_000
_OPEN: Final = (State.WARNING, State.BREACHED)
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


def read_purged(reading: Reading) -> Purged:
    """What was purged of a store."""
    packed = reading.meta(PURGED)
    return Purged() if packed is None else msgspec.msgpack.decode(packed, type=Purged)


class Base:
    """A store's log with what the circles hold of the part that was purged: what its state is made again from."""

    def __init__(self, reading: Reading) -> None:
        self._reading: Reading = reading
        self._purged: Purged = read_purged(reading)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement; circles as they were when the log began."""
        if "FROM rate" in statement or "FROM bucket" in statement or "FROM due" in statement:
            return []
        if "FROM circle" not in statement:
            return self._reading.rows(statement, *values) if self._purged.upto or "FROM name" not in statement else []
        if not self._purged.upto:
            return [] if "max(number)" not in statement else self._reading.rows(statement, *values)
        rows = self._reading.rows(statement, *values)
        return [self._as_it_was(row) for row in rows] if "body" in statement else rows

    def accepted(self, *, after: int = 0, upto: int | None = None) -> Iterator[Taken]:
        return self._reading.accepted(after=after, upto=upto)

    def alert(self, id_: str) -> Alert | None:
        return self._reading.alert(id_)

    def _as_it_was(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        number, _, _, body = row
        return number, self._purged.upto, None, as_it_was(body, self._purged.before)


def is_of_before(source: HasRows, alert: Alert) -> bool:
    """Whether an alert that the file does not know ended before the log begins: it was said, and purged."""
    if alert.state in _OPEN:
        return False
    packed = source.rows("SELECT value FROM meta WHERE name = ?", PURGED)
    before = msgspec.msgpack.decode(packed[0][0], type=Purged).before if packed else 0
    return (alert.due_at if alert.ended_at is None else alert.ended_at) < before


class HasRows(Protocol):
    """What gives the rows of a statement."""

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]: ...


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
