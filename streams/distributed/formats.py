"""The number of the format that begins what we write as MessagePack: a newer one stops a worker, for it would lose."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.errors import PxError, WrongUse

POSITION: Final = b"position"
"""The key of the record of a compacted topic that says where its stage stands."""


class NewerFormat(PxError):
    """A newer version of the hub wrote this."""


class Spoilt(WrongUse):
    """What is kept cannot be read: a worker ends, for it would go on without."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"{topic} holds what no worker wrote, or lost what one did: see who else may write it; then have the log "
            "judged anew: stop the workers, pxhub topics remake --kafka HOST:PORT --partitions N --yes, and start them"
        )


UNREAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What reading MessagePack of somebody may raise."""


def check_format(topic: str, found: int, known: int) -> None:
    """Raises NewerFormat."""
    if found > known:
        raise NewerFormat(f"{topic} holds format {found}, and this version knows up to {known}: run the newer one")


def check_unread(topic: str, value: bytes, known: int) -> None:
    """Tell what a newer version wrote, in a shape of its own, from what is nobody's. Raises NewerFormat."""
    try:
        parts = msgspec.msgpack.decode(value)
    except UNREAD:
        return
    if isinstance(parts, list) and parts and isinstance(parts[0], int):
        check_format(topic, parts[0], known)
