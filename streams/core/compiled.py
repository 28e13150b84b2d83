"""Thresholds compiled once, by event type: an event meets only what its type can concern.

A threshold becomes a plan; a plan's matches are filed under their event types, waits further under their key, for
an event finds its journey once for all thresholds of that key. `by` matches are wide: they are held per person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Generic, TypeVar

from schemas.duration import BUSINESS, Duration, Unit
from schemas.event import DAY, HOUR, MINUTE, SECOND, Event
from schemas.threshold import (
    PERSON,
    AverageRule,
    CountRule,
    Match,
    MeasureRule,
    RateRule,
    SequenceRule,
    SilenceRule,
    Threshold,
    ThresholdSet,
    WaitRule,
)
from streams.core.calendar import open_time, pusher, subtracter
from streams.core.conditions import FactTest, Test, compile_facts, compile_where
from streams.core.promises import due_of
from streams.core.starts import Starts

# Ranks at one instant (DESIGN.md, "The law of order").
START: Final = 0
PAUSE: Final = 1
RESUME: Final = 2
END: Final = 3
CANCEL: Final = 4

_EXACT: Final = {Unit.SECONDS: SECOND, Unit.MINUTES: MINUTE, Unit.HOURS: HOUR, Unit.DAYS: DAY, Unit.WEEKS: 7 * DAY}


def micros(duration: Duration) -> int:
    """The exact length of a duration; for business units an upper bound of the wall time they can span."""
    if duration.unit in BUSINESS:
        return (duration.count * 7 + 14) * DAY
    return duration.count * _EXACT[duration.unit]


class CompiledMatch:
    """One match of a threshold: `test` reads the event, `facts` the person's facts; None means nothing to test."""

    __slots__ = ("by", "event", "facts", "rank", "test", "times")

    def __init__(self, match: Match, rank: int) -> None:
        self.event: str = match.event
        self.rank: int = rank
        self.by: tuple[str, ...] | None = match.by
        self.times: int = match.times
        self.test: Test | None = compile_where(match.where)
        self.facts: FactTest | None = compile_facts(match.where)


class WaitPlan:
    """A compiled `wait`. `due(event)` gives (due, base) or None: base is what the promise counts from."""

    __slots__ = (
        "business",
        "due",
        "grace",
        "group",
        "has_facts",
        "id",
        "index",
        "key",
        "matches",
        "narrow",
        "open_time",
        "plain_marks",
        "plain_starts",
        "push",
        "reason",
        "restart",
        "rule",
        "skew",
        "threshold",
        "warn_before",
        "warn_share",
        "warns",
        "wide",
    )

    def __init__(self, threshold: Threshold, rule: WaitRule, index: int) -> None:
        self.threshold: Threshold = threshold
        self.rule: WaitRule = rule
        self.id: str = threshold.id
        self.index: int = index
        self.key: tuple[str, ...] = rule.key
        self.group: Group
        self.restart: str = rule.restart
        self.grace: int = micros(rule.grace) if rule.grace else 0
        self.skew: int = micros(rule.skew) if rule.skew else 0
        ranked = (rule.start, rule.paused_by, rule.resumed_by, rule.satisfied_by, rule.cancelled_by)
        self.matches: tuple[CompiledMatch, ...] = tuple(
            CompiledMatch(declared, rank) for rank, matches in enumerate(ranked) for declared in matches
        )
        self.narrow: dict[str, list[CompiledMatch]] = {}  # by event type: those of the wait's own key
        self.wide: dict[str, list[CompiledMatch]] = {}  # by event type: those that `by` finds
        for match in self.matches:
            own = match.by is None or match.by == rule.key or match.rank == START
            (self.narrow if own else self.wide).setdefault(match.event, []).append(match)
        self.has_facts: bool = any(m.facts is not None for m in self.matches)
        # what the in-order path may judge without looking back: it marks by the own key first, then by `by`
        crossed = any(_crosses(self.narrow[type_], self.wide[type_]) for type_ in self.narrow.keys() & self.wide.keys())
        self.plain_marks: bool = all(m.times == 1 for m in self.matches) and not crossed
        self.plain_starts: bool = self.skew == 0  # no end before a start can reach it
        span = rule.within or (rule.before or rule.after).offset  # type: ignore[union-attr]  # one of the three is set
        calendar = threshold.calendar
        self.business: bool = span.unit in BUSINESS and calendar is not None
        self.open_time: Callable[[int, int], int] | None = open_time(calendar) if self.business and calendar else None
        self.push: Callable[[int, int], int] | None = pusher(calendar) if self.business and calendar else None
        self.due: Callable[[Event], tuple[int, int] | None] = due_of(threshold, rule)
        self.warns: bool = rule.warn_at is not None
        self.warn_share: Fraction | None = rule.warn_at if isinstance(rule.warn_at, Fraction) else None
        warn = rule.warn_at if isinstance(rule.warn_at, Duration) else None
        self.warn_before: Callable[[int], int | None] | None = subtracter(warn, calendar) if warn else None

        self.reason: str = _reason(rule)

    def warn(self, counted_at: int, due: int) -> int | None:
        """The instant of the warning, from the start that due counts from; None where none is declared."""
        if self.warn_share is not None:
            return counted_at + (due - counted_at) * self.warn_share.numerator // self.warn_share.denominator
        return self.warn_before(due) if self.warn_before is not None else None


def _crosses(own: list[CompiledMatch], others: list[CompiledMatch]) -> bool:
    """Whether one event may be two marks of which the later one, by rank, is of the wait's own key."""
    return max((m.rank for m in own if m.rank != START), default=START) > min(m.rank for m in others)


def _reason(rule: WaitRule) -> str:
    """What was promised, in one sentence without values."""
    starts = " or ".join(dict.fromkeys(m.event for m in rule.start))
    ends = " or ".join(dict.fromkeys(m.event for m in rule.satisfied_by)) or "an end"
    if rule.within is not None:
        later = f" or {rule.not_before}, whichever is later" if rule.not_before else ""
        return f"{ends} was promised within {rule.within} of {starts}{later}"
    if rule.before is not None:
        return f"{ends} was promised {rule.before.offset} before {rule.before.attribute} of {starts}"
    after = rule.after
    return f"{ends} was promised by {after.attribute} of {starts} plus {after.offset}" if after else ends


@dataclass(slots=True, eq=False)
class Group:
    """All wait thresholds of one key. `attribute` is its name where the key is a single one, and not the person."""

    index: int
    key: tuple[str, ...]
    attribute: str | None
    plans: list[WaitPlan] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class GroupPlan:
    """What one event type means to the waits of one key: starts, and marks (the rest) by threshold, by rank."""

    group: Group
    starts: list[tuple[WaitPlan, CompiledMatch]] = field(default_factory=list)
    starting: Starts = field(default_factory=lambda: Starts(()))  # the same, by what they ask for
    marks: dict[WaitPlan, list[CompiledMatch]] = field(default_factory=dict)
    plans: list[WaitPlan] = field(default_factory=list)


R = TypeVar("R")


@dataclass(slots=True, eq=False)
class Plan(Generic[R]):
    """A compiled threshold that is no wait."""

    threshold: Threshold
    rule: R
    index: int
    within: int = 0  # microseconds that a sequence may take

    @property
    def id(self) -> str:
        return self.threshold.id


@dataclass(slots=True, eq=False)
class Shape:
    """What the names of an event's attributes alone decide, whatever their values: most events of a type have the
    same. `paired`: it carries the other party's number of something; `ties` are the keys that it carries; `kept` the
    names of what is kept, None where that is all of it; `placed`: it names a department."""

    paired: bool
    ties: tuple[str, ...]
    kept: tuple[str, ...] | None
    placed: bool


@dataclass(slots=True, eq=False)
class TypePlan:
    """All that one event type can concern."""

    groups: list[GroupPlan] = field(default_factory=list)
    wide: dict[WaitPlan, list[CompiledMatch]] = field(default_factory=dict)
    wide_by_group: dict[Group, list[WaitPlan]] = field(default_factory=dict)
    firsts: list[tuple[Plan[SequenceRule], CompiledMatch]] = field(default_factory=list)
    thens: list[tuple[Plan[SequenceRule], CompiledMatch]] = field(default_factory=list)
    counts: list[tuple[Plan[CountRule], CompiledMatch]] = field(default_factory=list)
    measures: list[tuple[Plan[MeasureRule], CompiledMatch]] = field(default_factory=list)
    numerators: list[tuple[Plan[RateRule], CompiledMatch]] = field(default_factory=list)
    denominators: list[tuple[Plan[RateRule], CompiledMatch]] = field(default_factory=list)
    averages: list[tuple[Plan[AverageRule], CompiledMatch]] = field(default_factory=list)
    held: bool = False  # whether an event of this type is evidence that its person keeps
    waits: bool = False  # whether waits concern it
    tallied: bool = False  # whether measures, sequences or counts concern it
    rated: bool = False  # whether rates or averages concern it
    keep: frozenset[str] = frozenset()  # the attributes that anything reads of such an event
    shapes: dict[tuple[str, ...], Shape] = field(default_factory=dict)  # met so far, by the names of the attributes


@dataclass(slots=True, eq=False)
class Compiled:
    """A set of thresholds, by event type. `reads` are the attributes that any of them looks at; `anchors` those
    that are read as times; `facts` the person's facts."""

    types: dict[str, TypePlan]
    groups: list[Group]
    reads: frozenset[str]
    anchors: frozenset[str]
    facts: frozenset[str]
    rates: dict[str, Plan[RateRule] | Plan[AverageRule]]  # by threshold
    silences: list[Plan[SilenceRule]]
    constants: dict[str, str]  # each text that a `where` compares with: one copy of it serves every event


def compile_thresholds(thresholds: ThresholdSet) -> Compiled:
    """Compile a checked set. Costs are paid here, once."""
    compiler = _Compiler()
    for index, threshold in enumerate(thresholds.thresholds):
        compiler.add(threshold, index)
    return compiler.finish()


class _Compiler:
    def __init__(self) -> None:
        self._types: dict[str, TypePlan] = {}
        self._groups: dict[tuple[str, ...], Group] = {}
        self._reads: set[str] = set()
        self._anchors: set[str] = set()
        self._facts: set[str] = set()
        self._keep: dict[str, set[str]] = {}
        self._constants: dict[str, str] = {}
        self._rates: dict[str, Plan[RateRule] | Plan[AverageRule]] = {}
        self._silences: list[Plan[SilenceRule]] = []

    def add(self, threshold: Threshold, index: int) -> None:
        rule = threshold.rule
        match rule:
            case WaitRule():
                self._add_wait(WaitPlan(threshold, rule, index))
            case MeasureRule():
                self._file(rule.event, "measures", Plan(threshold, rule, index), *(rule.key or ()), rule.value)
            case SequenceRule():
                sequence = Plan(threshold, rule, index, micros(rule.within))
                self._file(rule.first, "firsts", sequence, *rule.key)
                self._file(rule.then, "thens", sequence, *rule.key)
            case CountRule():
                self._file(rule.event, "counts", Plan(threshold, rule, index), *rule.key, rule.distinct)
            case RateRule():
                self._rates[threshold.id] = rate = Plan(threshold, rule, index)
                self._file(rule.of, "numerators", rate, *rule.by, rule.distinct)
                self._file(rule.out_of, "denominators", rate, *rule.by, rule.distinct)
            case AverageRule():
                self._rates[threshold.id] = average = Plan(threshold, rule, index)
                self._file(rule.event, "averages", average, *rule.by, rule.distinct, rule.value)
            case SilenceRule():
                self._silences.append(Plan(threshold, rule, index))  # judged from the sources themselves

    def finish(self) -> Compiled:
        for type_, plan in self._types.items():
            plan.keep = frozenset(self._keep.get(type_, ()))
            # whose a contact is may be known later; then its alert is that person's too
            measured = any(m.facts is not None or type_.startswith("contact.") for _, m in plan.measures)
            for group_plan in plan.groups:
                group_plan.starting = Starts(group_plan.starts)
            plan.waits = bool(plan.groups or plan.wide)
            plan.tallied = bool(plan.measures or plan.firsts or plan.thens or plan.counts)
            plan.rated = bool(plan.numerators or plan.denominators or plan.averages)
            plan.held = bool(plan.groups or plan.wide or plan.firsts or plan.thens or plan.counts or measured)
        return Compiled(
            types=self._types,
            groups=list(self._groups.values()),
            reads=frozenset(self._reads),
            anchors=frozenset(self._anchors),
            facts=frozenset(self._facts),
            rates=self._rates,
            silences=self._silences,
            constants=self._constants,
        )

    def _plan(self, event: str) -> TypePlan:
        return self._types.setdefault(event, TypePlan())

    def _read(self, *names: str | None) -> None:
        for name in names:
            if name and name != PERSON:
                self._reads.add(name)
                self._reads.add(name.partition(".")[0])

    def _read_match(self, match: Match, *more: str | None) -> None:
        """Note what is read of the events of a match: in its conditions, and `more`."""
        self._read(*(match.by or ()))
        keep = self._keep.setdefault(match.event, set())
        names = [*more, *(match.by or ())]
        for condition in match.where:
            names += [condition.attribute, condition.differs_from]
            for value in condition.one_of or ():
                if isinstance(value, str):
                    self._constants[value] = value
        for name in names:
            if name and name.startswith("person."):
                self._facts.add(name.removeprefix("person."))
            elif name:
                self._read(name)
                keep.update((name, name.partition(".")[0]))

    def _file(self, matches: Iterable[Match], role: str, plan: Plan[Any], *read: str | None) -> None:
        for match in matches:
            self._read_match(match, *read)
            getattr(self._plan(match.event), role).append((plan, CompiledMatch(match, START)))

    def _add_wait(self, plan: WaitPlan) -> None:
        rule = plan.rule
        anchors = [rule.not_before, *(anchor.attribute for anchor in (rule.before, rule.after) if anchor)]
        self._anchors.update(anchor for anchor in anchors if anchor)
        ends = (*rule.satisfied_by, *rule.cancelled_by, *rule.paused_by, *rule.resumed_by)
        compared = [attribute for match in ends for attribute in match.by or ()]
        for match in (*rule.start, *ends):
            self._read_match(match, *rule.key, *((*anchors, *compared) if match in rule.start else ()))
        single = rule.key[0] if len(rule.key) == 1 and rule.key != (PERSON,) else None
        group = self._groups.setdefault(rule.key, Group(len(self._groups), rule.key, single))
        plan.group = group
        group.plans.append(plan)
        for compiled in plan.matches:
            type_plan = self._plan(compiled.event)
            if compiled in plan.wide.get(compiled.event, ()):
                if plan not in type_plan.wide:
                    type_plan.wide_by_group.setdefault(group, []).append(plan)
                type_plan.wide.setdefault(plan, []).append(compiled)
                continue
            group_plan = next((g for g in type_plan.groups if g.group is group), None)
            if group_plan is None:
                group_plan = GroupPlan(group)
                type_plan.groups.append(group_plan)
            if plan not in group_plan.plans:
                group_plan.plans.append(plan)
            if compiled.rank == START:
                group_plan.starts.append((plan, compiled))
            else:
                group_plan.marks.setdefault(plan, []).append(compiled)
