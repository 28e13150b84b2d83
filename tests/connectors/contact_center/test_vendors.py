"""What the three large vendors send, and what it means: attribute by attribute, flag by flag."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.api import Reading
from connectors.contact_center.plan import Options
from connectors.contact_center.read import HookReader
from connectors.contact_center.shipped import shipped_hook
from schemas.event import Event
from schemas.instant import read_instant
from tests.connectors.contact_center.bodies import (
    AGENT,
    INSTANCE,
    QUEUE,
    connect,
    conversation,
    genesys,
    record,
    twilio,
)


def read(vendor: str, raw: bytes, **options: Any) -> Reading:
    return HookReader(shipped_hook(vendor), Options(**options)).read(raw, "a body")


def events(vendor: str, raw: bytes, **options: Any) -> dict[str, Event]:
    reading = read(vendor, raw, **options)
    assert reading.dead is None, reading.dead
    return {event.type: event for event in reading.events}


# -- Amazon Connect


def test_a_contact_event_gives_the_step_with_its_moment() -> None:
    queued = {"queueArn": f"{INSTANCE}/queue/q1", "enqueueTimestamp": "2026-03-02T15:00:05.000Z"}
    taken = {"agentArn": f"{INSTANCE}/agent/a1", "connectedToAgentTimestamp": "2026-03-02T15:00:47.500Z"}
    found = events("amazon-connect", connect("CONNECTED_TO_AGENT", queueInfo=queued, agentInfo=taken))
    assert list(found) == ["contact.answered"]
    answered = found["contact.answered"]
    assert answered.time == read_instant("2026-03-02T15:00:47.5Z")
    assert answered.source == "contact/amazon-connect/6f1c7f3e"
    assert answered.data == {
        "origin_id": "e1",
        "contact_id": "c1^amazon-connect/6f1c7f3e",
        "channel": "voice",
        "direction": "inbound",
        "queue": "q1",
        "agent": "a1",
        "first": True,
        "queue_seconds": 42.5,
    }


@pytest.mark.parametrize(
    "step, detail, wanted",
    [
        ("INITIATED", {}, ["contact.started"]),
        ("INITIATED", {"previousContactId": "c0", "initiationMethod": "TRANSFER"}, ["contact.transferred"]),
        ("INITIATED", {"previousContactId": "c0", "initiationMethod": "CALLBACK"}, []),
        ("INITIATED", {"initiationMethod": "MONITOR"}, []),
        ("QUEUED", {}, ["contact.queued"]),
        (
            "QUEUED",
            {"initiationMethod": "CALLBACK", "previousContactId": "c0"},
            ["contact.queued", "callback.promised"],
        ),
        ("CONNECTED_TO_AGENT", {"initiationMethod": "CALLBACK"}, ["contact.answered", "callback.made"]),
        ("DISCONNECTED", {}, []),
        ("COMPLETED", {}, []),
        ("SOMETHING_NEW", {}, []),
    ],
)
def test_which_contact_event_gives_what(step: str, detail: dict[str, Any], wanted: list[str]) -> None:
    reading = read("amazon-connect", connect(step, **detail))
    assert [event.type for event in reading.events] == wanted
    assert (reading.ignored is None) == bool(wanted)


def test_what_no_mapping_knows_is_counted_by_its_kind() -> None:
    assert read("amazon-connect", connect("SOMETHING_NEW")).ignored == "amazon-connect: no mapping for SOMETHING_NEW"
    strange = read("amazon-connect", connect("MRN 5550100 of somebody")).ignored
    assert strange == "amazon-connect: no mapping for this contact event"  # a value that might be anybody's


def test_a_transfer_keeps_one_contact() -> None:
    leg = {"contactId": "c2", "initialContactId": "c1", "previousContactId": "c1", "initiationMethod": "TRANSFER"}
    found = events("amazon-connect", connect("QUEUED", **leg))
    assert found["contact.queued"].data["contact_id"] == "c1^amazon-connect/6f1c7f3e"
    assert found["contact.queued"].data["first"] is False


def test_the_record_of_the_last_leg_ends_the_contact() -> None:
    found = events("amazon-connect", record(Queue=QUEUE, Agent=AGENT, DisconnectReason="CUSTOMER_DISCONNECT"))
    assert list(found) == ["contact.ended"]
    assert found["contact.ended"].id == "c1/contact.ended"
    assert found["contact.ended"].data == {
        "origin_id": "c1/2026-03-02T15:11:00Z",
        "contact_id": "c1^amazon-connect/6f1c7f3e",
        "channel": "voice",
        "direction": "inbound",
        "queue": "q1",
        "agent": "a1",
        "address": "+15555550100",
        "queue_seconds": 42,
        "talk_seconds": 300,
        "hold_seconds": 30,
        "holds": 2,
        "transfers": 0,
        "disconnected_by": "patient",
        "abandoned": False,
        "counted": True,
    }


@pytest.mark.parametrize(
    "fields, abandoned, counted",
    [
        ({"Queue": {**QUEUE, "Duration": 40}}, True, True),
        ({"Queue": {**QUEUE, "Duration": 5}}, True, False),  # within five seconds
        ({"Queue": {**QUEUE, "Duration": 6}}, True, True),
        ({"Queue": {**QUEUE, "Duration": 3}, "Agent": AGENT}, False, True),  # taken at once
        ({}, False, False),  # it never came to a queue
        ({"InitiationMethod": "OUTBOUND", "Agent": AGENT}, False, False),
    ],
)
def test_flags_of_a_record_are_always_told(fields: dict[str, Any], abandoned: bool, counted: bool) -> None:
    found = events("amazon-connect", record(**fields))
    assert (found["contact.ended"].data["abandoned"], found["contact.ended"].data["counted"]) == (abandoned, counted)
    assert ("contact.abandoned" in found) == abandoned


def test_a_leg_that_has_a_successor_ends_nothing() -> None:
    reading = read("amazon-connect", record(NextContactId="c2", Queue=QUEUE))
    assert reading.ignored == "amazon-connect: the contact goes on in another leg"


def test_a_record_tells_of_transfers_as_far_as_it_knows() -> None:
    one = {"ContactId": "c2", "InitialContactId": "c1", "PreviousContactId": "c1", "InitiationMethod": "TRANSFER"}
    assert events("amazon-connect", record(**one))["contact.ended"].data["transfers"] == 1
    two = {**one, "ContactId": "c3", "PreviousContactId": "c2"}
    assert events("amazon-connect", record(**two))["contact.ended"].data["transfers"] == 2
    assert events("amazon-connect", record(**two))["contact.ended"].data["contact_id"] == "c1^amazon-connect/6f1c7f3e"


def test_a_record_that_is_amended_tells_the_same_event() -> None:
    first, again = record(), record(LastUpdateTimestamp="2026-03-02T16:00:00Z", Attributes={"language": "spa"})
    one, other = events("amazon-connect", first), events("amazon-connect", again)
    assert one["contact.ended"].id == other["contact.ended"].id
    assert other["contact.ended"].data["language"] == "es"
    assert read("amazon-connect", first).id != read("amazon-connect", again).id  # two messages, no conflict


def test_a_site_without_records_ends_contacts_by_events() -> None:
    chosen = {"choices": {"contact_ended": "event"}}
    ended = {
        "queueInfo": {"queueArn": "x/q1", "enqueueTimestamp": "2026-03-02T15:00:05.000Z"},
        "disconnectTimestamp": "2026-03-02T15:00:09.000Z",
        "disconnectReason": "CUSTOMER_DISCONNECT",
    }
    found = events("amazon-connect", connect("COMPLETED", **ended), **chosen)
    assert set(found) == {"contact.abandoned", "contact.ended"}
    data = found["contact.ended"].data
    assert (data["queue_seconds"], data["abandoned"], data["counted"]) == (4, True, False)
    assert (
        read("amazon-connect", record(), **chosen).ignored == "amazon-connect: COMPLETED says that the contact is over"
    )


def test_a_contact_event_without_its_envelope_is_read_too() -> None:
    import json

    bare = json.dumps(json.loads(connect("INITIATED"))["detail"]).encode()
    assert list(events("amazon-connect", bare)) == ["contact.started"]


def test_what_every_contact_event_has_is_asked_for() -> None:
    reading = read("amazon-connect", connect("INITIATED", contactId=None))
    assert reading.dead is not None
    assert reading.dead.place == "a body, contactId"


# -- Genesys Cloud


def test_genesys_steps() -> None:
    assert list(events("genesys-cloud", genesys("customer.start"))) == ["contact.started"]
    queued = events("genesys-cloud", genesys("acd.start", queueId="q1"))["contact.queued"]
    assert queued.data["first"] is True
    ended = genesys("acd.end", queueId="q1", acdOutcome="ABANDON", connectedDurationMs=31_500)
    assert events("genesys-cloud", ended)["contact.abandoned"].data["queue_seconds"] == 31.5
    taken = genesys("acd.end", queueId="q1", acdOutcome="ANSWERED", connectedDurationMs=4000)
    answered = events("genesys-cloud", taken)["contact.answered"]
    assert (answered.data["queue_seconds"], answered.data["first"], answered.data["queue"]) == (4, True, "q1")
    assert answered.source == "contact/genesys-cloud/32aa07aa"
    assert answered.time == read_instant("2026-03-02T15:00:00Z")


def test_the_customers_end_knows_of_no_queue_and_says_so() -> None:
    ended = events("genesys-cloud", genesys("customer.end", disconnectType="CLIENT"))["contact.ended"]
    assert ended.data["disconnected_by"] == "patient"
    assert (ended.data["abandoned"], ended.data["counted"]) == (False, False)
    assert "queue_seconds" not in ended.data


def test_the_state_of_a_conversation_tells_all_where_a_site_chooses_it() -> None:
    chosen: dict[str, Any] = {
        "choices": {"contact_ended": "conversation"},
        "tables": {"reason": {"w-result": "result"}},
    }
    ended = events("genesys-cloud", conversation(), **chosen)["contact.ended"]
    assert ended.data == {
        "origin_id": "n1/g1",
        "contact_id": "g1^genesys-cloud",
        "channel": "voice",
        "direction": "inbound",
        "queue": "q1",
        "agent": "u1",
        "address": "tel:+15555550100",
        "queue_seconds": 40,
        "talk_seconds": 260,
        "transfers": 0,
        "reason": "result",
        "disconnected_by": "patient",
        "abandoned": False,
        "counted": True,
    }
    assert read("genesys-cloud", genesys("customer.end"), **chosen).ignored is not None
    assert read("genesys-cloud", conversation()).ignored == "genesys-cloud: customer.end says that the contact is over"


def test_a_conversation_that_nobody_took() -> None:
    chosen: dict[str, Any] = {"choices": {"contact_ended": "conversation"}}
    for seconds, counted in ((4, False), (40, True)):
        parts = [
            {"purpose": "customer", "endTime": "2026-03-02T15:05:00Z", "calls": [{"direction": "inbound"}]},
            {"purpose": "acd", "connectedTime": "2026-03-02T15:00:00Z", "endTime": f"2026-03-02T15:00:{seconds:02d}Z"},
        ]
        data = events("genesys-cloud", conversation(participants=parts), **chosen)["contact.ended"].data
        assert (data["abandoned"], data["counted"]) == (True, counted)


# -- Twilio


def test_the_life_of_a_task() -> None:
    assert events("twilio", twilio("task.created"))["contact.started"].data == {
        "origin_id": "EV-task.created",
        "contact_id": "WT1^twilio/AC0",
        "channel": "voice",
        "direction": "inbound",
        "queue": "Scheduling",
        "address": "+15555550100",
    }
    assert events("twilio", twilio("task-queue.entered"))["contact.queued"].data["first"] is True
    accepted = events("twilio", twilio("reservation.accepted", WorkerSid="WK1"))["contact.answered"]
    assert (accepted.data["queue_seconds"], accepted.data["agent"]) == (42, "WK1")
    assert accepted.time == read_instant("2026-03-02T15:00:00.25Z")
    said = {"conversations": {"queue_time": 42, "talk_time": "300", "language": "spa"}, "outcome": "done"}
    ended = events("twilio", twilio("task.completed", said), tables={"outcome": {"done": "resolved"}})["contact.ended"]
    assert ended.data["outcome"] == "resolved"
    assert (ended.data["queue_seconds"], ended.data["talk_seconds"]) == (42, 300)
    assert (ended.data["abandoned"], ended.data["counted"], ended.data["language"]) == (False, True, "es")


@pytest.mark.parametrize("age, counted", [("5", False), ("6", True)])
def test_a_task_that_is_cancelled_was_given_up(age: str, counted: bool) -> None:
    found = events("twilio", twilio("task.canceled", TaskAge=age))
    assert set(found) == {"contact.abandoned", "contact.ended"}
    assert found["contact.ended"].data["abandoned"] is True
    assert found["contact.ended"].data["counted"] is counted


def test_an_outbound_task_is_no_abandoned_one() -> None:
    found = events("twilio", twilio("task.canceled", {"direction": "outbound"}))
    assert set(found) == {"contact.ended"}
    assert (found["contact.ended"].data["abandoned"], found["contact.ended"].data["counted"]) == (False, False)


def test_a_message_status_without_a_time_takes_the_one_at_which_it_came() -> None:
    form = b"MessageSid=SM1&AccountSid=AC0&MessageStatus=delivered&To=%2B15555550100"
    reading = read("twilio", form)
    assert reading.dead is not None
    assert reading.dead.reason.value == "no_time"
    kept = b'#pxhub {"received":"2026-03-02T15:00:00Z"}\n' + form
    delivered = events("twilio", kept)["reminder.delivered"]
    assert delivered.time == read_instant("2026-03-02T15:00:00Z")
    later = read("twilio", kept.replace(b"15:00:00", b"15:09:00"))
    assert later.digest == read("twilio", kept).digest  # the same again, whenever it came


def test_calls_that_go_out() -> None:
    call = (
        "CallSid=CA1&AccountSid=AC0&Direction=outbound-api&To=%2B1555&Timestamp=Wed%2C+15+Jul+2026+09%3A04%3A52+%2B0000"
    )
    assert list(events("twilio", f"{call}&CallStatus=no-answer".encode())) == ["outreach.failed"]
    assert list(events("twilio", f"{call}&CallStatus=completed&AnsweredBy=human".encode())) == ["outreach.reached"]
    machine = events("twilio", f"{call}&CallStatus=completed&AnsweredBy=machine_start".encode())
    assert list(machine) == ["outreach.attempted"]
    assert read("twilio", f"{call}&CallStatus=ringing".encode()).ignored == "twilio: a call on its way"
