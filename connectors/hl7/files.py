"""Cut a stream of bytes into HL7 v2 messages: several in a file, MLLP frames, batches, any line ends.

A message begins at MSH at the start of a line and ends where the next message, the lines of a batch behind it or the
frame's end block begins. A whole header inside a line begins one, too: the file before it had no line end at its own
end, and what a message quotes has its separators escaped. What stands before the first MSH, or behind an end block, and
is neither blank nor a line of a batch, is one message that cannot be read. Memory is bounded by the largest message.
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
_ENVELOPE: Final = frozenset({b"FHS", b"BHS", b"BTS", b"FTS"})
_BOM: Final = b"\xef\xbb\xbf"
_EVENT: Final = b'"specversion"'
_HEAD: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?[\s\x00\x1a\x1c]*+(?:\xef\xbb\xbf)?[\s\x00\x1a\x1c]*+(?:MSH|FHS|BHS)[^A-Za-z0-9\s]"
)  # blanks are given back nowhere (*+): of a file of blanks alone each division into two would be tried
_WHOLE: Final = rb"([^A-Za-z0-9_\s\x00-\x1f\x7f-\xff])(?:(?!\1)[^A-Za-z0-9\s\x00-\x1f\x7f-\xff]){2,6}\1"
_WHOLE_HEADER: Final = re.compile(rb"MSH" + _WHOLE)
_HEADER_LINE: Final = re.compile(
    rb"(?:\A|[\r\n\x0b\x1c])[ \t\x00\x0c\x1a]*+(?:\xef\xbb\xbf)?[ \t]*+(?:MSH|FHS|BHS)" + _WHOLE
)
_LONGEST_HEADER: Final = 11  # bytes of MSH with both its separators and the encoding characters between them
_ENVELOPE_LINE: Final = re.compile(rb"(FHS|BHS|BTS|FTS)(?:[^A-Za-z0-9]0*(\d{1,9})(?!\d)|[^A-Za-z0-9]|\Z)")
_LINE_ENDS: Final = re.compile(rb"[\r\n\x1c]+")
BLANK: Final = b" \t\r\n\x0b\x0c\x1c\x1a\x00"
_BEFORE: Final = re.compile(rb"(?:\A|[\r\n\x0b\x1c])[ \t\x00\x0c\x1a]*(?:\xef\xbb\xbf)?[ \t]*\Z")
_TAIL: Final = 64  # bytes that blanks and a header's first letters may straddle two chunks


def looks_like_hl7(head: bytes) -> bool:
    """Whether the first bytes of a stream are HL7 v2: they begin with a header, or a whole one begins a later line.

    JSON has no line that begins with a header unless it is spoilt: a line end in a text is escaped. Text may stand
    before the first header, but a NUL there says archive or image.
    """
    if _HEAD.match(head) is not None:
        return True
    found = _HEADER_LINE.search(head)
    if found is None:
        return False
    before = head[: found.start()]
    is_json = before.removeprefix(_BOM).lstrip()[:1] in (b"{", b"[") and _EVENT in head
    return not is_json and _EVENT not in before and b"\x00" not in before.strip(BLANK)


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
        self._separator: int = 0  # of the fields of the message that is held
        self._skipping: bool = False
        self._in_batch: int = 0
        self._batches: int = 0

    def feed(self, chunk: bytes) -> Iterator[bytes | Reading]:
        held = self._held
        held += chunk
        # one copy for all the messages of a chunk, and none for each chunk of a large message
        data = bytes(held) if len(held) < 2 * len(chunk) else held
        start, position, size = 0, self._searched, len(held)
        while (at := data.find(b"MSH", position)) >= 0 and at + 4 <= size:
            if not _begins(data, at):
                runs_on = self._runs_on(data, at)
                if runs_on is None:
                    break
                if not runs_on:
                    position = at + 3
                    continue
            position = at + 3
            if self._is_message and not self._skipping and _is_bare(piece := bytes(data[start:at]).strip(BLANK)):
                self._in_batch += 1
                yield piece
            elif at > start or self._is_message:
                yield from self._end(bytes(data[start:at]))
            start, self._is_message, self._skipping, self._separator = at, True, False, data[at + 3]
        del held[:start]
        self._searched = (at if at >= 0 else max(position, size - 2)) - start
        if len(held) > self._largest:
            if not self._skipping:
                self._skipping = True
                yield _dead(Reason.TOO_LARGE, f"a message of {self._largest} bytes at most is read")
            del held[:-_TAIL]
            self._searched = max(len(held) - 3, 0)

    def close(self) -> Iterator[bytes | Reading]:
        yield from self._end(bytes(self._held))
        self._held.clear()

    def _runs_on(self, data: bytes | bytearray, at: int) -> bool | None:
        """Whether the MSH found there, inside a line, is a whole header; None where the next chunk has to say."""
        if self._is_message and data[at + 3] != self._separator:
            return False
        if at + _LONGEST_HEADER > len(data):
            return None
        return _WHOLE_HEADER.match(data, at) is not None

    def _end(self, piece: bytes) -> Iterator[bytes | Reading]:
        """What stands from one header to the next, or before the first."""
        if self._skipping:
            return
        if self._is_message:
            self._is_message = False
            self._in_batch += 1
            message, piece = _parted(piece)
            yield message
        stray = False
        for line in _LINE_ENDS.split(piece):
            line = line.strip(BLANK).removeprefix(_BOM).strip(BLANK)
            envelope = _ENVELOPE_LINE.match(line)
            if envelope is not None:
                self._compare(envelope[1], envelope[2])
            stray = stray or (envelope is None and line != b"")
        if stray:
            yield _dead(Reason.UNREADABLE, "a message begins with MSH; these bytes belong to none")

    def _compare(self, name: bytes, told: bytes | None) -> None:
        """Keep count of a batch's messages and of a file's batches, and compare with what they say."""
        if name == b"FHS":
            self._batches = 0
        elif name == b"BHS":
            self._in_batch = 0
            self._batches += 1
        elif told is not None:
            counted = self._in_batch if name == b"BTS" else self._batches
            self._notes[BATCH_COUNT_DIFFERS] += int(told) != counted


def _is_bare(piece: bytes) -> bool:
    """Whether nothing follows a message without its blanks: no end block, no line of a batch, no other file's mark."""
    if b"\x1c" in piece or piece[-1] == 0xBF:
        return False
    line = piece.rfind(b"\r")
    if b"\n" in piece:
        line = max(line, piece.rfind(b"\n"))
    return piece[line + 1 : line + 4] not in _ENVELOPE


def _parted(piece: bytes) -> tuple[bytes, bytes]:
    """A message, and what follows it: after its end block, or the lines of a batch at its end."""
    message, end_block, rest = piece.partition(b"\x1c")
    if end_block:
        return message.strip(BLANK), rest
    cut = len(piece)
    while True:
        before = piece[:cut].rstrip(BLANK)
        if before.endswith(_BOM) and before[-4:-3] in (b"\r", b"\n"):
            before = before[:-3].rstrip(BLANK)  # the mark of the file that was put behind it
        line = max(before.rfind(b"\r"), before.rfind(b"\n"), before.rfind(b"\x0b")) + 1
        if line == 0 or _ENVELOPE_LINE.match(before[line:].strip(BLANK)) is None:
            return before.strip(BLANK), piece[cut:]
        cut = line


def _begins(held: bytes | bytearray, at: int) -> bool:
    """Whether the MSH found there is a header: at the start of a line, with a separator behind it."""
    mark = held[at + 3]
    if mark <= 0x20 or mark >= 0x7F or held[at + 3 : at + 4].isalnum():
        return False
    before = held[at - 1] if at else 0x0D
    return before in b"\r\n\x0b\x1c" or (
        before in b" \t\xbf" and _BEFORE.search(held[max(0, at - _TAIL) : at]) is not None
    )


def _dead(reason: Reason, mend: str) -> Reading:
    return Reading(dead=DeadLetter(reason=reason, place="between messages", mend=mend))
