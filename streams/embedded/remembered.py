"""Whether an id may have been met: a filter in memory before the index on the disk.

Theory. The index of ids is led by the run in which they were written, so that inserts touch its last pages alone; in
return nobody can say in which run an id would stand, and each must be asked. A Bloom filter answers "never met" without
the disk, and it is right whenever it says so; the rare wrong "perhaps" costs one look at each run. All bits of an id
stand in one word of 64 (a blocked filter: Putze, Sanders, Singler 2007): a probe of its own for each bit would cost an
event more than its hash does, and the bits that blocking wants beyond that are cheap.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

_IDS_A_WORD: Final = 2  # at most on average; with four bits each, one new id in a thousand is asked for in vain
_LEAST: Final = 1 << 20  # ids that a filter is made for at least


class Remembered:
    """Ids by a 16-byte hash: those that it is given, as `fill` reads them, and those that are added. Until it has read
    all it says "perhaps" of any, so nobody waits for it. Its owner makes it anew, twice as large, when `is_full`."""

    __slots__ = ("_coming", "_count", "_mask", "_room", "_words")

    def __init__(self, hashes: Iterable[bytes], expected: int) -> None:
        self._room: int = max(_LEAST, 1 << (expected * 2).bit_length())
        words = self._room // _IDS_A_WORD
        self._words: array[int] = array("Q", bytes(8 * words))
        self._mask: int = words - 1
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

    def add(self, hashes: Iterable[bytes]) -> None:
        """Remember ids."""
        words, mask, read = self._words, self._mask, int.from_bytes
        for hash_ in hashes:
            number = read(hash_[:8], "little")
            words[number & mask] |= (
                1 << (number >> 58) | 1 << (number >> 52 & 63) | 1 << (number >> 46 & 63) | 1 << (number >> 40 & 63)
            )
            self._count += 1

    def may_hold(self, hash_: bytes) -> bool:
        """False: it was never added. True: it was, or seldom it only looks so."""
        if self._coming is not None:
            return True
        number = int.from_bytes(hash_[:8], "little")
        bits = 1 << (number >> 58) | 1 << (number >> 52 & 63) | 1 << (number >> 46 & 63) | 1 << (number >> 40 & 63)
        return self._words[number & self._mask] & bits == bits
