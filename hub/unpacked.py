"""A gzip, piece by piece, that knows whether the data in it ended before what is wrong with the file.

A file whose trailer was cut off, or that has other bytes behind it, has all its messages; one that was cut in its data
has the last of them in part, and a part of a message must not pass for one. `gzip.GzipFile` tells both alike.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, Final

GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 1 << 16
_TRAILER: Final = 8
_CHECKED, _EXTRA, _NAMED, _COMMENTED = 2, 4, 8, 16  # flags of a header (RFC 1952, 2.3.1)


class Unpacked(io.RawIOBase):
    """What a gzip holds. Raises EOFError or zlib.error where its data is cut or spoilt; `is_damaged` says that
    something behind the data is."""

    def __init__(self, packed: io.BufferedReader[Any]) -> None:
        self._packed: io.BufferedReader[Any] = packed
        self._held: bytes = b""
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._sum: int = 0
        self._size: int = 0
        self._has_ended: bool = False
        self.is_damaged: bool = False
        self._read_header(self._take(10))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # typeshed says WriteableBuffer
        while not self._has_ended:
            if self._inflate.eof:
                self._end_member()
                continue
            piece = self._inflate.unconsumed_tail or self._held or self._packed.read1(_PIECE)
            self._held = b""
            data = self._inflate.decompress(piece, len(buffer))
            if data:
                self._sum = zlib.crc32(data, self._sum)
                self._size += len(data)
                buffer[: len(data)] = data
                return len(data)
            if not piece and not self._inflate.eof:
                raise EOFError("the data is cut short")
        return 0

    def _end_member(self) -> None:
        """What stands behind the data: its trailer, then nothing, zeros, or the next member."""
        self._held = self._inflate.unused_data
        self._has_ended = True
        try:
            trailer = self._take(_TRAILER)
        except EOFError:
            self.is_damaged = True
            return
        told = int.from_bytes(trailer[:4], "little"), int.from_bytes(trailer[4:], "little")
        self.is_damaged = told != (self._sum, self._size & 0xFFFFFFFF)
        while not self._held.strip(b"\0") and (more := self._packed.read1(_PIECE)):
            self._held = more
        self._held = self._held.lstrip(b"\0")
        if self.is_damaged or not self._held:
            return
        try:
            self._read_header(self._take(10))
        except (EOFError, zlib.error):
            self.is_damaged = True
            return
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._sum = self._size = 0
        self._has_ended = False

    def _read_header(self, head: bytes) -> None:
        if head[:3] != GZIP + b"\x08":
            raise zlib.error("no gzip")
        flags = head[3]
        if flags & _EXTRA:
            self._take(int.from_bytes(self._take(2), "little"))
        for flag in (_NAMED, _COMMENTED):
            while flags & flag and self._take(1) != b"\0":
                pass
        if flags & _CHECKED:
            self._take(2)

    def _take(self, count: int) -> bytes:
        while len(self._held) < count:
            more = self._packed.read1(_PIECE)
            if not more:
                raise EOFError("the file is cut short")
            self._held += more
        taken, self._held = self._held[:count], self._held[count:]
        return taken
