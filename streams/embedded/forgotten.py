"""The directory lets go of whom a purge took the evidence of: what they are called, and all that leads to them.

What was said of them stays, as it does in their circle: who wanted no calls wants none when they come back. Where
nothing was, they are forgotten with whose their numbers are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.errors import StoreFailed
from streams.core.directory import Known, key_of
from streams.embedded.store import Store

_known: Final = msgspec.msgpack.Decoder(Known).decode
_FIND: Final = "SELECT body FROM known WHERE key = ?"
_pack: Final = msgspec.msgpack.Encoder().encode


def forget_known(store: Store, identifiers: Iterable[str]) -> list[int]:
    """Forget persons by their identifiers, in the caller's transaction; returns the keys of whom something went."""
    found = [(key, row[0]) for key in map(key_of, identifiers) for row in store.rows(_FIND, key)]
    kept: list[tuple[bytes, int]] = []
    gone: list[int] = []
    for key, body in found:
        known = _read(body)
        if known.facts:
            if known.points or known.name:
                kept.append((_pack(msgspec.structs.replace(known, points=(), name=None)), key))
        else:
            gone.append(key)
        store.write("DELETE FROM reach WHERE point = ? AND key = ?", [(point, key) for point in known.points])
    for key in gone:
        ties = [
            pair for (other,) in store.rows("SELECT other FROM tie WHERE one = ?", key) for pair in _both(key, other)
        ]
        store.write("DELETE FROM tie WHERE one = ? AND other = ?", ties)
    store.write("UPDATE known SET body = ? WHERE key = ?", kept)
    store.write("DELETE FROM known WHERE key = ?", [(key,) for key in gone])
    return [*gone, *(key for _, key in kept)]


def _both(one: int, other: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (one, other), (other, one)


def _read(body: bytes) -> Known:
    try:
        return _known(body)
    except (msgspec.MsgspecError, TypeError, ValueError) as wrong:
        raise StoreFailed("a row of the directory is damaged; restore a backup") from wrong
