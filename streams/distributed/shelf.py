"""The index of identify in Redis: hashes, a round trip for many keys, and a mark up to where px.persons is in it.

Redis is an index and never the truth. What was committed to px.persons is put in together with the mark, in one
transaction; who finds the mark behind the topic reads what is missing, who finds none reads all. So one that was lost,
emptied or set back is made again with the same answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError, WatchError
from redis.retry import Retry

from schemas.errors import TryAgain
from streams.distributed.index import SEEN, STANDING, TABLES, Change
from streams.distributed.redis_words import words_of

_PREFIX: Final = "px:index"
_SECONDS: Final = 5.0
_AT_ONCE: Final = 5_000  # keys of a command
_GONE: Final = "Redis does not hold what was put there"


class RedisShelf:
    """The tables of one hub. `url` as redis-py takes it; `prefix` begins every key."""

    def __init__(self, url: str, prefix: str = _PREFIX) -> None:
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            health_check_interval=15,
            retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), 3),
        )
        self._prefix: str = prefix
        self._expected: bytes | None = None
        self.months: tuple[str, ...] = ()
        """The months in which what was seen is looked for."""

    def fetch(self, table: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The values of keys. Raises TryAgain while Redis does not answer, and where it is not what it was."""
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(self._key("mark"))
            buckets = [f"{SEEN}:{month}" for month in self.months] if table == SEEN else [table]
            for bucket in buckets:
                for at in range(0, len(keys), _AT_ONCE):
                    pipe.hmget(self._key(bucket), list(keys[at : at + _AT_ONCE]))
            mark, *answers = pipe.execute()
        except RedisError as wrong:
            self._refuse(wrong)
        if mark != self._expected:
            raise Emptied(_GONE)
        found: list[bytes | None] = [None] * len(keys)
        pieces = (len(keys) + _AT_ONCE - 1) // _AT_ONCE
        for number, answer in enumerate(answers):
            begin = number % pieces * _AT_ONCE
            for at, value in enumerate(answer, start=begin):
                if value is not None:
                    found[at] = value
        return found

    def look(self, table: str, key: bytes) -> bytes | None:
        """The value of a key, for who only looks on. Raises TryAgain."""
        try:
            found: bytes | None = self._redis.hget(self._key(table), key)
        except RedisError as wrong:
            self._refuse(wrong)
        return found

    def mark(self) -> tuple[str, int] | None:
        """Which log is in here, and the offset of px.persons that comes next; None for nothing. Raises TryAgain."""
        try:
            self._expected = self._redis.get(self._key("mark"))
        except RedisError as wrong:
            self._refuse(wrong)
        if self._expected is None:
            return None
        log, _, offset = self._expected.decode().rpartition(" ")
        return log, int(offset)

    def put(self, changes: Iterable[tuple[str, Change]], log: str, offset: int) -> None:
        """Put in what was committed up to, not including, an offset of px.persons; each with the month of what was
        seen. It goes in where the mark is the one that was left there, so that nothing is put on top of what is gone.
        Raises TryAgain, and Emptied."""
        mark = f"{log} {offset}".encode()
        new: dict[str, dict[bytes, bytes]] = {}
        gone: dict[str, list[bytes]] = {}
        for month, (table, key, value) in changes:
            bucket = f"{table}:{month}" if month else table
            if value is None:
                gone.setdefault(bucket, []).append(key)
            else:
                new.setdefault(bucket, {})[key] = value
        try:
            pipe = self._redis.pipeline(transaction=True)
            pipe.watch(self._key("mark"))
            found = pipe.get(self._key("mark"))
            if found not in {self._expected, mark}:  # the new one: it was put in, and the answer was lost
                pipe.reset()
                raise Emptied(_GONE)
            pipe.multi()
            for bucket, rows in new.items():
                pipe.hset(self._key(bucket), mapping=rows)
            for bucket, keys in gone.items():
                pipe.hdel(self._key(bucket), *keys)
            pipe.set(self._key("mark"), mark)
            pipe.execute()
        except WatchError as wrong:
            raise Emptied(_GONE) from wrong
        except RedisError as wrong:
            self._refuse(wrong)
        self._expected = mark

    def clear(self) -> None:
        """Let go of everything. Raises TryAgain."""
        try:
            for table in (*TABLES, STANDING):
                for key in self._redis.scan_iter(match=self._key(f"{table}*"), count=1000):
                    self._redis.unlink(key)
            self._redis.delete(self._key("mark"))
        except RedisError as wrong:
            self._refuse(wrong)
        self._expected = None

    def keys(self, table: str) -> list[bytes]:
        """The keys of a table, or of a month of what was seen (`s:202611`)."""
        try:
            return list(self._redis.hkeys(self._key(table)))
        except RedisError as wrong:
            self._refuse(wrong)

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"

    @staticmethod
    def _refuse(wrong: RedisError) -> NoReturn:
        raise TryAgain(words_of(wrong)) from wrong


class Emptied(TryAgain):
    """What was put into Redis is there no more: it is to be made again from px.persons."""


def month_before(month: str) -> str:
    """The month before one, both as `YYYYMM`."""
    year, number = int(month[:4]), int(month[4:])
    if not number:
        return month  # there is one for all
    return f"{year - 1}12" if number == 1 else f"{year}{number - 1:02d}"
