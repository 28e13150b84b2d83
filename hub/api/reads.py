"""A reader of the store in a thread of its own: the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from streams.embedded.reader import Reader

Answer = TypeVar("Answer")


class Reads:
    """One reader, one thread: questions are answered one after the other."""

    def __init__(self, open_reader: Callable[[], Reader]) -> None:
        self._open: Callable[[], Reader] = open_reader
        self._reader: Reader | None = None
        self._thread: ThreadPoolExecutor = ThreadPoolExecutor(1, thread_name_prefix="reads")

    async def ask(self, question: Callable[[Reader], Answer]) -> Answer:
        """Ask the store something. Raises what the question raises, StoreFailed among it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    async def close(self) -> None:
        """Let go of the file; nothing can be asked afterwards."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown(wait=False)

    def _answer(self, question: Callable[[Reader], Answer]) -> Answer:
        if self._reader is None:
            self._reader = self._open()
        return question(self._reader)

    def _let_go(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
