"""The contact stories of THRESHOLDS.md, told by what the vendors send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.replay import ReplayOptions, ReplayResult, replay
from tests.connectors.contact_center.bodies import AGENT, INSTANCE, QUEUE, connect, record

THRESHOLDS = """
thresholds:
  - {id: moved, kind: measure, event: contact.ended, value: transfers, limit: {above: 0}, severity: low}
  - {id: level, kind: rate, of: {event: contact.answered, where: {first: true, queue_seconds: {below: 31}}},
     out_of: {event: contact.queued, where: {first: true}}, by: queue, window: 1h, limit: {below: 80%}, minimum: 2,
     severity: high}
  - {id: abandoned, kind: rate, of: {event: contact.ended, where: {counted: true, abandoned: true}},
     out_of: {event: contact.ended, where: {counted: true}}, by: queue, window: 1h, limit: {above: 5%}, minimum: 5,
     severity: high}
  - {id: honoured, kind: measure, event: contact.ended, value: talk_seconds, limit: {above: 60},
     where: {language: {differs_from: person.language}}, severity: low}
"""
SITE = """
timezone: America/New_York
sources:
  line: {hook: amazon-connect, unsigned: true, identifiers: [{path: Attributes.mrn, authority: NORTH}]}
"""


def played(folder: Path, *bodies: bytes) -> ReplayResult:
    (folder / "t.yaml").write_text(THRESHOLDS)
    (folder / "site.yaml").write_text(SITE)
    (folder / "in.ndjson").write_bytes(b"\n".join(bodies))
    options = ReplayOptions(
        paths=[str(folder / "in.ndjson")], thresholds=folder / "t.yaml", site=folder / "site.yaml", timezone="UTC"
    )
    return replay(options)


def told(result: ReplayResult) -> list[tuple[str, str]]:
    return [(alert.threshold, alert.key) for alert in result.alerts]


def at(minute: int, second: int = 0) -> str:
    return f"2026-03-02T15:{minute:02d}:{second:02d}.000Z"


def test_transfer_keeps_one_contact(tmp_path: Path) -> None:
    queue = {"queueArn": f"{INSTANCE}/queue/q1", "enqueueTimestamp": at(0, 5)}
    again = {"queueArn": f"{INSTANCE}/queue/q2", "enqueueTimestamp": at(6)}
    leg = {"contactId": "c2", "initialContactId": "c1", "previousContactId": "c1", "initiationMethod": "TRANSFER"}
    taken = {"agentArn": f"{INSTANCE}/agent/a1", "connectedToAgentTimestamp": at(0, 20)}
    result = played(
        tmp_path,
        connect("INITIATED", id_="1", initiationTimestamp=at(0)),
        connect("QUEUED", id_="2", queueInfo=queue),
        connect("CONNECTED_TO_AGENT", id_="3", queueInfo=queue, agentInfo=taken),
        connect("INITIATED", id_="4", initiationTimestamp=at(5), **leg),
        connect("QUEUED", id_="5", queueInfo=again, **leg),
        record(NextContactId="c2", Queue=QUEUE, Agent=AGENT, LastUpdateTimestamp=at(5, 30)),
        record(
            ContactId="c2",
            InitialContactId="c1",
            PreviousContactId="c1",
            InitiationMethod="TRANSFER",
            Queue=QUEUE,
            Agent=AGENT,
        ),
    )
    assert result.report["accepted"] == 6
    assert result.report["ignored_by_reason"] == {"amazon-connect: the contact goes on in another leg": 1}
    assert result.report["journeys"] == 1
    assert told(result) == [("moved", "c2/contact.ended")]


@pytest.mark.parametrize("seconds, alerts", [(5, []), (6, [("abandoned", "q1")])])
def test_abandoned_within_5s_not_counted(tmp_path: Path, seconds: int, alerts: list[Any]) -> None:
    calls = []
    for number in range(20):
        gone = number % 4 == 0  # of twenty, five give up
        fields: dict[str, Any] = {
            "Queue": {**QUEUE, "Duration": seconds if gone else 30},
            "Agent": None if gone else AGENT,
        }
        calls.append(record(ContactId=f"c{number}", DisconnectTimestamp=at(number), **fields))
    calls.append(connect("INITIATED", id_="z", initiationTimestamp="2026-03-02T16:30:00.000Z"))  # the clock goes on
    assert told(played(tmp_path, *calls)) == alerts


def test_language_changed_midway(tmp_path: Path) -> None:
    def prefers(language: str, hour: int) -> bytes:
        event = {
            "specversion": "1.0",
            "id": f"p{hour}",
            "source": "adt",
            "type": "person.updated",
            "time": f"2026-03-02T{hour}:00:00Z",
            "data": {"mrn": "4711", "assigning_authority": "NORTH", "language": language},
        }
        return json.dumps(event).encode()

    def call(contact: str, hour: int) -> bytes:
        said = {"mrn": "4711", "language": "spa"}
        return record(
            ContactId=contact,
            DisconnectTimestamp=f"2026-03-02T{hour}:30:00Z",
            Queue=QUEUE,
            Agent=AGENT,
            Attributes=said,
        )

    result = played(tmp_path, call("c1", 15), prefers("es", 14), prefers("vi", 16), call("c2", 17))
    assert result.report["dead_letters"] == 0
    assert result.report["persons"] == 1
    assert told(result) == [("honoured", "c2/contact.ended")]


def test_a_record_that_comes_again_amended_is_one_call(tmp_path: Path) -> None:
    leg = {"ContactId": "c2", "InitialContactId": "c1", "PreviousContactId": "c1", "InitiationMethod": "TRANSFER"}
    result = played(tmp_path, record(**leg), record(**leg), record(LastUpdateTimestamp=at(59), **leg))
    assert (result.report["accepted"], result.report["duplicates"]) == (2, 1)
    assert told(result) == [("moved", "c2/contact.ended")]
