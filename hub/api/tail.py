"""The newest transitions in memory, and those who wait for more: what every feed of them has."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import deque
from typing import Final

import msgspec

KEPT: Final = 2_000
"""Transitions in memory, about a megabyte."""
PAGE: Final = 200
"""Of one read: what a follower that lags holds while it sends."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """A transition ready to be sent; `data` is its JSON."""

    cursor: int
    state: str
    threshold: str
    facility: str | None
    data: bytes


class Tail(ABC):
    """Follows transitions in a task of its own, from `start` to `close`."""

    def __init__(self, most: int | None = KEPT) -> None:
        self.closed: bool = False
        self._kept: deque[Line] = deque(maxlen=most)
        self._news: asyncio.Event = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow."""
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """End all streams; those who wait return."""
        self.closed = True
        self._wake()
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
            self._following = None

    @abstractmethod
    async def _follow(self) -> None:
        """Read on, for ever."""

    def _newest(self, after: int) -> list[Line]:
        """Some of those in memory that follow a cursor, in order."""
        newest = []
        for line in reversed(self._kept):
            if line.cursor <= after:
                break
            newest.append(line)
        return newest[-PAGE:][::-1]

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
