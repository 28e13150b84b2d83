"""A message as a connector read it: bytes with an identity, and what they became."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from schemas.comment import Comment
from schemas.dead_letter import DeadLetter
from schemas.event import Event


class Outcome(StrEnum):
    """Where a message ends; every message ends in one of the four (DESIGN.md, "Every message ends somewhere")."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    DEAD = "dead"


class Thing(msgspec.Struct, frozen=True, array_like=True):
    """A version of a thing that a source has under an id, for who asks later which version came last. `version` is what
    it is called, `count` how many came until then, `digest` of its content; `numbers` are hashes of what else it goes
    by. Two versions with one count are one."""

    system: str
    type: str
    id: str
    version: str
    count: int
    digest: bytes
    numbers: tuple[bytes, ...] = ()


class Message(msgspec.Struct, gc=False):
    """What one message became, before the door; one of `events`, `ignored`, `dead` is set.

    `kind` is the kind of its source (`hl7`, `cloudevents`), `raw` its bytes as they came. `source` and `id` are its
    identity, empty where it could not be read; `digest` is of its content: the same identity with another digest is
    a conflict. `notes` are counted remarks about what was read leniently. `comments` were taken out of `raw`, and are
    kept apart; `things` are remembered with it.
    """

    kind: str
    raw: bytes
    source: str = ""
    id: str = ""
    digest: bytes = b""
    events: tuple[Event, ...] = ()
    ignored: str | None = None
    dead: DeadLetter | None = None
    notes: tuple[str, ...] = ()
    comments: tuple[Comment, ...] = ()
    things: tuple[Thing, ...] = ()


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What became of a message, once it is durable. `seq` is its place in the log; `reason` says why it was ignored or
    is a dead letter, `place` and `mend` where and what to do about it."""

    outcome: Outcome
    seq: int | None = None
    reason: str | None = None
    place: str | None = None
    mend: str | None = None
