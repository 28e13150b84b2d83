"""The stage `identify`: px.inbound through the index to px.events.

px.persons is written in the transaction of the events, and Redis after it, with the mark up to where it was written; a
crash between the two is made good at the next start, and no event goes out that px.persons does not know of.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from schemas.errors import TryAgain
from schemas.identity import IdentityRules
from streams.distributed.identify import Identify, row_key
from streams.distributed.identify_standing import read_standing
from streams.distributed.index import SEEN, STANDING, Change, Index
from streams.distributed.names import PERSONS
from streams.distributed.rebuild import rebuild
from streams.distributed.shelf import Emptied, RedisShelf, month_before
from streams.distributed.stage import Ended, Figures, Tell
from streams.distributed.transactions import Out, Transactions

ID: Final = "px-identify-0"
_AGAIN: Final = 0.5  # seconds before Redis is asked again
_AT_ONCE: Final = 20_000  # ids that are let go of in one transaction
Answer = TypeVar("Answer")


class Identifying:
    """px.inbound at work, for as long as it is ours. `log` names the cluster, so that an index of another one is not
    taken for its own."""

    piece: int = 10_000  # one transaction and one round trip to Redis, which cost as much for a few

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        client: Mapping[str, Any],
        shelf: RedisShelf,
        rules: IdentityRules,
        partitions: int,
        log: str,
        tell: Tell,
        *,
        by_event: bool,
        listens: bool,
    ) -> None:
        self._client: Mapping[str, Any] = client
        self._shelf: RedisShelf = shelf
        self._log: str = log
        self._tell: Tell = tell
        self._transactions: Transactions = Transactions(client, ID)
        self._is_half: bool = False  # Redis is being filled anew, and that was not finished
        self._written: int = -1  # the last offset of px.persons that was committed here
        self._is_away: bool = False
        self._forgotten: str = ""  # the month before which no ids are remembered
        self._ended: threading.Event = threading.Event()
        self.identify: Identify = Identify(Index(shelf), rules, partitions, by_event=by_event, listens=listens)

    @property
    def next(self) -> int:
        return self.identify.standing.next

    def open(self) -> tuple[Identifying, Transactions]:
        """Take px.inbound from whoever had it, and stand where it stood. Raises TryAgain."""
        self._transactions.open()
        self.recover()
        return self, self._transactions

    def recover(self) -> None:
        """Put into Redis what it lacks of px.persons, and stand where was committed last. Raises TryAgain."""
        self._is_half = True
        rebuild(self._client, self._shelf, self._log, self._tell, least=self._written)
        self.identify.index.forget()
        [kept] = self._shelf.fetch(STANDING, [b""])
        self.identify.stand(read_standing(kept))
        self._is_half = False
        self._look_for_seen()

    def _look_for_seen(self) -> None:
        month = self.identify.month
        if self._shelf.months[:1] != (month,):
            self._shelf.months = tuple(dict.fromkeys((month, month_before(month))))

    def isolate(self, offset: int, raw: bytes) -> None:
        """It sets apart itself what it fails on."""
        raise AssertionError(offset, len(raw))

    def figures(self) -> Figures:
        return Figures(self.identify.standing.recorded, pauses=self._is_away)

    def end(self) -> None:
        """Wait for no service any more."""
        self._ended.set()

    async def take(self, records: Sequence[Any], end: int) -> None:
        """Work records, to the end: when this returns all that came of them is written. While Redis or Kafka is away
        it waits, and nothing is lost. Raises Fenced."""
        await asyncio.to_thread(self._take, records, end)

    def _take(self, records: Sequence[Any], end: int) -> None:
        out = self._patiently(lambda: self._worked(records, end))
        at = self._patiently(lambda: self._transactions.write(out))
        rows = self.identify.changes()
        rows.append(("", (STANDING, b"", msgspec.msgpack.encode(self.identify.standing))))
        self._written = at
        self._patiently(lambda: self._put(rows, at + 1))
        self.identify.index.note_written()
        if len(self._shelf.months) > 1 and self._forgotten != self._shelf.months[1]:
            self._forget_seen()
            self._forgotten = self._shelf.months[1]

    def _put(self, rows: Sequence[tuple[str, Change]], offset: int) -> None:
        """Into Redis, what px.persons has already; where Redis lost what it held, all of it. Raises TryAgain."""
        try:
            if not self._is_half:
                self._shelf.put(rows, self._log, offset)
                return
        except Emptied:
            self._is_half = True
        self.recover()

    def _forget_seen(self) -> None:
        """Let go of the ids that were met before the last two months."""
        month = month_before(self._shelf.months[1])
        keys = self._patiently(lambda: self._shelf.keys(f"{SEEN}:{month}"))
        for at in range(0, len(keys), _AT_ONCE):
            some = keys[at : at + _AT_ONCE]
            gone = [Out(PERSONS, 0, row_key(SEEN, key, month), None) for key in some]
            upto = self._patiently(partial(self._transactions.write, gone))
            rows: list[tuple[str, Change]] = [(month, (SEEN, key, None)) for key in some]
            self._written = upto
            self._patiently(partial(self._put, rows, upto + 1))

    def _worked(self, records: Sequence[Any], end: int) -> list[Out]:
        if self._is_half:
            self.recover()
        self._look_for_seen()
        standing, tallies = msgspec.structs.replace(self.identify.standing), self.identify.tallies.copy()
        try:
            return self.identify.take(records, end)
        except TryAgain as wrong:
            self.identify.index.forget()
            self.identify.stand(standing)  # nor does the linker know what the index has forgotten
            self.identify.tallies = tallies
            if isinstance(wrong, Emptied):
                self.recover()
            raise

    def _patiently(self, work: Callable[[], Answer]) -> Answer:
        """Do something, again and again while it cannot be done now."""
        while True:
            try:
                answer = work()
            except TryAgain as wrong:
                if not self._is_away:
                    self._is_away = True
                    self._tell("identify.pauses", reason=str(wrong))
                if self._ended.wait(_AGAIN):
                    raise Ended from wrong
            else:
                if self._is_away:
                    self._is_away = False
                    self._tell("identify.goes_on")
                return answer

    def collect(self, *, idle: bool) -> list[Out]:
        """Nothing: it is written."""
        del idle
        return []
