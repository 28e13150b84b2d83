"""The number of the format that begins what we write as MessagePack: a newer one stops a worker, for it would lose."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.errors import PxError

POSITION: Final = b"position"
"""The key of the record of a compacted topic that says where its stage stands."""


class NewerFormat(PxError):
    """A newer version of the hub wrote this."""


def check_format(topic: str, found: int, known: int) -> None:
    """Raises NewerFormat."""
    if found > known:
        raise NewerFormat(f"{topic} holds format {found}, and this version knows up to {known}: run the newer one")


def check_unread(topic: str, value: bytes, known: int) -> None:
    """Tell what a newer version wrote, in a shape of its own, from what is nobody's. Raises NewerFormat."""
    try:
        parts = msgspec.msgpack.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(parts, list) and parts and isinstance(parts[0], int):
        check_format(topic, parts[0], known)
