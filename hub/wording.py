"""Matches and conditions of a threshold in words, for whoever explains a promise or what became of one."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from schemas.event import Scalar
from schemas.threshold import PERSON, Condition, Match


def any_of(matches: Sequence[Match]) -> str:
    """`visit.ended (class I or O) or visit.left`."""
    return " or ".join(_match(match) for match in matches)


def ends(matches: Sequence[Match]) -> str:
    """The same with how often, and whose: `2 times outreach.failed of the person`."""
    return " or ".join(f"{_times(match)}{_match(match)}{_reach(match)}" for match in matches)


def number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def _match(match: Match) -> str:
    where = " and ".join(_condition(condition) for condition in match.where)
    return f"{match.event} ({where})" if where else match.event


def _times(match: Match) -> str:
    return f"{match.times} times " if match.times > 1 else ""


def _reach(match: Match) -> str:
    if match.by is None:
        return ""
    return " of the person" if match.by == (PERSON,) else f" of the same {' and '.join(match.by)}"


def _condition(condition: Condition) -> str:
    name = condition.attribute
    parts: list[str] = []
    if condition.present is not None:
        parts.append(f"{name} is there" if condition.present else f"no {name}")
    if condition.one_of is not None:
        parts.append(f"{name} {' or '.join(_value(value) for value in condition.one_of)}")
    if condition.above is not None:
        parts.append(f"{name} above {number(condition.above)}")
    if condition.below is not None:
        parts.append(f"{name} below {number(condition.below)}")
    if condition.differs_from is not None:
        parts.append(f"{name} other than {condition.differs_from}")
    return " and ".join(parts)


def _value(value: Scalar) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
