"""Bodies that come packed (Content-Encoding): told by their header, and unpacked piece by piece.

Sans-I/O. A packed body is as large as what is in it: who reads it counts what comes out, and what comes out comes in
small pieces, so nothing that is packed tightly takes memory before it is counted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from hub.api.problems import Refused

_GZIP: Final = frozenset(("gzip", "x-gzip"))  # RFC 9110, 8.4.1.3
_IDENTITY: Final = "identity"
_WITH_HEADER: Final = 16 + zlib.MAX_WBITS
_PIECE: Final = 64 * 1024


class Unpacking:
    """Unpacks one gzip of any number of members. Raises Refused for what is none, or is cut short."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_WITH_HEADER)
        self._is_begun: bool = False

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """What is in the next bytes, in pieces of 64 KiB at most."""
        is_whole = not packed
        while not is_whole:
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(_WITH_HEADER)
            self._is_begun = True
            try:
                piece = self._inflate.decompress(packed, _PIECE)
            except zlib.error:
                raise _spoilt("the body is no gzip, or a spoilt one") from None
            packed = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            # all may be read and not all be given yet
            is_whole = not packed and (self._inflate.eof or len(piece) < _PIECE)
            if piece:
                yield piece

    def end(self) -> None:
        """Nothing comes any more."""
        if self._is_begun and not self._inflate.eof:
            raise _spoilt("the gzip is cut short")


def read_coding(text: str | None, *, takes_gzip: bool) -> Unpacking | None:
    """How a body is unpacked, by its Content-Encoding; None where it is not packed. Raises Refused."""
    codings = [
        name for name in (part.strip().lower() for part in (text or "").split(",")) if name not in ("", _IDENTITY)
    ]
    if not codings:
        return None
    if takes_gzip and len(codings) == 1 and codings[0] in _GZIP:
        return Unpacking()
    taken = "gzip, identity" if takes_gzip else _IDENTITY
    mend = "send it as it is, or as one gzip" if takes_gzip else "send it unpacked: its signature is of what it says"
    raise Refused(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-coding",
        f"this Content-Encoding is not taken; nothing of it was kept: {mend}",
        headers={"Accept-Encoding": taken},  # RFC 7694, 3
    )


def _spoilt(detail: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "bad-body", f"{detail}; nothing of it was kept")
