"""Feedback in files: told by its content beside all else, scored as the site says, and nobody's words in a report."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.replay import ReplayOptions, replay
from hub.store_replay import replay_store
from streams.embedded.reader import Reader

WORDS = "Nobody told me when I could go home."
SURVEY = {"survey": {"instrument": "ours", "answers": {"waiting": 1}}}
SITE = """
timezone: UTC
surveys: {instruments: {ours: {items: {waiting: {scale: 1-5}}, score: waiting, low: {waiting: 2}}}}
sources:
  forms: {hook: typeform, unsigned: true, tables: {instrument: {F1: ours}}}
"""


def feedback(id_: str, **members: Any) -> dict[str, Any]:
    person = {"mrn": "8101", "assigning_authority": "NORTH"}
    return {"id": id_, "time": "2026-03-02T16:20:00Z", "source": "kiosk", "person": person, **members}


def event(id_: str) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": id_, "source": "/crm", "type": "complaint.acknowledged",
        "time": "2026-03-02T17:00:00Z", "data": {"mrn": "8101", "assigning_authority": "NORTH", "complaint_id": "f2"},
    }  # fmt: skip


def form(words: str = WORDS, id_: str = "e1") -> dict[str, Any]:
    answers = [
        {"type": "number", "number": 1, "field": {"ref": "waiting"}},
        {"type": "text", "text": words, "field": {"ref": "why"}},
    ]
    response = {"form_id": "F1", "token": id_, "submitted_at": "2026-03-02T16:30:00Z", "answers": answers}
    return {"event_id": id_, "event_type": "form_response", "form_response": response}


def patient(id_: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id_, "meta": {"lastUpdated": "2026-03-02T10:00:00Z"}}


def both(tmp_path: Path, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The reports of a replay in memory and of one through a store, which count the same."""
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    options = ReplayOptions(paths=[str(folder)], site=site)
    memory, (store, _) = replay(options).report, replay_store(tmp_path / "store", options)
    assert WORDS not in json.dumps([memory, store])
    return memory, store


def stored(folder: Path) -> list[str]:
    with closing(Reader.open(folder)) as reader:
        assert all(WORDS.encode() not in raw for (raw,) in reader.rows("SELECT raw FROM log"))
        return [text for (text,) in reader.rows("SELECT text FROM comment ORDER BY text")]


LINES = {
    "one object": json.dumps(feedback("f1", **SURVEY, comment=WORDS), indent=1),
    "a line each": "\n".join(
        map(json.dumps, (feedback("f1", **SURVEY, comment=WORDS), feedback("f2", kind="complaint")))
    ),
    "an array": json.dumps([feedback("f1", **SURVEY, comment=WORDS), feedback("f2", kind="praise", comment="thanks")]),
    "behind events": "\n".join(map(json.dumps, (event("a"), event("b"), feedback("f1", **SURVEY, comment=WORDS)))),
    "before events": "\n".join(map(json.dumps, (feedback("f1", **SURVEY, comment=WORDS), event("a"), event("b")))),
    "among forms": "\n".join(
        map(json.dumps, (form("x"), feedback("f1", **SURVEY, comment=WORDS), event("a"), patient("1")))
    ),
    "behind resources": "\n".join(
        map(json.dumps, (patient("1"), patient("2"), feedback("f1", **SURVEY, comment=WORDS)))
    ),
}


@pytest.mark.parametrize("form", LINES)
def test_it_is_told_by_its_content(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a").write_text(LINES[form])
    memory, store = both(tmp_path, folder)
    for report in (memory, store):
        assert (report["dead_letters"], report["ignored"]) == (0, 0)
        assert (
            report["accepted"]
            == report["messages"]
            == (form != "one object") + 1 + (form[0] == "b") + 2 * (form[:2] == "am")
        )
    assert WORDS in stored(tmp_path / "store")


def test_what_is_dead_holds_no_words_and_counts_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    wrong = feedback("f1", survey={"instrument": "ours", "answers": {"waiting": 9}}, comment=WORDS)
    (folder / "a.json").write_text("\n".join(map(json.dumps, (wrong, wrong, feedback("f1", kind="praise")))))
    (folder / "b.json").write_text(json.dumps(wrong, indent=2))
    memory, store = both(tmp_path, folder)
    for report in (memory, store):
        assert (report["accepted"], report["duplicates"], report["dead_letters"]) == (1, 2, 1)
    assert stored(tmp_path / "store") == [WORDS]


def test_memory_and_store_count_the_same_whatever_comes(tmp_path: Path) -> None:
    """Repetitions of dead letters, conflicts among them, parts that nobody can read, the same printed otherwise."""
    folder = tmp_path / "in"
    folder.mkdir()
    undated = {"resourceType": "Appointment", "id": "a1", "status": "booked"}
    later = {**event("x"), "time": "2999-01-01T00:00:00Z"}
    changed = [{**event("c"), "data": {"mrn": "8101", "complaint_id": number}} for number in "1232"]
    hl7 = "MSH|^~\\&|A|B|||{}||ADT^A01|1|P|2.5{}PID|1{}"
    empty = json.dumps({**form(id_="e2"), "form_response": {"form_id": "F1"}})
    files: dict[str, Any] = {
        "fhir-1": json.dumps(undated), "fhir-2": json.dumps(undated, indent=2), "fhir-3": json.dumps(undated) + "\n{",
        "fhir-4": '{"resourceType": "Patient", "birthDate": 7}', "fhir-5": '{"resourceType":"Patient","birthDate":7}',
        "hook-1": json.dumps(form()), "hook-2": json.dumps(form(), indent=1), "hook-3": json.dumps(form("another")),
        "hook-4": json.dumps(form("another"), indent=1), "hook-5": json.dumps(form()) + '\n{"cut":',
        "hook-6": json.dumps(form()) + '\n{"cut":', "hook-7": empty,
        "events-1": "\n".join(map(json.dumps, (*changed, later, later))), "events-2": json.dumps({**later, "id": 7}),
        "events-3": json.dumps({**later, "id": 7}, indent=3), "events-4": json.dumps([event("y"), 7, 7]),
        "hl7-1": hl7.format("20260302", "\r", "\r"), "hl7-2": hl7.format("20260302", "\n", "\n"),
        "hl7-3": hl7.format("", "\r", "\r"), "hl7-4": hl7.format("", "\n", "\n"),
        "damaged-1.gz": b"\x1f\x8b\x08\x00cut", "damaged-2.gz": b"\x1f\x8b\x08\x00cut",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    memory, store = both(tmp_path, folder)
    assert memory["dead_letters_by_reason"] == store["dead_letters_by_reason"]
    names = ("messages", "accepted", "duplicates", "ignored", "dead_letters", "events", "notes")
    assert {name: memory[name] for name in names} == {name: store[name] for name in names}
    assert memory["dead_letters_by_reason"]["unreadable"] >= 4  # two damaged files are two
    assert memory["duplicates"] >= 8
