"""Whether an id may have been met: a filter in memory before the index on the disk.

Theory. The index of ids is led by the day on which an id was recorded, so that inserts touch its last pages alone;
in return nobody can say on which day an id would stand, and each day must be asked. A Bloom filter answers "never met"
without the disk, and it is right whenever it says so; the rare wrong "perhaps" costs one look at each day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final

_BITS_AN_ID: Final = 16  # with six probes one new id in a thousand is asked for in vain (Bloom 1970)
_PROBES: Final = 6
_LEAST: Final = 1 << 20  # ids that a filter is made for at least


class Remembered:
    """Ids by a 16-byte hash: those that it is given, as `fill` reads them, and those that are added. Until it has read
    all it says "perhaps" of any, so nobody waits for it. Its owner makes it anew, twice as large, when `is_full`."""

    __slots__ = ("_bits", "_coming", "_count", "_mask", "_room")

    def __init__(self, hashes: Iterable[bytes], expected: int) -> None:
        self._room: int = max(_LEAST, 1 << (expected * 2).bit_length())
        self._bits: bytearray = bytearray(self._room * _BITS_AN_ID // 8)
        self._mask: int = self._room * _BITS_AN_ID - 1
        self._count: int = 0
        self._coming: Iterator[bytes] | None = iter(hashes)

    def fill(self, count: int) -> None:
        """Read so many of those that it was given."""
        if self._coming is None:
            return
        read = list(islice(self._coming, count))
        self.add(read)
        if len(read) < count:
            self._coming = None

    @property
    def is_full(self) -> bool:
        return self._count > self._room

    def add(self, hashes: Collection[bytes]) -> None:
        """Remember ids."""
        bits, mask, probes, read = self._bits, self._mask, range(_PROBES), int.from_bytes
        for hash_ in hashes:
            at, step = read(hash_[:8], "little"), read(hash_[8:16], "little") | 1
            for _ in probes:
                place = at & mask
                bits[place >> 3] |= 1 << (place & 7)
                at += step
        self._count += len(hashes)

    def may_hold(self, hash_: bytes) -> bool:
        """False: it was never added. True: it was, or seldom it only looks so."""
        if self._coming is not None:
            return True
        at, step = int.from_bytes(hash_[:8], "little"), int.from_bytes(hash_[8:16], "little") | 1
        bits, mask = self._bits, self._mask
        for _ in range(_PROBES):
            place = at & mask
            if not bits[place >> 3] & (1 << (place & 7)):
                return False
            at += step
        return True
