"""Which circle a name is in, and in which partition that is: decided once, by identify.

Theory. A circle (streams/core/circle.py) is all that anything ever connected. It goes by the key of the name that it
was first heard of under, and lives in the partition that follows from it; where two become one, the lesser key stays.
So whatever order identify meets names in after a crash, it is the order of px.inbound, and the answers are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from streams.core.circle import key_of
from streams.distributed.formats import Spoilt
from streams.distributed.index import CIRCLES, Index, key_bytes
from streams.distributed.names import PERSONS

_REMEMBERED: Final = 1 << 20
_CHAIN: Final = 1 << 16  # circles that became one another's; ways are shortened, so none is so long but one in a ring
_NAME: Final = re.compile(rb"[0-9a-f]{16}")


class Placement(NamedTuple):
    """The circle of some names, the circles that have become part of it, and whether it was never heard of before."""

    circle: bytes
    joined: Sequence[bytes]
    is_new: bool


def name_of(circle: bytes) -> bytes:
    """The key of px.events that a circle goes by."""
    return circle.hex().encode()


def is_name(key: bytes | None) -> bool:
    """Whether a key of px.events is one that a circle can go by."""
    return key is not None and _NAME.fullmatch(key) is not None


def partition_of(circle: bytes, partitions: int) -> int:
    """Where a circle lives."""
    return int.from_bytes(circle, "big") % partitions


class Circles:
    """The circles of all names, over an index."""

    def __init__(self, index: Index) -> None:
        self._index: Index = index
        self._keys: dict[str, bytes] = {}

    def keys(self, names: Iterable[str]) -> list[bytes]:
        """What names are looked up by."""
        known, found = self._keys, []
        for name in names:
            key = known.get(name)
            if key is None:
                if len(known) >= _REMEMBERED:
                    known.clear()
                key = known[name] = key_bytes(key_of(name))
            found.append(key)
        return found

    def expect(self, keys: Iterable[bytes]) -> None:
        """These will be asked for."""
        self._index.expect(CIRCLES, keys)

    def place(self, keys: Sequence[bytes]) -> Placement:
        """Where names are that are connected from now on."""
        put = self._index.put
        if len(keys) == 1:  # as nearly always
            [key] = keys
            root = self.root(key)
            if root is None:
                put(CIRCLES, key, key)
                return Placement(key, (), is_new=True)
            return Placement(root, (), is_new=False)
        roots: dict[bytes, None] = {}
        new: list[bytes] = []
        for key in keys:
            root = self.root(key)
            if root is None:
                new.append(key)
            else:
                roots[root] = None
        circle = min(roots) if roots else keys[0]
        for key in new:
            put(CIRCLES, key, circle)
        joined = [root for root in roots if root != circle]
        for gone in joined:
            put(CIRCLES, gone, circle)
        return Placement(circle, joined, is_new=not roots)

    def root(self, key: bytes) -> bytes | None:
        """The circle that a key is in; None where it was never heard of."""
        find = self._index.find
        parent = find(CIRCLES, key)
        if parent is None or parent == key:
            return parent
        at, above = parent, find(CIRCLES, parent)
        hops = 0
        while above is not None and above != at:
            at, above = above, find(CIRCLES, above)
            hops += 1
            if hops > _CHAIN:
                raise Spoilt(PERSONS)
        if at != parent:
            self._index.put(CIRCLES, key, at)
        return at
