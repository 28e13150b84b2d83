"""How a hub stands: whether its store takes what comes, and whether the machine's clock keeps up with the log's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from schemas.event import SECOND

Tell = Callable[..., object]
"""Told of what is worth a line in the log: a fact's name, and fields that hold nothing of a patient."""
_LEAST: Final = 64 * 1024  # bytes: the little that still finds room on a full disk says nothing
_MOST: Final = 4 * 1024 * 1024


class Condition:
    """What is wrong now, if something is; each change is said once."""

    def __init__(self, tell: Tell | None = None) -> None:
        self.failed: str | None = None
        """Why the store takes nothing; None while it does."""
        self.behind: int = 0
        """By how much the machine's clock stands behind the log's, which waits for it, in microseconds."""
        self.wanted: int = 0
        """Bytes that a store that failed must take before it is well again."""
        self.tell: Tell = tell or (lambda *_, **__: None)

    def store_failed(self, why: str, size: int = 0) -> None:
        """The store did not take so many bytes of messages."""
        self.wanted = max(self.wanted, _LEAST, min(size, _MOST))
        if self.failed is None:
            self.tell("store.failed", reason=why)
        self.failed = why

    def store_took(self, size: int) -> None:
        """The store took so many bytes."""
        if self.failed is not None and size >= self.wanted:
            self.failed, self.wanted = None, 0
            self.tell("store.recovered")

    def clock_stands(self, behind: int) -> None:
        """The machine's clock stands so far behind the log's; less than a second is nothing."""
        behind = behind if behind >= SECOND else 0
        if behind and not self.behind:
            self.tell("clock.set_back", seconds=behind // SECOND)
        elif self.behind and not behind:
            self.tell("clock.caught_up")
        self.behind = behind
