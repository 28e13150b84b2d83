"""Contact events, bytes to events, beside the plain tools: json.loads, and jmespath for the same paths.

Contact events of Amazon Connect as EventBridge sends them (1.1 KB), its contact records, detail events of Genesys
Cloud and forms of Twilio's TaskRouter, every one of another contact and moment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlencode

import jmespath

from connectors.contact_center.path import WORDS
from connectors.contact_center.read import HookReader
from connectors.contact_center.shipped import shipped_hook
from hub.bench.figure import Figure, seconds_of, uncollected
from schemas.event import SECOND
from schemas.instant import write_instant

EVENTS: Final = 60_000
_SAMPLE: Final = 4_000
_GOAL: Final = "100,000 or more"
_START: Final = 1_772_442_000 * SECOND
_INSTANCE: Final = "arn:aws:connect:us-east-1:111122223333:instance/6f1c7f3e-23a1-4b6f-9f0c-0a1b2c3d4e5f"
_STEPS: Final = ("INITIATED", "QUEUED", "CONNECTED_TO_AGENT")


def run(events: int = EVENTS) -> Iterator[Figure]:
    """Read that many bodies of each kind."""
    reader = HookReader(shipped_hook("amazon-connect"))
    bodies = [connect_event(number) for number in range(events)]
    yield Figure("bytes a contact event", sum(map(len, bodies)) / events, "bytes")
    with uncollected():
        yield _rate("Amazon Connect contact events read and mapped to events", _taken(reader), bodies, _GOAL)
        yield _rate("reference: json.loads of the same, and nothing else", json.loads, bodies)
        yield _rate("reference: json.loads, and jmespath for the same paths", _plain(reader), bodies[:_SAMPLE])
        records = [connect_record(number) for number in range(events)]
        yield _rate("Amazon Connect contact records read and mapped", _taken(reader), records)
        genesys = HookReader(shipped_hook("genesys-cloud"))
        details = [genesys_event(number) for number in range(events)]
        yield _rate("Genesys Cloud detail events read and mapped", _taken(genesys), details)
        twilio = HookReader(shipped_hook("twilio"))
        forms = [twilio_event(number) for number in range(events // 2)]
        yield _rate("Twilio TaskRouter forms read and mapped", _taken(twilio), forms)


def _rate(name: str, work: Callable[[Any], object], bodies: list[bytes], goal: str = "") -> Figure:
    return Figure(name, len(bodies) / seconds_of(work, bodies), "bodies/s", goal)


def _taken(reader: HookReader) -> Callable[[bytes], None]:
    def take(raw: bytes) -> None:
        if not reader.read(raw, "bench").events:
            raise RuntimeError("a body of the bench gave no event")

    return take


def _plain(reader: HookReader) -> Callable[[bytes], object]:
    """What a first version would do: the whole body as a dict, and an expression for each path."""
    message = reader.plan.messages[0]
    texts = [path.text if not path.names else ".".join(f'"{name}"' for name in path.names) for path in message.paths
             if path.text not in WORDS]  # fmt: skip
    found = [jmespath.compile(text) for text in texts]

    def read(raw: bytes) -> object:
        body = json.loads(raw)
        return [one.search(body) for one in found]

    return read


def _at(number: int, seconds: int = 0) -> str:
    return write_instant(_START + (37 * number + seconds) * SECOND)[:-1] + ".000Z"


def connect_event(number: int) -> bytes:
    """A step of a call: begun, queued, taken."""
    step = _STEPS[number % 3]
    contact = f"{number // 3:08x}-1111-4222-8333-{number:012x}"
    detail: dict[str, Any] = {
        "eventType": step,
        "contactId": contact,
        "channel": "VOICE",
        "instanceArn": _INSTANCE,
        "initiationMethod": "INBOUND",
        "initiationTimestamp": _at(number),
        "connectedToSystemTimestamp": _at(number, 1),
        "tags": {"aws:connect:instanceId": "6f1c7f3e-23a1-4b6f-9f0c-0a1b2c3d4e5f"},
        "segmentAttributes": {"connect:Subtype": {"valueString": "connect:Telephony"}},
        "customerEndpoint": {"type": "TELEPHONE_NUMBER", "address": f"+1555{number:07d}"},
        "systemEndpoint": {"type": "TELEPHONE_NUMBER", "address": "+15550100100"},
    }
    if step != "INITIATED":
        detail["queueInfo"] = {
            "queueArn": f"{_INSTANCE}/queue/{number % 9:08d}-aaaa-4bbb-8ccc-000000000000",
            "queueType": "STANDARD",
            "enqueueTimestamp": _at(number, 5),
        }
    if step == "CONNECTED_TO_AGENT":
        detail["agentInfo"] = {
            "agentArn": f"{_INSTANCE}/agent/{number % 90:08d}-aaaa-4bbb-8ccc-000000000000",
            "connectedToAgentTimestamp": _at(number, 40),
        }
    body = {
        "version": "0",
        "id": f"{number:08x}-abca-abca-abca-abcabcabcabc",
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "account": "111122223333",
        "time": _at(number, 41),
        "region": "us-east-1",
        "resources": [f"{_INSTANCE}/contact/{contact}", _INSTANCE],
        "detail": detail,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def connect_record(number: int) -> bytes:
    """The record of a call that an agent took."""
    body = {
        "AWSAccountId": "111122223333",
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "Agent": {
            "ARN": f"{_INSTANCE}/agent/{number % 90:08d}-aaaa-4bbb-8ccc-000000000000",
            "AgentInteractionDuration": 200 + number % 400,
            "ConnectedToAgentTimestamp": _at(number, 40),
            "CustomerHoldDuration": number % 60,
            "NumberOfHolds": number % 3,
            "AfterContactWorkDuration": 12,
            "Username": "agent",
        },
        "Attributes": {"mrn": str(5_000_000 + number), "language": "es-US"},
        "Channel": "VOICE",
        "ContactId": f"{number:08x}-1111-4222-8333-000000000000",
        "CustomerEndpoint": {"Address": f"+1555{number:07d}", "Type": "TELEPHONE_NUMBER"},
        "DisconnectReason": "CUSTOMER_DISCONNECT",
        "DisconnectTimestamp": _at(number, 600),
        "InitialContactId": None,
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": _at(number),
        "InstanceARN": _INSTANCE,
        "LastUpdateTimestamp": _at(number, 620),
        "NextContactId": None,
        "PreviousContactId": None,
        "Queue": {
            "ARN": f"{_INSTANCE}/queue/{number % 9:08d}-aaaa-4bbb-8ccc-000000000000",
            "Duration": number % 300,
            "EnqueueTimestamp": _at(number, 5),
            "Name": "Scheduling",
        },
        "Recording": None,
        "SystemEndpoint": {"Address": "+15550100100", "Type": "TELEPHONE_NUMBER"},
        "TransferCompletedTimestamp": None,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def genesys_event(number: int) -> bytes:
    """A customer's beginning, or a queue's end."""
    what = ("customer.start", "acd.end")[number % 2]
    conversation = f"{number:08x}-0fc2-4d6a-9b56-92238191433e"
    body = {
        "version": "0",
        "id": f"{number:08x}-f077-4eec-a25f-c638dbdd4368",
        "detail-type": "v2.detail.events.conversation.{id}." + what,
        "source": "aws.partner/genesys.com/cloud/32aa07aa-db1b-4987-abd0-9483601ec29d/bus",
        "account": "123456789012",
        "time": _at(number),
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "topicName": f"v2.detail.events.conversation.{conversation}.{what}",
            "version": "2",
            "eventBody": {
                "eventTime": (_START + 37 * number * SECOND) // 1000,
                "conversationId": conversation,
                "participantId": "9fb2ca78-8389-4758-b76a-9b0300de1fce",
                "sessionId": "c03d300e-fa79-4353-9695-b97a71322785",
                "mediaType": "VOICE",
                "provider": "Edge",
                "direction": "INBOUND",
                "ani": f"tel:+1555{number:07d}",
                "queueId": f"{number % 9:08d}-96d7-4baa-af1f-d46ad6700d8b",
                "acdOutcome": "ANSWERED",
                "connectedDurationMs": 1000 * (number % 300),
            },
            "metadata": {"CorrelationId": "7272d362-23b2-4c14-9d40-dc7b7683153a"},
            "timestamp": _at(number),
        },
    }
    return json.dumps(body, separators=(",", ":")).encode()


def twilio_event(number: int) -> bytes:
    """An event of TaskRouter as a form."""
    attributes = {
        "from": f"+1555{number:07d}",
        "direction": "inbound",
        "language": "es",
        "call_sid": f"CA{number:032x}",
    }
    return urlencode(
        {
            "EventType": ("task.created", "task-queue.entered", "reservation.accepted", "task.completed")[number % 4],
            "Sid": f"EV{number:032x}",
            "AccountSid": "AC" + "0" * 32,
            "WorkspaceSid": "WS" + "0" * 32,
            "TaskSid": f"WT{number // 4:032x}",
            "TaskAttributes": json.dumps(attributes),
            "TaskAge": str(number % 300),
            "TaskQueueName": "Scheduling",
            "TaskChannelUniqueName": "voice",
            "WorkerSid": "WK" + "0" * 32,
            "Timestamp": str((_START + 37 * number * SECOND) // SECOND),
            "TimestampMs": str((_START + 37 * number * SECOND) // 1000),
        }
    ).encode()
