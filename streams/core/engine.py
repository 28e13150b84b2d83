"""The engine: events in, alerts out. It reads no clock, opens no file and draws no random number.

`apply` takes one event, `advance` moves the clock; both only add to `transitions`. What stands in the end follows from
the set of events and the last clock, not from the order in which they came (DESIGN.md, "The law of order").
"""

from __future__ import annotations

from collections.abc import Sequence as Sequence_
from typing import Final

from schemas.alert import Alert
from schemas.event import Event
from schemas.threshold import ThresholdSet
from streams.core.addresses import address
from streams.core.alerts import Transition
from streams.core.compiled import Shape, TypePlan
from streams.core.counts import Count
from streams.core.evidence import IDENTITY_EVENTS, Evidence
from streams.core.held import (
    ALIASES,
    FACT_EVENTS,
    SECOND_NUMBERS,
    fill_numbers,
)
from streams.core.identity import MOVABLE
from streams.core.journeys import KEYS
from streams.core.lent import LENT
from streams.core.rates import Rate
from streams.core.silences import Silence
from streams.core.state import Wait, root
from streams.core.stated import STATING, VERSIONS

_SPECIAL: Final = frozenset((*IDENTITY_EVENTS, "identity.moved", *FACT_EVENTS, *STATING, *VERSIONS, *LENT))
_KEPT: Final = frozenset(("surviving", "retired", "contact_id", "department", *MOVABLE, *ALIASES, *SECOND_NUMBERS))
"""Kept of every event: what says whose it is and where it came from, and where a bottleneck is looked for."""
_OF_VERSIONS: Final = frozenset(("start", "status"))  # what a later statement is compared with
_SHAPES: Final = 4096  # of a type; a source that names its attributes by chance must not fill the memory


class Engine(Evidence):
    """One engine over all persons. Times are microseconds; `clock` never goes back."""

    def __init__(self, thresholds: ThresholdSet, *, keeps_all: bool = True) -> None:
        super().__init__(thresholds, keeps_all=keeps_all)
        for type_ in sorted(VERSIONS):
            self._types.setdefault(type_, TypePlan())  # what is kept of each differs
        self._places: dict[str, str] = {}
        self._listens: bool = bool(self.silences)

    def count_elsewhere(self) -> list[tuple[bool, Event]]:
        """Let rates, averages and silences be judged by somebody else: the events that count there are put into the
        list that is returned, with True; what counts no more, with False."""
        self._listens = False
        lent: list[tuple[bool, Event]] = []
        self.tallies.elsewhere = lent
        return lent

    def count(self, event: Event, *, counts: bool) -> None:
        """The other side of it: an event that counts, or counts no more."""
        self._alerts.now = max(self.clock, 0)
        plan = self._types.get(event.type, self._empty)
        if counts:
            self.tallies.add_to_rates(plan, event, self.clock)
        else:
            self.tallies.take_out(plan, event)

    def hear_of(self, source: str, at: int, facility: str | None) -> None:
        """A message that was accepted came at a log time, and before it none that was not told; what it told is
        somebody else's to judge."""
        self._pass_to(source, at)
        self._alerts.now = at
        self.silences.accept(source, at, facility)

    # -- what a runtime asks

    def wanted(self, type_: str) -> frozenset[str] | None:
        """The attributes that anything here reads of the events of a type; none where they concern nothing, None for
        all of them."""
        if type_ in _SPECIAL:
            return None
        plan = self._types.get(type_)
        if plan is None or not (plan.held or plan.rated or plan.tallied or plan.waits):
            return frozenset()
        return plan.keep | _KEPT

    @property
    def alerts(self) -> dict[str, Alert]:
        """All alerts ever raised, in their last state, under the persons as they are now."""
        for id_, alert in self._alerts.by_id.items():
            address(alert, self._alerts.owners[id_], self.identity)
        return self._alerts.by_id

    @property
    def counts(self) -> dict[str, int]:
        """How many persons, journeys and waits there are, and what opened nothing (`without_due`, `without_key`)."""
        return {
            "persons": self.identity.count,
            "journeys": self.journeys.count() if self.journeys is not None else 0,
            "waits": self._running.count,
            "without_due": self._running.without_due,
            "without_key": self._running.without_key,
        }

    def put_counts(self, persons: int, waits: int, without_due: int, without_key: int) -> None:
        """Count on from here: those that are not in memory are counted too."""
        self.identity.count, self._running.count = persons, waits
        self._running.without_due, self._running.without_key = without_due, without_key

    def add_waits(self, number: int) -> None:
        """So many waits more are here, or less: circles that come or go change no count by themselves."""
        self._running.count += number

    def say_at(self, at: int) -> None:
        """What is said before the next event or tick is said at this log time."""
        self._alerts.now = at

    def recount(self) -> None:
        """Count the waits that are here: they were read back, which counts none."""
        persons = self.identity.persons()
        self._running.count = sum(len(journey.waits) for person in persons for journey in person.every_journey())

    @property
    def untaken(self) -> int:
        """How many transitions were not taken yet."""
        return len(self._alerts.transitions)

    @property
    def due(self) -> int:
        """An instant before which nothing rings."""
        return self._timers.earliest

    def owner(self, alert: str) -> object | None:
        """The record behind an alert: a Wait, Count, Rate, Silence, or Momentary."""
        return self._alerts.owners.get(alert)

    def find_person(self, identifier: str) -> str | None:
        """The id of the person of an identifier or of a former id; None where nobody is known by it."""
        person = self.identity.find(identifier)
        return None if person is None else self.identity.id(root(person))

    def take_transitions(self) -> list[Transition]:
        """What changed since the last call, in order."""
        taken, self._alerts.transitions = self._alerts.transitions, []
        for change in taken:
            self._address(change.alert)
        self._alerts.forget_passing()
        return taken

    def _address(self, alert: Alert) -> None:
        """Write into an alert whose it is now, or whose it was when its record was lost."""
        owner = self._alerts.owners.get(alert.id)
        address(alert, owner, self.identity)
        last = self._alerts.by_id.get(alert.id) if owner is None else None
        if last is not None:
            alert.person, alert.key, alert.journey = last.person, last.key, last.journey

    def forget_transitions(self) -> None:
        """For who asks for the last states alone."""
        self._alerts.transitions.clear()
        self._alerts.forget_passing()

    def advance(self, now: int) -> None:
        """Move the clock and let ring what is due at or before it."""
        if now <= self.clock:
            return
        if now >= self._timers.earliest:
            while (rung := self._timers.take(now)) is not None:
                at, timer = rung
                clock = self.clock = self._alerts.now = self._running.clock = max(at, self.clock)
                if isinstance(timer, Wait):
                    self._running.look(timer)
                elif isinstance(timer, Rate):
                    timer.ring(at)
                elif isinstance(timer, Count):
                    timer.ring(clock)
                elif isinstance(timer, Silence):
                    timer.ring(at)
        self.clock = self._running.clock = self._alerts.now = now

    def apply(self, event: Event, at: int | None = None) -> None:
        """Take one event at a log time (without one: the clock, or the event's time if that is later). The caller
        moves the clock: by ticks, or by event time, then to just before the event."""
        time = event.time
        self._alerts.now = event.recorded = at if at is not None else time if time > self.clock else self.clock  # noqa: FURB136 - a call costs more
        if self._listens:
            self.silences.accept(event.source, event.recorded, event.facility)
        person = self.identity.known.get(event.identifiers)
        if person is None:
            person = self._identify(event)
        type_, data = event.type, event.data
        plan = self._types.get(type_, self._empty)
        names = tuple(data)
        shape = plan.shapes.get(names)
        if shape is None:
            shape = self._shape(type_, plan, names)
        if shape.paired:
            fill_numbers(data)
        if shape.ties and self.journeys is not None:
            self.journeys.add(person, data, shape.ties)
        if shape.kept is not None:
            constant = self.compiled.constants.get
            event.data = {k: constant(v, v) if type(v := data[k]) is str else v for k in shape.kept}
            if shape.placed and type(where := data["department"]) is str:
                event.data["department"] = self._places.setdefault(where, where)  # few names, in a million events
        if shape.paired or type_ in _SPECIAL:
            if type_ in IDENTITY_EVENTS or type_ == "identity.moved":
                person = self._change_identity(event)
            self._put(event, person)
        else:
            self._put_plainly(plan, event, person)
        if plan.rated:
            self.tallies.add_to_rates(plan, event, self.clock)

    def hear(self, source: str, at: int) -> None:
        """A message came at a log time and was not taken: its source is not silent."""
        if self._listens:
            self._pass_to(source, at)
            self._alerts.now = at
            self.silences.hear(source, at)

    def _pass_to(self, source: str, at: int) -> None:
        """The clock may wait for others while a source is told of: it was silent when it was, not now."""
        if at > self.clock:
            self._alerts.now = max(self.clock, 0)
            self.silences.pass_to(source, at)

    def apply_together(self, events: Sequence_[Event], at: int | None = None) -> None:
        """Take the events of one message: they are heard at one log time, and judged when all are there."""
        if at is None:
            at = max(self.clock, *(event.time for event in events))
        self._hold()
        for event in events:
            self.apply(event, at)
        self._release()

    def _shape(self, type_: str, plan: TypePlan, names: tuple[str, ...]) -> Shape:
        """The shape of an event's attributes, met for the first time. Of an event that will be held only what is read
        of it is kept: memory is what a year of evidence costs."""
        paired = not SECOND_NUMBERS.isdisjoint(names)
        kept: tuple[str, ...] = names
        if not paired and (type_ in VERSIONS or (plan.held and type_ not in _SPECIAL)):
            versions = _OF_VERSIONS if type_ in VERSIONS else frozenset()
            kept = tuple(name for name in names if name in plan.keep or name in _KEPT or name in versions)
        ties = KEYS if paired else tuple(name for name in names if name in KEYS)
        shape = Shape(
            paired=paired, ties=ties, kept=kept if len(kept) < len(names) else None, placed="department" in names
        )
        if len(plan.shapes) >= _SHAPES:
            plan.shapes.clear()
        plan.shapes[names] = shape
        return shape
