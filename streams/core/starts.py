"""Which starts an event can be, found by the value of one of its attributes.

Thresholds that start with the same event mostly ask for different values of one attribute (`class`, `category`,
`priority`): looking its value up spares the tests that cannot hold. What is found is still tested in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.threshold import Match
from streams.core.conditions import accepted, uses_facts

if TYPE_CHECKING:
    from streams.core.compiled import CompiledMatch, WaitPlan


class Starts:
    """The starts of one event type among the waits of one key, in the order of their declaration."""

    __slots__ = ("_attribute", "_by_text", "_every", "_others")

    def __init__(self, starts: Sequence[tuple[WaitPlan, CompiledMatch]]) -> None:
        asked = [_texts(_declared(plan, match)) for plan, match in starts]
        often = Counter(attribute for texts in asked for attribute in texts)
        self._attribute: str | None = often.most_common(1)[0][0] if often else None
        self._every: Sequence[tuple[WaitPlan, CompiledMatch]] = tuple(starts)
        self._others: Sequence[tuple[WaitPlan, CompiledMatch]] = ()  # those for a value that none asks for
        self._by_text: dict[str, Sequence[tuple[WaitPlan, CompiledMatch]]] = {}
        if self._attribute is not None:
            wanted = [texts.get(self._attribute) for texts in asked]
            self._others = tuple(start for start, texts in zip(starts, wanted, strict=True) if texts is None)
            for text in dict.fromkeys(text for texts in wanted for text in texts or ()):
                self._by_text[text] = tuple(
                    start for start, texts in zip(starts, wanted, strict=True) if texts is None or text in texts
                )

    def of(self, data: dict[str, Any]) -> Sequence[tuple[WaitPlan, CompiledMatch]]:
        """The starts that an event with these attributes may be."""
        if self._attribute is None:
            return self._every
        value = data.get(self._attribute)
        if type(value) is str:
            return self._by_text.get(value, self._others)
        return self._others if value is None else self._every


def _declared(plan: WaitPlan, match: CompiledMatch) -> Match:
    return plan.rule.start[plan.matches.index(match)]  # starts are the first of a plan's matches


def _texts(match: Match) -> dict[str, list[str]]:
    """By attribute, the texts of which it must have one: what a number or a flag may be written as is left out."""
    asked: dict[str, list[str]] = {}
    for condition in match.where:
        values = accepted(condition.one_of or ())
        texts = [value for value in values if isinstance(value, str)]
        if texts and len(texts) == len(values) and "." not in condition.attribute and not uses_facts(condition):
            asked[condition.attribute] = texts
    return asked
