"""Cut a stream of bytes into HL7 v2 messages: several in a file, MLLP frames, batches, any line ends.

A message begins at MSH at the start of a line and ends where the next message, a batch segment or the frame's end
block begins. What stands between a batch segment and the next MSH, or before the first, and is not blank, is one
message that cannot be read. Memory is bounded by the largest message.
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
_MARK: Final = re.compile(rb"(?:\A|(?<=[\r\n\x0b\x1c]))(?:\xef\xbb\xbf)?[ \t]*(MSH|FHS|BHS|BTS|FTS)(?=[^A-Za-z0-9]|\Z)")
_HEAD: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\s\x0b]*(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS)[^A-Za-z0-9\s]")
_LONGEST_MARK: Final = 64  # bytes that a mark with its blanks may straddle two chunks
_BLANK: Final = b" \t\r\n\x0b\x1c\x1a\x00\xef\xbb\xbf"


def looks_like_hl7(head: bytes) -> bool:
    """Whether the first bytes of a stream are HL7 v2: a header, after a BOM, blanks or a start block."""
    return _HEAD.match(head) is not None


def split_messages(chunks: Iterable[bytes], notes: Counter[str] | None = None, *, largest: int = LARGEST) -> Iterator[bytes | Reading]:
    """The messages in order, each without frame bytes; a Reading where one cannot be taken.

    Counts that a batch gives of itself are compared and noted (`batch_count_differs`), never believed.
    """
    splitter = _Splitter(largest, notes if notes is not None else Counter())
    for chunk in chunks:
        yield from splitter.feed(chunk)
    yield from splitter.close()


class _Splitter:
    def __init__(self, largest: int, notes: Counter[str]) -> None:
        self._largest: int = largest
        self._notes: Counter[str] = notes
        self._held: bytes = b""
        self._searched: int = 0  # bytes of what is held in which no mark was found
        self._name: bytes = b""  # the segment that begins what is held
        self._skipping: bool = False
        self._in_batch: int = 0

    def feed(self, chunk: bytes) -> Iterator[bytes | Reading]:
        self._held += chunk
        yield from self._cut(final=False)
        if len(self._held) > self._largest:
            if not self._skipping:
                self._skipping = True
                yield _dead(Reason.TOO_LARGE, f"a message of {self._largest >> 20} MiB at most is read")
            self._held = self._held[-_LONGEST_MARK:]
            self._searched = 1

    def close(self) -> Iterator[bytes | Reading]:
        yield from self._cut(final=True)
        yield from self._end(self._held)
        self._held = b""

    def _cut(self, *, final: bool) -> Iterator[bytes | Reading]:
        held, start = self._held, 0
        limit = len(held) if final else len(held) - _LONGEST_MARK
        for mark in _MARK.finditer(held, self._searched):
            if mark.start() >= limit:
                break
            if mark.start() > start or self._name:
                yield from self._end(held[start : mark.start()])
            start = mark.start()
            self._name = mark[1]
            self._skipping = False
        self._held = held[start:]
        # the first byte is past: a mark there began what is held, and \A means the start of the stream alone
        self._searched = max(limit - start, 1) if len(held) > _LONGEST_MARK or self._name else 0

    def _end(self, piece: bytes) -> Iterator[bytes | Reading]:
        """What a piece between two marks is."""
        name, self._name = self._name, b""
        if self._skipping:
            return
        if name == b"MSH":
            # an end block ends the message, whatever follows it
            message, _, rest = piece.partition(b"\x1c")
            self._in_batch += 1
            yield message.strip(_BLANK)
            piece = rest
        elif name:
            line = re.split(rb"[\r\n\x1c]", piece.strip(_BLANK), maxsplit=1)
            self._compare(name, line[0])
            piece = line[1] if len(line) > 1 else b""
        if piece.strip(_BLANK):
            yield _dead(Reason.UNREADABLE, "a message begins with MSH; these bytes belong to none")

    def _compare(self, name: bytes, line: bytes) -> None:
        if name == b"BHS":
            self._in_batch = 0
        elif name == b"BTS":
            told = re.match(rb"BTS[^A-Za-z0-9](\d{1,9})(?!\d)", line)
            if told is not None and int(told[1]) != self._in_batch:
                self._notes["batch_count_differs"] += 1


def _dead(reason: Reason, mend: str) -> Reading:
    return Reading(dead=DeadLetter(reason=reason, place="between messages", mend=mend))
