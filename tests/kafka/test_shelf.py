"""The index in a real Redis: what was lost there is noticed, whoever looks first."""

from __future__ import annotations

import pytest
import redis

from streams.distributed.index import CIRCLES
from streams.distributed.shelf import Emptied, RedisShelf
from tests.services import redis_run, redis_url

__all__ = ["redis_run", "redis_url"]  # pytest finds them here
ROW = ("", (CIRCLES, b"k", b"v"))


def filled(url: str) -> RedisShelf:
    shelf = RedisShelf(url)
    assert shelf.mark() is None
    shelf.put([ROW], "log", 5)
    assert shelf.fetch(CIRCLES, [b"k", b"x"]) == [b"v", None]
    return shelf


def test_what_was_emptied_is_noticed_by_who_reads_and_by_who_writes(redis_url: str) -> None:
    shelf = filled(redis_url)
    redis.Redis.from_url(redis_url).flushdb()
    with pytest.raises(Emptied):
        shelf.fetch(CIRCLES, [b"k"])
    with pytest.raises(Emptied):
        shelf.put([ROW], "log", 6)
    assert shelf.mark() is None
    shelf.put([ROW], "log", 6)
    assert shelf.mark() == ("log", 6)


def test_what_was_set_back_is_noticed(redis_url: str) -> None:
    shelf = filled(redis_url)
    shelf.put([ROW], "log", 9)
    redis.Redis.from_url(redis_url).set("px:index:mark", "log 5")
    with pytest.raises(Emptied):
        shelf.put([ROW], "log", 12)


def test_the_same_slice_may_be_put_in_twice(redis_url: str) -> None:
    """The answer to the first may be lost."""
    shelf = filled(redis_url)
    again = RedisShelf(redis_url)
    again._expected = b"log 4"
    again.put([ROW], "log", 5)
    shelf.put([ROW], "log", 7)
    assert shelf.mark() == ("log", 7)
