"""Which starts an event can be, found by the value of one of its attributes.

Thresholds that start with the same event mostly ask for different values of one attribute (`class`, `category`,
`priority`): its value is looked up, and only the rest is tested.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from schemas.threshold import Condition, Match
from streams.core.conditions import FactTest, Test, accepted, compile_where, uses_facts

if TYPE_CHECKING:
    from streams.core.compiled import CompiledMatch, WaitPlan


Start = tuple["WaitPlan", Test | None, FactTest | None]
"""A plan, and what is left to be tested of the event and of the person's facts."""


class Starts:
    """The starts of one event type among the waits of one key, in the order of their declaration."""

    __slots__ = ("_attribute", "_by_text", "_every", "_others")

    def __init__(self, starts: Sequence[tuple[WaitPlan, CompiledMatch]]) -> None:
        declared = [_declared(plan, match) for plan, match in starts]
        often = Counter(attribute for match in declared for attribute in _asked(match))
        sought = often.most_common(1)[0][0] if often else None
        self._attribute: str | None = sought
        self._every: list[Start] = [(plan, match.test, match.facts) for plan, match in starts]
        self._others: list[Start] = []  # those for a value that none asks for
        self._by_text: dict[str, list[Start]] = {}
        if sought is None:
            return
        asked = [_asked(match).get(sought) for match in declared]
        self._others = [start for start, known in zip(self._every, asked, strict=True) if known is None]
        for text in dict.fromkeys(text for known in asked if known is not None for text in known.one_of or ()):
            self._by_text[str(text)] = [
                start if known is None else (start[0], _rest(match, known), start[2])
                for start, known, match in zip(self._every, asked, declared, strict=True)
                if known is None or text in (known.one_of or ())
            ]

    def of(self, data: dict[str, Any]) -> list[Start]:
        """The starts that an event with these attributes may be."""
        if self._attribute is None:
            return self._every
        value = data.get(self._attribute)
        if type(value) is str:
            return self._by_text.get(value, self._others)
        return self._others if value is None else self._every


def _declared(plan: WaitPlan, match: CompiledMatch) -> Match:
    return plan.rule.start[plan.matches.index(match)]  # starts are the first of a plan's matches


def _asked(match: Match) -> dict[str, Condition]:
    """By attribute, the condition that asks for one of some texts: what a number or a flag may be written as as well
    is left out."""
    asked: dict[str, Condition] = {}
    for condition in match.where:
        values = accepted(condition.one_of or ())
        of_texts = bool(values) and all(isinstance(value, str) for value in values)
        if of_texts and "." not in condition.attribute and not uses_facts(condition):
            asked.setdefault(condition.attribute, condition)
    return asked


def _rest(match: Match, known: Condition) -> Test | None:
    """The test that is left when the value is known to be one of those that a condition asks for."""
    left = replace(known, one_of=None)
    return compile_where([left if condition is known else condition for condition in match.where])
