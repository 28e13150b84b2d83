"""Cut a stream of bytes into HL7 v2 messages: several in a file, MLLP frames, batches, any line ends.

A message begins at MSH at the start of a line and ends where the next message, a batch segment or the frame's end
block begins. What stands before the first MSH, or between a batch segment and the next MSH, and is neither blank nor a
batch segment, is one message that cannot be read. Memory is bounded by the largest message.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from connectors.api import Reading
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason

LARGEST: Final = 16 << 20
BATCH_COUNT_DIFFERS: Final = "batch_count_differs"
_BOM: Final = b"\xef\xbb\xbf"
_HEAD: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\s\x0b]*(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS)[^A-Za-z0-9\s]")
_ENVELOPE: Final = re.compile(rb"(?:\A|(?<=[\r\n\x0b\x1c]))[ \t]*(FHS|BHS|BTS|FTS)(?=[^A-Za-z0-9]|\Z)")
_LINE_END: Final = re.compile(rb"[\r\n\x1c]")
_COUNT: Final = re.compile(rb"[BF]TS[^A-Za-z0-9]0*(\d{1,9})(?!\d)")
_BLANK: Final = b" \t\r\n\x0b\x1c\x1a\x00"
_BEFORE: Final = re.compile(rb"(?:\A|[\r\n\x0b\x1c])[ \t]*(?:\xef\xbb\xbf)?[ \t]*\Z")
_STRAY: Final = "a message begins with MSH; these bytes belong to none"
_TAIL: Final = 64  # bytes that blanks and a header's first letters may straddle two chunks


def looks_like_hl7(head: bytes) -> bool:
    """Whether the first bytes of a stream are HL7 v2: a header, after a BOM, blanks or a start block."""
    return _HEAD.match(head) is not None


def split_messages(
    chunks: Iterable[bytes], notes: Counter[str] | None = None, *, largest: int = LARGEST
) -> Iterator[bytes | Reading]:
    """The messages in order, each without frame bytes; a Reading where one cannot be taken.

    Counts that a batch gives of itself are compared and noted (`batch_count_differs`), never believed. What is larger
    than `largest` bytes is one dead letter.
    """
    splitter = Splitter(notes if notes is not None else Counter(), largest)
    for chunk in chunks:
        yield from splitter.feed(chunk)
    yield from splitter.close()


class Splitter:
    """Takes chunks as they come; `feed` gives the messages that are whole, `close` the last one."""

    def __init__(self, notes: Counter[str], largest: int = LARGEST) -> None:
        self._notes: Counter[str] = notes
        self._largest: int = largest
        self._held: bytearray = bytearray()
        self._searched: int = 0  # bytes of what is held in which no further header stands
        self._is_message: bool = False  # whether what is held begins with MSH
        self._skipping: bool = False
        self._in_batch: int = 0
        self._batches: int = 0

    def feed(self, chunk: bytes) -> Iterator[bytes | Reading]:
        held = self._held
        held += chunk
        # asked once for many messages, and not again and again for a large one that comes in small chunks
        plain = len(held) < 2 * len(chunk) and b"\x1c" not in held and not _may_have_envelope(held)
        start, position = 0, self._searched
        while (at := held.find(b"MSH", position)) >= 0 and at + 4 <= len(held):
            position = at + 3
            if not _begins(held, at):
                continue
            if plain and self._is_message and not self._skipping:
                self._in_batch += 1
                yield _trimmed(bytes(held[start:at]))
            elif at > start or self._is_message:
                yield from self._end(bytes(held[start:at]))
            start, self._is_message, self._skipping = at, True, False
        del held[:start]
        self._searched = max(min(position - start, len(held)), len(held) - 3, 1 if self._is_message else 0)
        if len(held) > self._largest:
            if not self._skipping:
                self._skipping = True
                yield _dead(Reason.TOO_LARGE, f"a message of {self._largest} bytes at most is read")
            del held[:-_TAIL]
            self._searched = max(len(held) - 3, 0)

    def close(self) -> Iterator[bytes | Reading]:
        yield from self._end(bytes(self._held))
        self._held.clear()

    def _end(self, piece: bytes) -> Iterator[bytes | Reading]:
        """What stands from one header to the next, or before the first."""
        if self._skipping:
            return
        is_message, self._is_message = self._is_message, False
        if is_message and b"\x1c" not in piece and not _may_have_envelope(piece):
            self._in_batch += 1
            yield _trimmed(piece)
            return
        envelopes = list(_ENVELOPE.finditer(piece))
        first = envelopes[0].start() if envelopes else len(piece)
        yield from self._before_envelope(piece[:first], is_message=is_message)
        ends = [*(mark.start() for mark in envelopes), len(piece)][1:]
        for mark, end in zip(envelopes, ends, strict=False):
            line, *rest = _LINE_END.split(piece[mark.start() : end].strip(_BLANK), maxsplit=1)
            self._compare(mark[1], line)
            if rest and rest[0].strip(_BLANK):
                yield _dead(Reason.UNREADABLE, _STRAY)

    def _before_envelope(self, piece: bytes, *, is_message: bool) -> Iterator[bytes | Reading]:
        rest = piece
        if is_message:
            self._in_batch += 1
            message, _, rest = piece.partition(b"\x1c")  # an end block ends the message, whatever follows it
            yield _trimmed(message)
        rest = rest.strip(_BLANK).removeprefix(_BOM).strip(_BLANK)
        if rest:
            yield _dead(Reason.UNREADABLE, _STRAY)

    def _compare(self, name: bytes, line: bytes) -> None:
        """Keep count of a batch's messages and of a file's batches, and compare with what they say."""
        told = _COUNT.match(line)
        if name == b"FHS":
            self._batches = 0
        elif name == b"BHS":
            self._in_batch = 0
            self._batches += 1
        elif told is not None:
            counted = self._in_batch if name == b"BTS" else self._batches
            self._notes[BATCH_COUNT_DIFFERS] += int(told[1]) != counted


def _begins(held: bytearray, at: int) -> bool:
    """Whether the MSH found there is a header: at the start of a line, with a separator behind it."""
    mark = held[at + 3]
    if mark <= 0x20 or mark >= 0x7F or held[at + 3 : at + 4].isalnum():
        return False
    before = held[at - 1] if at else 0x0D
    return before in b"\r\n\x0b\x1c" or (
        before in b" \t\xbf" and _BEFORE.search(held[max(0, at - _TAIL) : at]) is not None
    )


def _trimmed(message: bytes) -> bytes:
    """Without frame bytes and blanks, and without the mark of the file that was put behind it."""
    message = message.strip(_BLANK)
    if message.endswith(_BOM) and message[-4:-3] in (b"\r", b"\n"):
        message = message[:-3].rstrip(_BLANK)
    return message


def _may_have_envelope(piece: bytes | bytearray) -> bool:
    return b"BTS" in piece or b"FTS" in piece or b"BHS" in piece or b"FHS" in piece


def _dead(reason: Reason, mend: str) -> Reading:
    return Reading(dead=DeadLetter(reason=reason, place="between messages", mend=mend))
