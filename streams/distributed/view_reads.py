"""Reading the views in Redis; view_shelf.py says what is there. Nothing is read of views that are not whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from schemas.errors import StoreFailed
from streams.distributed.redis_words import words_of
from streams.distributed.view_shelf import PREFIX

_SECONDS: Final = 5.0
_SEQUENCE: Final = 64  # bits of the second half of a stream's id
_REBUILT: Final = "the views of the alerts are not in Redis now: pxhub work measure makes them"


class Entry(NamedTuple):
    """A transition of the stream; without a value all before it is gone."""

    cursor: int
    value: bytes | None


class ViewReads:
    """Reads. Each question raises StoreFailed where Redis does not answer, or the views are not whole."""

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        self._redis: Any = Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=Retry(NoBackoff(), 1), protocol=2
        )
        self._prefix: str = prefix

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()

    async def alert(self, id_: str) -> bytes | None:
        """An alert in its last state, as it stands on px.alerts; None for none."""
        [found] = await self._ask(("HGET", "alerts", id_))
        return found  # type: ignore[no-any-return]  # what HGET gives

    async def page(self, after: str, limit: int) -> tuple[list[tuple[str, bytes]], str | None]:
        """Alerts in the order of their ids, behind one, or from the beginning for an empty text; and the id to go on
        behind, None where there are no more."""
        [found] = await self._ask(("ZRANGEBYLEX", "ids", f"({after}" if after else "-", "+", "LIMIT", 0, limit))
        ids = [id_.decode() for id_ in found]
        return await self._values(ids), ids[-1] if len(ids) == limit else None

    async def open(self, limit: int) -> list[bytes]:
        """Alerts that are warned of or breached, what is due first, first."""
        [found] = await self._ask(("ZRANGE", "open", 0, limit - 1))
        return [value for _, value in await self._values([id_.decode() for id_ in found])]

    async def of_person(self, person: str, limit: int) -> list[bytes]:
        """The alerts of a person, in the order in which they started."""
        begin, end = f"[{person}\0", f"({person}\1"
        [found] = await self._ask(("ZRANGEBYLEX", "persons", begin, end, "LIMIT", 0, limit))
        ids = [name.decode().rpartition("\0")[2] for name in found]
        return [value for _, value in await self._values(ids)]

    async def open_count(self) -> int:
        """How many alerts are warned of or breached."""
        [found] = await self._ask(("ZCARD", "open"))
        return int(found)

    async def reach(self) -> tuple[int, int]:
        """The cursors of the first and the last transition that the stream holds."""
        first, last = await self._ask(
            ("XRANGE", "changes", "-", "+", "COUNT", 1), ("XREVRANGE", "changes", "+", "-", "COUNT", 1)
        )
        if not first or not last:
            raise StoreFailed(_REBUILT)
        return read_id(first[0][0].decode()), read_id(last[0][0].decode())

    async def changes(self, after: int, limit: int) -> tuple[int, list[Entry]]:
        """The cursor of the first transition that the stream holds, and those behind a cursor."""
        first, found = await self._ask(
            ("XRANGE", "changes", "-", "+", "COUNT", 1),
            ("XRANGE", "changes", f"({write_id(after)}", "+", "COUNT", limit),
        )
        if not first:
            raise StoreFailed(_REBUILT)
        return read_id(first[0][0].decode()), _entries(found)

    async def wait(self, after: int, seconds: float, limit: int) -> list[Entry]:
        """Transitions behind a cursor, as soon as there are some; none where none comes within so many seconds."""
        try:
            found = await self._redis.xread({self._key("changes"): write_id(after)}, limit, int(seconds * 1000))
        except RedisError as wrong:
            _refuse(wrong)
        return [entry for _, entries in found for entry in _entries(entries)]

    async def _values(self, ids: Sequence[str]) -> list[tuple[str, bytes]]:
        if not ids:
            return []
        [values] = await self._ask(("HMGET", "alerts", *ids))
        return [(id_, value) for id_, value in zip(ids, values, strict=True) if value is not None]

    async def _ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The answers to commands, whose second word is a key of ours."""
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(self._key("whole"))
            for name, key, *rest in commands:
                pipe.execute_command(name, self._key(key), *rest)
            whole, *answers = list(await pipe.execute())
        except RedisError as wrong:
            _refuse(wrong)
        if whole is None:
            raise StoreFailed(_REBUILT)
        return answers

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"


def write_id(cursor: int) -> str:
    """The stream's id of a cursor."""
    return f"{cursor >> _SEQUENCE}-{cursor & ((1 << _SEQUENCE) - 1)}"


def read_id(text: str) -> int:
    """The cursor of a stream's id: a number that orders as they do. Raises ValueError for what is none."""
    time, _, number = text.partition("-")
    if not all(part.isascii() and part.isdecimal() and len(part) <= 20 for part in (time, number)):
        raise ValueError("no id of a stream")
    if max(int(time), int(number)) >> _SEQUENCE:
        raise ValueError("no id of a stream")
    return int(time) << _SEQUENCE | int(number)


def _entries(found: Any) -> list[Entry]:
    return [Entry(read_id(id_.decode()), fields.get(b"d")) for id_, fields in found]


def _refuse(wrong: RedisError) -> NoReturn:
    raise StoreFailed(words_of(wrong)) from wrong
