"""Takes what the doors hand over and writes it to px.inbound; it keeps nothing, so any number of hubs may do so.

What became of a message is known when Kafka has it on its in-sync replicas; while it does not take what comes, all is
refused.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hub.kafka.inbound import InboundWriter
from hub.serve.condition import Condition, Tell
from hub.serve.gathering import Gathering
from hub.serve.reading import LiveReader
from hub.serve.writer import Asked, Stopped
from schemas.errors import StoreFailed
from schemas.message import Verdict


class KafkaIntake(Gathering):
    """Takes messages for a cluster; `client` is librdkafka's configuration, `tell` is told when Kafka takes nothing,
    and when it does again. What was refused may be there all the same; sent again it counts once."""

    def __init__(self, client: Mapping[str, Any], reader: LiveReader, tell: Tell | None = None) -> None:
        super().__init__()
        self.condition: Condition = Condition(tell)
        self._writer: InboundWriter = InboundWriter(client, reader, self._queue, self._hear, self._stands)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """(kind, outcome) -> messages that were answered so."""
        return self._writer.counts

    async def run(self) -> None:
        """Take, until `stop`; then whatever waits is still taken."""
        self._loop = asyncio.get_running_loop()
        try:
            await self._writer.run()
        finally:
            self._note_end()
            while not self._queue.empty():
                for asked in self._queue.get():
                    if asked is not None:
                        self._tell(asked, Stopped())

    # -- what the writer says, in its threads

    def _hear(self, asked: Asked, told: list[Verdict] | StoreFailed) -> None:
        assert self._loop is not None  # noqa: S101 - running
        self._loop.call_soon_threadsafe(self._tell, asked, told)

    def _stands(self, failed: str | None) -> None:
        assert self._loop is not None  # noqa: S101 - running
        self._loop.call_soon_threadsafe(self._note, failed)

    def _note(self, failed: str | None) -> None:
        if failed is not None:
            self.condition.store_failed(failed)
        else:
            self.condition.store_took(self.condition.wanted)
