"""Who wrote or answered, and named nobody: linked by the rules that say who called, and taught by every admission."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hub.replay import ReplayOptions, replay
from hub.store_replay import replay_store
from schemas.event import Event
from streams.embedded.reader import Reader

SITE = """
timezone: America/New_York
identity: {region: US}
sources:
  tickets: {hook: zendesk, unsigned: true}
  forms: {hook: typeform, unsigned: true, tables: {instrument: {F1: nps}}}
"""
PATIENT = {
    "resourceType": "Patient", "id": "17", "meta": {"lastUpdated": "2026-03-01T10:00:00Z"},
    "identifier": [{"value": "M1", "system": "urn:plan"}],
    "name": [{"use": "old", "family": "Roe"}, {"use": "official", "family": "Doe", "given": ["Jane", "Q"]}],
    "telecom": [
        {"system": "phone", "value": "(212) 555-0147"}, {"system": "email", "value": "Jane@x.org"},
        {"system": "email", "value": "old@x.org", "use": "old"},
    ],
}  # fmt: skip


def adt(trigger: str) -> str:
    pid = "PID|1||100^^^NORTH^MR||Doe^Jane||19700312|F|||||(212)555-0147^PRN^PH~^NET^Internet^jane@x.org"
    return f"MSH|^~\\&|ADT|NORTH|||20260301100000||ADT^{trigger}|1|P|2.5\r{pid}\rPV1|1|O\r"


def ticket(address: str, id_: str = "7") -> dict[str, Any]:
    return {
        "ticket_id": id_,
        "status": "new",
        "updated_at": "2026-03-02T10:00:00Z",
        "requester_email": address,
        "via": "email",
    }


def form(**contact: str) -> dict[str, Any]:
    answers: list[dict[str, Any]] = [{"type": "number", "number": 2, "field": {"ref": "nps"}}]
    answers += [{"type": kind, kind: value, "field": {"ref": kind}} for kind, value in contact.items()]
    response = {"form_id": "F1", "token": "t1", "submitted_at": "2026-03-02T11:00:00Z", "answers": answers}
    return {"event_id": "e1", "event_type": "form_response", "form_response": response}


def taken(tmp_path: Path, **files: object) -> list[Event]:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    options = ReplayOptions(paths=[str(folder)], site=site)
    report, _ = replay_store(tmp_path / "store", options)
    assert report["dead_letters"] == 0
    assert replay(options).report["persons"] == report["persons"]
    with closing(Reader.open(tmp_path / "store")) as reader:
        return [event for entry in reader.accepted() for event in entry.events]


def linked(events: list[Event]) -> list[tuple[Any, Any]]:
    return [(e.data["surviving"], e.data["evidence"]) for e in events if e.type == "person.linked"]


@pytest.mark.parametrize("trigger", ["A08", "A28", "A31"])
def test_every_adt_teaches_how_somebody_is_reached(tmp_path: Path, trigger: str) -> None:
    events = taken(tmp_path, adt=adt(trigger), tickets=ticket("JANE@x.org"), forms=form(phone_number="212-555-0147"))
    assert linked(events) == [(["100^NORTH"], ["email"]), (["100^NORTH"], ["phone"])]


def test_a_patient_of_fhir_tells_what_hl7_tells(tmp_path: Path) -> None:
    events = taken(tmp_path, patient=PATIENT, tickets=ticket("jane@x.org"), forms=form(email="jane@x.org"))
    facts = next(event.data for event in events if event.type == "person.updated")
    assert (facts["family_name"], facts["given_name"], facts["emails"]) == ("Doe", "Jane", ["Jane@x.org"])
    assert linked(events) == [(["Patient/17^fhir"], ["email"])] * 2


def test_what_leads_to_nobody_is_somebody_of_their_own(tmp_path: Path) -> None:
    events = taken(tmp_path, patient=PATIENT, tickets=ticket("old@x.org"), forms=form(email="other@x.org"))
    assert linked(events) == []
    contacts = {event.data["contact_id"] for event in events if "contact_id" in event.data}
    assert contacts == {"7^contact/zendesk/", "e1^contact/typeform/"}


def test_who_tells_no_address_is_no_contact(tmp_path: Path) -> None:
    events = taken(tmp_path, forms=form())
    assert [(event.type, "contact_id" in event.data) for event in events] == [("survey.answered", False)]
