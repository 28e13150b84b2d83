"""The zone that what was loaded is in, remembered beside it: calendars that name none are in the same."""

from __future__ import annotations

from typing import Any, Final

import redis
from redis.exceptions import RedisError

from hub.kafka.redis_url import at_redis
from schemas.errors import TryAgain
from streams.distributed.redis_words import words_of

_KEY: Final = "px:zone"
_SECONDS: Final = 5.0


def remember_zone(url: str, zone: str) -> None:
    """Remember a zone. Raises TryAgain where Redis does not answer."""
    try:
        _at(url).set(_KEY, zone)
    except RedisError as wrong:
        raise TryAgain(words_of(wrong)) from wrong


def recall_zone(url: str) -> str | None:
    """The zone that was remembered last; None where none was. Raises TryAgain where Redis does not answer."""
    try:
        found: bytes | None = _at(url).get(_KEY)
    except RedisError as wrong:
        raise TryAgain(words_of(wrong)) from wrong
    return None if found is None else found.decode("ascii", "replace")


def check_redis(url: str) -> None:
    """Raises WrongUse for what is no URL of a Redis; it asks Redis for nothing."""
    _at(url)


def _at(url: str) -> Any:
    timeouts = {"socket_timeout": _SECONDS, "socket_connect_timeout": _SECONDS}
    return at_redis(url, lambda url: redis.Redis.from_url(url, **timeouts))
