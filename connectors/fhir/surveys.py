"""QuestionnaireResponse: what somebody answered to a survey, scored by its instrument as feedback is.

A questionnaire is a survey where a site's table names its instrument; the others are clinical forms, and none of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from connectors.fhir.links import links
from connectors.fhir.references import number_of
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.shapes import Identifier, Reference
from connectors.fhir.shapes_told import Answer, Asked, QuestionnaireResponse
from connectors.surveys.scoring import Answered, score

_WISH: Final = "wants_contact"
_SCORE: Final = "score"
_YES_NO: Final = {"Y": True, "N": False}  # HL7 table 0136
_MOST: Final = 200  # items of one survey that are told
_DEEPEST: Final = 12  # groups in groups


def read_questionnaire_response(told: Told, response: QuestionnaireResponse) -> None:
    status = told.status(response.status)
    instrument = _instrument(told, response.questionnaire)
    if instrument is None:
        raise PassedBy("QuestionnaireResponse of no survey")
    if status not in ("completed", "amended"):
        raise PassedBy("QuestionnaireResponse that is not completed")
    subject = response.subject
    named = told.references.named(subject)
    if named is None or named.type not in (None, "Patient"):
        subject = response.source
    names = told.person(subject, "subject")
    authored = told.stamp(response.authored, "authored")
    version = authored or told.version_time(path="authored")
    number = told.number()
    based = [r for r in (response.encounter, subject) if isinstance(r, Reference)]
    answers = _Answers(told, instrument, response.item or [])
    data: dict[str, Any] = {
        **links(told, *based),
        "survey_id": _identifier(response.identifier) or number,
        **score(instrument, answers.items, told.instruments, told.notes, "QuestionnaireResponse.item"),
        **answers.beside,
    }
    told.tell("survey.answered", names, data, version)


def _instrument(told: Told, questionnaire: str | None) -> str | None:
    canonical = (questionnaire or "").partition("|")[0].rstrip("/")
    found = told.tables.value("fhir_instrument", canonical)
    if found is None:
        found = told.tables.value("fhir_instrument", canonical.rpartition("/")[2])
    return str(found) if found is not None else None


def _identifier(written: Any) -> str | None:
    try:
        return number_of(msgspec.convert(written, Identifier)) if written is not None else None
    except msgspec.ValidationError:
        return None


class _Answers:
    """What was answered, by the instrument's items; and beside that the wish to be called, and where the words are."""

    def __init__(self, told: Told, instrument: str, items: list[Asked]) -> None:
        self.items: list[Answered] = []
        self.beside: dict[str, Any] = {}
        known = told.instruments.get(instrument)
        for number, (link, answer) in enumerate(_told(items, _DEEPEST)):
            if number >= _MOST:
                break
            if answer.comment_id is not None:
                self.beside.setdefault("comment_id", answer.comment_id)
                continue
            meant = told.tables.value("fhir_survey_item", f"{instrument}#{link}")
            meant = str(told.tables.value("fhir_survey_item", link) or link) if meant is None else str(meant)
            written = _values(answer)
            if meant == _WISH:
                wish = next((value for value in written if isinstance(value, bool)), None)
                if wish is not None:
                    self.beside[_WISH] = wish
            else:
                score_item = known.score if known is not None and meant == _SCORE else None
                self.items.append((score_item or meant, written))


def _values(answer: Answer) -> tuple[object, ...]:
    """The ways in which an answer is written."""
    coding = answer.value_coding if isinstance(answer.value_coding, dict) else {}
    code, display = coding.get("code"), coding.get("display")
    plain = (answer.value_boolean, answer.value_integer, answer.value_decimal)
    return tuple(
        value
        for value in (*plain, _YES_NO.get(str(code)), code, display)
        if isinstance(value, bool | int | float | str)
    )


def _told(items: list[Asked], depth: int) -> Iterator[tuple[str, Answer]]:
    for item in items if depth else ():
        for answer in item.answer or ():
            yield item.link_id or "", answer
            yield from _told(answer.item or [], depth - 1)
        yield from _told(item.item or [], depth - 1)
