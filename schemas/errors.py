"""Errors that name the place and the mend. No value of a message stands in a text: values are PHI."""

from __future__ import annotations

from enum import StrEnum


class PxError(Exception):
    """The parent of every error that this project raises on purpose."""


class Reason(StrEnum):
    """Why a message became a dead letter."""

    UNREADABLE = "unreadable"  # the bytes are not what they claim to be
    NO_ZONE = "no_zone"  # a stamp without an offset, from a sender whose zone nobody named
    NO_TIME = "no_time"  # no stamp says when it happened
    BAD_TIME = "bad_time"  # a stamp that the event needs is no time
    NO_IDENTIFIER = "no_identifier"  # an event about a patient names nobody
    NO_ID = "no_id"  # no message id, so a repetition could not be told
    CONFLICT = "conflict"  # same source and id as an earlier message, other content
    FROM_THE_FUTURE = "from_the_future"  # its time lies ahead of the clock
    INVALID = "invalid"  # readable, but a required part is missing or has another type
    TOO_LARGE = "too_large"  # above the size limit


class Unreadable(PxError):
    """A message that cannot be read: it becomes a dead letter and never stops a stream."""

    def __init__(self, reason: Reason, *, place: str, mend: str) -> None:
        super().__init__(f"{reason.value} at {place}: {mend}")
        self.reason = reason
        self.place = place
        self.mend = mend


class WrongUse(PxError):
    """The command, a path or a setting is wrong; nothing was done. Exit code 2."""


class TryAgain(PxError):
    """What is asked for is busy now. Exit code 75."""


class StoreFailed(PxError):
    """A store could not be written or read; nothing of what was asked was done."""


class StoreFull(StoreFailed):
    """There is no room for a store to be written; with room it goes on. Exit code 75."""
