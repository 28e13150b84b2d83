"""Cursors: a place in the stream of transitions, opaque to who holds it.

A checksum tells a mistyped or invented cursor from a true one; it is no secret, and a cursor opens nothing.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from typing import Final

_KEY: Final = b"pxhub transitions 1"


def write_cursor(number: int) -> str:
    """The cursor of a transition; 0 stands before the first."""
    place = number.to_bytes(8, "big")
    return base64.urlsafe_b64encode(place + _check(place)).decode()


def read_cursor(text: str) -> int:
    """The number of a transition. Raises ValueError for what is no cursor."""
    try:
        read = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as wrong:
        raise ValueError("no cursor") from wrong
    if len(read) != 12 or _check(read[:8]) != read[8:]:
        raise ValueError("no cursor")
    return int.from_bytes(read[:8], "big")


def _check(place: bytes) -> bytes:
    return blake2b(place, digest_size=4, key=_KEY).digest()
