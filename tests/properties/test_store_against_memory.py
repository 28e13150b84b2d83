"""A store says what an engine that holds all says, though its persons come and go, its process dies, its file fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.alert import Alert, State
from schemas.errors import StoreFailed
from schemas.event import HOUR, MINUTE, SECOND
from schemas.instant import read_instant
from schemas.message import Message
from schemas.threshold import ThresholdSet
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from streams.embedded.runtime import Clock, Runtime
from streams.embedded.sources import read_away
from streams.embedded.store import Store
from tests.properties import test_dense_histories as dense
from tests.properties import test_order_of_statements as statements
from tests.properties.strategies import (
    Told,
    afters,
    declarations,
    histories,
    to_event,
    until,
)
from tests.properties.test_law_of_order import once

Said = tuple[str, str, int, int | None, str | None]
"""What is said of an alert: its state and level, when it is due and when it ended, and whose it is."""
Changes = dict[str, list[Said]]
"""What was said of each alert, in order."""


def to_message(told: Told) -> Message:
    raw = json.dumps(told).encode()
    if told.get("ignored"):
        return Message("cloudevents", raw, told["source"], told["id"], raw, ignored="not wanted")
    return Message("cloudevents", raw, told["source"], told["id"], raw, (to_event(told),))


def standing(alerts: Iterable[Alert]) -> list[Alert]:
    """The alerts that stand, in order."""
    return sorted((alert for alert in alerts if alert.state is not State.RETRACTED), key=lambda alert: alert.id)


def but_arrival(alerts: Iterable[Alert]) -> list[Alert]:
    """Alerts without what arrival decides of them: a start that was cut off may have said a rate before."""
    return [replace(alert, fired_at=0, late_start=False) for alert in alerts]


class Standing(NamedTuple):
    """What stands and what was said."""

    alerts: list[Alert]
    counts: dict[str, int]
    said: Changes


def to_said(alert: Alert) -> Said:
    if alert.state is State.RETRACTED:
        # several may take it back within one event, each by its own end and under its own person: which is first is
        # told by the order in which persons came into memory
        return alert.state.value, alert.level.value, alert.due_at, None, None
    return alert.state.value, alert.level.value, alert.due_at, alert.ended_at, alert.person


class Memory:
    """The engine that holds all, told of the same at the same time."""

    def __init__(self, thresholds: ThresholdSet) -> None:
        self.thresholds = thresholds
        self.engine = Engine(thresholds)
        self.seq = 0
        self.said: Changes = {}

    def follow(self, store: Store) -> None:
        """Judge what the log holds behind what was judged."""
        self.stay_away(store)
        for taken in store.accepted(after=self.seq, others=True):
            if taken.clock:
                self.engine.advance(taken.clock)
            self.hear()
            if taken.events:
                self.engine.apply_together(taken.events, taken.recorded)
            else:
                self.engine.hear(taken.source, taken.recorded)
            self.hear()
        self.seq = store.last_seq()

    def stay_away(self, store: Store) -> None:
        """Know when the other did not listen."""
        for span in read_away(store.rows):
            if span not in self.engine.silences.away:
                self.engine.silences.stay_away(*span)

    def advance(self, now: int) -> None:
        self.engine.advance(now)
        self.hear()

    def hear(self) -> None:
        last = {change.alert.id: change.alert for change in self.engine.take_transitions()}
        for id_, alert in last.items():
            states = self.said.setdefault(id_, [])
            if not (states and states[-1] == to_said(alert)):
                states.append(to_said(alert))


def counted(engine: Engine) -> dict[str, int]:
    """What is counted, but for journeys: who lets persons leave does not count those."""
    return {name: count for name, count in engine.counts.items() if name != "journeys"}


def is_told(states: Sequence[Said], told: Sequence[Said]) -> bool:
    """Whether these states were told, in order, and nothing twice. Between them there may be more: what one event takes
    out and puts in again may let an alert stand otherwise for no time at all."""
    rest = iter(told)
    return all(state in rest for state in states) and all(one != other for one, other in pairwise(told))


class Stored:
    """A runtime over a store, with hardly anything in memory, that dies now and then."""

    def __init__(self, folder: Path, thresholds: ThresholdSet, clock: Clock, random: Random) -> None:
        self.folder, self.thresholds, self.clock, self.random = folder, thresholds, clock, random
        self.most, self.tail = random.choice((0, 5, 20, 1000)), random.choice((0, 2, 5, 1000))
        self.now = 0 if clock == "log" else read_instant("2030-01-01T00:00:00Z")
        self.store = Store.open(folder)
        self.open()

    def open(self) -> None:
        self.runtime = Runtime(
            self.store, self.thresholds, now=self.now, clock=self.clock, most=self.most, tail=self.tail
        )
        self.runtime.settle(0)  # it stands still for nobody here

    def insist(self, work: Callable[[], object]) -> None:
        """Do something while the file may fail, at one statement; and where it did, once more."""
        db = self.store._db
        left = self.random.choice((0, 0, 5, 50, 500))  # steps of the database until it fails

        def fails() -> bool:
            nonlocal left
            left -= 1
            return left == 0

        db.set_progress_handler(fails, 1)
        try:
            work()
        except StoreFailed:
            work()
        finally:
            db.set_progress_handler(None, 1)

    def crash(self) -> None:
        """What was not committed is gone."""
        if self.random.random() < 0.2:
            self.store.close()
            self.store = Store.open(self.folder)
            self.open()

    def change(self, thresholds: ThresholdSet) -> None:
        """Be opened with other thresholds, maybe killed on the way."""
        self.thresholds = thresholds
        self.store.close()
        self.store = Store.open(self.folder)
        with suppress(StoreFailed):
            self.insist(self.open)
        self.open()

    def take(self, messages: Sequence[Message]) -> None:
        self.insist(lambda: self.runtime.take(messages, self.now))
        self.crash()
        self.insist(self.runtime.apply)
        self.crash()
        if self.random.random() < 0.5:
            self.insist(lambda: self.runtime.flush(everything=self.random.random() < 0.3))
            self.crash()

    def reach(self, now: int) -> None:
        if self.clock == "event":
            self.insist(lambda: self.runtime.finish(now))
        else:
            self.now = now
            self.insist(lambda: self.runtime.tick(now))
            while self.runtime.engine.clock < now:
                self.insist(lambda: self.runtime.tick(now))
        self.runtime.flush()
        self.crash()


@contextmanager
def opened(thresholds: ThresholdSet, clock: Clock, random: Random) -> Iterator[Stored]:
    with TemporaryDirectory() as folder:
        stored = Stored(Path(folder), thresholds, clock, random)
        try:
            yield stored
        finally:
            stored.store.close()


def steps(history: list[Told], random: Random) -> Iterator[list[Told]]:
    at = 0
    while at < len(history):
        size = random.choice((1, 1, 1, 2, 4))
        yield history[at : at + size]
        at += size


def run_both(
    declared: Sequence[str], history: list[Told], random: Random, after: timedelta, clock: Clock
) -> tuple[Standing, Standing]:
    """What stands and what was said in memory, and in the store; with several declarations, one after the other."""
    found = [read_thresholds([("generated.yaml", text)], default_zone="UTC")[0] for text in declared]
    memory = Memory(found.pop(0))
    with opened(memory.thresholds, clock, random) as stored:
        for told in steps(history, random):
            if found and random.random() < 0.2:
                memory = Memory(found.pop(0))
                stored.change(memory.thresholds)
                memory.follow(stored.store)
                memory.advance(stored.runtime.engine.clock)
            messages = [to_message(one) for one in told]
            if clock == "log":
                latest = max((event.time for message in messages for event in message.events), default=0)
                stored.now = max(stored.now, latest - random.randrange(HOUR))
            stored.take(messages)
            memory.follow(stored.store)
            if clock == "log" and random.random() < 0.4:
                stored.reach(stored.now + random.choice((SECOND, 20 * MINUTE, 5 * HOUR)))
                memory.advance(stored.now)
        end = max(stored.runtime.recorded, read_instant(until(history, after)))
        memory.stay_away(stored.store)
        stored.reach(end)
        memory.advance(end)
        said: Changes = {}
        for _, _, alert in stored.store.transitions(after=0, limit=10_000):
            said.setdefault(alert.id, []).append(to_said(alert))
        stands = Standing(standing(stored.store.alerts()), counted(stored.runtime.engine), said)
    return Standing(standing(memory.engine.alerts.values()), counted(memory.engine), memory.said), stands


Case = tuple[str, list[Told]]
"""What is declared, and what is told."""


KINDS = st.sampled_from(("all", "people", "people", "moves", "appointments", "sources"))


heard = st.tuples(st.integers(0, 300), st.sampled_from(("sim/a", "sim/b")), st.sampled_from((False, False, True)))


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Of everything something; or few thresholds and few people, about whom much is told."""
    if kind == "all":
        return draw(declarations(most=3)), once(draw(histories(most=20)))
    if kind == "people":
        both = [
            *json.loads(draw(dense.thresholds()))["thresholds"],
            *json.loads(draw(dense.other_kinds()))["thresholds"],
        ]
        return json.dumps({"thresholds": both}), draw(dense.people(most=16))
    if kind == "sources":
        quiets = draw(st.lists(st.sampled_from(("20m", "70m", "3h", "2 days", "learned")), min_size=1, max_size=2))
        silent = [{"id": f"s{n}", "kind": "silence", "quiet": quiet} for n, quiet in enumerate(quiets)]
        told = [
            statements.told("e.start", 0)
            | {"time": f"2026-03-{2 + half_hours // 48:02}T{half_hours // 2 % 24:02}:{half_hours % 2 * 30:02}:00Z"}
            | {"source": source, "id": f"e{number}", "ignored": ignored}
            for number, (half_hours, source, ignored) in enumerate(draw(st.lists(heard, min_size=1, max_size=16)))
        ]
        return json.dumps({"thresholds": silent}), told
    if kind == "moves":
        wait: dict[str, Any] = {"id": "w", "kind": "wait", "start": [{"event": "e.start"}], "within": "1h"}
        wait |= draw(statements.waits)
        happenings = st.one_of(statements.happened(), statements.happened(), statements.changed())
        told = draw(st.lists(happenings, min_size=1, max_size=14))
        return json.dumps({"thresholds": [wait]}), statements.numbered(told)
    rules = draw(st.lists(st.sampled_from(statements.OF_APPOINTMENTS), min_size=1, max_size=2))
    instants = draw(st.lists(st.integers(0, 20), unique=True, min_size=2, max_size=12))
    stated = [draw(statements.of_appointments(st.just(instant))) for instant in instants]
    declared = json.dumps({"thresholds": [{"id": f"t{number}", **rule} for number, rule in enumerate(rules)]})
    return declared, statements.numbered(stated + draw(st.lists(statements.changed(), max_size=2)))


@given(KINDS.flatmap(cases), afters, st.randoms(use_true_random=False), st.sampled_from(["log", "event"]))
def test_a_store_says_what_memory_says(case: Case, after: timedelta, random: Random, clock: Clock) -> None:
    declared, history = case
    inside, stored = run_both([declared], history, random, after, clock)
    assert (stored.alerts, stored.counts) == (inside.alerts, inside.counts)
    assert [id_ for id_, states in inside.said.items() if not is_told(states, stored.said.get(id_, []))] == []


@given(
    KINDS.flatmap(lambda kind: st.tuples(cases(kind), cases(kind))),
    afters,
    st.randoms(use_true_random=False),
    st.sampled_from(["log", "event"]),
)
def test_other_thresholds_say_what_memory_says(
    both: tuple[Case, Case], after: timedelta, random: Random, clock: Clock
) -> None:
    (declared, history), (other, _) = both
    inside, stored = run_both([declared, other], history, random, after, clock)
    assert but_arrival(stored.alerts) == but_arrival(inside.alerts)
