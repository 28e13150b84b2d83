"""The thresholds of before, for alerts that end under the set they were raised by.

Theory (DESIGN.md, a change of thresholds): a new set judges later starts and every open wait that has not breached;
what has been raised ends under its own set. So as long as such an alert stands, the log is judged by its set too: of
that engine these alerts alone are heard, and the engine of the set in force is not heard of them. These engines keep
everybody in memory and are made from the whole log at a start; they go when the last of their alerts has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.alert import Alert
from schemas.threshold import ThresholdSet
from streams.core.alerts import Transition
from streams.core.engine import Engine
from streams.core.timers import FAR
from streams.embedded.entries import Taken, read_events, write_events


@dataclass(frozen=True, slots=True)
class Kept:
    """A set of thresholds that is no longer in force, and the alerts that end under it."""

    thresholds: ThresholdSet
    alerts: frozenset[str]


class Earlier:
    """The engines of earlier sets, driven as one."""

    def __init__(self, kept: Sequence[Kept] = ()) -> None:
        self._engines: list[tuple[Engine, frozenset[str]]] = [(Engine(k.thresholds), k.alerts) for k in kept]
        self._owned: frozenset[str] = frozenset().union(*(k.alerts for k in kept))

    def __bool__(self) -> bool:
        return bool(self._engines)

    @property
    def due(self) -> int:
        """An instant before which nothing rings."""
        return min((engine.due for engine, _ in self._engines), default=FAR)

    @property
    def listens(self) -> bool:
        """Whether it matters to them whose messages came that were not taken."""
        return any(engine.silences for engine, _ in self._engines)

    def stay_away(self, since: int, until: int) -> None:
        """The hub does not listen between two instants."""
        for engine, _ in self._engines:
            engine.silences.stay_away(since, until)

    def put(self, taken: Taken) -> None:
        """Take what the log holds, at the time and by the clock that stand with it."""
        for engine, _ in self._engines:
            if taken.clock:
                engine.advance(taken.clock)
            if not taken.events:
                engine.hear(taken.source, taken.recorded)
                continue
            # an engine keeps of an event what its own set reads, so each has its own
            engine.apply_together(read_events(write_events(taken.events)), taken.recorded)

    def advance(self, now: int) -> None:
        """Let the clock reach an instant."""
        for engine, _ in self._engines:
            engine.advance(now)

    def take_transitions(self) -> list[Transition]:
        """What changed of the alerts that end here, since the last call."""
        changes: list[Transition] = []
        for engine, own in self._engines:
            changes += [change for change in engine.take_transitions() if change.alert.id in own]
        return changes

    def forget_transitions(self) -> None:
        """For who asks for the last states alone."""
        for engine, _ in self._engines:
            engine.forget_transitions()

    def owns(self, alert: str) -> bool:
        """Whether an alert ends under an earlier set."""
        return alert in self._owned

    @property
    def alerts(self) -> dict[str, Alert]:
        """The alerts that end here, in their last state."""
        found: dict[str, Alert] = {}
        for engine, own in self._engines:
            found |= {id_: alert for id_, alert in engine.alerts.items() if id_ in own}
        return found

    def owner(self, alert: str) -> object | None:
        """The record behind an alert of theirs."""
        for engine, own in self._engines:
            if alert in own:
                return engine.owner(alert)
        return None
