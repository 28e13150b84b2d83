"""What is read from a thresholds file is what was written into it, whatever the threshold."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.duration import BUSINESS, Duration, Unit
from schemas.threshold import (
    Anchor,
    AverageRule,
    Condition,
    CountRule,
    Limit,
    Match,
    MeasureRule,
    RateRule,
    Rule,
    SequenceRule,
    Threshold,
    WaitRule,
)
from schemas.threshold_keys import MODES, RESTARTS, SEVERITIES
from schemas.vocabulary import EVENT_TYPES
from streams.core.thresholds import read_thresholds

CALENDARS = {"clinic": {"timezone": "UTC", "hours": {"mon-fri": "08:00-17:00"}}}

names = st.from_regex(r"[a-z][a-z_]{0,8}(\.[a-z]{1,4})?", fullmatch=True).filter(lambda name: name != "person")
texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
values = texts | st.integers(-(10**6), 10**6) | st.booleans() | st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
numbers = st.decimals(-(10**6), 10**6, places=3).map(Fraction)
exact = st.builds(Duration, st.integers(1, 500), st.sampled_from([unit for unit in Unit if unit not in BUSINESS]))
durations = st.builds(Duration, st.integers(1, 500), st.sampled_from(list(Unit)))
windows = st.builds(Duration, st.integers(1, 50), st.sampled_from([Unit.MINUTES, Unit.HOURS, Unit.DAYS]))
keys = st.just(("person",)) | st.lists(names, min_size=1, max_size=3, unique=True).map(tuple)
limits = numbers.flatmap(
    lambda low: st.sampled_from([Limit(above=low), Limit(below=low), Limit(below=low, above=low + 1)])
)
shares = st.integers(1, 999).map(lambda n: Fraction(n, 1000))


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    attribute = draw(names)
    low = draw(numbers)
    return draw(
        st.sampled_from(
            [
                Condition(attribute=attribute, one_of=tuple(draw(st.lists(values, min_size=1, max_size=3)))),
                Condition(attribute=attribute, present=draw(st.booleans())),
                Condition(attribute=attribute, above=low, below=low + draw(st.integers(1, 9))),
                Condition(attribute=attribute, differs_from="person.language"),
            ]
        )
    )


def matches(*, ends: bool = False) -> st.SearchStrategy[tuple[Match, ...]]:
    where = st.lists(conditions(), max_size=3, unique_by=lambda condition: condition.attribute).map(tuple)
    match = st.builds(
        Match,
        event=st.sampled_from(list(EVENT_TYPES)),
        where=where,
        by=st.none() | keys if ends else st.none(),
        times=st.integers(1, 3) if ends else st.just(1),
    )
    return st.lists(match, min_size=1, max_size=3).map(tuple)


@st.composite
def waits(draw: st.DrawFn) -> WaitRule:
    anchors = st.builds(Anchor, attribute=names, offset=durations)
    timing: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"within": draw(durations), "not_before": draw(st.none() | names)},
                {"before": draw(anchors)},
                {"after": draw(anchors)},
            ]
        )
    )
    return WaitRule(
        key=draw(keys),
        start=draw(matches()),
        satisfied_by=draw(matches(ends=True)),
        cancelled_by=draw(st.just(()) | matches(ends=True)),
        restart=draw(st.sampled_from(RESTARTS)),
        warn_at=draw(st.none() | shares | durations),
        grace=draw(st.none() | exact),
        skew=draw(st.none() | exact),
        survives_death=draw(st.booleans()),
        **timing,
    )


rules: st.SearchStrategy[Rule] = st.one_of(
    waits(),
    st.builds(MeasureRule, event=matches(), value=names, limit=limits, key=st.none() | keys),
    st.builds(SequenceRule, key=keys, first=matches(), then=matches(), within=exact),
    st.builds(
        CountRule, key=keys, event=matches(), at_least=st.integers(1, 50), span=exact, distinct=st.none() | names
    ),
    st.builds(
        RateRule,
        of=matches(),
        out_of=matches(),
        by=st.just(()) | keys,
        window=windows,
        limit=st.builds(Limit, above=shares) | st.builds(Limit, below=shares),
        minimum=st.integers(1, 50),
        grace=st.none() | exact,
    ),
    st.builds(AverageRule, event=matches(), value=names, by=keys, window=windows, limit=limits),
)
KINDS: dict[type, Any] = {
    WaitRule: "wait",
    MeasureRule: "measure",
    SequenceRule: "sequence",
    CountRule: "count",
    RateRule: "rate",
    AverageRule: "average",
}


@st.composite
def thresholds(draw: st.DrawFn) -> Threshold:
    rule = draw(rules)
    return Threshold(
        id=draw(st.from_regex(r"[a-z][a-z0-9_.\-]{0,20}", fullmatch=True)),
        kind=KINDS[type(rule)],
        rule=rule,
        title=draw(texts),
        severity=draw(st.sampled_from(SEVERITIES)),
        mode=draw(st.sampled_from(MODES)),
        audience=tuple(draw(st.lists(texts, max_size=2, unique=True))),
        next_step=draw(st.none() | texts),
        source=draw(texts),
    )


def decimal(number: Fraction) -> str:
    """An exact decimal text: the strategies draw thousandths."""
    thousandths = number * 1000
    assert thousandths.denominator == 1
    sign, digits = ("-" if thousandths < 0 else ""), f"{abs(thousandths.numerator):04d}"
    return f"{sign}{digits[:-3]}.{digits[-3:]}"


def write_condition(condition: Condition) -> Any:
    if condition.one_of is not None:
        return list(condition.one_of)
    tests = {"above": condition.above, "below": condition.below}
    written: dict[str, Any] = {key: decimal(bound) for key, bound in tests.items() if bound is not None}
    if condition.present is not None:
        written["present"] = condition.present
    if condition.differs_from is not None:
        written["differs_from"] = condition.differs_from
    return written


def write_match(match: Match) -> Any:
    written: dict[str, Any] = {"event": match.event}
    if match.where:
        written["where"] = {condition.attribute: write_condition(condition) for condition in match.where}
    if match.by is not None:
        written["by"] = list(match.by)
    return written | ({"times": match.times} if match.times > 1 else {})


def write_line(key: str, value: Any, rule: Rule) -> Any:
    match value:
        case Duration():
            return str(value)
        case Anchor():
            return {"attribute": value.attribute, "minus" if key == "before" else "plus": str(value.offset)}
        case Limit():
            write = (lambda x: decimal(x * 100) + "%") if isinstance(rule, RateRule) else decimal
            bounds = {"above": value.above, "below": value.below}
            return {name: write(bound) for name, bound in bounds.items() if bound is not None}
        case Fraction():
            return decimal(value * 100) + "%"
        case tuple() if value and isinstance(value[0], Match):
            return [write_match(match) for match in value]
        case tuple():
            return list(value)
        case _:
            return value


def write(threshold: Threshold) -> dict[str, Any]:
    rule = threshold.rule
    lines = {name: getattr(rule, name) for name in rule.__dataclass_fields__}
    if isinstance(rule, CountRule):
        lines["limit"] = {"at_least": lines.pop("at_least"), "in": str(lines.pop("span"))}
    written = {key: write_line(key, value, rule) for key, value in lines.items() if value not in (None, ())}
    own = {name: getattr(threshold, name) for name in ("id", "kind", "title", "severity", "mode", "source")}
    own |= {"audience": list(threshold.audience)} if threshold.audience else {}
    own |= {"next_step": threshold.next_step} if threshold.next_step is not None else {}
    return own | written | {"calendar": "clinic"}


@given(st.lists(thresholds(), min_size=1, max_size=3, unique_by=lambda threshold: threshold.id))
def test_what_is_read_is_what_was_written(written: list[Threshold]) -> None:
    document = {"version": 1, "calendars": CALENDARS, "thresholds": [write(threshold) for threshold in written]}
    text = json.dumps(document, indent=1, ensure_ascii=False)  # JSON is YAML
    loaded, problems = read_thresholds([("t.yaml", text)])
    assert [problem for problem in problems if problem.severity == "error"] == []
    shown = ("id", "kind", "rule", "title", "severity", "mode", "audience", "next_step", "source")
    assert [[getattr(read, name) for name in shown] for read in loaded.thresholds] == [
        [getattr(threshold, name) for name in shown] for threshold in written
    ]
