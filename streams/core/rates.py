"""Rates and averages: a sliding window over all persons, moved in twelfths of itself on round times.

Theory. Step k ends at k * window/12 since the epoch. An event at t belongs to the bucket of the first step that ends
at or after it, so the window `(T - window, T]` of step k is buckets k-11 to k. A step is judged when the clock reaches
its end plus `grace` (one step, unless declared); an event that comes later for an earlier step judges its twelve steps
again. What is kept is the set of judged steps beyond the limit: an alert is a run of them without a gap, so it follows
from the events alone. It opens at the end of the run's first step, and is resolved at the end of the step after its
last. Too few events (`minimum`) are within the limit.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from schemas.alert import Alert, Level, State, alert_id
from schemas.event import Event
from schemas.threshold import AverageRule, Limit, RateRule
from streams.core.alerts import Alerts, Draft, new_alert
from streams.core.compiled import Plan, micros
from streams.core.conditions import as_number, attribute_of, text_of
from streams.core.timers import Timers

STEPS: Final = 12
_Number = int | Fraction
_Told = tuple[int, str, str, _Number]


class Bucket:
    """The events of one step: their number and sum, or, where they are to be distinct, those of each value in order."""

    __slots__ = ("count", "latest", "sum")

    def __init__(self) -> None:
        self.count: int = 0
        self.sum: _Number = 0
        self.latest: dict[Any, list[_Told]] | None = None

    def add(self, event: Event, value: _Number, distinct: str | None) -> None:
        if distinct is None:
            self.count += 1
            self.sum += value
            return
        if self.latest is None:
            self.latest = {}
        insort(self.latest.setdefault(_name(event, distinct), []), (event.time, event.source, event.id, value))

    def take_out(self, event: Event, value: _Number, distinct: str | None) -> None:
        """Undo an `add`."""
        if distinct is None:
            self.count -= 1
            self.sum -= value
        elif self.latest is not None:
            told = self.latest[_name(event, distinct)]
            told.remove((event.time, event.source, event.id, value))
            if not told:
                del self.latest[_name(event, distinct)]


class Buckets:
    """Buckets by step number."""

    __slots__ = ("by_step",)

    def __init__(self) -> None:
        self.by_step: dict[int, Bucket] = {}

    def add(self, step: int, event: Event, value: _Number, distinct: str | None) -> None:
        self.by_step.setdefault(step, Bucket()).add(event, value, distinct)

    def take_out(self, step: int, event: Event, value: _Number, distinct: str | None) -> None:
        self.by_step[step].take_out(event, value, distinct)

    def total(self, step: int) -> tuple[int, _Number]:
        """Number and sum of the events in the window that ends with a step."""
        count: int = 0
        sum_: _Number = 0
        latest: dict[Any, _Told] = {}
        for number in range(step - STEPS + 1, step + 1):
            bucket = self.by_step.get(number)
            if bucket is None:
                continue
            count += bucket.count
            sum_ += bucket.sum
            for name, told in (bucket.latest or {}).items():
                if name not in latest or latest[name] < told[-1]:
                    latest[name] = told[-1]
        return count + len(latest), sum_ + sum((told[3] for told in latest.values()), 0)


def _name(event: Event, distinct: str) -> Any:
    """What an event is counted as; one that lacks the attribute is its own."""
    return text_of(attribute_of(event.data, distinct)) or (event.source, event.id)


def exact(value: Any) -> _Number | None:
    """A value as an exact number, a decimal as it is written: sums must not depend on their order."""
    number = as_number(value)
    if number is None or isinstance(number, int):
        return number
    return Fraction(repr(number))


class Rate:
    """One rate or average for one `by` value."""

    __slots__ = (
        "_alerts", "_grace", "_timers", "beyond", "is_changed", "judged", "last", "lower", "next", "plan", "raised",
        "step", "touched", "upper", "value",
    )  # fmt: skip

    def __init__(self, plan: Plan[RateRule] | Plan[AverageRule], value: str, alerts: Alerts, timers: Timers) -> None:
        rule = plan.rule
        self.plan: Plan[RateRule] | Plan[AverageRule] = plan
        self.value: str = value
        self.next: int | None = None
        self._alerts: Alerts = alerts
        self._timers: Timers = timers
        self.step: int = micros(rule.window) // STEPS
        self._grace: int = self.step if rule.grace is None else micros(rule.grace)
        self.upper: Buckets = Buckets()  # what is counted or averaged
        self.lower: Buckets = Buckets()  # what it is a share of
        self.beyond: set[int] = set()
        self.raised: dict[int, Alert] = {}  # first step of a run -> its alert
        self.judged: int | None = None  # the last step judged
        self.last: int = -(2**62)  # the latest bucket that holds anything
        self.is_changed: bool = False  # since it was last written down
        self.touched: set[tuple[bool, int]] = set()  # and which buckets: whether above, and their step

    def add(self, event: Event, clock: int, *, of: bool, value: _Number = 1) -> None:
        """Count an event: among `of`, or among `out_of`. An average has the former alone."""
        bucket = -(-event.time // self.step)
        (self.upper if of else self.lower).add(bucket, event, value, self.plan.rule.distinct)
        self.is_changed = True
        self.touched.add((of, bucket))
        if self.next is None:
            # asleep, or new: what the clock passed since then held nothing, and was within the limit
            passed = max((clock - self._grace) // self.step, bucket - 2 * STEPS)
            self.judged = passed if self.judged is None else max(self.judged, passed)
        assert self.judged is not None  # noqa: S101 - set with the first event
        self.last = max(self.last, bucket)
        if bucket <= self.judged:
            self._judge(range(bucket, min(self.judged, bucket + STEPS - 1) + 1))
        if self.next is None:
            self._wake_after(self.judged)

    def take_out(self, event: Event, *, of: bool, value: _Number = 1) -> None:
        """Undo an `add`: a statement turned out to tell something else."""
        bucket = -(-event.time // self.step)
        buckets = self.upper if of else self.lower
        if bucket not in buckets.by_step:
            return  # let go of long ago
        buckets.take_out(bucket, event, value, self.plan.rule.distinct)
        self.is_changed = True
        self.touched.add((of, bucket))
        if self.judged is not None and bucket <= self.judged:
            self._judge(range(bucket, min(self.judged, bucket + STEPS - 1) + 1))

    def measured(self, opened: int) -> tuple[int, _Number]:
        """What was counted in the window that ended at an instant, to explain it: of a rate how many of how many,
        as (out of, of); of an average how many values and their sum."""
        step = opened // self.step
        upper, sum_ = self.upper.total(step)
        return (upper, sum_) if isinstance(self.plan.rule, AverageRule) else (self.lower.total(step)[0], upper)

    def _wake_after(self, step: int) -> None:
        """Judge the next step too, while an alert is open or its window holds anything."""
        if step in self.beyond or step + 1 < self.last + STEPS:
            self._timers.set(self, self._due(step + 1))

    def ring(self, at: int) -> None:
        """A step's end plus grace: judge it, and set the next while the window holds anything."""
        step = (at - self._grace) // self.step
        self.judged = step
        self.is_changed = True
        self._judge(range(step, step + 1))
        self._wake_after(step)

    def _due(self, step: int) -> int:
        return step * self.step + self._grace

    def _judge(self, steps: range) -> None:
        before = set(self._runs(steps))
        for step in steps:
            if self._is_beyond(step):
                self.beyond.add(step)
            else:
                self.beyond.discard(step)
        after = set(self._runs(steps))
        for run in sorted(before - after):
            if (run[0] not in {first for first, _ in after}) and run[0] in self.raised:
                gone = self.raised.pop(run[0])
                self._alerts.retract(gone)
                self._alerts.let_pass(gone.id)
        for run in sorted(after):
            self._say(run)

    def _runs(self, steps: range) -> Iterator[tuple[int, int]]:
        """The runs of steps beyond the limit that touch these steps or their neighbours: first and last step."""
        step = steps.start - 1
        while step in self.beyond and step - 1 in self.beyond:
            step -= 1
        while step <= steps.stop:
            if step not in self.beyond:
                step += 1
                continue
            first = step
            while step in self.beyond:
                step += 1
            yield first, step - 1

    def _is_beyond(self, step: int) -> bool:
        rule = self.plan.rule
        upper, sum_ = self.upper.total(step)
        if isinstance(rule, AverageRule):
            return upper >= rule.minimum and upper > 0 and breaks(rule.limit, Fraction(sum_) / upper)
        lower, _ = self.lower.total(step)
        return lower >= rule.minimum and lower > 0 and breaks(rule.limit, Fraction(upper, lower))

    def _say(self, run: tuple[int, int]) -> None:
        first, last = run
        assert self.judged is not None  # noqa: S101 - a run is made of judged steps
        opened = first * self.step
        ended = (last + 1) * self.step if last < self.judged else None
        draft = Draft(
            state=State.BREACHED if ended is None else State.RESOLVED,
            level=Level.BREACHED,
            due_at=opened,
            ended_at=ended,
            fired_at=max(opened + self._grace, self._alerts.now)
            if first not in self.raised
            else self.raised[first].fired_at,
        )
        alert = self.raised.get(first)
        if alert is None:
            id_ = alert_id(self.plan.id, self.value, str(first))
            alert = self._alerts.raise_(id_, self, lambda: self._alert(id_, draft))
            self.raised[first] = alert
        self._alerts.move(alert, draft)

    def _alert(self, id_: str, draft: Draft) -> Alert:
        threshold, rule = self.plan.threshold, self.plan.rule
        what = f"average {rule.value}" if isinstance(rule, AverageRule) else "the rate"
        return new_alert(
            threshold,
            draft,
            id_=id_,
            key=self.value,
            started_at=draft.due_at,
            facility=dict(zip(rule.by, self.value.split("|"), strict=False)).get("facility"),
            reason=f"{what} over {rule.window} is beyond its limit",
        )


def breaks(limit: Limit, value: Fraction | int) -> bool:
    """Whether an exact value is beyond a limit."""
    return (limit.above is not None and value > limit.above) or (limit.below is not None and value < limit.below)
