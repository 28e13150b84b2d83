"""What is held of persons: evidence put in, moved between persons, taken out, and put in again.

Whatever else is known of a person follows from its evidence. So when identity changes, evidence is taken out and put
in again under the persons as they are now; the alerts that were raised wait meanwhile for a record that takes them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from schemas.alert import Alert
from schemas.event import Event
from schemas.threshold import ThresholdSet
from streams.core.addresses import address
from streams.core.alerts import Alerts
from streams.core.compiled import Compiled, TypePlan, compile_thresholds
from streams.core.counts import Count
from streams.core.held import ALIASES, FACT_EVENTS, SECOND_NUMBERS, learn_aliases, learn_fact
from streams.core.identity import MOVABLE, Identity, named
from streams.core.journeys import KEYS, Journeys
from streams.core.lent import LENT, borrow, learn_loans
from streams.core.rate_rows import BucketRow, RateRow, read_rate
from streams.core.running import Running
from streams.core.sequences import Momentary
from streams.core.silence_rows import HourRow, SilenceRow, read_silence
from streams.core.silences import Silences
from streams.core.state import NEVER, Person, Wait, root
from streams.core.stated import STATING, VERSIONS, by_version, keep_version, transition
from streams.core.tallies import Tallies
from streams.core.timers import Timers

IDENTITY_EVENTS: Final = {
    "person.merged": True,
    "person.linked": True,
    "identity.renumbered": True,
    "person.unmerged": False,
    "person.unlinked": False,
}
"""Events that say who is who, and whether they unite or part."""


def _order(event: Event) -> tuple[int, str, int, str]:
    """The order in which evidence is put in again: versions of one instant by their number, the rest by id."""
    return event.time, event.source, by_version(event)[1], event.id


class Evidence:
    """The evidence of all persons, and what is concluded from it. Without `keeps_all` journeys are not counted, and an
    alert that no record stands behind is let go once it was said."""

    def __init__(self, thresholds: ThresholdSet, *, keeps_all: bool) -> None:
        self.compiled: Compiled = compile_thresholds(thresholds)
        self.clock: int = NEVER
        self.identity: Identity = Identity()
        self.journeys: Journeys | None = Journeys() if keeps_all else None
        self._types: dict[str, TypePlan] = self.compiled.types
        self._empty: TypePlan = TypePlan()  # of a type that nothing concerns
        self._alerts: Alerts = Alerts()
        self._alerts.passing = None if keeps_all else []
        self._timers: Timers = Timers()
        self._running: Running = Running(self._alerts, self._timers)
        self.tallies: Tallies = Tallies(self._alerts, self._timers, self.identity.nobody)
        self.silences: Silences = Silences(self.compiled.silences, self._alerts, self._timers)
        self._putting_back: bool = False
        self._held: int = 0  # how many releases are awaited
        self._lost: dict[str, Alert] = {}  # alerts whose record is being made again
        self._moved: dict[str, None] = {}  # alerts whose person or journey may be another one now
        self._moving: list[Person] = []  # persons whose alerts are to be noted there, when what is held is judged

    # -- leaving memory, and coming back

    def read_rate(self, row: RateRow, buckets: Iterable[BucketRow], alert: Callable[[str], Alert | None]) -> None:
        """Take a rate back that was written down; `tallies.wake` lets it ring."""
        plan = self.compiled.rates.get(row.threshold)
        if plan is None:
            return  # no such threshold any more
        rate = self.tallies.rate(plan, row.value)
        read_rate(rate, row, buckets, alert)
        for raised in rate.raised.values():
            self._alerts.by_id[raised.id] = raised
            self._alerts.owners[raised.id] = rate

    def read_silence(self, row: SilenceRow, hours: Iterable[HourRow], alert: Callable[[str], Alert | None]) -> None:
        """Take a source back that was written down; `silences.wake` lets it ring."""
        silence = self.silences.find(row.threshold, row.source)
        if silence is None:
            return
        read_silence(silence, row, hours, alert)
        if silence.alert is not None:
            self._alerts.by_id[silence.alert.id] = silence.alert
            self._alerts.owners[silence.alert.id] = silence

    def recall(self, alert: Alert) -> None:
        """What arrival decided of an alert, as it was said at first."""
        known = self._alerts.by_id.get(alert.id)
        if known is not None:
            known.fired_at, known.late_start = alert.fired_at, alert.late_start

    def person_behind(self, alert: str) -> Person | None:
        """The person from whose evidence an alert follows; None for a rate, and where nothing stands behind it."""
        owner = self._alerts.owners.get(alert)
        match owner:
            case Wait():
                return root(owner.journey.person)
            case Count():
                return root(owner.person)
            case Momentary():
                return self.identity.person_of(owner.event)
        return None

    def forget(self, person: Person) -> None:
        """Let go of a person's evidence and of the alerts behind which it stands; who lets go keeps them elsewhere."""
        self._timers.forget(len(person.instants()))
        for alert in _alerts_of(person):
            self._alerts.forget(alert.id)
        for wait in _waits_of(person):
            wait.next = None
        for count in (person.counts or {}).values():
            count.next = None
        person.clear()

    def alerts_of(self, person: Person) -> list[Alert]:
        """The alerts that stand of a person, as they are addressed now."""
        for alert in (found := _alerts_of(person)):
            address(alert, self._alerts.owners.get(alert.id), self.identity)
        return found

    def bring_back(self, log: list[Event], told: Iterable[tuple[str, Event]], alerts: Iterable[Alert] = ()) -> None:
        """Put evidence in that was let go of, under persons that are there again. `told`: what rates counted of it, as
        the type it was told as; `alerts`: what was said of it elsewhere, taken back where nothing takes it up."""
        count, moved = self._running.count, self._moved.copy()
        lost = {alert.id: alert for alert in alerts}
        for id_, alert in lost.items():
            self._alerts.by_id[id_], self._alerts.owners[id_] = alert, None
        for type_, event in told:
            self.tallies.expect(self._types.get(type_, self._empty), event)
        self._put_in(log, lost)
        self._running.count, self._moved = count, moved

    @property
    def has_moved(self) -> bool:
        """Whether an alert's person or journey may be another one since `forget_moved` was called last."""
        return bool(self._moved)

    def forget_moved(self) -> None:
        """They are written."""
        self._moved = {}

    def moved(self) -> list[Alert]:
        """The alerts whose person or journey may be another one, as they stand."""
        found = [self._alerts.by_id[id_] for id_ in self._moved if id_ in self._alerts.by_id]
        for alert in found:
            address(alert, self._alerts.owners.get(alert.id), self.identity)
        return found

    def _note_moved(self, persons: Iterable[Person]) -> None:
        """What is held has no alerts yet: it is noted when it is judged."""
        if self._alerts.passing is not None:
            self._moving += persons
        if self._held:
            return
        for person in self._moving:
            self._moved.update(dict.fromkeys(alert.id for alert in _alerts_of(person)))
        self._moving = []

    # -- evidence

    def _put(self, event: Event, person: Person) -> None:
        """Put an event into the evidence of its person."""
        stated = event.type in STATING
        kept = versioned = stated or event.type in VERSIONS
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
        lent = event.type in LENT
        again = versioned and keep_version(person, event)
        again = (lent and not self._putting_back and learn_loans(person, event)) or again
        if again and not self._putting_back:
            person.log.append(event)
            self._put_back([person])
            return
        told_as = transition(person, event) if stated else event
        if lent:
            kept = True
            told_as = borrow(person, event, told_as) if told_as is not None else None
        if told_as is None:
            person.log.append(event)
            return
        plan = self._types.get(told_as.type, self._empty)
        logged = kept and not (plan.held and told_as is event)
        if logged:
            person.log.append(event)
        if told_as.type != event.type and plan.rated:
            self.tallies.tell(plan, told_as, person, self.clock)
        self._put_plainly(plan, told_as, person, logged=logged)

    def _put_plainly(self, plan: TypePlan, event: Event, person: Person, *, logged: bool = False) -> None:
        """Keep an event if it is evidence, and judge what it concerns."""
        if not plan.held:
            if plan.tallied:
                self.tallies.measure(plan, event, person, again=logged)
            return
        if not logged:
            person.log.append(event)
        if plan.waits:
            self._running.apply(plan, event, person)
        elif (reach := event.time + event.precision) > person.last:
            person.last = reach
        if plan.tallied:
            self.tallies.measure(plan, event, person, again=True)
            self.tallies.add(plan, event, person, self.clock)

    def _learn_numbers(self, person: Person, event: Event) -> bool:
        """Learn which numbers are one; True when the person's evidence was put in again, this event with it."""
        if self._putting_back:
            return False  # learned before anything was put in
        changed = learn_aliases(person, event)
        if not changed:
            return False
        if not any(person.carries(attribute, number, ALIASES) for attribute, number in changed):
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
        tells = bool(loser.aliases or (self.compiled.facts and loser.facts) or loser.versions or loser.lent)
        lost = self._let_go([loser])
        self.identity.unite(winner, loser)
        if tells:
            log = winner.log + log
            lost |= self._let_go([winner])
        self._put_in(log, lost)
        self._note_moved([winner])

    def _change_identity(self, event: Event) -> Person:
        """A merge, a link, their undoing, a new number, a move."""
        data = event.data
        surviving = named(data.get("surviving")) or event.identifiers
        retired = named(data.get("retired"))
        contact = data.get("contact_id")
        if event.type in ("person.linked", "person.unlinked") and isinstance(contact, str) and contact:
            whose = surviving[0] if surviving and event.type == "person.linked" else None
            changed = self.identity.place_contact(contact, whose, event)
            if self.journeys is not None and changed and changed[0].anonymous:
                self.journeys.forget(changed[:1], [event])  # also where no threshold keeps what came of the contact
            self._put_back(changed)
        if event.type == "identity.moved":
            self._move(event, surviving, retired)
        elif event.type != "identity.renumbered" or data.get("kind", "mrn") == "mrn":
            together = IDENTITY_EVENTS[event.type]
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
        if self.journeys is not None:
            self.journeys.forget(persons, log)
        self._put_in(log, self._let_go(persons))

    def _let_go(self, persons: Iterable[Person]) -> dict[str, Alert]:
        """Forget what was concluded from the evidence of some persons; the alerts keep waiting for an owner."""
        lost: dict[str, Alert] = {}
        for person in persons:
            if not person.log:
                continue
            raised = self._running.drop_all(person) + (person.moments or [])
            self.tallies.untell(person)
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
        placed = [(event, self.identity.person_of(event)) for event in sorted(log, key=_order)]
        for event, person in placed:  # what is true of the person at any time is known before anything is judged
            if event.type in FACT_EVENTS:
                learn_fact(person, event, self.compiled.facts)
            if not event.data.keys().isdisjoint(SECOND_NUMBERS):
                learn_aliases(person, event)
            if self.journeys is not None:
                self.journeys.add(person, event.data, KEYS)
        for event, person in placed:
            if event.type in LENT:
                learn_loans(person, event)
        for event, person in placed:
            self._put(event, person)
        self._putting_back = self._running.again = False
        self._release()
        self._note_moved({id(person): person for _, person in placed}.values())

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
        self.tallies.settle()
        lost, self._lost = self._lost, {}
        for id_, alert in lost.items():
            if self._alerts.owners[id_] is None:
                self._alerts.retract(alert)
                self._alerts.let_pass(id_)
        self._note_moved(())


def _waits_of(person: Person) -> list[Wait]:
    return [wait for journey in person.every_journey() for wait in journey.waits]


def _alerts_of(person: Person) -> list[Alert]:
    """The alerts that a person's evidence gives."""
    found = [wait.alert for wait in _waits_of(person) if wait.alert is not None] + (person.moments or [])
    return found + [alert for count in (person.counts or {}).values() for alert in count.alerts]
