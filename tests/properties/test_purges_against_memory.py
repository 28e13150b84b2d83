"""A store that is purged at any moment says what memory says, wherever the evidence is still there.

Law. What is open is never lost, and nothing is said twice. What went ended before. Of everybody whose evidence was not
taken the alerts are those of an engine that holds all; and `store check` finds that the log and the circles give the
alerts that are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import OPEN, Alert
from schemas.errors import StoreFailed
from schemas.event import DAY, HOUR, MINUTE, SECOND
from schemas.instant import read_instant
from schemas.threshold import AverageRule, RateRule, ThresholdSet
from streams.core.circle import Circle
from streams.core.thresholds import read_thresholds
from streams.embedded.judging import Judging
from streams.embedded.purge import Purge
from streams.embedded.purged import Base
from streams.embedded.runtime import Clock
from streams.embedded.upkeep import find_differences, find_faults
from tests.properties.strategies import Told, afters, until
from tests.properties.test_store_against_memory import (
    KINDS,
    Case,
    Changes,
    Memory,
    Stored,
    cases,
    is_told,
    standing,
    steps,
    to_message,
    to_said,
)

KEEPS = (0, SECOND, HOUR, 5 * HOUR, DAY, 3 * DAY)
_read = msgspec.msgpack.Decoder(Circle).decode


class Purging(Stored):
    """A store that is purged now and then. `gone` are the alerts that went, as they stood; `lost` the names of those
    whose evidence went; `said` is what was said of each alert."""

    def __init__(self, folder: Path, thresholds: ThresholdSet, clock: Clock, random: Random) -> None:
        self.gone: dict[str, Alert] = {}
        self.lost: set[str] = set()
        self.said: Changes = {}
        self._heard = 0
        super().__init__(folder, thresholds, clock, random)

    def hear(self) -> None:
        for cursor, _, alert in self.store.transitions(after=self._heard, limit=10_000):
            assert cursor == self._heard + 1
            self._heard = cursor
            self.said.setdefault(alert.id, []).append(to_said(alert))

    def purge(self) -> None:
        self.insist(self.runtime.flush)
        self.hear()
        alerts, held = self.alerts(), self.evidence()
        work = Purge(self.runtime.recorded - self.random.choice(KEEPS))
        left = self.random.choice((0, 1, 2, 1_000, 1_000))
        with suppress(StoreFailed):  # it goes on at the next look
            if self.random.random() < 0.5:
                work.finish(self.runtime)
            else:
                self.insist(lambda: self.go_on(work, left))
        self.hear()
        after, rest = self.alerts(), self.evidence()
        gone = {id_: alert for id_, alert in alerts.items() if id_ not in after}
        assert [id_ for id_, alert in gone.items() if alert.state in OPEN] == []
        assert {id_: alerts[id_] for id_ in after if id_ in alerts} == {
            id_: alert for id_, alert in after.items() if id_ in alerts
        }
        self.gone |= gone
        self.lost |= {name for name, events in held.items() if not events <= rest.get(name, set())}
        self.crash()

    def go_on(self, work: Purge, left: int) -> None:
        while left and work.go_on(self.runtime):
            left -= 1

    def alerts(self) -> dict[str, Alert]:
        return {alert.id: alert for alert in self.store.alerts()}

    def evidence(self) -> dict[str, set[tuple[str, str]]]:
        """What the file holds of the circle of each name: source and id of each event."""
        found: dict[str, set[tuple[str, str]]] = {}
        for (body,) in self.store.rows("SELECT body FROM circle"):
            circle = _read(body)
            events = {(row[1], row[0]) for held in circle.persons for row in held.log}
            found |= dict.fromkeys(circle.names, events)
        return found

    def check(self) -> None:
        """What `store check` looks at."""
        with closing(self.store.reader()) as reader:
            judging = Judging(reader, self.thresholds, known=reader.alert, shelf=Base(reader))
            made = judging.judge_all(reader.position())
            faults = find_faults(reader) + find_differences(reader, reader.alerts(), made)
            assert not faults, faults

    def of(self, thresholds: set[str]) -> set[str]:
        """The alerts of these thresholds."""
        return {id_ for id_, alert in (self.gone | self.alerts()).items() if alert.threshold in thresholds}

    def without(self) -> set[str]:
        """All names of circles of which a part was lost."""
        self.runtime.flush(everything=True)
        lost = set(self.lost)
        for (body,) in self.store.rows("SELECT body FROM circle"):
            names = set(_read(body).names)
            if names & self.lost:
                lost |= names
        return lost


@contextmanager
def opened(thresholds: ThresholdSet, clock: Clock, random: Random) -> Iterator[Purging]:
    with TemporaryDirectory() as folder:
        stored = Purging(Path(folder), thresholds, clock, random)
        try:
            yield stored
        finally:
            stored.store.close()


def play(stored: Purging, memory: Memory, history: list[Told], random: Random, after: timedelta) -> None:
    for told in steps(history, random):
        messages = [to_message(one) for one in told]
        if stored.clock == "log":
            latest = max((event.time for message in messages for event in message.events), default=0)
            stored.now = max(stored.now, latest - random.randrange(HOUR))
        stored.take(messages)
        memory.follow(stored.store)
        if stored.clock == "log" and random.random() < 0.4:
            stored.reach(stored.now + random.choice((SECOND, 20 * MINUTE, 5 * HOUR)))
            memory.stay_away(stored.store)
            memory.advance(stored.now)
        if random.random() < 0.4:
            stored.purge()
            stored.check()
    end = max(stored.runtime.recorded, read_instant(until(history, after)))
    stored.reach(end)
    memory.stay_away(stored.store)
    memory.advance(end)
    stored.purge()
    stored.check()
    stored.hear()


@given(KINDS.flatmap(cases), afters, st.randoms(use_true_random=False), st.sampled_from(["log", "event"]))
def test_a_purged_store_says_what_memory_says_of_what_is_left(
    case: Case, after: timedelta, random: Random, clock: Clock
) -> None:
    declared, history = case
    thresholds = read_thresholds([("generated.yaml", declared)], default_zone="UTC")[0]
    memory = Memory(thresholds)
    of_all = {t.id for t in thresholds.thresholds if isinstance(t.rule, RateRule | AverageRule)}
    with opened(thresholds, clock, random) as stored:
        play(stored, memory, history, random, after)
        whole = {alert.id: alert for alert in standing(memory.engine.alerts.values())}
        lost = {memory.engine.find_person(name) for name in stored.without()}
        rates = stored.of(of_all)
        known = {alert.id: alert for alert in standing((stored.gone | stored.alerts()).values())}
        for alerts in (whole, known):  # of all that rates count nobody is the owner, and a part of it went
            for id_, alert in list(alerts.items()):
                if alert.person in lost or alert.threshold in of_all:
                    del alerts[id_]
                elif id_ in stored.gone:  # one that had been taken back, went, and came up again is heard of anew
                    alerts[id_] = msgspec.structs.replace(alert, fired_at=0, late_start=False)
    assert known == whole
    assert [id_ for id_ in whole if not is_told(memory.said.get(id_, []), stored.said.get(id_, []))] == []
    again = [id_ for id_, told in stored.said.items() if any(one == other for one, other in pairwise(told))]
    assert [id_ for id_ in again if id_ not in rates] == []
