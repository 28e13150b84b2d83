"""Persons that leave memory and are read back stand as if they had never left, whenever that happens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert, State
from schemas.event import Event
from schemas.instant import read_instant
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from streams.embedded.residence import Residence, Row, Written
from tests.properties.strategies import (
    COMPARED,
    Standing,
    Told,
    afters,
    declarations,
    histories,
    run_engine,
    to_event,
    told_apart,
    until,
)
from tests.properties.test_law_of_order import once


class Drawer:
    """A shelf in memory."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.names: dict[int, int] = {}
        self.dues: set[tuple[int, int]] = set()

    def find(self, keys: Sequence[int]) -> dict[int, list[int]]:
        return {key: [self.names[key]] for key in keys if key in self.names}

    def row(self, number: int) -> Row | None:
        return self.rows.get(number)

    def due(self, after: tuple[int, int], upto: int, limit: int) -> list[tuple[int, int]]:
        return sorted(due for due in self.dues if due > after and due[0] <= upto)[:limit]

    def put(self, written: Sequence[Written]) -> None:
        for one in written:
            number = one.row.number
            for gone, due in one.gone:
                self.rows.pop(gone, None)
                self.dues.discard((due or 0, gone))
            self.dues.discard((one.before or 0, number))
            self.rows[number] = one.row
            self.names.update(dict.fromkeys(one.names, number))
            if one.row.due is not None:
                self.dues.add((one.row.due, number))


class Ward:
    """An engine whose persons come and go, and the alerts as they were said last."""

    def __init__(self, declared: str, random: Random) -> None:
        found, _ = read_thresholds([("generated.yaml", declared)], default_zone="UTC")
        self.random = random
        self.engine = Engine(found, keeps_all=False)
        self.drawer = Drawer()
        self.residence = Residence(self.engine, self.drawer, last=0, most=random.choice((0, 8, 30)), tail=0)
        self.said: dict[str, Alert] = {}
        self.seq = 0

    def hear(self) -> None:
        for change in self.engine.take_transitions():
            self.said[change.alert.id] = change.alert
            person = self.engine.person_behind(change.alert.id)
            if person is not None:
                self.residence.touch(person, self.seq)

    def advance(self, now: int) -> None:
        assert self.residence.admit_due(now, 1000, self.seq) == now
        self.hear()
        self.engine.advance(now)
        self.hear()

    def apply(self, event: Event) -> None:
        self.seq += 1
        assert self.residence.admit(event, self.seq)
        self.hear()
        self.engine.apply(event)
        self.hear()
        if self.random.random() < 0.6:
            self.let_leave()

    def let_leave(self) -> None:
        chosen = self.residence.to_write(self.seq, self.random.randrange(1, 20))
        written = self.residence.write(chosen, self.seq)
        self.drawer.put(written)
        self.residence.note_written(chosen, written)


def run_leaving(declared: str, history: Sequence[Told], random: Random, after: timedelta) -> Standing:
    ward = Ward(declared, random)
    clock = None
    for number, told in enumerate(history):
        event = to_event(told)
        if random.random() < 0.5:
            ward.residence.expect(map(to_event, history[number : number + 3]))
        if clock is None or event.time > clock:
            clock = event.time
            ward.advance(clock - 1)
        ward.apply(event)
    ward.let_leave()
    ward.advance(read_instant(until(history, after)))
    ward.residence.admit_all(list(ward.drawer.rows), ward.seq)
    ward.hear()
    for alert in ward.engine.alerts.values():
        ward.said[alert.id] = alert  # under the persons as they are now
    rows = [
        {name: getattr(alert, name) for name in COMPARED} | {"state": alert.state.value, "level": alert.level.value}
        for alert in ward.said.values()
        if alert.state is not State.RETRACTED
    ]
    counts = ward.engine.counts
    return told_apart(declared, rows, counts["persons"], counts["waits"])


@given(declarations(most=3), histories(most=20), afters, st.randoms(use_true_random=False))
def test_who_left_memory_stands_as_if_never_gone(
    declared: str, history: list[Told], after: timedelta, random: Random
) -> None:
    told = once(history)
    stays, left = run_engine(declared, told, after=after), run_leaving(declared, told, random, after)
    assert left == stays
