"""The read views in Redis: alerts as they stand, who waits longest, whose they are, and what changed last.

Every key begins with `px:view`:

- `mark` names the log, and the offset of each partition of px.alerts that comes next; what is read of them is put in
  together with it, in one transaction that fails where somebody else moved it. So each record counts once.
- `whole` stands there once all that px.alerts held at the beginning is in; without it nobody should read.
- `alerts`: id -> the last record of px.alerts, as it stood there; `ids`: the ids, to go through them in order.
- `open`: ids of alerts that are warned of or breached, by when they are due (microseconds).
- `persons`: `person`, a zero byte, when it started, a zero byte and the id: what one person's alerts are found by.
- `changes`: a stream of the last transitions (`d`), of which one without it says that all before is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NoReturn

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from schemas.alert import OPEN, Level, State
from schemas.errors import TryAgain
from schemas.instant import read_instant
from streams.distributed.redis_words import words_of

PREFIX: Final = "px:view"
MOST: Final = 100_000
"""Transitions that the stream holds, about."""
_SECONDS: Final = 5.0
_AT_ONCE: Final = 5_000
_MOVED: Final = "the views in Redis are not what was put there"


class Said(msgspec.Struct):
    """What every record of px.alerts has."""

    id: str
    threshold: str
    key: str
    person: str | None
    journey: str | None
    state: State
    level: Level
    severity: str
    mode: str
    started_at: str
    due_at: str
    fired_at: str
    ended_at: str | None
    delay_seconds: int | None
    facility: str | None
    late_start: bool
    reason: str
    at: str


class Change(msgspec.Struct):
    """A record of px.alerts: the alert's id, and its value; None where it was deleted."""

    id: str
    value: bytes | None
    said: Said | None = None


class Moved(TryAgain):
    """The mark is not what it was: somebody else writes the views, or Redis was emptied or set back."""


_said: Final = msgspec.json.Decoder(Said)


def read_change(key: bytes | None, value: bytes | None) -> Change | None:
    """A record as the views take it; None for one that is none of ours."""
    try:
        if value is None:
            return Change((key or b"").decode(), None) if key else None
        said = _said.decode(value)
        read_instant(said.due_at)
    except (msgspec.MsgspecError, ValueError):
        return None
    return Change(said.id, value, said) if key == said.id.encode() else None  # else it may lie in two partitions


class ViewShelf:
    """The views of one hub; one writes them. `url` as redis-py takes it; `most` transitions stay in the stream."""

    def __init__(self, url: str, *, prefix: str = PREFIX, most: int = MOST) -> None:
        # without retries: a transaction whose answer was lost is looked for by its mark
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._prefix: str = prefix
        self._most: int = most
        self._mark: bytes | None = None
        self.is_whole: bool = False
        """Whether all that px.alerts held at the beginning is in."""

    def stand(self) -> tuple[str, list[int]] | None:
        """Which log is in, and the offset of each partition that comes next; None for nothing. Raises TryAgain."""
        try:
            self._mark, whole = self._redis.mget(self._key("mark"), self._key("whole"))
        except RedisError as wrong:
            _refuse(wrong)
        self.is_whole = whole is not None
        if self._mark is None:
            return None
        log, *offsets = self._mark.decode().split(" ")
        return log, [int(offset) for offset in offsets]

    def check(self) -> None:
        """Raises Moved where Redis is not what it was, and TryAgain where it does not answer."""
        try:
            mark = self._redis.get(self._key("mark"))
        except RedisError as wrong:
            _refuse(wrong)
        if mark != self._mark:
            raise Moved(_MOVED)

    def clear(self, log: str, partitions: int) -> None:
        """Begin anew. Raises TryAgain."""
        mark = _mark_of(log, [0] * partitions)
        try:
            pipe = self._redis.pipeline(transaction=True)
            pipe.unlink(*(self._key(name) for name in ("whole", "alerts", "ids", "open", "persons")))
            pipe.xtrim(self._key("changes"), maxlen=0, approximate=False)  # its ids go on where they are
            pipe.set(self._key("mark"), mark)
            pipe.execute()
        except RedisError as wrong:
            _refuse(wrong)
        self._mark, self.is_whole = mark, False

    def put(self, changes: Sequence[Change], log: str, offsets: Sequence[int]) -> None:
        """Put changes in, in their order, with the offsets that come next. Raises Moved and TryAgain; whether it was
        put in is then found by `stand`."""
        last = {change.id: change for change in changes}
        mark = _mark_of(log, offsets)
        pipe = self._redis.pipeline(transaction=True)
        try:
            self._watch(pipe)
            before = self._before(pipe, list(last))
            pipe.multi()
            self._put(pipe, last, before)
            if self.is_whole:
                for change in changes:
                    if change.value is not None:
                        pipe.xadd(self._key("changes"), {"d": change.value}, maxlen=self._most, approximate=True)
            pipe.set(self._key("mark"), mark)
            pipe.execute()
        except RedisError as wrong:
            _refuse(wrong)
        finally:
            pipe.reset()
        self._mark = mark

    def note_whole(self) -> None:
        """All that there was is in: who follows begins here. Raises Moved and TryAgain."""
        pipe = self._redis.pipeline(transaction=True)
        try:
            self._watch(pipe)
            pipe.multi()
            pipe.xadd(self._key("changes"), {"reset": b"1"})
            pipe.set(self._key("whole"), b"1")
            pipe.execute()
        except RedisError as wrong:
            _refuse(wrong)
        finally:
            pipe.reset()
        self.is_whole = True

    def _watch(self, pipe: Any) -> None:
        """Let a transaction fail where somebody else writes, too. Raises Moved."""
        names = self._key("mark"), self._key("whole")
        pipe.watch(*names)
        mark, whole = pipe.mget(*names)
        if mark != self._mark:
            raise Moved(_MOVED)
        self.is_whole = whole is not None

    def count(self) -> int:
        """How many alerts are in. Raises TryAgain."""
        try:
            return int(self._redis.hlen(self._key("alerts")))
        except RedisError as wrong:
            _refuse(wrong)

    def _before(self, pipe: Any, ids: list[str]) -> dict[str, Said]:
        found: dict[str, Said] = {}
        for at in range(0, len(ids), _AT_ONCE):
            for value in pipe.hmget(self._key("alerts"), ids[at : at + _AT_ONCE]):
                if value is not None:
                    said = _said.decode(value)
                    found[said.id] = said
        return found

    def _put(self, pipe: Any, last: dict[str, Change], before: dict[str, Said]) -> None:
        values = {id_: change.value for id_, change in last.items() if change.value is not None}
        gone = [id_ for id_, change in last.items() if change.value is None]
        opened, closed, new, old = {}, list(gone), [], []
        for id_, change in last.items():
            was, now = before.get(id_), change.said
            if was is not None and (now is None or _of_person(was) != _of_person(now)):
                old += _of_person(was)
            if now is None:
                continue
            new += _of_person(now)
            if now.state in OPEN:
                opened[id_] = read_instant(now.due_at)
            else:
                closed.append(id_)
        if values:
            pipe.hset(self._key("alerts"), mapping=values)
            pipe.zadd(self._key("ids"), dict.fromkeys(values, 0))
        if gone:
            pipe.hdel(self._key("alerts"), *gone)
            pipe.zrem(self._key("ids"), *gone)
        if opened:
            pipe.zadd(self._key("open"), opened)
        if closed:
            pipe.zrem(self._key("open"), *closed)
        if old:
            pipe.zrem(self._key("persons"), *old)
        if new:
            pipe.zadd(self._key("persons"), dict.fromkeys(new, 0))

    def _key(self, name: str) -> str:
        return f"{self._prefix}:{name}"


def _of_person(said: Said) -> list[str]:
    return [f"{said.person}\0{said.started_at}\0{said.id}"] if said.person is not None else []


def _mark_of(log: str, offsets: Sequence[int]) -> bytes:
    return " ".join((log, *map(str, offsets))).encode()


def _refuse(wrong: RedisError) -> NoReturn:
    if type(wrong) is ResponseError:
        raise TryAgain("Redis refuses to keep the views: see that it is version 7 and has memory") from wrong
    raise TryAgain(words_of(wrong)) from wrong
