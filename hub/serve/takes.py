"""What a door needs of whoever takes its messages: a store's intake, or one that writes to Kafka."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hub.serve.condition import Condition
from hub.serve.writer import Told
from schemas.message import Verdict


class Takes(Protocol):
    """Takes messages, and says what became of them once they are durable."""

    condition: Condition

    @property
    def stopping(self) -> bool:
        """Whether no more is taken."""

    async def take(self, kind: str, raws: Sequence[bytes]) -> list[Verdict]:
        """What became of these messages; they are durable when this returns. Raises StoreFailed, and then they are to
        be sent again, and Stopped once the hub shuts down."""

    def put(self, kind: str, raws: Sequence[bytes], tell: Callable[[Told], object]) -> None:
        """Take messages, and tell what `take` returns or raises, later and in this loop."""
