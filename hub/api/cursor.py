"""Cursors: a place in the stream of transitions of one store, opaque to who holds it.

A checksum tells a mistyped or invented cursor from a true one; it is no secret, and a cursor opens nothing. The store
stands in it too, for the numbers of another store mean something else; a restored store is the one that was backed up.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from typing import Final, Protocol

from schemas.errors import PxError
from streams.embedded.reader import Reader

_KEY: Final = b"pxhub transitions 2"
_PLACE, _STORE, _CHECK = 8, 4, 3  # bytes


class OtherStore(PxError):
    """The cursor is of another store."""


class ReadsCursors(Protocol):
    """Cursors as texts, and back."""

    def write(self, number: int) -> str:
        """The text of a cursor."""

    def read(self, text: str) -> int:
        """The cursor of a text. Raises ValueError for what is none, and OtherStore."""


class Cursors:
    """The cursors of a store, which `store` names."""

    def __init__(self, store: str) -> None:
        self._store: bytes = blake2b(store.encode(), digest_size=_STORE).digest()

    def write(self, number: int) -> str:
        """The cursor of a transition; 0 stands before the first."""
        told = number.to_bytes(_PLACE, "big") + self._store
        return base64.urlsafe_b64encode(told + _check(told)).decode()

    def read(self, text: str) -> int:
        """The number of a transition. Raises ValueError for what is no cursor, and OtherStore."""
        try:
            read = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError) as wrong:
            raise ValueError("no cursor") from wrong
        told = read[: _PLACE + _STORE]
        if len(read) != _PLACE + _STORE + _CHECK or _check(told) != read[_PLACE + _STORE :]:
            raise ValueError("no cursor")
        if told[_PLACE:] != self._store:
            raise OtherStore
        return int.from_bytes(told[:_PLACE], "big")


def cursors_of(reader: Reader) -> Cursors:
    """The cursors of the store that is read."""
    return Cursors(str(reader.meta("id")))


def _check(told: bytes) -> bytes:
    return blake2b(told, digest_size=_CHECK, key=_KEY).digest()
