"""A zone's offsets as plain numbers: wall clock of an instant, and the instant of a wall clock.

`zoneinfo` answers one instant at a time and costs a `datetime` each; here its answers are kept as the list of
moments at which the offset changes, in blocks of 512 days made when first asked for.
Instants are microseconds since the epoch in UTC. Walls are microseconds from 1970-01-01T00:00 of the wall clock.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.event import DAY, HOUR, SECOND

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_INSTANT: Final = -719_000 * DAY  # within the year 1, so that no zone leaves the years of `datetime`
LAST_INSTANT: Final = 2_932_800 * DAY  # within the year 9999, likewise

_BLOCK: Final = 512 * DAY
_MARGIN: Final = 5 * DAY  # a block answers for walls and for times close by, too
_PROBE: Final = 6 * HOUR  # no zone changes twice within it


class _Block:
    """`offsets[n]` holds after n of the changes. `wall_from[n]` is the first wall that reads by `offsets[n + 1]`."""

    __slots__ = ("changes", "offsets", "wall_from")

    def __init__(self, changes: list[int], offsets: list[int]) -> None:
        self.changes: list[int] = changes
        self.offsets: list[int] = offsets
        # A wall that does not exist, or exists twice, reads by the offset before the change: that moves the one
        # forward by the gap and takes the first of the other (PEP 495, fold=0).
        self.wall_from: list[int] = [at + max(offsets[n], offsets[n + 1]) for n, at in enumerate(changes)]


class Zone:
    """One time zone. Raises ValueError for a name that the zone data does not know, and OverflowError for times
    outside the years 1 to 9999."""

    __slots__ = ("_blocks", "_info", "name")

    def __init__(self, name: str) -> None:
        try:
            self._info: ZoneInfo = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{name!r} is no time zone; write one like America/New_York") from error
        self.name: str = name
        self._blocks: dict[int, _Block] = {}

    def offset(self, instant: int) -> int:
        """Microseconds that the wall clock is ahead of UTC."""
        block = self._blocks.get(instant // _BLOCK) or self._make_block(instant // _BLOCK)
        return block.offsets[bisect_right(block.changes, instant)]

    def instant(self, wall: int) -> int:
        """The instant of a wall clock: moved forward out of a gap, the first of two."""
        block = self._blocks.get(wall // _BLOCK) or self._make_block(wall // _BLOCK)
        return wall - block.offsets[bisect_right(block.wall_from, wall)]

    def is_steady(self, begin: int, end: int) -> bool:
        """Whether one offset holds from `begin` to `end`; asked about at most 4 days."""
        block = self._blocks.get(begin // _BLOCK) or self._make_block(begin // _BLOCK)
        return bisect_right(block.changes, begin) == bisect_right(block.changes, end)

    def _make_block(self, number: int) -> _Block:
        begin, end = number * _BLOCK - _MARGIN, (number + 1) * _BLOCK + _MARGIN
        if end <= FIRST_INSTANT or begin >= LAST_INSTANT:
            raise OverflowError("a time outside the years 1 to 9999")
        changes: list[int] = []
        offsets: list[int] = [self._probe(begin)]
        for at in range(begin, end, _PROBE):
            after = self._probe(at + _PROBE)
            if after != offsets[-1]:
                changes.append(self._find_change(at, at + _PROBE, offsets[-1]))
                offsets.append(after)
        return self._blocks.setdefault(number, _Block(changes, offsets))

    def _probe(self, instant: int) -> int:
        within = min(max(instant, FIRST_INSTANT), LAST_INSTANT)
        offset = (EPOCH + timedelta(microseconds=within)).astimezone(self._info).utcoffset()
        if offset is None:
            raise AssertionError("an aware datetime has an offset")
        return offset // timedelta(microseconds=1)

    def _find_change(self, before: int, after: int, held: int) -> int:
        # Offsets change at whole seconds.
        low, high = before // SECOND, after // SECOND
        while high - low > 1:
            middle = (low + high) // 2
            if self._probe(middle * SECOND) == held:
                low = middle
            else:
                high = middle
        return high * SECOND


@lru_cache(maxsize=256)
def zone(name: str) -> Zone:
    """The zone of that name; its offsets are looked up once for all who ask."""
    return Zone(name)
