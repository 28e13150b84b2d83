"""The directory of a store: three tables, written in the commit of the messages from which it was learned.

What was learned since the last commit stands in memory before the tables; a commit writes it, and one that fails lets
it go, for its messages come again. So the directory is never ahead of the log nor behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from schemas.errors import StoreFailed
from schemas.event import Event
from schemas.identity import IdentityRules
from streams.core.directory import MANY, Known, Placed
from streams.core.linking import Linker
from streams.embedded.entries import Batch, write_events, written
from streams.embedded.learned import LEARNED, Learned
from streams.embedded.reader import Reading
from streams.embedded.store import Store

_CACHED: Final = 20_000
_AT_ONCE: Final = 2_000  # messages of a commit
_known: Final = msgspec.msgpack.Decoder(Known)
_placed: Final = msgspec.msgpack.Decoder(Placed)
Held = TypeVar("Held")


class StoredDirectory:
    """A directory over the tables of a store; with a reader of another process it is read alone."""

    def __init__(self, reading: Reading) -> None:
        self._reading: Reading = reading
        self._cache: dict[int, Known] = {}
        self.learned: Learned = Learned()
        self._is_there: bool = bool(
            reading.rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'placed'")
        )

    def note_written(self) -> None:
        """What was learned is committed, or was let go."""
        self.learned = Learned()

    def let_go(self, keys: Iterable[int]) -> None:
        """What was read of these is not what the tables say any more."""
        for key in keys:
            self._cache.pop(key, None)

    def find(self, key: int) -> Known | None:
        found = self.learned.known.get(key) or self._cache.get(key)
        if found is None and self._is_there:
            rows = self._reading.rows("SELECT body FROM known WHERE key = ?", key)
            if rows:
                found = _decoded(_known, rows[0][0])
                if len(self._cache) >= _CACHED:
                    self._cache.clear()
                self._cache[key] = found
        return found

    def put(self, key: int, known: Known) -> None:
        self.learned.known[key] = known
        self._cache.pop(key, None)

    def holders(self, point: int) -> Sequence[int]:
        rows = (
            self._reading.rows("SELECT key FROM reach WHERE point = ? ORDER BY key LIMIT ?", point, MANY + 1)
            if self._is_there
            else []
        )
        found = {key for (key,) in rows}
        for key, leads in self.learned.holders.get(point, {}).items():
            (found.add if leads else found.discard)(key)
        return sorted(found)

    def hold(self, point: int, key: int) -> None:
        self.learned.holders.setdefault(point, {})[key] = True

    def release(self, point: int, key: int) -> None:
        self.learned.holders.setdefault(point, {})[key] = False

    def near(self, key: int) -> Sequence[int]:
        rows = self._reading.rows("SELECT other FROM tie WHERE one = ?", key) if self._is_there else []
        found = {other for (other,) in rows}
        for other, are in self.learned.ties.get(key, {}).items():
            (found.add if are else found.discard)(other)
        return sorted(found)

    def tie(self, one: int, other: int) -> None:
        self.learned.ties.setdefault(one, {})[other] = True
        self.learned.ties.setdefault(other, {})[one] = True

    def untie(self, one: int, other: int) -> None:
        self.learned.ties.setdefault(one, {})[other] = False
        self.learned.ties.setdefault(other, {})[one] = False

    def find_contact(self, key: int) -> Placed | None:
        found = self.learned.contacts.get(key)
        if found is None and self._is_there:
            rows = self._reading.rows("SELECT body FROM placed WHERE key = ?", key)
            found = _decoded(_placed, rows[0][0]) if rows else None
        return found

    def put_contact(self, key: int, placed: Placed) -> None:
        self.learned.contacts[key] = placed


def _decoded(decode: msgspec.msgpack.Decoder[Held], body: bytes) -> Held:
    try:
        return decode.decode(body)
    except (msgspec.MsgspecError, TypeError, ValueError) as wrong:
        raise StoreFailed("a row of the directory is damaged; restore a backup") from wrong


class Linking:
    """The linker of a store that is written. What it learned goes with the commit of the messages: `begin` starts
    anew, for a commit that failed has written nothing."""

    def __init__(self, store: Store, rules: IdentityRules | None) -> None:
        self._store: Store = store
        self._directory: StoredDirectory = StoredDirectory(store)
        self._linker: Linker | None = None if rules is None else Linker(rules, self._directory)
        if self._linker is not None and store.meta(LEARNED) is None:
            self._learn_log(self._linker)

    def let_go(self, keys: Sequence[int]) -> None:
        """Persons whom a purge forgot."""
        self._directory.let_go(keys)
        if keys and self._linker is not None:
            self._linker.forget()

    @property
    def directory(self) -> StoredDirectory:
        return self._directory

    @property
    def learned(self) -> Learned:
        return self._directory.learned

    def begin(self) -> None:
        """Let go of what was not committed."""
        if self._directory.learned and self._linker is not None:
            self._directory.note_written()
            self._linker.forget()

    def logged(self, events: tuple[Event, ...]) -> tuple[tuple[Event, ...], bytes | None]:
        """The events of a message as they go into the log, with what was decided of them, and as they are written; no
        bytes where they cannot be kept, and then nothing was decided."""
        blob = written(events)
        if blob is None or self._linker is None:
            return events, blob
        linked = self._linker.take(events)
        return (events, blob) if linked is events else (linked, write_events(linked))

    def note_written(self) -> None:
        """What was learned is committed."""
        self._directory.note_written()

    def take_again(self, events: Iterable[tuple[Event, ...]]) -> None:
        """Learn from messages that say something else by now; nothing is decided anew. It is committed at once."""
        if self._linker is None:
            return
        self.begin()
        for told in events:
            self._linker.learn(told)
        self._store.commit(Batch(learned=self._directory.learned))
        self._directory.note_written()

    def _learn_log(self, linker: Linker) -> None:
        """Learn from the log of a store that was written before there was a directory; done once."""
        for number, taken in enumerate(self._store.accepted(), start=1):
            linker.learn(taken.events)
            if number % _AT_ONCE == 0:
                self._store.commit(Batch(learned=self._directory.learned))
                self._directory.note_written()
        with self._store.together():
            self._store.commit(Batch(learned=self._directory.learned))
            self._store.write("INSERT OR REPLACE INTO meta VALUES (?, 1)", [(LEARNED,)])
        self._directory.note_written()
