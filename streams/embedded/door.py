"""The door: what each message is, decided by arrival, before it is committed.

A message whose source and id came before is a duplicate where it says the same, else a conflict. What says the same as
an earlier dead letter of its sender is that dead letter again, and counted as a repetition.
"""

from __future__ import annotations

from typing import Final

from schemas.dead_letter import MEND_CONFLICT
from schemas.errors import Reason
from schemas.message import Message, Outcome, Verdict
from streams.embedded.entries import Entry
from streams.embedded.ids import Content, id_hash, letter_hash, plain
from streams.embedded.remembered import Remembered
from streams.embedded.store import Store

ACCEPTED: Final = Verdict(Outcome.ACCEPTED)  # before its place is known
_MEND_FUTURE: Final = "it lies more than an hour ahead of this machine's clock; check the sender's clock"

Met = dict[bytes, tuple[bytes, int]]
"""Ids met, by their hashes: digest and place of the first message with each."""


class Door:
    """Decides by what the store remembers, and what was met since."""

    def __init__(self, store: Store, content: Content = plain) -> None:
        self._store: Store = store
        self._content: Content = content
        self._remembered: Remembered = Remembered(store.hashes(), store.last_seq())

    def fill(self, many: int) -> None:
        """Read some of the ids of the store into the filter that tells which it need not be asked for."""
        self._remembered.fill(many)

    def remember(self, met: Met, last: int) -> None:
        """These are durable; the log ends at `last`."""
        self._remembered.add(met)
        if self._remembered.is_full:
            self._remembered = Remembered(self._store.hashes(), last)

    def judge(self, message: Message, met: Met, entries: list[Entry], latest: int) -> tuple[Verdict, bytes | None]:
        """What a message is, and the hash to remember it by. `met` and `entries` are of the batch that is gathered;
        none of its events may be later than `latest`."""
        if message.ignored is not None:
            return Verdict(Outcome.IGNORED, reason=message.ignored), None
        dead = message.dead
        if dead is not None:
            return self.bury(dead.reason.value, dead.place, dead.mend, message, met)
        for event in message.events:
            if event.time > latest:
                return self.bury(Reason.FROM_THE_FUTURE.value, "time", _MEND_FUTURE, message, met)
        hash_ = id_hash(message.source, message.id)
        first = self._first(hash_, met)
        if first is None:
            return ACCEPTED, hash_
        known = None if first[0] == message.digest else self._raw(first[1], entries)
        if known is None or self._says_same(message, known):
            return Verdict(Outcome.DUPLICATE, first[1]), None
        return self.bury(Reason.CONFLICT.value, "id", MEND_CONFLICT, message, met)

    def bury(self, reason: str, place: str, mend: str, message: Message, met: Met) -> tuple[Verdict, bytes | None]:
        """The dead letter that a message is, or the repetition of one."""
        hash_ = letter_hash(reason, message.source, message.id, self._content(message.kind, message.raw))
        first = self._first(hash_, met)
        if first is not None:
            return Verdict(Outcome.DUPLICATE, first[1], reason, place, mend), None
        message.digest = message.digest or b"\x00"
        return Verdict(Outcome.DEAD, None, reason, place, mend), hash_

    def _says_same(self, message: Message, known: bytes) -> bool:
        raw, kind = message.raw, message.kind
        return raw == known or self._content(kind, raw) == self._content(kind, known)

    def _first(self, hash_: bytes, met: Met) -> tuple[bytes, int] | None:
        if hash_ in met:
            return met[hash_]
        return self._store.find_seen(hash_) if self._remembered.may_hold(hash_) else None

    def _raw(self, seq: int, entries: list[Entry]) -> bytes | None:
        """The bytes of a message of the log, or of the batch that is being gathered; None where it was purged, and what
        has its identity is taken for a repetition."""
        if entries and seq >= entries[0].seq:
            return entries[seq - entries[0].seq].raw
        return self._store.raw(seq)
