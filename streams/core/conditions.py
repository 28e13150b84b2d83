"""Compile the `where` of a match into a test on an event's attributes.

An absent attribute fails every test but `present: false`; null and "" are absent (THRESHOLDS.md, section 1).
A number in a declaration accepts the same number written as text, and the other way round, for HL7 v2 carries
text where JSON carries numbers; true and false accept the texts `true` and `false`, and never 1 and 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import isfinite
from typing import Any, Final

from schemas.threshold import Condition

Data = dict[str, Any]
Getter = Callable[[Data], Any]
Test = Callable[[Data], bool]
Facts = Callable[[str, int], Any]
"""A person's fact in force at a time: `facts("language", time)`; None where it is unknown."""
FactTest = Callable[[Data, int, Facts], bool]

FACT_PREFIX: Final = "person."


def getter(attribute: str) -> Getter:
    """Read an attribute; a dotted name is looked up as it stands, then as a path into nested objects."""
    if "." not in attribute:

        def plain(data: Data) -> Any:
            value = data.get(attribute)
            return None if value == "" else value

        return plain

    def dotted(data: Data) -> Any:
        value = attribute_of(data, attribute)
        return None if value == "" else value

    return dotted


def attribute_of(data: Data, attribute: str) -> Any:
    """An attribute; a dotted name as it stands, then as a path into nested objects."""
    value: Any = data.get(attribute)
    if value is None and "." in attribute:
        value = data
        for step in attribute.split("."):
            value = value.get(step) if isinstance(value, dict) else None
    return value


def as_number(value: Any) -> int | float | None:
    """The number that a value is or writes; None where it is none. Booleans are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
        if not isfinite(number):
            return None
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return None


def limit_number(limit: Fraction) -> int | float:
    """The limit as the number it is compared as: values are decimal texts, so 0.1 must equal 0.1."""
    return limit.numerator if limit.denominator == 1 else float(limit)


def accepted(values: Sequence[Any]) -> tuple[Any, ...]:
    """All spellings of the values that equal them."""
    spelt: list[Any] = []
    for value in values:
        spelt.append(value)
        if isinstance(value, bool):
            spelt.append("true" if value else "false")
        elif isinstance(value, int | float):
            spelt.append(str(value))
        elif (number := as_number(value)) is not None and str(number) == value:
            spelt.append(number)
    return tuple(spelt)


def _equality(read: Getter, values: Sequence[Any], attribute: str) -> Test:
    spelt = accepted(values)
    numbers = any(isinstance(v, int | float) for v in spelt)
    if not numbers and "." not in attribute:
        if len(spelt) == 1:
            only = spelt[0]

            def one(data: Data) -> bool:
                value = data.get(attribute)
                return value == only or (type(value) is list and only in value)

            return one

        def any_of(data: Data) -> bool:
            value = data.get(attribute)
            return value in spelt or (type(value) is list and any(v in spelt for v in value))

        return any_of

    if len(values) == 1 and isinstance(values[0], bool):
        flag, text = values[0], spelt[1]

        plainly = "." not in attribute

        def flagged(data: Data) -> bool:
            value = data.get(attribute) if plainly else read(data)
            return value is flag or (type(value) is str and value == text)

        return flagged

    texts = frozenset(s for s in spelt if isinstance(s, str))

    def same(value: Any) -> bool:
        if type(value) is str:
            return value in texts
        # 1 == True in Python, and neither means the other here
        return value is not None and any(value == s and isinstance(value, bool) == isinstance(s, bool) for s in spelt)

    def typed(data: Data) -> bool:
        value = read(data)
        return any(same(v) for v in value) if isinstance(value, list) else same(value)

    return typed


def _single(condition: Condition, read: Getter) -> list[Test]:
    tests: list[Test] = []
    if condition.present is not None:
        wanted = condition.present
        tests.append(lambda data: (read(data) is not None) is wanted)
    if condition.one_of is not None:
        tests.append(_equality(read, condition.one_of, condition.attribute))
    if condition.above is not None:
        above = limit_number(condition.above)
        tests.append(lambda data: (n := as_number(read(data))) is not None and n > above)
    if condition.below is not None:
        below = limit_number(condition.below)
        tests.append(lambda data: (n := as_number(read(data))) is not None and n < below)
    if condition.differs_from is not None:
        other = getter(condition.differs_from)
        tests.append(lambda data: (a := read(data)) is not None and (b := other(data)) is not None and a != b)
    return tests


def uses_facts(condition: Condition) -> bool:
    """Whether it reads a fact of the person, which may become known later."""
    names = (condition.attribute, condition.differs_from or "")
    return any(name.startswith(FACT_PREFIX) for name in names)


def compile_where(conditions: Sequence[Condition]) -> Test | None:
    """One test of all conditions that read the event alone; None where there is nothing to test."""
    tests = [t for c in conditions if not uses_facts(c) for t in _single(c, getter(c.attribute))]
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda data: first(data) and second(data)
    return lambda data: all(test(data) for test in tests)


def compile_facts(conditions: Sequence[Condition]) -> FactTest | None:
    """One test of all conditions that read a fact of the person, at the event's time."""
    concerned = [c for c in conditions if uses_facts(c)]
    if not concerned:
        return None
    # a fact is put beside the attributes under its full name, where `getter` finds it first
    compiled = [(c, _single(c, getter(c.attribute))) for c in concerned]

    def test(data: Data, time: int, facts: Facts) -> bool:
        for condition, tests in compiled:
            seen = dict(data)
            for name in (condition.attribute, condition.differs_from):
                if name and name.startswith(FACT_PREFIX):
                    seen[name] = facts(name.removeprefix(FACT_PREFIX), time)
            if not all(t(seen) for t in tests):
                return False
        return True

    return test


def text_of(value: Any) -> str | None:
    """A key value as text; None where it is absent. Numbers of JSON read as they were written, true as `true`."""
    if type(value) is str:
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return None
