"""What is judged beside waits: sequences, counts and measures of a person, rates and averages of all."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from schemas.event import Event
from schemas.threshold import AverageRule, MeasureRule, RateRule, SequenceRule
from streams.core.alerts import Alerts
from streams.core.compiled import CompiledMatch, Plan, TypePlan
from streams.core.conditions import as_number, attribute_of, getter, limit_number, text_of
from streams.core.counts import Count
from streams.core.held import key_of_person
from streams.core.rates import Rate, exact
from streams.core.sequences import Momentary, Sequence, measure_reason, raise_at_once
from streams.core.state import Person
from streams.core.timers import Timers
from streams.core.waits import as_key, holds


class Tallies:
    """Puts events to the thresholds that are no waits. `nobody` stands in where a rate asks for a person's fact."""

    __slots__ = ("_alerts", "_nobody", "_rates", "_timers", "_untold", "elsewhere", "frozen")

    def __init__(self, alerts: Alerts, timers: Timers, nobody: Person) -> None:
        self._alerts: Alerts = alerts
        self._timers: Timers = timers
        self._nobody: Person = nobody
        self._rates: dict[tuple[int, str], Rate] = {}
        self._untold: dict[tuple[str, str, str], tuple[TypePlan, Event]] = {}
        self.frozen: bool = False  # rates know already of what is told
        self.elsewhere: list[tuple[bool, Event]] | None = None
        """For who counts rates somewhere else: what counts there, True, and what does no more, False."""

    def add(self, plan: TypePlan, event: Event, person: Person, clock: int) -> None:
        for sequence_plan, match in plan.firsts:
            sequence = self._sequence(sequence_plan, match, event, person)
            if sequence is not None:
                sequence.first(event, self._alerts)
        for sequence_plan, match in plan.thens:
            sequence = self._sequence(sequence_plan, match, event, person)
            if sequence is not None:
                sequence.then(event, self._alerts)
        counted: Count | None = None
        for count_plan, match in plan.counts:
            value = self._value(count_plan.rule.key, match, event, person)
            if value is None:
                continue
            if person.counts is None:
                person.counts = {}
            count = person.counts.get((count_plan.index, value))
            if count is None:
                count = Count(count_plan, person, _text(value), self._alerts, self._timers)
                person.counts[(count_plan.index, value)] = count
            if count is not counted:  # two matches of one threshold count an event once
                count.add(event, clock)
            counted = count

    def _sequence(
        self, plan: Plan[SequenceRule], match: CompiledMatch, event: Event, person: Person
    ) -> Sequence | None:
        value = self._value(plan.rule.key, match, event, person)
        if value is None:
            return None
        if person.sequences is None:
            person.sequences = {}
        sequence = person.sequences.get((plan.index, value))
        if sequence is None:
            sequence = person.sequences[(plan.index, value)] = Sequence(plan, person, _text(value))
        return sequence

    def _value(
        self, key: tuple[str, ...], match: CompiledMatch, event: Event, person: Person
    ) -> str | tuple[str, ...] | None:
        if match.test is not None and not match.test(event.data):
            return None
        if match.facts is not None and not match.facts(event.data, event.time, person.fact):
            return None
        if key_of_person(key):
            return None if person.anonymous else ""
        return as_key(event.data, key, person)

    def measure(self, plan: TypePlan, event: Event, person: Person, *, again: bool) -> None:
        """Raise what breaks a limit; `again`: the event will be judged again when the person's evidence is."""
        for measure, match in plan.measures:
            rule: MeasureRule = measure.rule
            number = as_number(getter(rule.value)(event.data))
            if number is None or not holds(match, event, person) or not _breaks(rule, number):
                continue
            value = None if rule.key is None or key_of_person(rule.key) else as_key(event.data, rule.key, person)
            key = _text(value) if value is not None else event.id
            record = Momentary(measure.threshold, event, rule.key, key)
            alert = raise_at_once(self._alerts, record, measure_reason(rule))
            if again:
                person.keep_moment(alert)
            else:
                self._alerts.let_pass(alert.id)

    def add_to_rates(self, plan: TypePlan, event: Event, clock: int) -> None:
        if self.elsewhere is not None:
            self.elsewhere.append((True, event))
            return
        for rate, of, number in () if self.frozen else self._rated(plan, event):
            rate.add(event, clock, of=of, value=number)

    def _rated(self, plan: TypePlan, event: Event) -> list[tuple[Rate, bool, int | Fraction]]:
        """The rates and averages that an event counts in, in which role, and with what value."""
        rated: list[tuple[Rate, bool, int | Fraction]] = []
        for of, matches in ((True, plan.numerators), (False, plan.denominators), (True, plan.averages)):
            counted: set[int] = set()
            for rate_plan, match in matches:
                if rate_plan.index in counted or not holds(match, event, self._nobody):
                    continue
                values = [text_of(attribute_of(event.data, attribute)) for attribute in rate_plan.rule.by]
                rule = rate_plan.rule
                number = exact(getter(rule.value)(event.data)) if isinstance(rule, AverageRule) else 1
                if None in values or number is None:
                    continue
                counted.add(rate_plan.index)
                key = "|".join(v for v in values if v is not None)
                rated.append((self.rate(rate_plan, key), of, number))
        return rated

    def rate(self, plan: Plan[RateRule] | Plan[AverageRule], key: str) -> Rate:
        """The rate of a threshold for a `by` value, made when it is new."""
        rate = self._rates.get((plan.index, key))
        if rate is None:
            rate = self._rates[(plan.index, key)] = Rate(plan, key, self._alerts, self._timers)
        return rate

    @property
    def rates(self) -> Iterable[Rate]:
        return self._rates.values()

    def wake(self) -> None:
        """Let the rates ring that were read back."""
        for rate in self._rates.values():
            if rate.next is not None:
                self._timers.set(rate, rate.next)

    # -- what a statement tells may change, and with it what a rate counted

    def tell(self, plan: TypePlan, told: Event, person: Person, clock: int) -> None:
        """Count what a statement turned out to tell; what it told before, and still does, was counted then."""
        if person.told is None:
            person.told = []
        person.told.append((plan, told))
        before = self._untold.pop(_sameness(told), None)
        if before is None or before[1].data != told.data:
            if before is not None:
                self.take_out(*before)
            self.add_to_rates(plan, told, clock)

    def untell(self, person: Person) -> None:
        """The person's evidence is about to be put in again: what its statements tell may be something else."""
        for plan, told in person.told or ():
            self._untold[_sameness(told)] = (plan, told)

    def expect(self, plan: TypePlan, told: Event) -> None:
        """Evidence is about to be put in that told this before it left memory: then it was counted."""
        self._untold[_sameness(told)] = (plan, told)

    def settle(self) -> None:
        """All evidence is back: what was not told again is no more."""
        untold, self._untold = self._untold, {}
        for plan, told in untold.values():
            self.take_out(plan, told)

    def take_out(self, plan: TypePlan, told: Event) -> None:
        """Undo what `add_to_rates` did."""
        if self.elsewhere is not None:
            self.elsewhere.append((False, told))
            return
        for rate, of, number in () if self.frozen else self._rated(plan, told):
            rate.take_out(told, of=of, value=number)


def _sameness(told: Event) -> tuple[str, str, str]:
    return told.source, told.id, told.type


def _text(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else "|".join(value)


def _breaks(rule: MeasureRule, number: int | float) -> bool:
    limit = rule.limit
    return (limit.above is not None and number > limit_number(limit.above)) or (
        limit.below is not None and number < limit_number(limit.below)
    )
