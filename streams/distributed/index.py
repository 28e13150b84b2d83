"""What identify knows, by tables of keys and values: in Redis, with what was learned since on top of it.

Theory. The truth is px.persons: a record a key, compacted. The index is how it is looked up. A slice of work first
says what it will ask for, so that it is asked for at once; what it learned is read before the index until it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from streams.core.directory import MANY, Known, Placed
from streams.distributed.formats import UNREAD, Spoilt
from streams.distributed.names import PERSONS

CIRCLES: Final = "n"
"""The parent of each name, by keys: itself where it is the first of its circle."""
KNOWN: Final = "k"
PLACED: Final = "p"
TIES: Final = "t"
HOLDERS: Final = "h"
SEEN: Final = "s"
"""Ids of messages: digest, then the offset in px.inbound."""
STANDING: Final = "position"
"""Where identify stands: one row, without a name; it is no table of px.persons."""
TABLES: Final = (CIRCLES, KNOWN, PLACED, TIES, HOLDERS, SEEN)
_CACHED: Final = 200_000  # keys of a table

Change = tuple[str, bytes, bytes | None]
"""A table, a key, and its value from now on; None for one that is gone."""
_pack: Final = msgspec.msgpack.Encoder().encode
_known: Final = msgspec.msgpack.Decoder(Known).decode
_placed: Final = msgspec.msgpack.Decoder(Placed).decode
_numbers: Final = msgspec.msgpack.Decoder(list[int]).decode
_READERS: Final[dict[str, Callable[[bytes], object]]] = {
    KNOWN: _known, PLACED: _placed, TIES: _numbers, HOLDERS: _numbers
}  # fmt: skip
_MARK: Final = 40  # bytes of what is remembered of a message


class Shelf(Protocol):
    """Where the tables are."""

    def fetch(self, table: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of keys, in their order."""


class Index:
    """The tables as one slice after the other sees them."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf: Shelf = shelf
        self._cached: dict[str, dict[bytes, bytes | None]] = {table: {} for table in TABLES}
        self._changed: dict[tuple[str, bytes], bytes | None] = {}

    def expect(self, table: str, keys: Iterable[bytes]) -> None:
        """These will be asked for: they are fetched at once."""
        cached = self._cached[table]
        wanted = [key for key in dict.fromkeys(keys) if key not in cached]
        if not wanted:
            return
        if len(cached) + len(wanted) > _CACHED:
            self._forget(table)
        cached.update(zip(wanted, self._shelf.fetch(table, wanted), strict=True))

    def _forget(self, table: str) -> None:
        """Let go of what the shelf has too."""
        changed = {key: value for (name, key), value in self._changed.items() if name == table}
        cached = self._cached[table]
        cached.clear()
        cached.update(changed)

    def find(self, table: str, key: bytes) -> bytes | None:
        cached = self._cached[table]
        if key not in cached:
            self.expect(table, (key,))
        return cached[key]

    def put(self, table: str, key: bytes, value: bytes | None) -> None:
        self._cached[table][key] = value
        self._changed[(table, key)] = value

    def changes(self) -> list[Change]:
        """What was learned since `note_written` was called last."""
        return [(table, key, value) for (table, key), value in self._changed.items()]

    def note_written(self) -> None:
        """It is on the shelf."""
        self._changed.clear()

    def forget(self) -> None:
        """Let go of everything: the shelf may be another one."""
        self._changed.clear()
        for cached in self._cached.values():
            cached.clear()


def check_row(table: str, key: bytes, value: bytes | None) -> None:
    """Raises Spoilt for a row of px.persons that identify did not write."""
    try:
        if value is None:
            return
        if table in (CIRCLES, SEEN):
            is_row = len(value) == (8 if table == CIRCLES else _MARK) and (table == SEEN or len(key) == 8)
        else:
            _READERS[table](value)
            is_row = len(key) == 8
    except (*UNREAD, KeyError) as wrong:
        raise Spoilt(PERSONS) from wrong
    if not is_row:
        raise Spoilt(PERSONS)


def key_bytes(key: int) -> bytes:
    return key.to_bytes(8, "big")


class IndexedDirectory:
    """The directory of identify (streams/core/directory.py), over an index."""

    def __init__(self, index: Index) -> None:
        self._index: Index = index

    def find(self, key: int) -> Known | None:
        found = self._index.find(KNOWN, key_bytes(key))
        return None if found is None else _known(found)

    def put(self, key: int, known: Known) -> None:
        self._index.put(KNOWN, key_bytes(key), _pack(known))

    def holders(self, point: int) -> Sequence[int]:
        return self._list(HOLDERS, point)[: MANY + 1]

    def hold(self, point: int, key: int) -> None:
        self._add(HOLDERS, point, key)

    def release(self, point: int, key: int) -> None:
        self._remove(HOLDERS, point, key)

    def near(self, key: int) -> Sequence[int]:
        return self._list(TIES, key)

    def tie(self, one: int, other: int) -> None:
        self._add(TIES, one, other)
        self._add(TIES, other, one)

    def untie(self, one: int, other: int) -> None:
        self._remove(TIES, one, other)
        self._remove(TIES, other, one)

    def find_contact(self, key: int) -> Placed | None:
        found = self._index.find(PLACED, key_bytes(key))
        return None if found is None else _placed(found)

    def put_contact(self, key: int, placed: Placed) -> None:
        self._index.put(PLACED, key_bytes(key), _pack(placed))

    def _list(self, table: str, key: int) -> list[int]:
        found = self._index.find(table, key_bytes(key))
        return [] if found is None else _numbers(found)

    def _add(self, table: str, key: int, other: int) -> None:
        held = self._list(table, key)
        if other not in held:
            self._index.put(table, key_bytes(key), _pack(sorted((*held, other))))

    def _remove(self, table: str, key: int, other: int) -> None:
        held = self._list(table, key)
        if other in held:
            held.remove(other)
            self._index.put(table, key_bytes(key), _pack(held) if held else None)
