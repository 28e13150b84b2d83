"""What somebody said in their own words: kept apart from the rest, for it may hold anything."""

from __future__ import annotations

from hashlib import blake2b

import msgspec


class Comment(msgspec.Struct, frozen=True):
    """`id` is what events and messages hold in its place."""

    id: str
    text: str


def comment_of(source: str, message: str, text: str) -> Comment:
    """The comment of a message; the same message with other words has another one."""
    digest = blake2b("\x00".join((source, message, text)).encode("utf-8", "surrogatepass"), digest_size=12)
    return Comment("cm-" + digest.hexdigest(), text)
