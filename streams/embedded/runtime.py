"""The embedded runtime: take messages into the store, then let the engine judge what they tell.

Theory. `take` decides at the door, by arrival, what each message is, and commits it; only then may it be acknowledged.
`apply` puts what was committed to the engine; what comes of it stands in memory until the next commit, which writes it
together with the position up to which the log was applied. After a crash the engine is made again from the log, as it
was at that position and clock, and goes on from there: what it says then is what it would have said.

The clock is the log's: the largest `recorded` so far. It moves by ticks and never back. After a gap of over a minute
it stands for `SETTLE`, so that what the senders queued meanwhile is heard before anything is said to be late; where it
stood is written with each entry, for a recovery must do the same.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from typing import Final, Literal

import msgspec

from schemas.alert import Alert, Level, State
from schemas.errors import Reason
from schemas.event import DAY, HOUR, MINUTE
from schemas.message import Message, Outcome, Verdict
from schemas.threshold import ThresholdSet
from streams.core.alerts import Transition
from streams.core.engine import Engine
from streams.embedded.entries import Batch, Entry, Taken, written
from streams.embedded.judges import Judges, Kept
from streams.embedded.remembered import Remembered
from streams.embedded.store import Store

SETTLE: Final = 2 * MINUTE
_GAP: Final = MINUTE
ENGINE: Final = "engine"
"""Why an event was set apart: the engine itself failed on it."""
_MEND_CONFLICT: Final = "the same source and id came before with other content; the sender must give a new id"
_MEND_FUTURE: Final = "it lies more than an hour ahead of this machine's clock; check the sender's clock"
_MEND_DATA: Final = "numbers of 64 bits and data nested 64 deep at most can be kept; write larger numbers as text"
_MEND_ENGINE: Final = "the hub failed on this message and goes on without it; report it, then replay the dead letter"

Clock = Literal["log", "event"]
IsSame = Callable[[str, bytes, bytes], bool]
"""Whether two messages of a kind, whose bytes differ, say the same."""
Progress = Callable[[int, int], None]
"""Told now and then while a store is read: entries read, and entries that there are."""


def id_hash(source: str, id_: str) -> bytes:
    """What an identity is looked up by."""
    return blake2b(f"{source}\x1f{id_}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _standing(alert: Alert) -> tuple[State, Level, int, int | None]:
    return alert.state, alert.level, alert.due_at, alert.ended_at


class Runtime:
    """One store, one engine. Nothing here is safe for several threads: its owner calls one thing at a time.

    `now` is the machine's clock in microseconds at the opening. With `clock="event"` time is what the events say (a
    demonstration, a backfill): the clock is the largest event time taken.
    """

    def __init__(
        self,
        store: Store,
        thresholds: ThresholdSet,
        *,
        kept: Sequence[Kept] = (),
        now: int,
        clock: Clock = "log",
        is_same: IsSame = lambda _, one, other: one == other,
        progress: Progress | None = None,
    ) -> None:
        self.store: Store = store
        self.thresholds: ThresholdSet = thresholds
        self.judges: Judges = Judges(thresholds, kept)
        self._kept: tuple[Kept, ...] = tuple(kept)
        self.by_event: bool = clock == "event"
        self._is_same: IsSame = is_same
        self.reconciled: int = 0  # changes of alerts at the opening, because log or thresholds are not what they were
        self._pending: list[Taken] = []  # committed, and not yet applied
        self._said: list[tuple[int, Transition]] = []  # said, and not yet committed
        reader = store.reader()
        collected = gc.isenabled()
        gc.disable()  # records make no cycles, and a million of them would be walked in vain
        try:
            self._seq: int = reader.last_seq()
            self._cursor: int = reader.last_cursor()
            self._applied: int = int(reader.meta("applied", 0))
            self.recorded: int = int(reader.rows("SELECT coalesce(max(recorded), 0) FROM log")[0][0])
            clock_then = int(reader.meta("clock", 0))
            count = int(reader.rows("SELECT count(*) FROM seen")[0][0])
            self._remembered: Remembered = Remembered(store.hashes(), count)
            self.recorded = max(self.recorded, clock_then)
            gap = self._seq > 0 and not self.by_event and now - self.recorded > _GAP
            self._settled: int = now + SETTLE if gap else 0
            self._recover(clock_then, progress)
        finally:
            if collected:
                gc.enable()
            reader.close()

    # -- messages

    def take(self, messages: Sequence[Message], now: int) -> list[Verdict]:
        """Decide what each message is, and commit all of them. When this returns they are durable; it raises
        StoreFailed, and then none of them is taken. `now` is the machine's clock."""
        batch = Batch(transitions=self._said, applied=self._applied, clock=self.engine.clock)
        seq, recorded = self._seq, self.recorded
        met: dict[bytes, tuple[bytes, int]] = {}
        verdicts: list[Verdict] = []
        pending: list[Taken] = []
        for message in messages:
            recorded = self._time_of(message, recorded, now)
            verdict, hash_ = self._judge(message, met, batch.entries, now)
            blob = None
            if verdict.outcome is Outcome.ACCEPTED and (blob := written(message.events)) is None:
                verdict, hash_ = self._dead(Reason.INVALID.value, "data", _MEND_DATA, message, met)
            outcome = verdict.outcome
            tally = (message.kind, outcome.value, verdict.reason or "")
            batch.tallies[tally] = batch.tallies.get(tally, 0) + 1
            if outcome is Outcome.DUPLICATE:
                verdicts.append(verdict)
                continue
            seq += 1
            taken = outcome is Outcome.ACCEPTED
            # what happens at an instant is heard before the clock reaches it
            clock = recorded - 1 if self.by_event or recorded >= self._settled else 0
            batch.entries.append(
                Entry(
                    seq, recorded, clock, message.kind, outcome.value, verdict.reason, message.source, message.id,
                    message.raw, blob,
                )
            )  # fmt: skip
            if taken:
                pending.append(Taken(seq, recorded, clock, message.events))
            if hash_ is not None:
                met[hash_] = (message.digest, seq)
                batch.seen.append((recorded // DAY, hash_, message.digest, seq))
            if outcome is Outcome.DEAD:
                batch.dead.append((seq, verdict.reason or "", verdict.place or "", verdict.mend or ""))
            verdicts.append(Verdict(outcome, seq, verdict.reason, verdict.place, verdict.mend))
        self.store.commit(batch)
        self._seq, self.recorded, self._said = seq, recorded, []
        for hash_ in met:
            self._remembered.add(hash_)
        if self._remembered.is_full:
            self._remembered = Remembered(self.store.hashes(), seq)
        self._pending += pending
        if not self._pending:
            self._applied = seq
        return verdicts

    def _time_of(self, message: Message, recorded: int, now: int) -> int:
        """When a message is recorded: by the machine's clock, which never goes back here, or by its events' time."""
        if self.by_event:
            return max([recorded, *(event.time for event in message.events)])
        return max(recorded, now)

    def _judge(
        self, message: Message, met: dict[bytes, tuple[bytes, int]], entries: list[Entry], now: int
    ) -> tuple[Verdict, bytes | None]:
        """What a message is, and the hash to remember it by. The same bytes as an earlier dead letter are that dead
        letter again, and counted as a repetition."""
        if message.ignored is not None:
            return Verdict(Outcome.IGNORED, reason=message.ignored), None
        dead = message.dead
        hash_ = id_hash(message.source, message.id) if message.id else None
        if dead is None:
            assert hash_ is not None  # noqa: S101 - what has events has an identity
            latest = (now if self.by_event else max(now, self.recorded)) + HOUR  # where the clock was set back too
            if any(event.time > latest for event in message.events):
                return self._dead(Reason.FROM_THE_FUTURE.value, "time", _MEND_FUTURE, message, met)
            first = self._first(hash_, met)
            if first is None:
                return Verdict(Outcome.ACCEPTED), hash_
            if first[0] == message.digest or self._is_same(message.kind, self._raw(first[1], entries), message.raw):
                return Verdict(Outcome.DUPLICATE, first[1]), None
            return self._dead(Reason.CONFLICT.value, "id", _MEND_CONFLICT, message, met)
        return self._dead(dead.reason.value, dead.place, dead.mend, message, met)

    def _raw(self, seq: int, entries: list[Entry]) -> bytes:
        """The bytes of a message of the log, or of the batch that is being gathered."""
        if seq > self._seq:
            return next(entry.raw for entry in entries if entry.seq == seq)
        return self.store.raw(seq)

    def _dead(
        self, reason: str, place: str, mend: str, message: Message, met: dict[bytes, tuple[bytes, int]]
    ) -> tuple[Verdict, bytes | None]:
        hash_ = id_hash(f"dead letter of {reason}", blake2b(message.raw, digest_size=16).hexdigest())
        first = self._first(hash_, met)
        if first is not None:
            return Verdict(Outcome.DUPLICATE, first[1], reason, place, mend), None
        message.digest = message.digest or b"\x00"
        return Verdict(Outcome.DEAD, None, reason, place, mend), hash_

    def _first(self, hash_: bytes, met: dict[bytes, tuple[bytes, int]]) -> tuple[bytes, int] | None:
        if hash_ in met:
            return met[hash_]
        return self.store.find_seen(hash_) if self._remembered.may_hold(hash_) else None

    # -- judging

    def apply(self) -> int:
        """Put to the engine what was committed; returns how many changes of alerts came of it."""
        pending, self._pending = self._pending, []
        for entry in pending:
            self._put_safely(entry)
        self._applied = self._seq
        return self._hear()

    def tick(self, now: int) -> int:
        """Let the clock reach the machine's, when all that is committed was applied; returns how many changes of
        alerts came of it. By event time nothing moves it but events."""
        if self._pending or self.by_event or now < self._settled:
            return 0
        self.recorded = max(self.recorded, now)
        self.judges.advance(now)
        return self._hear()

    def settle(self, now: int) -> None:
        """Let the clock stand for a while: the hub stood still, and what senders queued meanwhile is to be heard."""
        self._settled = now + SETTLE

    def finish(self, until: int | None = None) -> int:
        """By event time: let the clock reach the last event, or `until` if that is later."""
        self.judges.advance(max(self.recorded, until or 0))
        return self._hear()

    def flush(self) -> bool:
        """Commit what was said since the last commit; False where there is nothing to write."""
        if not self._said:
            return False
        self.store.commit(Batch(transitions=self._said, applied=self._applied, clock=self.engine.clock))
        self._said = []
        return True

    @property
    def settled(self) -> int:
        """Until when the clock stands after a gap; an instant that has passed where it does not."""
        return self._settled

    @property
    def due(self) -> int:
        """The earliest instant at which something may have to be said."""
        return self.judges.due

    @property
    def engine(self) -> Engine:
        """The engine of the thresholds in force."""
        return self.judges.engine

    @property
    def entries(self) -> int:
        """How many messages the log holds."""
        return self._seq

    @property
    def has_news(self) -> bool:
        """Whether something was said that is not committed yet."""
        return bool(self._said)

    @property
    def committed_cursor(self) -> int:
        """The cursor of the last transition that is durable."""
        return self._cursor - len(self._said)

    def _hear(self) -> int:
        changes = self.judges.take_transitions()
        for change in changes:
            self._say(change)
        return len(changes)

    def _put_safely(self, entry: Taken) -> None:
        """Put an entry to the engine; what the engine itself fails on is set apart: no start may meet it again."""
        untaken = self.judges.untaken
        try:
            self.judges.put(entry)
        except Exception:  # noqa: BLE001 - a message's edge: whatever it is, the hub goes on without it
            for change in self.judges.take_transitions(untaken):  # what was said before it came
                self._say(change)
            self._hear_nothing_of(entry)
        self._applied = entry.seq

    def _hear_nothing_of(self, entry: Taken) -> None:
        clock = self.engine.clock
        self.store.set_apart(entry.seq, ENGINE, "the event", _MEND_ENGINE)
        self._judge_log(entry.seq - 1, clock)

    # -- judged anew

    def judge_anew(self) -> None:
        """Make the engine again from a log, or by thresholds, that are not what they were."""
        self._judge_log(self._seq, self.engine.clock)
        self.reconcile()

    def _judge_log(self, upto: int, clock: int) -> None:
        self.judges = Judges(self.thresholds, self._kept)
        for entry in self._accepted(upto=upto):
            self.judges.put(entry)
        self.judges.advance(clock)
        self.judges.forget_transitions()

    def reconcile(self) -> int:
        """Say what is otherwise than the store has it, after the log or the thresholds changed: alerts that are new or
        stand otherwise, and those that nothing gives any more, which are taken back. Returns how many changes that are.
        What ended long ago is listed too: who delivers looks at how long ago it was due."""
        with closing(self.store.reader()) as reader:
            stored = {alert.id: alert for alert in reader.alerts()}
        now, changes = self.recorded, 0
        for id_, alert in self.judges.alerts.items():
            known = stored.pop(id_, None)
            if known is not None and _standing(known) == _standing(alert):
                continue
            if known is None and alert.state is State.RETRACTED:
                continue  # raised and taken back within one judgement
            self._say(Transition(now, msgspec.structs.replace(alert)))
            changes += 1
        for gone in stored.values():
            if gone.state is not State.RETRACTED:
                taken_back = msgspec.structs.replace(gone, state=State.RETRACTED, ended_at=None, delay_seconds=None)
                self._say(Transition(now, taken_back))
                changes += 1
        return changes

    def _say(self, change: Transition) -> None:
        self._cursor += 1
        self._said.append((self._cursor, change))

    # -- recovery

    def _recover(self, clock: int, progress: Progress | None) -> None:
        """Make the engine again as it was at the committed position and clock, then go on."""
        applied, total = self._applied, self._seq
        for number, entry in enumerate(self._accepted(upto=applied)):
            self._put_safely(entry)
            if number % 4096 == 0:
                self.judges.forget_transitions()
                if progress is not None:
                    progress(entry.seq, total)
        self.judges.advance(clock)
        self.judges.forget_transitions()
        self.reconciled = self.reconcile()
        for entry in self._accepted(after=applied):
            self._put_safely(entry)
        self._applied = self._seq
        self._hear()

    def _accepted(self, *, after: int = 0, upto: int | None = None) -> Iterator[Taken]:
        reader = self.store.reader()
        try:
            yield from reader.accepted(after=after, upto=upto)
        finally:
            reader.close()
