"""The engine of the thresholds in force, and those of before, for alerts that end under the set they were raised by.

Theory (DESIGN.md, a change of thresholds): a new set judges later starts and every open wait that has not breached;
what has been raised ends under its own set. So the whole log is judged by the new set, and by each earlier set that
raised an alert that still stands: of an earlier set those alone are heard, and the new set is not heard of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.alert import Alert
from schemas.threshold import ThresholdSet
from streams.core.alerts import Transition
from streams.core.engine import Engine
from streams.embedded.entries import Taken


@dataclass(frozen=True, slots=True)
class Kept:
    """A set of thresholds that is no longer in force, and the alerts that end under it."""

    thresholds: ThresholdSet
    alerts: frozenset[str]


class Judges:
    """All engines of a store, driven as one. `engine` is that of the thresholds in force."""

    def __init__(self, thresholds: ThresholdSet, kept: Sequence[Kept] = ()) -> None:
        self.engine: Engine = Engine(thresholds)
        self._earlier: list[tuple[Engine, frozenset[str]]] = [(Engine(k.thresholds), k.alerts) for k in kept]
        self._elsewhere: frozenset[str] = frozenset().union(*(k.alerts for k in kept))

    @property
    def due(self) -> int:
        """An instant before which nothing rings."""
        return min(self.engine.due, *(engine.due for engine, _ in self._earlier), self.engine.due)

    @property
    def untaken(self) -> list[int]:
        """How many changes each engine holds that were not taken yet."""
        return [self.engine.untaken, *(engine.untaken for engine, _ in self._earlier)]

    def put(self, taken: Taken) -> None:
        """Take what the log holds, at the time and by the clock that stand with it."""
        _put(self.engine, taken)
        for engine, _ in self._earlier:
            _put(engine, taken)

    def advance(self, now: int) -> None:
        """Let the clock reach an instant."""
        self.engine.advance(now)
        for engine, _ in self._earlier:
            engine.advance(now)

    def take_transitions(self, upto: Sequence[int] | None = None) -> list[Transition]:
        """What changed since the last call; with `upto` only so many of each engine's."""
        ends = list(upto) if upto is not None else [None] * (1 + len(self._earlier))
        changes = self.engine.take_transitions()[: ends[0]]
        if not self._earlier:
            return changes
        changes = [change for change in changes if change.alert.id not in self._elsewhere]
        for (engine, own), end in zip(self._earlier, ends[1:], strict=True):
            changes += [change for change in engine.take_transitions()[:end] if change.alert.id in own]
        return changes

    def forget_transitions(self) -> None:
        """For who asks for the last states alone."""
        self.engine.forget_transitions()
        for engine, _ in self._earlier:
            engine.forget_transitions()

    @property
    def alerts(self) -> dict[str, Alert]:
        """All alerts in their last state, each by the set that it ends under."""
        if not self._earlier:
            return self.engine.alerts
        found = {id_: alert for id_, alert in self.engine.alerts.items() if id_ not in self._elsewhere}
        for engine, own in self._earlier:
            found |= {id_: alert for id_, alert in engine.alerts.items() if id_ in own}
        return found

    def owner(self, alert: str) -> object | None:
        """The record behind an alert."""
        for engine, own in self._earlier:
            if alert in own:
                return engine.owner(alert)
        return self.engine.owner(alert)


def _put(engine: Engine, taken: Taken) -> None:
    _, recorded, clock, events = taken
    if clock:
        engine.advance(clock)
    if len(events) == 1:
        engine.apply(events[0], recorded)
    else:
        engine.apply_together(events, recorded)
