"""What a partition is given, what it gives beside alerts, and what stops it."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Record(Protocol):
    """A record of Kafka."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Buried(NamedTuple):
    """A record that cannot be taken: why, where, what to do about it, and its bytes."""

    reason: str
    place: str
    mend: str
    offset: int
    raw: bytes


class Handed(NamedTuple):
    """A record for px.events: a circle for another partition."""

    partition: int
    key: bytes
    value: bytes


class Poison(Exception):
    """The engine failed on a record; `offset` is its."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"the engine failed on the record at offset {offset}")
        self.offset: int = offset
