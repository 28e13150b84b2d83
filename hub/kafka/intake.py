"""Takes what the doors hand over and writes it to px.inbound; it keeps nothing, so any number of hubs may do so.

What came in one turn of the loop is handed over together, as it is to a store (hub/serve/intake.py). What became of a
message is known when Kafka has it on its in-sync replicas; while it does not take what comes, all is refused.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, Final

from hub.kafka.inbound import InboundWriter
from hub.serve.condition import Condition, Tell
from hub.serve.intake import settles, wake
from hub.serve.reading import LiveReader
from hub.serve.writer import Asked, Stopped, Told
from schemas.errors import StoreFailed
from schemas.message import Verdict

_PIECE: Final = 2_000  # messages that are told of at once
_ROOM: Final = 20_000  # messages that may be on their way; beyond it `take` waits


class KafkaIntake:
    """Takes messages for a cluster; `client` is librdkafka's configuration, `tell` is told when Kafka takes nothing,
    and when it does again."""

    def __init__(self, client: Mapping[str, Any], reader: LiveReader, tell: Tell | None = None) -> None:
        self.condition: Condition = Condition(tell)
        self._queue: SimpleQueue[Sequence[Asked | None]] = SimpleQueue()
        self._writer: InboundWriter = InboundWriter(client, reader, self._queue, self._hear, self._stands)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gathered: list[Asked] = []  # of this turn of the loop
        self._many: int = 0  # messages that wait
        self._stopping: bool = False
        self._roomy: list[asyncio.Future[None]] = []  # who waits for room

    # -- what the doors ask

    async def take(self, kind: str, raws: Sequence[bytes]) -> list[Verdict]:
        """What became of these messages; the in-sync replicas have them when this returns. Raises StoreFailed, and then
        they are to be sent again: whichever are there all the same count once. Raises Stopped once the hub shuts
        down."""
        while self._many >= _ROOM and not self._stopping:
            await self._room()
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[list[Verdict]]] = []
        for at in range(0, len(raws), _PIECE):
            future: asyncio.Future[list[Verdict]] = loop.create_future()
            futures.append(future)
            self.put(kind, raws[at : at + _PIECE], settles(future))
        verdicts: list[Verdict] = []
        for answer in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            verdicts += answer
        return verdicts

    def put(self, kind: str, raws: Sequence[bytes], tell: Callable[[Told], object]) -> None:
        """Take messages, and tell what `take` returns or raises, later and in this loop. Who calls sees to it that it
        does not put more than there is memory for."""
        loop = asyncio.get_running_loop()
        if self._stopping:
            loop.call_soon(tell, Stopped())
            return
        self._many += len(raws)
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append(Asked(kind, raws, tell))

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """(kind, outcome) -> messages that were answered so."""
        return self._writer.counts

    # -- its life

    async def run(self) -> None:
        """Take, until `stop`; then whatever waits is still taken."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._writer.run()
        finally:
            self._stopping = True
            wake(self._roomy)
            while not self._queue.empty():
                for asked in self._queue.get():
                    if asked is not None:
                        self._tell(asked, Stopped())

    async def stop(self) -> None:
        """Take no more; `run` returns when all that waits was answered."""
        if not self._stopping:
            self._stopping = True
            self._queue.put([*self._gathered, None])
            self._gathered = []
        wake(self._roomy)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    # -- what the writer says, in its threads

    def _hear(self, asked: Asked, told: list[Verdict] | StoreFailed) -> None:
        assert self._loop is not None  # noqa: S101 - running
        self._loop.call_soon_threadsafe(self._tell, asked, told)

    def _stands(self, failed: str | None) -> None:
        assert self._loop is not None  # noqa: S101 - running
        self._loop.call_soon_threadsafe(self._note, failed)

    # -- and here

    def _tell(self, asked: Asked, told: Told) -> None:
        self._many -= len(asked.raws)
        asked.tell(told)
        if self._roomy and self._many < _ROOM:
            wake(self._roomy)

    def _note(self, failed: str | None) -> None:
        if failed is not None:
            self.condition.store_failed(failed)
        else:
            self.condition.store_took(self.condition.wanted)

    async def _room(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._roomy.append(future)
        try:
            await future
        finally:
            if future in self._roomy:
                self._roomy.remove(future)
