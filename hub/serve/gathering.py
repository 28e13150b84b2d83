"""What comes in one turn of the loop is handed over to a thread together, for a wake-up of the thread costs more than a
message; and who brings more than there is room for waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Final

from hub.serve.writer import Asked, Stopped, Told
from schemas.message import Verdict

PIECE: Final = 2_000
"""Messages that are told of at once: with more the first sender would wait for the last."""
ROOM: Final = 20_000
"""Messages that may wait; beyond it `take` waits."""


class Gathering:
    """Takes messages for a thread that works through a queue, and ends at None."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Sequence[Any]] = SimpleQueue()
        self._gathered: list[Any] = []  # of this turn of the loop
        self._many: int = 0  # messages that wait
        self._stopping: bool = False
        self._roomy: list[asyncio.Future[None]] = []  # who waits for room

    async def take(self, kind: str, raws: Sequence[bytes]) -> list[Verdict]:
        """What became of these messages; they are durable when this returns. Raises StoreFailed, and then they are to
        be sent again, and Stopped once the hub shuts down."""
        while self._many >= ROOM and not self._stopping:
            await wait_among(self._roomy)
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[list[Verdict]]] = []
        for at in range(0, len(raws), PIECE):
            future: asyncio.Future[list[Verdict]] = loop.create_future()
            futures.append(future)
            self.put(kind, raws[at : at + PIECE], settles(future))
        verdicts: list[Verdict] = []
        for answer in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            verdicts += answer
        return verdicts

    def put(self, kind: str, raws: Sequence[bytes], tell: Callable[[Told], object]) -> None:
        """Take messages, and tell what `take` returns or raises, later and in this loop. Who calls sees to it that it
        does not put more than there is memory for."""
        if self._stopping:
            asyncio.get_running_loop().call_soon(tell, Stopped())
            return
        self._many += len(raws)
        self._hand_over(Asked(kind, raws, tell))

    @property
    def stopping(self) -> bool:
        """Whether no more is taken."""
        return self._stopping

    async def stop(self) -> None:
        """Take no more; the thread ends when all that waits was answered."""
        if not self._stopping:
            self._stopping = True
            self._queue.put([*self._gathered, None])
            self._gathered = []
        wake(self._roomy)

    def _hand_over(self, work: object) -> None:
        if self._stopping:
            self._queue.put([work])
            return
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._hand_over_gathered)
        self._gathered.append(work)

    def _hand_over_gathered(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def _tell(self, asked: Asked, told: Told) -> None:
        """Tell whoever asked, in the loop, and let others come who wait for room."""
        self._many -= len(asked.raws)
        asked.tell(told)
        if self._roomy and self._many < ROOM:
            wake(self._roomy)

    def _note_end(self) -> None:
        """The thread has ended."""
        self._stopping = True
        wake(self._roomy)


async def wait_among(waiting: list[asyncio.Future[None]]) -> None:
    """Wait until they are woken."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting.append(future)
    try:
        await future
    finally:
        if future in waiting:
            waiting.remove(future)


def wake(waiting: list[asyncio.Future[None]]) -> None:
    """Let all go on who wait."""
    woken = waiting.copy()
    waiting.clear()
    for future in woken:
        if not future.done():
            future.set_result(None)


def settles(future: asyncio.Future[list[Verdict]]) -> Callable[[Told], None]:
    """What tells a future; one that nobody waits for any more is left alone."""

    def tell(told: Told) -> None:
        if future.done():
            return  # who asked is gone
        if isinstance(told, list):
            future.set_result(told)
        else:
            future.set_exception(told)

    return tell
