"""What patients say, read: surveys by their instruments, complaints, wishes, and words that go their own way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.api import Split
from connectors.surveys.feedback import FeedbackReader
from connectors.surveys.instruments import Instrument, read_instruments, shipped_instruments
from schemas.declaration import Findings, has_errors, read_declaration

WORDS = "Nobody told me when I could go home."
JANE = {"mrn": "8101", "assigning_authority": "NORTH"}


def read(**members: Any) -> Split:
    body = {"id": "f1", "time": "2026-03-02T16:20:00Z", "facility": "NORTH", "person": JANE} | members
    return FeedbackReader().read(json.dumps({k: v for k, v in body.items() if v is not None}).encode(), "the feedback")


def types(split: Split) -> list[str]:
    return [event.type for event in split.reading.events]


def test_a_survey_is_scored_by_its_instrument_in_numbers_or_words() -> None:
    answers = {"overall": 9, "nurse_respect": "Never ", "help_at_home": True, "quiet": None, "nps": 10}
    split = read(survey={"instrument": "hcahps", "id": "s1", "answers": answers}, source="kiosk3")
    [event] = split.reading.events
    assert (event.type, event.identifiers, event.source) == ("survey.answered", ("8101^NORTH",), "feedback/kiosk3")
    assert event.data["item"] == {"overall": 9, "nurse_respect": 1, "help_at_home": 2, "nps": 10}
    assert (event.data["score"], event.data["nps"], event.data["survey_id"]) == (9, 10, "s1")
    assert event.data["low"] is True  # no respect, whatever the rest


def test_what_was_not_answered_is_neither_low_nor_high() -> None:
    split = read(survey={"instrument": "hcahps", "answers": {"quiet": "usually"}})
    data = split.reading.events[0].data
    assert "low" not in data
    assert "score" not in data
    assert data["survey_id"] == "f1"


def test_their_own_words_leave_the_message() -> None:
    split = read(kind="complaint", comment=WORDS)
    [comment] = split.comments
    assert comment.text == WORDS
    [event] = split.reading.events
    assert (event.type, event.data["grievance"], event.data["comment_id"]) == (
        "complaint.received", True, comment.id
    )  # fmt: skip
    assert b"Nobody" not in split.raw
    again = FeedbackReader().read(split.raw, "the feedback")
    assert (again.reading.events, again.reading.digest, again.comments) == (
        split.reading.events, split.reading.digest, ()
    )  # fmt: skip


def test_other_words_are_another_message() -> None:
    assert read(kind="praise", comment="a").reading.digest != read(kind="praise", comment="b").reading.digest


def test_the_words_leave_a_dead_letter_too() -> None:
    split = read(comment=WORDS, survey={"instrument": "hcahsp", "answers": {}})
    assert split.reading.dead is not None
    assert "hcahps" in split.reading.dead.mend
    assert b"Nobody" not in split.raw
    assert split.comments


@pytest.mark.parametrize(
    "members, expected",
    [
        ({"kind": "suggestion", "comment": "more chairs"}, ["complaint.received"]),
        ({"kind": "praise", "comment": "thank you"}, ["feedback.received"]),
        ({"comment": "thank you"}, ["feedback.received"]),
        ({"advocate": True}, ["advocate.requested"]),
        ({"wants_contact": True}, ["advocate.requested"]),
        ({"kind": "complaint", "wants_contact": True}, ["complaint.received"]),
        ({"kind": "complaint", "advocate": True}, ["complaint.received", "advocate.requested"]),
        ({"survey": {"instrument": "nps", "answers": {"nps": 3}}, "wants_contact": True}, ["survey.answered"]),
    ],
)
def test_what_becomes_of_what_is_said(members: dict[str, Any], expected: list[str]) -> None:
    assert types(read(**members)) == expected


def test_a_suggestion_is_no_grievance() -> None:
    assert read(kind="suggestion", comment="more chairs").reading.events[0].data["grievance"] is False


@pytest.mark.parametrize(
    "members, place",
    [
        ({"survey": {"instrument": "nps", "answers": {"nps": 11}}}, "survey.answers.nps"),
        ({"survey": {"instrument": "nps", "answers": {"nps": True}}}, "survey.answers.nps"),
        ({"survey": {"instrument": "nps", "answers": {"Jane Doe": 1}}}, "survey.answers"),
        ({"survey": {"instrument": "x", "answers": {}}}, "survey.instrument"),
        ({"wants_contact": "yes"}, "wants_contact"),
        ({"comment": 7}, "comment"),
        ({"time": "yesterday", "kind": "praise"}, "time"),
        ({"id": "", "kind": "praise"}, "id"),
        ({"nickname": "Jane"}, "the feedback"),
        ({}, "the feedback"),
        ({"wants_contact": True, "person": None}, "person"),
    ],
)
def test_what_is_wrong_is_a_dead_letter_that_names_the_place_and_no_value(members: dict[str, Any], place: str) -> None:
    dead = read(**members).reading.dead
    assert dead is not None
    assert dead.place.endswith(place)
    assert "Jane" not in dead.place + dead.mend
    assert "yesterday" not in dead.mend


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 5000])
def test_what_is_no_object_is_a_dead_letter(raw: bytes) -> None:
    assert FeedbackReader().read(raw, "the feedback").reading.dead is not None


def test_who_is_not_named_is_told_apart_by_where_they_are_reached() -> None:
    split = read(person=None, phone="+1 212 555 0147", wants_contact=True)
    [event] = split.reading.events
    assert (event.identifiers, event.data["address"]) == ((), "+1 212 555 0147")
    other = read(person=None, phone="+1 212 555 0148", wants_contact=True, source="kiosk9").reading.events[0]
    assert (event.data["contact_id"], other.data["contact_id"]) == (f"f1^{event.source}", "f1^feedback/kiosk9")
    assert event.source != other.source  # two forms that count alike tell of two people
    assert read(person=None, kind="praise").reading.notes == ("nobody_named",)


def instruments(text: str) -> tuple[dict[str, Instrument], list[str]]:
    findings = Findings()
    root = read_declaration("site.yaml", text, findings)
    assert root is not None
    found = read_instruments(root, shipped_instruments(), findings)
    problems = findings.listed()
    return found, [str(problem) for problem in problems] if has_errors(problems) else []


def test_a_site_changes_a_line_and_adds_an_instrument() -> None:
    found, wrong = instruments(
        "instruments:\n  hcahps: {low: {quiet: never}}\n"
        "  ours: {items: {waiting: {scale: 1-5}}, score: waiting, low: {waiting: 2}}\n"
    )
    assert wrong == []
    assert found["hcahps"].low == shipped_instruments()["hcahps"].low | {"quiet": 1}
    assert found["ours"].attributes({"waiting": 2})[0] == {
        "instrument": "ours", "item": {"waiting": 2}, "score": 2, "low": True
    }  # fmt: skip


@pytest.mark.parametrize(
    "text, said",
    [
        ("instrments: {}", "instruments"),
        ("instruments: {ours: {itms: {}}}", "items"),
        ("instruments: {ours: {items: {a: {scale: 5-1}}}}", "site.yaml:1:"),
        ("instruments: {ours: {items: {a: {scale: [x, x]}}}}", "from the worst to the best"),
        ("instruments: {hcahps: {low: {overal: 3}}}", "overall"),
        ("instruments: {hcahps: {low: {overall: 30}}}", "on its scale"),
        ("instruments: {hcahps: {score: nothing}}", "names an item"),
        ("instruments: [a]", "mapping"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_mend(text: str, said: str) -> None:
    _, wrong = instruments(text)
    assert wrong
    assert said in wrong[0]
    assert "site.yaml:1:" in wrong[0]
