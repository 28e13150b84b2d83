"""Which version of a thing came last: what a door needs to answer truly, after a restart too.

Theory. It is written in the commit of the message that brought it, so it is true whenever the message is durable. It
goes when the log lets go of that message: a thing that nobody has spoken of for as long is new again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final, Protocol

from schemas.message import Thing
from streams.embedded.reader import Reading


class _Writes(Protocol):
    """A store, which this module is a part of."""

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]: ...

    def write(self, statement: str, values: Iterable[tuple[Any, ...]]) -> int: ...


_HASH: Final = 16  # bytes
_OLD: Final = "SELECT system, type, id, numbers FROM thing WHERE system = ? AND type = ? AND id = ?"
# a version that came before, and is taken only now (a dead letter that was mended), takes no later one's place
_PUT: Final = """INSERT INTO thing VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET version = excluded.version,
    count = excluded.count, digest = excluded.digest, numbers = excluded.numbers, seq = excluded.seq
    WHERE excluded.count >= thing.count"""


def number_hash(number: str) -> bytes:
    """What a number is looked up by."""
    return blake2b(number.encode("utf-8", "surrogatepass"), digest_size=_HASH).digest()


def write_things(db: sqlite3.Connection, things: Sequence[tuple[Thing, int | None]]) -> None:
    """Versions that came, each with its place in the log; in the caller's transaction. Raises sqlite3.Error."""
    for thing, seq in things:
        key = (thing.system, thing.type, thing.id)
        old = db.execute(_OLD, key).fetchone()
        numbers = b"".join(sorted(thing.numbers))
        row = (*key, thing.version, thing.count, thing.digest, numbers, seq)
        if db.execute(_PUT, row).rowcount == 0 or (old is not None and old[3] == numbers):
            continue
        gone = _numbers(old[3]) if old is not None else []
        db.executemany(
            "DELETE FROM thing_number WHERE system = ? AND type = ? AND number = ? AND id = ?",
            [(thing.system, thing.type, number, thing.id) for number in gone],
        )
        db.executemany(
            "INSERT OR IGNORE INTO thing_number VALUES (?,?,?,?)",
            [(thing.system, thing.type, number, thing.id) for number in thing.numbers],
        )


def find_thing(reading: Reading, system: str, type_: str, id_: str) -> Thing | None:
    """The version of a thing that came last; None where none came."""
    rows = reading.rows(
        "SELECT version, count, digest, numbers FROM thing WHERE system = ? AND type = ? AND id = ?", system, type_, id_
    )
    if not rows:
        return None
    version, count, digest, numbers = rows[0]
    return Thing(system, type_, id_, version, count, bytes(digest), tuple(_numbers(numbers)))


def find_by_number(reading: Reading, system: str, type_: str, number: bytes) -> list[str]:
    """The ids of the things that go by a number, three at most."""
    rows = reading.rows(
        "SELECT id FROM thing_number WHERE system = ? AND type = ? AND number = ? ORDER BY id LIMIT 3",
        system, type_, number,
    )  # fmt: skip
    return [id_ for (id_,) in rows]


def purge_things(store: _Writes, upto: int) -> None:
    """Let go of what was told last up to a place of the log."""
    rows = store.rows("SELECT system, type, id, numbers FROM thing WHERE seq <= ?", upto)
    store.write(
        "DELETE FROM thing_number WHERE system = ? AND type = ? AND number = ? AND id = ?",
        [(system, type_, number, id_) for system, type_, id_, numbers in rows for number in _numbers(numbers)],
    )
    store.write("DELETE FROM thing WHERE seq <= ?", [(upto,)])


def _numbers(packed: bytes) -> list[bytes]:
    return [bytes(packed[at : at + _HASH]) for at in range(0, len(packed), _HASH)]
