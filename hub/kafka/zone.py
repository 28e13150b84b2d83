"""The zone that what was loaded is in, remembered beside it: calendars that name none are in the same."""

from __future__ import annotations

from typing import Any, Final

import redis
from redis.exceptions import RedisError

from schemas.errors import TryAgain, WrongUse

_KEY: Final = "px:zone"
_SECONDS: Final = 5.0


def remember_zone(url: str, zone: str) -> None:
    """Remember a zone. Raises TryAgain where Redis does not answer."""
    try:
        _at(url).set(_KEY, zone)
    except RedisError as wrong:
        raise TryAgain(f"Redis does not answer ({type(wrong).__name__})") from wrong


def recall_zone(url: str) -> str | None:
    """The zone that was remembered last; None where none was. Raises TryAgain where Redis does not answer."""
    try:
        found: bytes | None = _at(url).get(_KEY)
    except RedisError as wrong:
        raise TryAgain(f"Redis does not answer ({type(wrong).__name__})") from wrong
    return None if found is None else found.decode("ascii", "replace")


def _at(url: str) -> Any:
    try:
        return redis.Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
    except ValueError as wrong:
        raise WrongUse(f"--redis {url.partition('@')[2] or url}: redis://HOST:PORT/NUMBER is expected") from wrong
