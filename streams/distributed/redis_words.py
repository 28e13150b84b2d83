"""What is wrong with a Redis that refuses, in words that say what mends it. Nothing of what it was asked is in them."""

from __future__ import annotations

from typing import Final

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)

_WORDS: Final = (
    (OutOfMemoryError, "Redis is full: give it more maxmemory"),
    (ReadOnlyError, "Redis takes nothing, for it is a replica: let --redis name the one that it follows"),
    (AuthenticationError, "Redis asks who this is: let --redis name its user and password"),
    (NoPermissionError, "Redis does not let this user do what is needed: give it all commands on keys of px:*"),
    (BusyLoadingError, "Redis is still loading what it wrote down: try again"),
)


def words_of(wrong: RedisError) -> str:
    """One sentence for an error of the client."""
    for kind, told in _WORDS:
        if isinstance(wrong, kind):
            return told
    if "max" in str(wrong) and "DB index" in str(wrong):
        return "Redis has no database of that number: let --redis name another one"
    return f"Redis does not answer ({type(wrong).__name__}): see that it runs where --redis says"
