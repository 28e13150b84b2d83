"""Records of px.inbound: a message as a connector read it, acknowledged once it is here, and looks at the clock.

The first element is a tag with the format's number, so that a newer one is told from what is no record of ours.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from schemas.dead_letter import MEND_DATA
from schemas.errors import Reason
from schemas.message import Message
from streams.distributed.formats import NewerFormat
from streams.embedded.entries import written

_NEWER: Final = re.compile(rb"[\x90-\x9f][\xa0-\xbf][mt](\d+)")


LATEST: Final = -1


class Told(msgspec.Struct, array_like=True, tag="m1", frozen=True):
    """A message. `events` as the log has them, empty for none; `content` is a digest of what it says, however it is
    written; `dead` reason, place and mend."""

    kind: str
    raw: bytes
    source: str
    id: str
    digest: bytes
    content: bytes
    events: bytes = b""
    ignored: str | None = None
    dead: tuple[str, str, str] | None = None


class Ticked(msgspec.Struct, array_like=True, tag="t1", frozen=True):
    """A look at the clock: the record's own stamp, or an instant (microseconds) that closes what was loaded. LATEST is
    the largest event time that was taken so far, which identify alone knows: it is who says what counts."""

    at: int = 0


_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(Told | Ticked).decode


def told_of(message: Message, content: bytes) -> Told:
    """A message as px.inbound has it; `content` is a digest of what it says. What cannot be kept is a dead letter from
    here on."""
    dead = message.dead
    letter = None if dead is None else (dead.reason.value, dead.place, dead.mend)
    blob = b""
    if message.events and letter is None and message.ignored is None:
        kept = written(message.events)
        if kept is None:
            letter = (Reason.INVALID.value, "data", MEND_DATA)
        else:
            blob = kept
    return Told(
        message.kind, message.raw, message.source, message.id, message.digest, content, blob, message.ignored, letter
    )


def write_told(told: Told) -> bytes:
    """The record of it."""
    return _write(told)


def write_message(message: Message, content: bytes) -> bytes:
    """A message as it goes onto px.inbound."""
    return _write(told_of(message, content))


def write_tick(at: int = 0) -> bytes:
    """A look at the clock."""
    return _write(Ticked(at))


def read_inbound(value: bytes) -> Told | Ticked:
    """What a record is. Raises ValueError for what we did not write, NewerFormat for what a newer version did."""
    try:
        found: Told | Ticked = _read(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        newer = _NEWER.match(value)
        if newer is not None and int(newer[1]) > 1:
            told = "px.inbound was written by a newer version of the hub: run that one"
            raise NewerFormat(told) from wrong
        raise ValueError("this is no record of px.inbound") from wrong
    return found
