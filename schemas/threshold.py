"""Thresholds as values: the declared promise or limit, checked, with nothing left to look up but its calendar.

What stands here has passed the checks of `schemas.declaration`; the engine compiles it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal

from schemas.calendar import Calendar
from schemas.duration import Duration
from schemas.event import Scalar

PERSON: Final = "person"

Kind = Literal["wait", "measure", "sequence", "count", "rate", "average", "silence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One line of a `where`. All tests that are set must hold; every line of a `where` must hold.

    `attribute` is a dotted name into the event's data (`item.pain`), or `person.language`: the person's fact in
    force at the event's time. `one_of` is equality with any of its values. `differs_from` compares with another
    attribute or person fact; it holds only if both are there. An absent attribute fails every test but
    `present: false`.
    """

    attribute: str
    one_of: tuple[Scalar, ...] | None = None
    above: Fraction | None = None
    below: Fraction | None = None
    present: bool | None = None
    differs_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An event type and what must hold of it. `by`: None, the wait's own key; `("person",)`, every wait of this
    threshold of that person; else attributes that the wait's start must have carried alike. `times` is which such
    event at or after the start counts."""

    event: str
    where: tuple[Condition, ...] = ()
    by: tuple[str, ...] | None = None
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A time in the start event, and how far from it: `before` counts back by `offset`, `after` forward."""

    attribute: str
    offset: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A value breaks it when it is above `above` or below `below` (strictly)."""

    above: Fraction | None = None
    below: Fraction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitRule:
    """Exactly one of `within`, `before`, `after` is set. `key` is `("person",)` or attribute names."""

    key: tuple[str, ...]
    start: tuple[Match, ...]
    satisfied_by: tuple[Match, ...]
    cancelled_by: tuple[Match, ...] = ()
    paused_by: tuple[Match, ...] = ()
    resumed_by: tuple[Match, ...] = ()
    restart: Literal["keep", "move", "new"] = "keep"
    within: Duration | None = None
    before: Anchor | None = None
    after: Anchor | None = None
    not_before: str | None = None
    warn_at: Fraction | Duration | None = None  # a share of the time from start to due, or a duration before due
    grace: Duration | None = None
    skew: Duration | None = None
    survives_death: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureRule:
    event: tuple[Match, ...]
    value: str
    limit: Limit
    key: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceRule:
    key: tuple[str, ...]
    first: tuple[Match, ...]
    then: tuple[Match, ...]
    within: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRule:
    key: tuple[str, ...]
    event: tuple[Match, ...]
    at_least: int
    span: Duration  # `limit: {in: ...}`
    distinct: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRule:
    of: tuple[Match, ...]
    out_of: tuple[Match, ...]
    by: tuple[str, ...]  # empty: one rate over everything
    window: Duration
    limit: Limit
    minimum: int = 1
    distinct: str | None = None
    grace: Duration | None = None  # None: one step, which is a twelfth of the window


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageRule:
    event: tuple[Match, ...]
    value: str
    by: tuple[str, ...]
    window: Duration
    limit: Limit
    minimum: int = 1
    distinct: str | None = None
    grace: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Downtime:
    """Planned quiet: days of the week (Monday is 0) with the minutes of the day from which and to which it lasts, or a
    span of wall clock (microseconds since 1970-01-01T00:00 of it). `sources` it is of; none named: of all."""

    weekly: tuple[tuple[int, int, int], ...] = ()
    begin: int | None = None
    end: int | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceRule:
    by: str  # only `source`
    quiet: Duration | None  # None: learned from the source's own rhythm
    at_least: Duration | None = None
    downtime: tuple[Downtime, ...] = ()


Rule = WaitRule | MeasureRule | SequenceRule | CountRule | RateRule | AverageRule | SilenceRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One declared threshold: who it is for and where it comes from, and the rule that is judged."""

    id: str
    kind: Kind
    rule: Rule
    title: str = ""
    theme: str | None = None
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    mode: Literal["live", "shadow"] = "live"
    audience: tuple[str, ...] = ()
    next_step: str | None = None
    source: str = ""
    calendar: Calendar | None = None
    pack: str = ""
    place: str = ""  # file and line of its declaration

    @property
    def purpose(self) -> str | None:
        """What turning to the patient about it would be for, with commas: the purposes of the outreach that it waits
        for or that ends it, and its next step; None where it names neither."""
        matches = (*self.rule.satisfied_by, *self.rule.cancelled_by) if isinstance(self.rule, WaitRule) else ()
        named = [
            str(word)
            for match in matches
            if match.event.startswith("outreach.")
            for condition in match.where
            if condition.attribute == "purpose"
            for word in condition.one_of or ()
        ]
        return ",".join(sorted({*named, *((self.next_step,) if self.next_step else ())})) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdSet:
    thresholds: tuple[Threshold, ...]
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
