"""The embedded runtime: take messages into the store, then let the engine judge what they tell.

Theory. `take` decides at the door, by arrival, what each message is, and commits it; only then may it be acknowledged.
`apply` puts what was committed to the engine; what comes of it stands in memory until the next commit, which writes it
together with the position up to which the log was applied. After a crash the engine is made again from the log, as it
was at that position and clock, and goes on from there: what it says then is what it would have said.

The clock is the log's: the largest `recorded` so far. It moves by ticks and never back. After a gap of over a minute
it stands for `SETTLE`, so that what the senders queued meanwhile is heard before anything is said to be late; where it
stood is written with each entry, for a recovery must do the same. No source is silent in a gap, be it of seconds.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Sequence
from typing import Final, Literal

from schemas.alert import Alert
from schemas.dead_letter import MEND_DATA, MEND_ENGINE
from schemas.errors import Reason, StoreFailed
from schemas.event import HOUR
from schemas.identity import IdentityRules
from schemas.message import Message, Outcome, Verdict
from schemas.threshold import ThresholdSet
from streams.core.alerts import Transition
from streams.core.engine import Engine
from streams.core.settling import GAP, SETTLE
from streams.core.timers import FAR
from streams.embedded.directory import Linking
from streams.embedded.door import ACCEPTED, Door
from streams.embedded.earlier import Kept
from streams.embedded.entries import Batch, Entry, Position, Said, Taken, comments_of, things_of
from streams.embedded.ids import Content, plain
from streams.embedded.judging import Judging, Progress, what_differs
from streams.embedded.purged import in_pieces, read_purged, stand_at_base
from streams.embedded.residence import MOST, TAIL
from streams.embedded.store import Store

_IDS: Final = 10_000  # read into the filter with a commit, in some milliseconds
_AT_ONCE: Final = 2_000  # entries judged again between two commits
ENGINE: Final = "engine"
"""Why an event was set apart: the engine itself failed on it."""
_WORDS: Final = {outcome: outcome.value for outcome in Outcome}  # to ask an enum for its value costs a microsecond

Clock = Literal["log", "event"]


class Runtime:
    """One store, one engine. Nothing here is safe for several threads: its owner calls one thing at a time.

    `now` is the machine's clock in microseconds at the opening. With `clock="event"` time is what the events say (a
    demonstration, a backfill): the clock is the largest event time taken. `identity` says who is linked to whom;
    without it nobody is. `most` bounds the evidence in memory, `tail` the entries that a start may have to read
    (residence.py).
    """

    def __init__(  # noqa: PLR0913 - each is its owner's to say
        self,
        store: Store,
        thresholds: ThresholdSet,
        *,
        kept: Sequence[Kept] = (),
        now: int,
        clock: Clock = "log",
        content: Content = plain,
        progress: Progress | None = None,
        most: int = MOST,
        tail: int = TAIL,
        identity: IdentityRules | None = None,
    ) -> None:
        self.store: Store = store
        self.thresholds: ThresholdSet = thresholds
        self._kept: tuple[Kept, ...] = tuple(kept)
        self._bounds: tuple[int, int] = (most, tail)
        self.by_event: bool = clock == "event"
        self.reconciled: int = 0  # changes of alerts at the opening, because log or thresholds are not what they were
        self._pending: deque[Taken] = deque()  # committed, and not yet applied
        self._said: list[Said] = []  # said, and not yet committed
        self._last_said: dict[str, Alert] = {}  # the same, by alert
        collected = gc.isenabled()
        gc.disable()  # records make no cycles, and a million of them would be walked in vain
        try:
            self._seq: int = store.last_seq()
            self._cursor: int = store.last_cursor()
            position = store.position()
            self.recorded: int = max(store.last_recorded(), position.clock)
            was_down = self._seq > 0 and not self.by_event and now - self.recorded > GAP
            self._settled: int = now + SETTLE if was_down else 0
            self._door: Door = Door(store, content)
            self.linking: Linking = Linking(store, identity)
            self.judging: Judging = self._judging()
            if self._seq > 0:  # however short it was: a source that may be quiet for a minute is not silent for it
                self._stay_away(self.recorded, max(now, self._settled))
            self._recover(position, progress)
        finally:
            if collected:
                gc.enable()

    def _judging(self) -> Judging:
        most, tail = self._bounds
        return Judging(self.store, self.thresholds, self._kept, known=self._known, most=most, tail=tail)

    # -- messages

    def take(self, messages: Sequence[Message], now: int) -> list[Verdict]:
        """Decide what each message is, and commit all of them. When this returns they are durable; it raises
        StoreFailed, and then none of them is taken. `now` is the machine's clock."""
        self._door.fill(_IDS)
        batch = Batch(transitions=self._said)
        seq, recorded, met = self._seq, self.recorded, batch.seen
        verdicts: list[Verdict] = []
        pending: list[Taken] = []
        others = pending if self.judging.listens else []  # they show that their sources are there
        by_event, entries, accepted, judge = self.by_event, batch.entries, ACCEPTED, self._door.judge
        if messages and not by_event:
            recorded = max(recorded, now)  # the machine's clock never goes back here
        latest = (now if by_event else recorded) + HOUR  # where the clock was set back too
        self.linking.begin()
        for message in messages:
            verdict, hash_ = judge(message, met, entries, latest)
            events, blob = self.linking.logged(message.events) if verdict is accepted else ((), None)
            if verdict is accepted and blob is None:
                verdict, hash_ = self._door.bury(Reason.INVALID.value, "data", MEND_DATA, message, met)
            kind, outcome, reason = message.kind, verdict.outcome, verdict.reason
            tally = (kind, _WORDS[outcome], reason or "")
            batch.tallies[tally] = batch.tallies.get(tally, 0) + 1
            if outcome is Outcome.DUPLICATE:
                verdicts.append(verdict)
                continue
            seq += 1
            if by_event and verdict is accepted:  # no other may run the clock away
                for event in events:
                    recorded = max(recorded, event.time)
            # what happens at an instant is heard before the clock reaches it
            clock = recorded - 1 if by_event or recorded >= self._settled else 0
            entries.append(
                Entry(seq, recorded, clock, kind, tally[1], reason, message.source, message.id, message.raw, blob)
            )
            if hash_ is not None:
                met[hash_] = (message.digest, seq)
            if verdict is accepted:
                pending.append(Taken(seq, recorded, clock, events))
                verdicts.append(Verdict(outcome, seq))
                continue
            if outcome is Outcome.DEAD:
                batch.dead.append((seq, reason or "", verdict.place or "", verdict.mend or ""))
            others.append(Taken(seq, recorded, clock, (), message.source))
            verdicts.append(Verdict(outcome, seq, reason, verdict.place, verdict.mend))
        batch.comments, batch.things = comments_of(messages, verdicts), things_of(messages, verdicts, seq)
        batch.learned = self.linking.learned
        self._commit(batch, len(messages))
        self.linking.note_written()
        self._seq, self.recorded = seq, recorded
        self._door.remember(met, seq)
        self._pending += pending
        if not self._pending:
            self.judging.applied = seq
        return verdicts

    def remember(self, met: dict[bytes, tuple[bytes, int]]) -> None:
        """Know ids again, by their hashes, of messages that were ignored when they came: their digests and places."""
        self.store.commit(Batch(seen=met))
        self._door.remember(met, self._seq)

    # -- judging

    def apply(self) -> int:
        """Put to the engine what was committed; returns how many changes of alerts came of it."""
        self.judging.expect(self._pending)
        while self._pending:  # what the file cannot be read for now stays, to be put again
            self._put_safely(self._pending[0])
            self._pending.popleft()
        self.judging.applied = self._seq
        return self._hear()

    def tick(self, now: int) -> int:
        """Let the clock reach the machine's, when all that is committed was applied; returns how many changes of
        alerts came of it. By event time nothing moves it but events. Where many timers ring it goes a part of the way,
        and `due` says so."""
        if self._pending or self.by_event or now < self._settled:
            return 0
        if self.judging.advance(now):
            self.recorded = max(self.recorded, now)
        return self._hear()

    def settle(self, now: int) -> None:
        """Let the clock stand for a while: the hub stood still, and what senders queued meanwhile is to be heard."""
        self._settled = now + SETTLE
        self._stay_away(max(self.recorded, self.engine.clock), self._settled)

    def _stay_away(self, since: int, until: int) -> None:
        """Nobody was silent while the hub did not listen."""
        if since < until and not self.by_event:
            self.store.commit(Batch(away=[(since, until)]))
            self.judging.stay_away(since, until)

    def finish(self, until: int | None = None) -> int:
        """By event time: let the clock reach the last event, or `until` if that is later."""
        self.judging.reach(max(self.recorded, until or 0))
        return self._hear()

    def flush(self, *, everything: bool = False) -> bool:
        """Commit what was said since the last commit, and with `everything` all that a start would have to make again;
        False where there is nothing to write."""
        self._door.fill(_IDS)
        if not (self._said or self.engine.has_moved or everything):
            return False
        self._commit(Batch(transitions=self._said), 0, everything=everything)
        return True

    def end(self) -> None:
        """Commit what was said, and where the clock stands: nothing more comes for now."""
        self._commit(Batch(transitions=self._said), 0)

    def _commit(self, batch: Batch, messages: int, *, everything: bool = False) -> None:
        """Write a batch with all that was said, and with it where the judging stands."""
        self.judging.write(batch, messages, everything=everything)
        self.store.commit(batch)
        self.judging.note_written()
        self._said, self._last_said = [], {}

    @property
    def settled(self) -> int:
        """Until when the clock stands after a gap; an instant that has passed where it does not."""
        return self._settled

    @property
    def due(self) -> int:
        """The earliest instant at which something may have to be said, or read back."""
        return self.judging.due

    @property
    def engine(self) -> Engine:
        """The engine of the thresholds in force."""
        return self.judging.engine

    @property
    def entries(self) -> int:
        """How many messages the log holds."""
        return self._seq

    @property
    def has_news(self) -> bool:
        """Whether something was said that is not committed yet."""
        return bool(self._said)

    @property
    def said_since(self) -> int:
        """When the first of what is not committed yet was said; far off where all is."""
        return self._said[0][1].at if self._said else FAR

    @property
    def committed_cursor(self) -> int:
        """The cursor of the last transition that is durable."""
        return self._cursor - len(self._said)

    def owner(self, alert: Alert) -> object | None:
        """The record behind an alert; None where there is none any more."""
        owner = self.judging.owner(alert)
        self._hear()
        return owner

    def _known(self, id_: str) -> Alert | None:
        """An alert as it was said last, committed or not."""
        return self._last_said.get(id_) or self.store.alert(id_)

    def _hear(self) -> int:
        changes = self.judging.take_news()
        for change, seq in changes:
            self._say(change, seq)
        return len(changes)

    def _put_safely(self, entry: Taken) -> None:
        """Put an entry to the engine; what the engine itself fails on is set apart: no start may meet it again."""
        try:
            self.judging.put(entry)
        except StoreFailed:
            raise
        except Exception:  # noqa: BLE001 - a message's edge: whatever it is, the hub goes on without it
            for change, seq in self.judging.heard:  # what was said before it came
                self._say(change, seq)
            self._go_on_without(entry)

    def _go_on_without(self, entry: Taken) -> None:
        """Set an entry apart, and stand again as the file has it and the log behind it."""
        clock = self.engine.clock
        self.store.set_apart(entry.seq, ENGINE, "the event", MEND_ENGINE)
        judging = self._judging()
        judging.recover(self.store.position(), upto=entry.seq, clock=clock)
        self.judging = judging  # where the file cannot be read for now, the entry is met again
        self._hear()

    # -- judged anew

    def judge_anew(self, progress: Progress | None = None) -> int:
        """Judge all of the log again, by thresholds or a log that are not what they were, and say what is otherwise
        than the store has it: alerts that are new or stand otherwise, and those that nothing gives any more, which are
        taken back. Returns how many changes that are. What ended long ago is listed too: who delivers looks at how
        long ago it was due."""
        if self._said:
            self.flush()
        clock = max(self.engine.clock, self.store.position().clock, 0)
        upto = self._seq
        purged = read_purged(self.store)
        self.store.forget_state(base=purged.upto > 0)
        stand_at_base(self.store, purged)
        self.judging = self._judging()
        self.judging.begin_again()
        for number, entry in enumerate(self.store.accepted(upto=upto, others=self.judging.listens)):
            try:
                self.judging.put(entry)
            except StoreFailed:
                raise
            except Exception:  # noqa: BLE001 - as in _put_safely; what was judged so far is of no use
                self.store.set_apart(entry.seq, ENGINE, "the event", MEND_ENGINE)
                return self.judge_anew(progress)
            if number % _AT_ONCE == 0:
                self._write_on_the_way()
                if progress is not None:
                    progress(entry.seq, upto)
        self.judging.applied = upto
        while not self.judging.advance(clock):
            self._write_on_the_way()
        for numbers in in_pieces(self.judging.shelf.numbers() if purged.upto else []):
            self.judging.admit_all(numbers)
            self._write_on_the_way()
        changes, restated = what_differs(self.store, self.judging.end_again(), self.recorded)
        self.store.commit(Batch(alerts=restated))
        for change in changes:
            self._say(change)
        self.flush(everything=True)
        return len(changes)

    def _write_on_the_way(self) -> None:
        batch = Batch()
        self.judging.write(batch, _AT_ONCE)
        batch.position = None  # after a crash all is judged again, up to where it was before
        self.store.commit(batch)
        self.judging.note_written()

    def _say(self, change: Transition, seq: int = 0) -> None:
        self._cursor += 1
        self._said.append((self._cursor, change, seq))
        self._last_said[change.alert.id] = change.alert

    # -- recovery

    def _recover(self, position: Position, progress: Progress | None) -> None:
        """Stand again as at the committed position and clock, then go on with what the log holds behind it."""
        if not self.judging.stands(position) or self._kept:
            known = position.applied > 0
            self.reconciled = self.judge_anew(progress) if known or self._kept else 0
            after = self._seq if known or self._kept else 0
        else:
            self.judging.recover(position, progress=progress)
            self.reconciled = self._hear()
            after = position.applied
        for entry in self.store.accepted(after=after, others=self.judging.listens):
            self._put_safely(entry)
        self.judging.applied = self._seq
        self._hear()
