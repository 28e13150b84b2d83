"""Events that do not go onto px.events, though their message could be read: identify sets such a message apart."""

from __future__ import annotations

from typing import Final

from schemas.dead_letter import MEND_DATA
from schemas.errors import Reason
from schemas.event import Event
from streams.distributed.wire import write_event

LARGEST: Final = 20_000_000
"""Bytes of an event: below what px.events takes, by what Kafka puts around it."""
_MEND_LARGE: Final = "an event of it is larger than a record of px.events; send less in one message"


class Unwritable(Exception):
    """A message whose events do not go onto px.events: where it lies; reason, place and mend."""

    def __init__(self, offset: int, reason: Reason, mend: str) -> None:
        super().__init__(offset)
        self.offset: int = offset
        self.why: tuple[str, str, str] = (reason.value, "data", mend)


def writable(event: Event, recorded: str, following: int, offset: int) -> bytes:
    """An event as it goes onto px.events, of the message at this offset. Raises Unwritable for what cannot be written
    (keys that JSON has not), or is larger written so: what JSON escapes is up to six times as long."""
    try:
        value = write_event(event, recorded, following)
    except (TypeError, ValueError, OverflowError, RecursionError) as wrong:
        raise Unwritable(offset, Reason.INVALID, MEND_DATA) from wrong
    if len(value) > LARGEST:
        raise Unwritable(offset, Reason.TOO_LARGE, _MEND_LARGE)
    return value
