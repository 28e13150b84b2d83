"""What a connector answers: a message taken as events, ignored with a reason, or kept as a dead letter."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.comment import Comment
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason
from schemas.event import Event


class Reading(msgspec.Struct):
    """What one message became; exactly one of `events`, `ignored`, `dead` is set.

    `source` and `id` are the message's identity (HL7: `hl7/{MSH-3}/{MSH-4}`, and MSH-10 with MSH-7), empty where
    it could not be read; `digest` is of its content (line ends normalised): the same identity with another digest
    is a conflict. `notes` are counted remarks about what was read leniently (`charset_guessed`, `zone_assumed`,
    `batch_count_differs`), without values.
    """

    source: str = ""
    id: str = ""
    digest: bytes = b""
    events: tuple[Event, ...] = ()
    ignored: str | None = None
    dead: DeadLetter | None = None
    notes: tuple[str, ...] = ()


class Split(NamedTuple):
    """A message without what somebody said in their own words: what it became, its bytes as they are kept, and what was
    taken out of it. Read again from those bytes it is the same, and nothing is taken out a second time."""

    reading: Reading
    raw: bytes
    comments: tuple[Comment, ...] = ()


def dead(reason: Reason, place: str, mend: str) -> Reading:
    """What cannot be taken, and is kept."""
    return Reading(dead=DeadLetter(reason=reason, place=place, mend=mend))
