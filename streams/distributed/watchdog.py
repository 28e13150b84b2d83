"""Whether a worker still works: for known faults of Faust end no process, and leave a partition to nobody.

A partition is stuck when a committed record waits at its offset and the offset does not move, or when it is ours and
nobody here holds it, for so many seconds. It is not while it is being stood up, or while a service is away and that
was said. A rebalance may take its time. Whether something waits is asked of the broker by a connection of our own,
so a fetcher that died is no alibi.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from faust.types import TP

from schemas.errors import TryAgain
from streams.distributed.refusals import Refused
from streams.distributed.stage import Stage

_REBALANCE: Final = 60.0  # seconds more while the group shares out its partitions
LOOKS: Final = 4  # in the time after which a partition is stuck

HasMore = Callable[[TP, int], bool]
"""Whether a committed record lies at an offset or behind it. Raises TryAgain."""


class Stuck(NamedTuple):
    """A partition that stands still: its offset, -1 where nobody holds it; and the reason in words."""

    tp: TP
    offset: int
    reason: str


class Watchdog:
    """Looks at a stage again and again. `seconds` is how long a partition may stand still."""

    def __init__(self, stage: Stage[Any], has_more: HasMore, seconds: float) -> None:
        self.interval: float = seconds / LOOKS
        self._stage: Stage[Any] = stage
        self._has_more: HasMore = has_more
        self._seconds: float = seconds
        self._since: dict[TP, tuple[int, float]] = {}  # the offset that something waits at, and since when
        self._before: dict[TP, int] = {}  # offsets at the look before
        self._looked: float | None = None

    def look(self, now: float, *, rebalancing: bool = False) -> Stuck | None:
        """The first partition that is stuck. `now` is in seconds, of a clock that never goes back."""
        if self._looked is not None and now - self._looked > 2 * self.interval + 1:
            self._since.clear()  # the process itself stood still
        self._looked = now
        limit = self._seconds + (_REBALANCE if rebalancing else 0)
        stage = self._stage
        opening, held = set(stage.opening), dict(list(stage.held.items()))
        for tp in list(self._since):
            if tp not in stage.assigned:
                del self._since[tp]
        for tp in sorted(stage.assigned):
            one = held.get(tp)
            if tp in opening or (one is not None and (one.restands or one.pauses or one.work.figures().pauses)):
                self._since.pop(tp, None)
                continue
            offset = -1 if one is None else one.work.next
            begun = self._since.get(tp)
            if begun is not None and begun[0] == offset:
                if now - begun[1] >= limit:
                    reason = "nobody here holds it" if one is None else "records wait and none is taken"
                    return Stuck(tp, offset, reason)
                continue
            self._since.pop(tp, None)
            if self._before.get(tp) == offset and self._waits(tp, offset):
                self._since[tp] = (offset, now)
            self._before[tp] = offset
        return None

    def _waits(self, tp: TP, offset: int) -> bool:
        try:
            return offset < 0 or self._has_more(tp, offset)
        except (TryAgain, Refused):  # the broker is away, or who works is about to end of it
            self._since.clear()
            return False
