"""When all that was there is judged: for a backfill, what-if at scale, a benchmark.

identify is done when it has passed what px.inbound held at the start. correlate is done when identify is, its own
partitions hold nothing that it has not taken, and none awaits a hand-over; measure when identify and every partition
of correlate are, and px.counted holds nothing more. What was taken is durable before it counts. Who has not all
partitions stays longer than a session of the group after that: a sibling that was killed leaves its partitions to
those who are still there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from streams.distributed.correlate import Correlating
from streams.distributed.identify_standing import read_standing
from streams.distributed.index import STANDING
from streams.distributed.measure import Measuring
from streams.distributed.names import COUNTED, EVENTS, INBOUND
from streams.distributed.reading import ends_of, read_topic
from streams.distributed.shelf import RedisShelf
from streams.distributed.stage import Stage

_TWICE: Final = 2
_SIBLINGS: Final = 12.0  # seconds: a session of the group and a little


class Progress:
    """How far a stage of one run has come. `partitions` is how many each topic has."""

    def __init__(self, stage: str, client: Mapping[str, Any], shelf: RedisShelf, partitions: Mapping[str, int]) -> None:
        self._stage: str = stage
        self._client: Mapping[str, Any] = client
        self._shelf: RedisShelf = shelf
        self._partitions: Mapping[str, int] = partitions
        self._inbound: int | None = None  # what px.inbound held at the start
        self._was_done: int = 0
        self._since: tuple[int, float] | None = None  # the generation in which all was done, and since when

    async def is_done(self, stage: Stage[Any]) -> bool:
        """Whether all that was there is judged, and durable. Raises TryAgain while that cannot be known."""
        if self._inbound is None:
            self._inbound = await asyncio.to_thread(self._end_of_inbound)
        if not stage.held or stage.opening:
            return False
        await stage.settle()
        is_done = await self._looks_done(stage)
        self._was_done = self._was_done + 1 if is_done else 0
        if self._was_done < _TWICE:
            self._since = None
            return False
        if len(stage.held) == self._partitions[stage.topic]:
            return True
        if self._since is None or self._since[0] != stage.generation:
            self._since = (stage.generation, time.monotonic())
        return time.monotonic() - self._since[1] > _SIBLINGS

    def _end_of_inbound(self) -> int:
        """The offset behind the last record, which is what comes next where control records end the log."""
        last = -1
        [end] = ends_of(self._client, INBOUND, 1)
        for record in read_topic(self._client, INBOUND, 0, begin=max(end - 100, 0)):
            last = record.offset
        return last + 1

    async def _looks_done(self, stage: Stage[Any]) -> bool:
        works = {tp.partition: held.work for tp, held in stage.held.items()}
        inbound = self._inbound or 0
        if self._stage == "identify":
            return all(work.next >= inbound for work in works.values())
        if not await asyncio.to_thread(self._has_identified, inbound):
            return False
        if self._stage == "correlate":
            awaiting = any(isinstance(work, Correlating) and work.partition.awaited for work in works.values())
            return not awaiting and await asyncio.to_thread(self._are_read, EVENTS, works)
        if not await asyncio.to_thread(self._are_read, COUNTED, works):
            return False
        measuring = works[0]
        if not isinstance(measuring, Measuring) or not measuring.counts:
            return True  # nothing counts
        return await asyncio.to_thread(self._are_all_told, measuring)

    def _has_identified(self, inbound: int) -> bool:
        if not inbound:
            return True
        return read_standing(self._shelf.look(STANDING, b"")).next >= inbound

    def _are_read(self, topic: str, works: Mapping[int, Any]) -> bool:
        return not any(self._has_more(topic, number, work.next) for number, work in works.items())

    def _are_all_told(self, measuring: Measuring) -> bool:
        upto = measuring.position.upto
        return not any(self._has_more(EVENTS, p, upto.get(p, 0)) for p in range(self._partitions[EVENTS]))

    def _has_more(self, topic: str, partition: int, begin: int) -> bool:
        return next(read_topic(self._client, topic, partition, begin=begin), None) is not None
