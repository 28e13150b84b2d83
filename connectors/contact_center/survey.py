"""Answers in the body of a webhook, scored by the instrument that the mapping names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connectors.contact_center.path import Find, finder
from connectors.contact_center.spec import Scalar, Survey, fold
from connectors.contact_center.values import TRUTHS, Compiler, Gives, Values
from connectors.surveys.instruments import Instrument
from connectors.surveys.scoring import Answered, score

_PLAIN: Final = (str, int, float, bool)
_WISH: Final = "wants_contact"


class SurveyPlan:
    """The survey of one message, quick to ask."""

    def __init__(
        self,
        survey: Survey,
        compiler: Compiler,
        tables: Mapping[str, Mapping[str, Scalar]],
        instruments: Mapping[str, Instrument],
    ) -> None:
        self._instruments: Mapping[str, Instrument] = instruments
        self._items: Mapping[str, Scalar] = tables.get(survey.items or "", {})
        self._instrument: Gives = compiler.gives(survey.instrument)
        self._at: int = compiler.places.of(survey.answers)
        self._path: str = survey.answers.text
        self._item: tuple[Find, ...] = tuple(map(finder, survey.item))
        self._answer: tuple[Find, ...] = tuple(map(finder, survey.answer))

    def told(self, values: Values, notes: list[str]) -> dict[str, Any] | None:
        """What `survey.answered` says; None for a form that is no survey. Raises Unreadable."""
        name = self._instrument(values)
        if not isinstance(name, str) or not name:
            return None
        stands = values[self._at]
        answers = list(self._answers(stands))
        if isinstance(stands, dict):
            notes = []  # most members of an object are no answers
        told = score(name, (one for one in answers if one[0] != _WISH), self._instruments, notes, self._path)
        wishes = (_read_wish(answer) for item, written in answers if item == _WISH for answer in written)
        wish = next((one for one in wishes if one is not None), None)
        return told if wish is None else told | {_WISH: wish}

    def _answers(self, found: Any) -> Iterator[Answered]:
        if isinstance(found, dict) and not self._item:
            for name, answer in found.items():
                yield self._meant(name), (answer if isinstance(answer, _PLAIN) else None,)
            return
        for one in found if isinstance(found, list) else ():
            names = [name for find in self._item if isinstance(name := find(one), str) and name]
            if not names:
                continue
            written = tuple(answer for find in self._answer if isinstance(answer := find(one), _PLAIN))
            meant = next((self._meant(name) for name in names if fold(name) in self._items), names[0])
            if written:
                yield meant, written

    def _meant(self, name: str) -> str:
        return str(self._items.get(fold(name), name))


def _read_wish(answer: object) -> bool | None:
    return answer if isinstance(answer, bool) else TRUTHS.get(str(answer).strip().casefold())
