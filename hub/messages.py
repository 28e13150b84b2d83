"""One message of an input, before it is judged at the door."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from connectors.api import Reading
from schemas.comment import Comment
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason
from schemas.event import Event


class Message(msgspec.Struct, gc=False):
    """An event alone (a CloudEvent) or a reading.

    `place` is the byte offset of a CloudEvent that can be read again, -1 elsewhere; `digest` is of the content where
    it cannot: one of the two tells a duplicate from a conflict when the same id comes twice. `where` says which of its
    input it is, as `line 3`, where neither the offset nor a count of messages does. `comments` were taken out of it,
    and `raw` are its bytes without them, for who keeps both; `kind` is what it is kept as, where its reader knows.
    """

    reading: Reading | None
    event: Event | None
    place: int
    digest: bytes | None
    where: str = ""
    comments: tuple[Comment, ...] = ()
    raw: bytes | None = None
    kind: str = ""

    @property
    def source(self) -> str:
        """Who sent it; empty where nobody can tell."""
        return self.event.source if self.event is not None else self.reading.source if self.reading is not None else ""


def ignored(reason: str) -> Message:
    """A message of a kind that is not read."""
    return Message(Reading(ignored=reason), None, -1, None)


def dead(reason: Reason, place: str, mend: str) -> Message:
    """A message that cannot be taken."""
    reading = Reading(dead=DeadLetter(reason=reason, place=place, mend=mend))
    reading.digest = blake2b(place.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Message(reading, None, -1, None)
