"""Cut a stream of bytes into MLLP frames, and put a message into one. No socket: bytes in, messages out.

A frame is 0x0B, the message, 0x1C 0x0D. Bytes between frames are passed over and counted. A 0x1C that no 0x0D follows
belongs to the message, and so does a 0x0B (text pasted from word processors has them as line breaks), unless a header
follows it: then the sender began anew, and what it had sent of the frame before is dropped and counted, for a part of a
message would be taken for the whole. How the stream is chopped makes no difference.
"""

from __future__ import annotations

import re
from typing import Final

from connectors.hl7.files import BLANK, LARGEST, split_messages

START: Final = b"\x0b"
END: Final = b"\x1c\r"
_ANEW: Final = re.compile(rb"\x0b(?:\xef\xbb\xbf)?(?:MSH|FHS|BHS)[^A-Za-z0-9\s]")
_AHEAD: Final = 8  # bytes of `_ANEW`: so many at the end of what is held may be the beginning of a header
_HEAD: Final = 8192  # bytes kept of a message that is too large: enough for its header


_HEADER: Final = b"MSH"
_TRAILER: Final = re.compile(rb"[\r\n](?:BTS|FTS)")


def cut_messages(frame: bytes) -> list[bytes]:
    """The messages of a frame: mostly the one that it is, as it came. Several, or a batch, are cut as in a file; a
    batch without a message, and bytes that belong to none, are left whole: a reader says what is wrong with them."""
    if frame.startswith(_HEADER) and frame.find(_HEADER, 3) < 0 and _TRAILER.search(frame) is None:
        return [frame]
    messages: list[bytes] = []
    for piece in split_messages([frame], largest=len(frame)):
        if not isinstance(piece, bytes):
            return [frame]
        messages.append(piece)
    return messages if messages and messages != [frame.strip(BLANK)] else [frame]


def write_frame(message: bytes) -> bytes:
    """A message in its frame."""
    if END in message:
        raise ValueError("the message holds an end block: it would be cut there")
    return b"".join((START, message, END))


class Framer:
    """Takes bytes as they come; `feed` returns the messages that are now whole.

    `skipped` counts the bytes outside of frames, `stray` those of them since the last frame that are no line ends, and
    `cut` the frames that were begun and never ended, because another began. A message above `largest` bytes sets
    `too_large`: its first bytes are in `head`, and nothing more is taken.
    """

    __slots__ = ("_held", "_largest", "_searched", "cut", "head", "is_open", "skipped", "stray", "too_large")

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest: int = largest
        self._held: bytearray = bytearray()  # of the open frame
        self._searched: int = 0  # bytes of it in which neither an end nor a new beginning stands
        self.is_open: bool = False
        self.skipped: int = 0
        self.stray: int = 0
        self.cut: int = 0
        self.too_large: bool = False
        self.head: bytes = b""

    @property
    def held(self) -> int:
        """Bytes of the frame that is not whole yet."""
        return len(self._held)

    @property
    def begun(self) -> bytes:
        """The first bytes of that frame: enough for its header."""
        return bytes(self._held[:_HEAD])

    def feed(self, data: bytes) -> list[bytes]:
        """Take what arrived; the messages that are now whole, without their frames."""
        if self.too_large:
            self.skipped += len(data)
            return []
        if not self.is_open and 0 < data.find(END) == len(data) - 2 <= self._largest and data.rfind(START) == 0:
            self.stray = 0
            return [data[1:-2]]  # one frame and nothing else: as most come
        messages: list[bytes] = []
        held, start, searched = self._held, 0, self._searched
        held += data
        while True:
            if not self.is_open:
                start = searched = self._pass_over(held, start)
                if not self.is_open:
                    break
            end = held.find(END, searched)
            upto = len(held) if end < 0 else end
            for anew in _ANEW.finditer(held, max(start, searched - _AHEAD), upto):
                if self._is_too_large(start, anew.start()):
                    return messages
                self.cut += 1
                start = anew.start() + 1
            if self._is_too_large(start, upto if end >= 0 else upto - _AHEAD):
                return messages
            if end < 0:
                searched = max(start, len(held) - 1)
                break
            messages.append(bytes(held[start:end]))
            self.is_open = False
            self.stray = 0
            start = end + 2
        del held[:start]
        self._searched = searched - start
        return messages

    def _pass_over(self, held: bytearray, at: int) -> int:
        """Pass over what stands before the next frame; where its message begins, or the end of what is held."""
        start = held.find(START, at)
        passed = held[at:] if start < 0 else held[at:start]
        self.skipped += len(passed)
        self.stray += len(passed.translate(None, b"\r\n"))
        self.is_open = start >= 0
        return start + 1 if self.is_open else len(held)

    def _is_too_large(self, start: int, upto: int) -> bool:
        if upto - start <= self._largest:
            return False
        self.too_large = True
        self.head = bytes(self._held[start : min(upto, start + _HEAD)])
        self.is_open = False
        self._held = bytearray()
        return True
