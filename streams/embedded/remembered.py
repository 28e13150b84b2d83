"""Whether an id may have been met: a filter in memory before the index on the disk.

Theory. The index of ids is led by the day on which an id was recorded, so that inserts touch its last pages alone;
in return nobody can say on which day an id would stand, and each day must be asked. A Bloom filter answers "never met"
without the disk, and it is right whenever it says so; the rare wrong "perhaps" costs one look at each day.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_BITS_AN_ID: Final = 16  # with six probes one new id in a thousand is asked for in vain (Bloom 1970)
_PROBES: Final = 6
_LEAST: Final = 1 << 20  # ids that a filter is made for at least


class Remembered:
    """Ids by a 16-byte hash. It is made anew, twice as large, by its owner when `is_full`."""

    __slots__ = ("_bits", "_count", "_mask", "_room")

    def __init__(self, hashes: Iterable[bytes], expected: int) -> None:
        self._room: int = max(_LEAST, 1 << (expected * 2).bit_length())
        self._bits: bytearray = bytearray(self._room * _BITS_AN_ID // 8)
        self._mask: int = self._room * _BITS_AN_ID - 1
        self._count: int = 0
        for hash_ in hashes:
            self.add(hash_)

    @property
    def is_full(self) -> bool:
        return self._count > self._room

    def add(self, hash_: bytes) -> None:
        """Remember an id."""
        at, step = int.from_bytes(hash_[:8], "little"), int.from_bytes(hash_[8:16], "little") | 1
        bits, mask = self._bits, self._mask
        for _ in range(_PROBES):
            place = at & mask
            bits[place >> 3] |= 1 << (place & 7)
            at += step
        self._count += 1

    def may_hold(self, hash_: bytes) -> bool:
        """False: it was never added. True: it was, or seldom it only looks so."""
        at, step = int.from_bytes(hash_[:8], "little"), int.from_bytes(hash_[8:16], "little") | 1
        bits, mask = self._bits, self._mask
        for _ in range(_PROBES):
            place = at & mask
            if not bits[place >> 3] & (1 << (place & 7)):
                return False
            at += step
        return True
