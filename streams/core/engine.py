"""The engine: events in, alerts out. It reads no clock, opens no file and draws no random number.

`apply` takes one event, `advance` moves the clock; both only add to `transitions`. What stands in the end follows from
the set of events and the last clock, not from the order in which they came (DESIGN.md, "The law of order").
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as Sequence_
from operator import attrgetter
from typing import Final

from schemas.alert import Alert
from schemas.event import Event
from schemas.threshold import ThresholdSet
from streams.core.addresses import address
from streams.core.alerts import Alerts, Transition
from streams.core.compiled import Compiled, Shape, TypePlan, compile_thresholds
from streams.core.counts import Count
from streams.core.held import (
    ALIASES,
    APPOINTMENT_EVENTS,
    APPOINTMENT_STATED,
    FACT_EVENTS,
    SECOND_NUMBERS,
    fill_numbers,
    keep_appointment,
    learn_aliases,
    learn_fact,
    transition,
)
from streams.core.identity import MOVABLE, Identity, named
from streams.core.journeys import KEYS, Journeys
from streams.core.rates import Rate
from streams.core.running import Running
from streams.core.state import NEVER, Person, Wait, root
from streams.core.tallies import Tallies
from streams.core.timers import Timers

_IDENTITY_EVENTS: Final = {
    "person.merged": True,
    "person.linked": True,
    "identity.renumbered": True,
    "person.unmerged": False,
    "person.unlinked": False,
}
_SPECIAL: Final = frozenset((*_IDENTITY_EVENTS, "identity.moved", *FACT_EVENTS, *APPOINTMENT_EVENTS))
_KEPT: Final = frozenset(("surviving", "retired", "contact_id", "department", *MOVABLE, *ALIASES, *SECOND_NUMBERS))
"""Kept of every event: what says whose it is and where it came from, and where a bottleneck is looked for."""
_VERSIONS: Final = APPOINTMENT_EVENTS - {APPOINTMENT_STATED}
_OF_VERSIONS: Final = frozenset(("start", "status"))  # what a later statement is compared with
_SHAPES: Final = 4096  # of a type; a source that names its attributes by chance must not fill the memory
_ORDER: Final = attrgetter("time", "source", "id")


class Engine:
    """One engine over all persons. Times are microseconds; `clock` never goes back."""

    def __init__(self, thresholds: ThresholdSet) -> None:
        self.compiled: Compiled = compile_thresholds(thresholds)
        self.clock: int = NEVER
        self.identity: Identity = Identity()
        self.journeys: Journeys = Journeys()
        self._types: dict[str, TypePlan] = self.compiled.types
        self._empty: TypePlan = TypePlan()  # of a type that nothing concerns
        for type_ in sorted(_VERSIONS):
            self._types.setdefault(type_, TypePlan())  # what is kept of each differs
        self._alerts: Alerts = Alerts()
        self._timers: Timers = Timers()
        self._running: Running = Running(self._alerts, self._timers)
        self._tallies: Tallies = Tallies(self._alerts, self._timers, self.identity.nobody)
        self._putting_back: bool = False
        self._held: int = 0  # how many releases are awaited
        self._places: dict[str, str] = {}
        self._lost: dict[str, Alert] = {}  # alerts whose record is being made again

    # -- what a runtime asks

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
            "journeys": self.journeys.count(),
            "waits": self._running.count,
            "without_due": self._running.without_due,
            "without_key": self._running.without_key,
        }

    @property
    def untaken(self) -> int:
        """How many transitions were not taken yet."""
        return len(self._alerts.transitions)

    @property
    def due(self) -> int:
        """An instant before which nothing rings."""
        return self._timers.earliest

    def owner(self, alert: str) -> object | None:
        """The record behind an alert: a Wait, Count, Rate, or Momentary."""
        return self._alerts.owners.get(alert)

    def find_person(self, identifier: str) -> str | None:
        """The id of the person of an identifier or of a former id; None where nobody is known by it."""
        person = self.identity.find(identifier)
        return None if person is None else self.identity.id(root(person))

    def take_transitions(self) -> list[Transition]:
        """What changed since the last call, in order."""
        taken, self._alerts.transitions = self._alerts.transitions, []
        for change in taken:
            address(change.alert, self._alerts.owners.get(change.alert.id), self.identity)
        return taken

    def forget_transitions(self) -> None:
        """For who asks for the last states alone."""
        self._alerts.transitions.clear()

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
        self.clock = self._running.clock = self._alerts.now = now

    def apply(self, event: Event, at: int | None = None) -> None:
        """Take one event at a log time (without one: the clock, or the event's time if that is later). The caller
        moves the clock: by ticks, or by event time, then to just before the event."""
        time = event.time
        self._alerts.now = at if at is not None else time if time > self.clock else self.clock  # noqa: FURB136 - a call costs more
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
            self.journeys.add(person, data, KEYS)
        elif shape.ties:
            self.journeys.add(person, data, shape.ties)
        if shape.kept is not None:
            constant = self.compiled.constants.get
            event.data = {k: constant(v, v) if type(v := data[k]) is str else v for k in shape.kept}
            if shape.placed and type(where := data["department"]) is str:
                event.data["department"] = self._places.setdefault(where, where)  # few names, in a million events
        if shape.paired or type_ in _SPECIAL:
            if type_ in _IDENTITY_EVENTS or type_ == "identity.moved":
                person = self._change_identity(event)
            self._put(event, person)
        else:
            self._put_plainly(plan, event, person)
        if plan.rated:
            self._tallies.add_to_rates(plan, event, self.clock)

    def apply_together(self, events: Sequence_[Event], at: int | None = None) -> None:
        """Take the events of one message: they are heard at one log time, and judged when all are there."""
        if at is None:
            at = max(self.clock, *(event.time for event in events))
        self._hold()
        for event in events:
            self.apply(event, at)
        self._release()

    # -- evidence

    def _put(self, event: Event, person: Person) -> None:
        """Put an event into the evidence of its person."""
        kept = event.type in APPOINTMENT_EVENTS
        if not event.data.keys().isdisjoint(SECOND_NUMBERS):
            kept = True
            if self._learn_numbers(person, event):
                return
        if event.type in FACT_EVENTS and self.compiled.facts:
            kept = True
            told = not self._putting_back and learn_fact(person, event, self.compiled.facts)
            if told and event.time <= person.last:
                person.log.append(event)
                self._put_back([person])
                return
        if event.type in APPOINTMENT_EVENTS and keep_appointment(person, event) and not self._putting_back:
            person.log.append(event)
            self._put_back([person])
            return
        told_as = transition(person, event) if event.type == APPOINTMENT_STATED else event
        plan = self._types.get(told_as.type, self._empty)
        if kept and not (plan.held and told_as is event):
            person.log.append(event)
        if told_as is not event and plan.rated:
            self._tallies.tell(plan, told_as, person, self.clock)
        self._put_plainly(plan, told_as, person, logged=told_as is not event)

    def _shape(self, type_: str, plan: TypePlan, names: tuple[str, ...]) -> Shape:
        """The shape of an event's attributes, met for the first time. Of an event that will be held only what is read
        of it is kept: memory is what a year of evidence costs."""
        paired = not SECOND_NUMBERS.isdisjoint(names)
        kept: tuple[str, ...] = names
        if not paired and (type_ in _VERSIONS or (plan.held and type_ not in _SPECIAL)):
            versions = _OF_VERSIONS if type_ in _VERSIONS else frozenset()
            kept = tuple(name for name in names if name in plan.keep or name in _KEPT or name in versions)
        ties = tuple(name for name in names if name in KEYS)
        shape = Shape(
            paired=paired, ties=ties, kept=kept if len(kept) < len(names) else None, placed="department" in names
        )
        if len(plan.shapes) >= _SHAPES:
            plan.shapes.clear()
        plan.shapes[names] = shape
        return shape

    def _put_plainly(self, plan: TypePlan, event: Event, person: Person, *, logged: bool = False) -> None:
        """Keep an event if it is evidence, and judge what it concerns."""
        if not plan.held:
            if plan.tallied:
                self._tallies.measure(plan, event, person, again=logged)
            return
        if not logged:
            person.log.append(event)
        if plan.waits:
            self._running.apply(plan, event, person)
        elif (reach := event.time + event.precision) > person.last:
            person.last = reach
        if plan.tallied:
            self._tallies.measure(plan, event, person, again=True)
            self._tallies.add(plan, event, person, self.clock)

    def _learn_numbers(self, person: Person, event: Event) -> bool:
        """Learn which numbers are one; True when the person's evidence was put in again, this event with it."""
        changed = learn_aliases(person, event)
        if not changed or self._putting_back:
            return False
        if not any(self.journeys.has(attribute, number, person) for attribute, number in changed):
            return False
        person.log.append(event)
        self._put_back([person])
        return True

    # -- identity

    def _identify(self, event: Event) -> Person:
        """The person of an event whose identifiers were not met in this combination."""
        identity = self.identity
        names = identity.names(event)
        if not names:
            return identity.nobody
        first = names[0]
        if len(names) > 1:
            if identity.is_stated(names):
                identity.note(names, event)
            else:
                for other in names[1:]:
                    self._state(first, other, event, together=True)
        person = identity.owner(event, first)
        if len(event.identifiers) == 1 and not identity.moves:
            identity.known[event.identifiers] = person
        return person

    def _state(self, a: str, b: str, event: Event, *, together: bool) -> None:
        """Put a statement on an edge, and move evidence where it changes who is who."""
        identity = self.identity
        one, other = identity.person(a), identity.person(b)
        if not identity.state(a, b, event, together=together):
            return
        if together and one is not other:
            self._unite(one, other)
        elif not together and one is other:
            parts = identity.part(one)
            if parts:
                self._put_back(parts)
        if identity.moves and identity.is_moved((a, b)):
            self._put_back(identity.concerned_by_moves((a, b)))

    def _unite(self, one: Person, other: Person) -> None:
        """Two persons are one: the smaller evidence goes to the larger, but an anonymous record never stays."""
        winner, loser = (one, other) if len(one.log) >= len(other.log) else (other, one)
        if winner.anonymous and not loser.anonymous:
            winner, loser = loser, winner
        log = loser.log
        # what is true of the loser may change what the winner's evidence says
        tells = bool(loser.aliases or (self.compiled.facts and loser.facts) or loser.appointments)
        lost = self._let_go([loser])
        self.identity.unite(winner, loser)
        if tells:
            log = winner.log + log
            lost |= self._let_go([winner])
        self._put_in(log, lost)

    def _change_identity(self, event: Event) -> Person:
        """A merge, a link, their undoing, a new number, a move."""
        data = event.data
        surviving = named(data.get("surviving")) or event.identifiers
        retired = named(data.get("retired"))
        contact = data.get("contact_id")
        if event.type in ("person.linked", "person.unlinked") and isinstance(contact, str) and contact:
            whose = surviving[0] if surviving and event.type == "person.linked" else None
            self._put_back(self.identity.place_contact(contact, whose, event))
        if event.type == "identity.moved":
            self._move(event, surviving, retired)
        elif event.type != "identity.renumbered" or data.get("kind", "mrn") == "mrn":
            together = _IDENTITY_EVENTS[event.type]
            for keep in surviving if not together else surviving[:1]:
                for gone in retired:
                    self._state(keep, gone, event, together=together)
        return self.identity.person_of(event)

    def _move(self, event: Event, surviving: tuple[str, ...], retired: tuple[str, ...]) -> None:
        """A visit, an account or a number that was another person's until now."""
        if not surviving:
            return
        identity, data = self.identity, event.data
        things = [(a, v) for a in MOVABLE if isinstance(v := data.get(a), str) and v]
        if data.get("kind") == "mrn" or not things:
            for number in retired:
                parts = identity.cut(number, surviving[0], event)
                if parts:
                    self._put_back(parts)
                self._state(surviving[0], number, event, together=True)
            return
        for thing in things:
            identity.move(thing, retired, surviving[0], event)
        self._put_back(identity.concerned_by_moves((*surviving, *retired)))

    # -- putting evidence in again

    def _put_back(self, persons: list[Person]) -> None:
        """Take all evidence of some persons out, and put it in again under the persons as they are now."""
        log = [event for person in persons for event in person.log]
        self.journeys.forget(persons, log)
        self._put_in(log, self._let_go(persons))

    def _let_go(self, persons: Iterable[Person]) -> dict[str, Alert]:
        """Forget what was concluded from the evidence of some persons; the alerts keep waiting for an owner."""
        lost: dict[str, Alert] = {}
        for person in persons:
            if not person.log:
                continue
            raised = self._running.drop_all(person) + (person.moments or [])
            self._tallies.untell(person)
            for count in (person.counts or {}).values():
                raised += count.drop()
            for alert in raised:
                address(alert, self._alerts.owners[alert.id], self.identity)  # whose it was, if nothing takes it up
                lost[alert.id] = alert
                self._alerts.owners[alert.id] = None
            person.clear()
        return lost

    def _put_in(self, log: list[Event], lost: dict[str, Alert]) -> None:
        self._hold()
        self._lost.update(lost)
        self._putting_back = self._running.again = True
        placed = [(event, self.identity.person_of(event)) for event in sorted(log, key=_ORDER)]
        for event, person in placed:  # what is true of the person at any time is known before anything is judged
            if event.type in FACT_EVENTS:
                learn_fact(person, event, self.compiled.facts)
            learn_aliases(person, event)
            self.journeys.add(person, event.data, KEYS)
        for event, person in placed:
            self._put(event, person)
        self._putting_back = self._running.again = False
        self._release()

    def _hold(self) -> None:
        """Say nothing until the matching release: what is being put in is judged when all of it is there."""
        if not self._held:
            self._running.deferred = {}
        self._held += 1

    def _release(self) -> None:
        self._held -= 1
        if self._held:
            return
        self._running.settle()
        self._tallies.settle()
        lost, self._lost = self._lost, {}
        for id_, alert in lost.items():
            if self._alerts.owners[id_] is None:
                self._alerts.retract(alert)
