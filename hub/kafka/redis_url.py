"""The URL of Redis, as the command line gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from schemas.errors import WrongUse

Client = TypeVar("Client")


def at_redis(url: str, make: Callable[[str], Client]) -> Client:
    """What is made of a URL; it asks Redis for nothing. Raises WrongUse for what is no URL of a Redis."""
    try:
        return make(url)
    except ValueError as wrong:
        raise WrongUse("--redis: a URL such as redis://127.0.0.1:6379/0 is expected") from wrong
