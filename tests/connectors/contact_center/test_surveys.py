"""Answers that another product posts: scored by the site's instruments, and what was typed stands apart."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.api import Split
from connectors.contact_center.declared import WrongHook
from connectors.contact_center.path import read_path
from connectors.contact_center.plan import Options
from connectors.contact_center.read import HookReader, content_of
from connectors.contact_center.shipped import read_hook_text, shipped_hook
from connectors.contact_center.signature import Signed
from connectors.contact_center.spec import Identifier
from schemas.event import Event

WORDS = "Nobody called me back, says Jane."
MRN = {"response": (Identifier(paths=(read_path("form_response.hidden.mrn"),), authority="NORTH"),)}


def answer(ref: str, kind: str, value: Any) -> dict[str, Any]:
    return {"type": kind, kind: value, "field": {"id": f"id-{ref}", "type": "x", "ref": ref}}


def typeform(*answers: dict[str, Any], form: str = "F1", **hidden: str) -> dict[str, Any]:
    response = {
        "form_id": form,
        "token": "t1",
        "submitted_at": "2026-03-02T16:20:00Z",
        "hidden": hidden,
        "answers": list(answers),
    }
    return {"event_id": "e1", "event_type": "form_response", "form_response": response}


def reader(name: str = "typeform", **tables: Mapping[str, str]) -> HookReader:
    known = {"instrument": {"f1": "nps", "sv_1": "hcahps"}, "survey_item": {"id-q7": "nps", "qid1": "overall"}}
    return HookReader(
        shipped_hook(name), Options(tables={**known, **tables}, identifiers=MRN if name == "typeform" else {})
    )


def read(body: Any, name: str = "typeform") -> Split:
    return reader(name).split(json.dumps(body).encode(), "the body")


def types(events: tuple[Event, ...]) -> list[str]:
    return [event.type for event in events]


def test_a_form_is_scored_by_the_instrument_that_a_site_names_for_it() -> None:
    split = read(typeform(answer("nps", "number", 4), answer("mail", "email", "jane@x.org"), mrn="8101", visit_id="V1"))
    [event] = split.reading.events
    assert (event.id, event.type, event.identifiers) == ("t1/survey.answered", "survey.answered", ("8101^NORTH",))
    told = {
        name: event.data[name]
        for name in ("instrument", "item", "score", "nps", "low", "survey_id", "visit_id", "email")
    }
    assert told == {
        "instrument": "nps", "item": {"nps": 4}, "score": 4, "nps": 4, "low": True, "survey_id": "t1", "visit_id": "V1",
        "email": "jane@x.org",
    }  # fmt: skip
    more = read(typeform(answer("nps", "number", 4), answer("age", "number", 44)))
    assert more.reading.notes == ("answers_without_item",)


def test_a_question_goes_by_its_ref_its_id_or_the_sites_line_for_either() -> None:
    [event] = read(typeform(answer("q7", "number", 9))).reading.events
    assert (event.data["score"], event.data["low"]) == (9, False)


def test_what_was_typed_leaves_the_body_and_it_reads_the_same_again() -> None:
    other = answer("x", "choice", {"label": "Other", "other": "the food"})
    split = read(typeform(answer("nps", "number", 4), answer("why", "text", WORDS), other, mrn="8101"))
    [comment] = split.comments
    assert comment.text == f"{WORDS}\n\nthe food"
    assert b"Jane" not in split.raw
    assert b"food" not in split.raw
    [event] = split.reading.events
    assert event.data["comment_id"] == comment.id
    again = reader().split(split.raw, "the body")
    assert (again.reading, again.raw, again.comments) == (split.reading, split.raw, ())


def test_a_repetition_says_the_same_and_other_words_do_not() -> None:
    one, same, other = (read(typeform(answer("why", "text", words), form="F2")) for words in (WORDS, WORDS, "Another."))
    assert (one.reading.digest, one.comments) == (same.reading.digest, same.comments)
    assert content_of(one.raw) == content_of(same.raw) != content_of(other.raw)
    assert one.reading.digest != other.reading.digest


def test_the_words_leave_what_is_ignored_and_what_is_dead_too() -> None:
    ignored = read(typeform(answer("why", "text", WORDS), form="F2"))
    assert ignored.reading.ignored == "typeform: a form that no instrument is named for"
    dead = read(typeform(answer("why", "text", WORDS), answer("nps", "number", 11)))
    assert dead.reading.dead is not None
    assert dead.reading.dead.place == "the body, form_response.answers (nps)"
    for split in (ignored, dead):
        assert b"Jane" not in split.raw
        assert split.comments


@pytest.mark.parametrize(
    "answers, form, expected",
    [
        ({"nps": 3, "wants_contact": True}, "F1", ["survey.answered"]),
        ({"wants_contact": True}, "F2", ["advocate.requested"]),
        ({"complaint": True, "wants_contact": True}, "F2", ["complaint.received"]),
        ({"complaint": True, "advocate": True}, "F2", ["complaint.received", "advocate.requested"]),
        ({"advocate": True, "wants_contact": True}, "F2", ["advocate.requested"]),
        ({"complaint": False, "advocate": False, "wants_contact": False}, "F2", []),
    ],
)
def test_what_a_form_wishes(answers: dict[str, Any], form: str, expected: list[str]) -> None:
    written = [answer(ref, "number" if ref == "nps" else "boolean", value) for ref, value in answers.items()]
    events = read(typeform(*written, form=form, mrn="8101")).reading.events
    assert types(events) == expected
    assert len({event.id for event in events}) == len(events)
    if form == "F1":
        assert events[0].data["wants_contact"] is True


def test_an_instrument_that_nobody_declared_is_a_dead_letter() -> None:
    strange = reader(instrument={"f1": "hcahsp"}).split(json.dumps(typeform(answer("nps", "number", 3))).encode(), "b")
    assert strange.reading.dead is not None
    assert "hcahps" in strange.reading.dead.mend


def test_a_response_of_qualtrics() -> None:
    values = {
        "endDate": "2026-03-02T16:20:00Z", "finished": 1, "QID1": "5", "QID2_TEXT": WORDS, "QID3": WORDS, "QID4": "7",
        "wants_contact": "Yes", "phone": "(212) 555-0147", "nurse_respect": "never",
    }  # fmt: skip
    split = read({"responseId": "R_1", "surveyId": "SV_1", "values": values}, "qualtrics")
    [event] = split.reading.events
    assert (event.type, event.data["survey_id"], event.data["wants_contact"]) == ("survey.answered", "R_1", True)
    assert (event.data["item"], event.data["low"]) == ({"overall": 5, "nurse_respect": 1}, True)
    assert b"Jane" not in split.raw
    assert split.comments[0].text == f"{WORDS}\n\n{WORDS}"
    assert reader("qualtrics").split(split.raw, "the body").reading == split.reading
    notice = read({"Topic": "surveyengine.completedResponse.SV_1", "ResponseID": "R_1"}, "qualtrics")
    assert notice.reading.ignored == "qualtrics: a notice without answers"


def test_who_signed_it_is_asked_of_the_bytes_as_they_came() -> None:
    body = json.dumps(typeform(answer("why", "text", WORDS))).encode()
    check = shipped_hook("typeform").check
    assert check is not None
    made = base64.b64encode(hmac.new(b"secret", body, hashlib.sha256).digest()).decode()
    signed = Signed(check, [b"secret"], "")
    assert signed.refusal({"typeform-signature": f"sha256={made}"}, "", body, 0) is None
    assert signed.refusal({"typeform-signature": f"sha256={made}"}, "", body + b" ", 0) is not None


@pytest.mark.parametrize(
    "line, wrong",
    [
        ("words: {in: a}", "`take` names"),
        ("words: [text]", "words are"),
        ("survey: {instrument: form}", "a survey names"),
        ("survey: {instrument: form, answers: a, item: b}", "`item` and `answer`"),
        ("survey: {instrument: form, answers: a, items: itms}", "no table `itms`"),
    ],
)
def test_mistakes_in_a_mapping_are_told(line: str, wrong: str) -> None:
    text = f"""
version: 1
vendor: box
messages:
  - name: one
    recognise: {{a: present}}
    id: a
    time: at
    {line}
    events: [{{event: survey.answered, attributes: {{survey_id: a}}}}]
"""
    with pytest.raises(WrongHook) as told:
        read_hook_text("box.yaml", text)
    assert wrong in str(told.value)


def test_each_item_of_a_body_has_words_of_its_own() -> None:
    mapping = read_hook_text(
        "box.yaml",
        """
version: 1
vendor: box
messages:
  - name: many
    recognise: {sayings: present}
    each: sayings
    id: id
    time: at
    words: [{take: said}]
    events: [{event: feedback.received, attributes: {topic: topic}}]
""",
    )
    at = "2026-03-02T16:20:00Z"
    body = {
        "sayings": [{"id": "1", "at": at, "said": "one"}, {"id": "2", "at": at, "said": "two"}, {"id": "3", "at": at}]
    }
    split = HookReader(mapping).split(json.dumps(body).encode(), "b")
    assert [comment.text for comment in split.comments] == ["one", "two"]
    ids = [event.data.get("comment_id") for event in split.reading.events]
    assert ids == [*(comment.id for comment in split.comments), None]
