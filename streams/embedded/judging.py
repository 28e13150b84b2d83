"""What the log tells, judged: the engine, the circles that are in memory, and what both said that is news.

Theory. A start reads no more of the log than its tail: what is older stands in the circles as they were written, each
up to a place of its own, and a circle is told only of what comes behind that place. Rates are written in every commit,
so they stand as they did at the applied position, and are told only of what comes behind that. What a circle says when
it is read back was said before, unless the file knows otherwise: so it is compared with the alerts in the file.

Where the thresholds are not those by which the circles were judged, all of the log is judged again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final, Protocol, TypeVar

import msgspec

from schemas.alert import Alert, State, alert_id
from schemas.threshold import MeasureRule, ThresholdSet
from streams.core.alerts import Transition
from streams.core.engine import Engine
from streams.core.rate_rows import note_written, write_buckets, write_rate
from streams.core.sequences import Momentary
from streams.core.silence_rows import write_hours, write_silence
from streams.core.silences import Silence
from streams.embedded.earlier import Earlier, Kept
from streams.embedded.entries import Batch, Position, Taken
from streams.embedded.purged import is_of_before
from streams.embedded.residence import MOST, TAIL, Residence, Resident
from streams.embedded.shelf import SqlShelf, read_rates
from streams.embedded.sources import choose_silences, note_chosen, read_away, read_silences
from streams.embedded.store import Store

_AT_ONCE: Final = 2_000  # circles whose timers ring are read back at a time
_FEW: Final = 50
Admitted = TypeVar("Admitted")
Heard = tuple[Transition, int]
"""A change, and the place of the log after which it was said."""
Progress = Callable[[int, int], None]
"""Told now and then while a store is read: entries read, and entries that there are."""
AT_ONCE: Final = 2_000
"""Entries judged again between two commits."""


class Source(Protocol):
    """The file, as far as judging reads it."""

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]: ...

    def accepted(self, *, after: int = 0, upto: int | None = None, others: bool = False) -> Iterator[Taken]: ...

    def alert(self, id_: str) -> Alert | None: ...


def name_of(thresholds: ThresholdSet) -> str:
    """What tells a set of thresholds from others that judge or speak otherwise, wherever they were declared."""
    told = [replace(threshold, place="", pack="") for threshold in thresholds.thresholds]
    text = msgspec.json.encode(told, enc_hook=str, order="deterministic")
    return blake2b(text, digest_size=16).hexdigest()


def same_standing(one: Alert, other: Alert) -> bool:
    """Whether two say the same of one alert."""
    return (one.state, one.level, one.due_at, one.ended_at) == (other.state, other.level, other.due_at, other.ended_at)


def same_weight(one: Alert, other: Alert) -> bool:
    """Whether two say it as urgently, and to the same readers."""
    return (one.severity, one.mode) == (other.severity, other.mode)


def what_differs(file: Store, made: dict[str, Alert], now: int) -> tuple[list[Transition], list[Alert]]:
    """What is to be said at `now` so that the alerts in the file are those of a log that was judged again; and those
    that stand as they did, but under another key, or with another reason."""
    stored = {alert.id: alert for alert in file.alerts()}
    changes: list[Transition] = []
    restated: list[Alert] = []
    for id_, alert in made.items():
        known = stored.pop(id_, None)
        if known is not None and same_standing(known, alert) and same_weight(known, alert):
            again = msgspec.structs.replace(alert, fired_at=known.fired_at, late_start=known.late_start)
            if again != known:
                restated.append(again)
            continue
        if known is None and (alert.state is State.RETRACTED or is_of_before(file, alert)):
            continue  # raised and taken back within one judgement, or said long ago and purged
        changes.append(Transition(now, msgspec.structs.replace(alert)))
    for gone in stored.values():
        if gone.state is not State.RETRACTED:
            taken_back = msgspec.structs.replace(gone, state=State.RETRACTED, ended_at=None, delay_seconds=None)
            changes.append(Transition(now, taken_back))
    return changes, restated


class Judging:
    """The engine of the thresholds in force over a file, and those of before. `heard` is what was said and not taken,
    without what the latest entry gave."""

    def __init__(
        self,
        source: Source,
        thresholds: ThresholdSet,
        kept: Sequence[Kept] = (),
        *,
        known: Callable[[str], Alert | None],
        shelf: SqlShelf | None = None,
        most: int = MOST,
        tail: int = TAIL,
    ) -> None:
        self.thresholds: ThresholdSet = thresholds
        self.engine: Engine = Engine(thresholds, keeps_all=False)
        self.earlier: Earlier = Earlier(kept)
        self._has_earlier: bool = bool(kept)
        self.applied: int = 0
        self._source: Source = source
        self._known: Callable[[str], Alert | None] = known
        self.heard: list[Heard] = []
        self._read_back: list[Transition] = []  # said by circles that were read back, and not compared yet
        self._made: dict[str, Alert] | None = None  # while the log is judged again: what is said last
        self._chosen: tuple[list[Resident], list[Any], list[Any], list[Silence]] = ([], [], [], [])
        self._name: str = name_of(thresholds)
        self.shelf: SqlShelf = shelf or SqlShelf(source.rows)
        for since, until in read_away(source.rows):
            self.stay_away(since, until)
        self.residence: Residence = Residence(self.engine, self.shelf, last=self.shelf.last(), most=most, tail=tail)

    # -- taking

    def put(self, taken: Taken) -> None:
        """Take what the log holds, at the time and by the clock that stand with it."""
        seq, recorded, clock, events, source = taken
        if clock:
            self._advance(clock)
        if source:
            self.engine.hear(source, recorded)
        engine, residence = self.engine, self.residence
        self._listen()
        told = self._read_back_by(lambda: [event for event in events if residence.admit(event, seq)])
        if len(told) == 1:
            engine.apply(told[0], recorded)
        elif told:
            engine.apply_together(told, recorded)
        if self._has_earlier:
            self.earlier.put(taken)
        self.applied = seq

    def expect(self, taken: Iterable[Taken]) -> None:
        """All of this is about to be put: whom it names is looked up at once."""
        self.residence.expect(event for one in taken for event in one.events)

    def advance(self, now: int, limit: int = _AT_ONCE) -> bool:
        """Let the clock reach an instant; False where so many timers ring that it must be asked again."""
        self._listen()
        upto = self._read_back_by(lambda: self.residence.admit_due(now, limit, max(self.applied, 1)))
        reached = upto >= now
        self.engine.advance(now if reached else upto)
        self._listen()
        self.earlier.advance(now if reached else upto)
        if reached:
            self._read_back_by(lambda: self.residence.look_ahead(now, max(self.applied, 1)))
        return reached

    def reach(self, now: int) -> None:
        """Let the clock reach an instant, however many timers ring on the way."""
        while not self.advance(now):
            pass

    def _advance(self, now: int) -> None:
        if now >= self.residence.next_due:
            self.reach(now)
            return
        self.engine.advance(now)
        if self._has_earlier:
            self.earlier.advance(now)

    def take_news(self) -> list[Heard]:
        """What changed since the last call, in order."""
        self._compare()
        self._listen()
        news, self.heard = self.heard, []
        return news

    def admit_name(self, name: str) -> None:
        """Have a person in memory, by an identifier or an id, for who asks about it."""
        self._listen()
        self._read_back_by(lambda: self.residence.admit_name(name))

    def admit_all(self, numbers: Sequence[int]) -> None:
        """Have these circles in memory, for who asks about everybody."""
        self._listen()
        self._read_back_by(lambda: self.residence.admit_all(numbers, max(self.applied, 1)))

    def owner(self, alert: Alert) -> object | None:
        """The record behind an alert, its person read back; None where there is none any more."""
        if self.earlier.owns(alert.id):
            return self.earlier.owner(alert.id)
        if alert.person is not None:
            self.admit_name(alert.person)
        return self.engine.owner(alert.id) or self._momentary(alert)

    def _momentary(self, alert: Alert) -> Momentary | None:
        """What stands behind the alert of an event that is nobody's evidence: found where it was said."""
        threshold = next((t for t in self.thresholds.thresholds if t.id == alert.threshold), None)
        rows = self._source.rows("SELECT seq FROM alert WHERE id = ?", alert.id)
        if threshold is None or not isinstance(threshold.rule, MeasureRule) or not rows:
            return None
        for taken in self._source.accepted(after=rows[0][0] - 1, upto=rows[0][0]):
            for event in taken.events:
                if alert_id(threshold.id, event.source, event.id) == alert.id:
                    return Momentary(threshold, event, threshold.rule.key, alert.key)
        return None

    @property
    def due(self) -> int:
        """An instant before which nothing rings."""
        return min(self.engine.due, self.residence.next_due, self.earlier.due)

    def _listen(self) -> None:
        """Hear what the engines said."""
        if self.engine.untaken:
            for change in self.engine.take_transitions():
                person = self.engine.person_behind(change.alert.id)
                if person is not None:
                    self.residence.touch(person, max(self.applied, 1))
                self._hear(change)
        if self._has_earlier:
            self.heard += [(change, self.applied) for change in self.earlier.take_transitions()]

    def _hear(self, change: Transition) -> None:
        if self._made is not None:
            self._made[change.alert.id] = change.alert
        elif not self.earlier.owns(change.alert.id):
            self.heard.append((change, self.applied))

    def _read_back_by(self, admit: Callable[[], Admitted]) -> Admitted:
        """Have circles in memory. What they say that were read back is no news by itself, also where the file failed
        behind the first of them."""
        try:
            admitted = admit()
        finally:
            if self.engine.untaken:
                self._read_back += self.engine.take_transitions()
        self._compare()
        return admitted

    def _compare(self) -> None:
        """Hear of what circles say that were read back only what the file does not know. Where the file cannot be
        asked for now, it is asked with the next."""
        if not self._read_back:
            return
        last = {change.alert.id: change for change in self._read_back}
        heard: list[Transition] = []
        for id_, change in last.items():
            if self._made is not None:
                self._made[id_] = change.alert
                continue
            known = self._known(id_)
            if known is not None:
                self.engine.recall(known)
                if same_standing(known, change.alert):
                    continue
            elif change.alert.state is State.RETRACTED or is_of_before(self._source, change.alert):
                continue
            heard.append(change)
        self._read_back = []
        for change in heard:
            self._hear(change)

    # -- what a commit writes

    def write(self, batch: Batch, messages: int, *, everything: bool = False) -> None:
        """Add to a commit where this stands: rates, and a few circles."""
        residence, applied = self.residence, self.applied
        chosen = residence.all_changed() if everything else residence.to_write(applied, 2 * messages + _FEW)
        written = residence.write(chosen, applied)
        rates = [rate for rate in self.engine.tallies.rates if rate.is_changed]
        silences = choose_silences(self.engine)
        self._chosen = (chosen, written, rates, silences)
        batch.circles = written
        batch.rates = [(write_rate(rate), write_buckets(rate)) for rate in rates]
        batch.silences = [(write_silence(one), write_hours(one), one.cleared) for one in silences]
        batch.alerts = [a for a in self.engine.moved() if not self.earlier.owns(a.id)]
        batch.position = self._position(set(chosen))

    def note_written(self) -> None:
        """The commit is durable."""
        chosen, written, rates, silences = self._chosen
        self.residence.note_written(chosen, written)
        for rate in rates:
            note_written(rate)
        note_chosen(silences)
        self.engine.forget_moved()
        self._chosen = ([], [], [], [])

    def _position(self, written: set[Resident]) -> Position:
        first = self.residence.first_unwritten(written)
        counts = self.engine.counts
        return Position(
            applied=self.applied,
            clock=max(self.engine.clock, 0),
            tail=self.applied if first is None else min(first - 1, self.applied),
            persons=counts["persons"],
            waits=counts["waits"],
            without_due=counts["without_due"],
            without_key=counts["without_key"],
            judged_by=self._name if self._made is None else "",
        )

    # -- recovery

    def stands(self, position: Position) -> bool:
        """Whether the circles in the file were judged by these thresholds."""
        return position.judged_by == self._name

    def recover(
        self, position: Position, *, upto: int | None = None, clock: int | None = None, progress: Progress | None = None
    ) -> None:
        """Stand again as at the file's position, or with what follows it up to a place of the log and a clock: what is
        said on the way was said, unless the file knows otherwise."""
        engine = self.engine
        read_rates(self._source.rows, engine, self._known)
        read_silences(self._source.rows, engine, self._known)
        engine.tallies.frozen = engine.silences.frozen = True
        self._made = {}
        self._put_all(position.tail, position.applied, progress)
        self.applied = position.applied
        self.reach(position.clock)
        engine.tallies.frozen = engine.silences.frozen = False
        engine.tallies.wake()
        engine.silences.wake()
        engine.put_counts(position.persons, position.waits, position.without_due, position.without_key)
        if upto is not None:
            self._put_all(position.applied, upto, progress)
            self.applied = upto
        if clock is not None:
            self.reach(clock)
        self._listen()
        made, self._made = self._made, None
        self._read_back += [Transition(max(engine.clock, 0), alert) for alert in made.values()]
        self._compare()

    @property
    def listens(self) -> bool:
        """Whether it matters whose messages came that were not taken."""
        return bool(self.engine.silences) or self.earlier.listens

    def stay_away(self, since: int, until: int) -> None:
        """The hub does not listen between two instants that the clock has not passed."""
        self.engine.silences.stay_away(since, until)
        self.earlier.stay_away(since, until)

    def _put_all(self, after: int, upto: int, progress: Progress | None) -> None:
        for number, taken in enumerate(self._source.accepted(after=after, upto=upto, others=self.listens)):
            self.put(taken)
            if progress is not None and number % 4096 == 0:
                progress(taken.seq, upto)

    def judge_all(self, position: Position, progress: Progress | None = None) -> dict[str, Alert]:
        """Judge all of the log up to a position, with everybody in memory; returns the alerts as the log gives them."""
        self.begin_again()
        self._put_all(0, position.applied, progress)
        self.reach(position.clock)
        self.admit_all(self.shelf.numbers())
        return self.end_again()

    def begin_again(self) -> None:
        """All of the log is about to be judged again: keep what is said last, and say nothing."""
        self._made = {}

    def end_again(self) -> dict[str, Alert]:
        """The alerts as the log gives them; from here on what is said is news."""
        self._listen()
        made, self._made = self._made or {}, None
        return {id_: alert for id_, alert in made.items() if not self.earlier.owns(id_)} | self.earlier.alerts


def write_on_the_way(judging: Judging, commit: Callable[[Batch], None]) -> None:
    """Write what was judged until now, while all of a log is judged again."""
    batch = Batch()
    judging.write(batch, AT_ONCE)
    batch.position = None  # after a crash all is judged again, up to where it was before
    commit(batch)
    judging.note_written()
