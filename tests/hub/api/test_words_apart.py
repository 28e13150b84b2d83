"""What patients write, through a hub of its own process: signed as it came, kept without the words, shown by its id."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
from typer.testing import CliRunner

from hub.__main__ import app
from streams.embedded.reader import Reader
from tests.faults.served import Served

WORDS = "Nobody told me when I could go home, says Jane."
SITE = """
timezone: America/New_York
surveys: {instruments: {ours: {items: {waiting: {scale: 1-5}}, score: waiting, low: {waiting: 2}}}}
mapping: {version: 1, tables: {fhir_instrument: {ours: ours}}}
sources:
  forms:
    hook: typeform
    secret_file: forms.secret
    identifiers: [{path: form_response.hidden.mrn, authority: NORTH}]
    tables: {instrument: {F1: ours}, survey_item: {}}
"""
PROMISES = """
thresholds:
  - {id: recovery, kind: wait, key: survey_id, start: {event: survey.answered, where: {low: true}},
     satisfied_by: [{event: outreach.reached}], within: 1h, severity: high}
"""
RESPONSE = {
    "resourceType": "QuestionnaireResponse",
    "id": "q1",
    "questionnaire": "https://north.example/Questionnaire/ours",
    "status": "completed",
    "subject": {"reference": "Patient/17"},
    "authored": "2026-03-02T08:00:00Z",
    "item": [
        {"linkId": "waiting", "answer": [{"valueInteger": 1}]},
        {"linkId": "why", "answer": [{"valueString": WORDS}]},
    ],
}


def form(id_: str, ref: str = "waiting", words: str = WORDS) -> bytes:
    answers = [
        {"type": "number", "number": 9 if ref == "strange" else 2, "field": {"ref": "waiting"}},
        {"type": "text", "text": words, "field": {"ref": "why"}},
    ]
    whose = {"form_id": "F1", "token": id_, "hidden": {"mrn": "8101"}}
    response = {**whose, "submitted_at": "2026-03-02T11:00:00Z", "answers": answers}
    return json.dumps({"event_id": id_, "event_type": "form_response", "form_response": response}).encode()


def signature(body: bytes) -> str:
    return "sha256=" + base64.b64encode(hmac.new(b"k3y", body, hashlib.sha256).digest()).decode()


def shown(*words: str | Path) -> str:
    return CliRunner().invoke(app, list(map(str, words))).output


def test_words_are_nowhere_but_apart(tmp_path: Path) -> None:
    site, store = tmp_path / "site.yaml", tmp_path / "store"
    site.write_text(SITE)
    (tmp_path / "forms.secret").write_text("k3y\n")
    (tmp_path / "promises.yaml").write_text(PROMISES)
    served = Served(store, "--site", site, "--thresholds", tmp_path / "promises.yaml")
    with httpx2.Client(base_url=f"http://127.0.0.1:{served.ports['http']}", trust_env=False, timeout=20) as client:

        def post(body: bytes, signed: bytes | None = None) -> tuple[int, dict[str, Any]]:
            headers = {"typeform-signature": signature(body if signed is None else signed)}
            answer = client.post("/v1/hooks/forms", content=body, headers=headers)
            return answer.status_code, answer.json()

        assert post(form("r1")) == (202, {"outcome": "accepted"})
        assert post(json.dumps(json.loads(form("r1")), indent=1).encode()) == (202, {"outcome": "duplicate"})
        assert post(form("r1", words="Something else."))[1]["reason"] == "conflict"
        assert post(form("r2", "strange"))[1]["place"] == "the body, form_response.answers (waiting)"
        assert post(form("r2", "strange"))[1]["outcome"] == "duplicate"
        assert post(form("r3"), signed=form("r4"))[0] == 401
        fhir = client.put(
            "/fhir/QuestionnaireResponse/q1", json=RESPONSE, headers={"content-type": "application/fhir+json"}
        )
        assert fhir.status_code in (200, 201)
        assert WORDS not in client.get("/metrics").text
    assert served.stop() == 0
    assert "Jane" not in served.log.read_text()
    with closing(Reader.open(store)) as reader:
        rows = reader.rows("SELECT raw, events FROM log")
        assert all(b"Jane" not in raw + (events or b"") for raw, events in rows)
        events = [event for taken in reader.accepted() for event in taken.events]
        comments = dict(reader.rows("SELECT id, text FROM comment"))
        [letter] = [seq for (seq,) in reader.rows("SELECT seq FROM dead_letter WHERE reason = 'invalid'")]
    answered = [event for event in events if event.type.startswith("survey.")]
    assert [comments[str(event.data["comment_id"])] for event in answered] == [WORDS, WORDS]
    assert all((event.data["low"], event.data["score"]) in ((True, 2), (True, 1)) for event in answered)
    assert sorted(comments.values()) == [WORDS, WORDS, WORDS, "Something else."]
    shown_letter = shown("dead-letters", "show", str(letter), "--store", store)
    assert "Jane" not in shown_letter
    assert "comment_id" in shown_letter
    site.write_text(SITE.replace("1-5", "0-10"))
    assert "accepted" in shown("dead-letters", "replay", str(letter), "--store", store, "--site", site)
    with closing(Reader.open(store)) as reader:
        last = [event for taken in reader.accepted() for event in taken.events][-1]
    assert (last.data["score"], comments[str(last.data["comment_id"])]) == (9, WORDS)
    assert WORDS in shown("comments", "show", str(last.data["comment_id"]), "--store", store)
