"""What somebody wrote in a QuestionnaireResponse: it leaves the bytes, and they read the same again."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from connectors.fhir.kept import digest_of, read_kept, write_kept, write_whole
from connectors.fhir.read import FhirReader
from connectors.fhir.spoken import without_words
from tests.connectors.fhir.resources import ref, resource

WORDS = "Nobody called me, and my name is Jane"


def response(id_: str = "q1", words: str = WORDS) -> dict[str, Any]:
    return resource(
        "QuestionnaireResponse",
        id_,
        questionnaire="https://north.example/Questionnaire/nps",
        status="completed",
        text={"status": "generated", "div": f"<div>{words}</div>"},
        subject=ref("Patient/17"),
        authored="2026-03-02T08:00:00Z",
        item=[
            {"linkId": "nps", "answer": [{"valueInteger": 4}]},
            {"linkId": "g", "item": [{"linkId": "why", "answer": [{"valueString": words}]}]},
        ],
    )


def of(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_the_words_leave_the_bytes_and_they_read_the_same() -> None:
    raw, [comment] = without_words(of(response()))
    assert comment.text == WORDS
    assert b"Jane" not in raw
    assert without_words(raw) == (raw, ())
    first, again = (FhirReader(system="ehr").read(text, "r") for text in (of(response()), raw))
    assert first == again
    assert first.events[0].data["comment_id"] == comment.id
    assert digest_of(raw) == first.digest


def test_other_words_are_another_version_of_it() -> None:
    one, other = without_words(of(response()))[0], without_words(of(response(words="Something else")))[0]
    assert digest_of(one) != digest_of(other)


def test_a_resource_in_its_envelope_and_a_whole_bundle() -> None:
    reader = FhirReader(system="ehr")
    raw, [comment] = without_words(write_kept(of(response()), system="ehr"))
    [event] = read_kept(raw, "r", lambda _: reader)[0].events
    assert event.data["comment_id"] == comment.id
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": response(id_)} for id_ in "ab"]}
    whole = write_whole(msgspec.Raw(of(bundle)), "", system="ehr", name="transaction/1", digest=b"0" * 16, things=())
    raw, comments = without_words(whole)
    assert b"Jane" not in raw
    assert digest_of(raw) == b"0" * 16
    assert [e.data["comment_id"] for e in read_kept(raw, "r", lambda _: reader)[0].events] == [c.id for c in comments]
    assert len({comment.id for comment in comments}) == 2


def test_what_has_no_words_stays_as_it_came() -> None:
    for raw in (
        of(resource("Patient", "17")),
        b'{"resourceType": "QuestionnaireResponse", "item": [7]}',
        b"{",
        b'"QuestionnaireResponse"',
    ):
        assert without_words(raw) == (raw, ())


def test_who_hands_a_resource_over_keeps_it_as_it_was() -> None:
    handed = response()
    FhirReader(system="ehr").read(handed, "r")
    assert handed == response()
