"""Where people waited longest, against what was promised to them.

All waits of one threshold in one department that began within the same four hours of one day are looked at together.
Each late one counts by how many times its promise it was over (two hours late for a promise of one hour is twice), so
that a promise of minutes and one of weeks can be compared. The sum says which four hours were the worst.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from schemas.event import HOUR
from schemas.instant import to_datetime
from schemas.threshold import Threshold
from streams.core.engine import Engine
from streams.core.state import Wait

BLOCK: Final = 4 * HOUR
# Fewer late waits than this are bad luck and no bottleneck.
_FEWEST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """One wait, in microseconds: from `since` to `until` (the clock, where it is still `open`), promised by `due`."""

    since: int
    due: int
    until: int
    open: bool
    ended_by: tuple[str, str] | None  # type and source of the event that ended it

    @property
    def late(self) -> bool:
        return self.until > self.due

    @property
    def length(self) -> int:
        return self.until - self.since

    @property
    def over(self) -> float:
        """How many times the promise it took beyond the promise; 0 if it was kept."""
        return max(0.0, (self.until - self.due) / max(1, self.due - self.since))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """Four hours from `start`, on the wall, in which `waits` began; `usual` are those that began at other times."""

    threshold: Threshold
    department: str | None
    start: datetime
    waits: tuple[Waited, ...]
    usual: tuple[Waited, ...]

    @property
    def late(self) -> int:
        return sum(wait.late for wait in self.waits)

    @property
    def over(self) -> float:
        return sum(wait.over for wait in self.waits)

    @property
    def promised(self) -> int:
        """The usual length of the promise, in microseconds."""
        return round(median(wait.due - wait.since for wait in self.waits))

    @property
    def awaited(self) -> tuple[str, str] | None:
        """Type and source of what mostly ended these waits; None where nothing has."""
        ends = Counter(wait.ended_by for wait in self.waits if wait.ended_by is not None)
        return max(ends, key=lambda end: (ends[end], end)) if ends else None


def find_bottlenecks(engine: Engine, zone: ZoneInfo) -> list[Bottleneck]:
    """The worst four hours of each live threshold and department, the worst first."""
    groups: dict[tuple[str, str | None], list[Waited]] = {}
    thresholds: dict[str, Threshold] = {}
    for wait in _judged(engine):
        threshold = wait.plan.threshold
        thresholds[threshold.id] = threshold
        department = wait.start.data.get("department")
        key = (threshold.id, department if isinstance(department, str) else None)
        groups.setdefault(key, []).append(_waited(wait, engine.clock))
    found = [
        worst
        for (id_, department), waits in sorted(groups.items(), key=lambda group: (group[0][0], group[0][1] or ""))
        if (worst := _worst_block(thresholds[id_], department, waits, zone)) is not None
    ]
    return sorted(found, key=lambda bottleneck: -bottleneck.over)


def late_by_block(waits: Iterable[Waited], zone: ZoneInfo) -> dict[datetime, tuple[int, int]]:
    """How many of the waits that began in each four hours were late, and how many there were."""
    counted: dict[datetime, tuple[int, int]] = {}
    for wait in waits:
        block = block_of(wait.since, zone)
        late, all_ = counted.get(block, (0, 0))
        counted[block] = (late + wait.late, all_ + 1)
    return counted


def block_of(at: int, zone: ZoneInfo) -> datetime:
    """The start of the four hours, by the wall clock, that hold the instant `at` (microseconds)."""
    shown = to_datetime(at).astimezone(zone)
    return shown.replace(hour=shown.hour // 4 * 4, minute=0, second=0, microsecond=0, fold=0)


def _judged(engine: Engine) -> Iterator[Wait]:
    """Every wait of a live threshold that was kept or is late; a wait that was called off in time says nothing."""
    for person in engine.identity.persons():
        for journey in person.every_journey():
            for wait in journey.waits:
                called_off = wait.cancelled and wait.close is not None and wait.close.time <= wait.due
                undecided = wait.close is None and wait.due >= engine.clock
                if wait.plan.threshold.mode == "live" and not called_off and not undecided:
                    yield wait


def _waited(wait: Wait, clock: int) -> Waited:
    until = clock if wait.close is None else wait.close.time
    ended_by = None if wait.close is None or wait.cancelled else (wait.close.type, wait.close.source)
    return Waited(since=wait.base, due=wait.due, until=until, open=wait.close is None, ended_by=ended_by)


def _worst_block(
    threshold: Threshold, department: str | None, waits: Sequence[Waited], zone: ZoneInfo
) -> Bottleneck | None:
    blocks: dict[datetime, list[Waited]] = {}
    for wait in waits:
        blocks.setdefault(block_of(wait.since, zone), []).append(wait)
    start = max(blocks, key=lambda block: (sum(wait.over for wait in blocks[block]), -block.timestamp()))
    inside = tuple(blocks[start])
    if sum(wait.late for wait in inside) < _FEWEST:
        return None
    usual = tuple(wait for block, group in blocks.items() if block != start for wait in group)
    return Bottleneck(threshold=threshold, department=department, start=start, waits=inside, usual=usual)
