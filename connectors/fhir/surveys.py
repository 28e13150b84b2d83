"""QuestionnaireResponse: what somebody answered to a survey. What is written in words stays where it is.

A questionnaire is a survey where a site's table names its instrument; the others are clinical forms, and none of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from connectors.fhir.links import links
from connectors.fhir.references import number_of
from connectors.fhir.resource import PassedBy, Told
from connectors.fhir.shapes import Identifier, Reference
from connectors.fhir.shapes_told import Answer, Asked, QuestionnaireResponse

_LINK: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", re.ASCII)
_ITEM: Final = "item."
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
    data: dict[str, Any] = {
        **links(told, *based),
        "survey_id": _identifier(response.identifier) or number,
        "instrument": instrument,
        **_answers(told, instrument, response.item or []),
    }
    score = data.get("score", data.get("nps"))
    limit = told.tables.value("fhir_low", instrument)
    if isinstance(score, int | float) and isinstance(limit, int | float):
        data["low"] = score <= limit
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


def _answers(told: Told, instrument: str, items: list[Asked]) -> dict[str, Any]:
    """What was answered, by the attribute that the table names, else as `item.` and the question's linkId. Of words it
    is told that there are some, and where."""
    found: dict[str, Any] = {}
    for number, (link, answer) in enumerate(_told(items, _DEEPEST)):
        if number >= _MOST:
            break
        if answer.value_string is not None and answer.value_string.strip():
            found.setdefault("comment_id", f"{told.id}#{link}" if _LINK.fullmatch(link) else told.id)
            continue
        value = _value(answer)
        if value is None:
            continue
        meant = told.tables.value("fhir_survey_item", f"{instrument}#{link}")
        meant = meant if meant is not None else told.tables.value("fhir_survey_item", link)
        if meant is not None:
            found[str(meant)] = bool(value) if meant == "wants_contact" else value
        elif _LINK.fullmatch(link):
            found[_ITEM + link] = value
    return found


def _value(answer: Answer) -> bool | int | float | str | None:
    for value in (answer.value_boolean, answer.value_integer, answer.value_decimal):
        if value is not None:
            return value
    coding = answer.value_coding
    code = coding.get("code") if isinstance(coding, dict) else None
    if not isinstance(code, str) or not _LINK.fullmatch(code):
        return None
    return int(code) if code.isdecimal() and len(code) < 4 else {"Y": True, "N": False}.get(code, code)


def _told(items: list[Asked], depth: int) -> Iterator[tuple[str, Answer]]:
    for item in items if depth else ():
        for answer in item.answer or ():
            yield item.link_id or "", answer
            yield from _told(answer.item or [], depth - 1)
        yield from _told(item.item or [], depth - 1)
