"""Bodies as the vendors send them, with what a test says of them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

INSTANCE = "arn:aws:connect:us-east-1:111122223333:instance/6f1c7f3e"


def connect(step: str, id_: str = "e1", **detail: Any) -> bytes:
    """A contact event of Amazon Connect in its envelope."""
    body = {
        "version": "0",
        "id": id_,
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "time": "2026-03-02T15:00:00Z",
        "detail": {
            "eventType": step,
            "contactId": "c1",
            "channel": "VOICE",
            "instanceArn": INSTANCE,
            "initiationMethod": "INBOUND",
            "initiationTimestamp": "2026-03-02T15:00:00.000Z",
            **detail,
        },
    }
    return json.dumps(body).encode()


def record(**fields: Any) -> bytes:
    """A contact record of Amazon Connect."""
    body = {
        "AWSAccountId": "111122223333",
        "Agent": None,
        "Attributes": {},
        "Channel": "VOICE",
        "ContactId": "c1",
        "CustomerEndpoint": {"Address": "+15555550100", "Type": "TELEPHONE_NUMBER"},
        "DisconnectTimestamp": "2026-03-02T15:10:00Z",
        "InitialContactId": None,
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-03-02T15:00:00Z",
        "InstanceARN": INSTANCE,
        "LastUpdateTimestamp": "2026-03-02T15:11:00Z",
        "NextContactId": None,
        "PreviousContactId": None,
        "Queue": None,
        **fields,
    }
    return json.dumps(body).encode()


QUEUE = {
    "ARN": f"{INSTANCE}/queue/q1",
    "Name": "Scheduling",
    "Duration": 42,
    "EnqueueTimestamp": "2026-03-02T15:00:05Z",
}
AGENT = {
    "ARN": f"{INSTANCE}/agent/a1",
    "ConnectedToAgentTimestamp": "2026-03-02T15:00:47Z",
    "AgentInteractionDuration": 300,
    "CustomerHoldDuration": 30,
    "NumberOfHolds": 2,
}


def genesys(what: str, **fields: Any) -> bytes:
    """A detail event of Genesys Cloud by EventBridge."""
    conversation = fields.get("conversationId", "g1")
    body = {
        "id": f"{what}-{conversation}",
        "detail-type": "v2.detail.events.conversation.{id}." + what,
        "source": "aws.partner/genesys.com/cloud/32aa07aa/bus",
        "time": "2026-03-02T15:00:00Z",
        "detail": {
            "topicName": f"v2.detail.events.conversation.{conversation}.{what}",
            "eventBody": {
                "eventTime": 1772463600000,
                "conversationId": conversation,
                "mediaType": "VOICE",
                "direction": "INBOUND",
                **fields,
            },
        },
    }
    return json.dumps(body).encode()


def conversation(**fields: Any) -> bytes:
    """The state of a whole conversation, as the notification service tells it."""
    parts = [
        {"purpose": "customer", "ani": "tel:+15555550100", "endTime": "2026-03-02T15:05:00Z",
         "calls": [{"direction": "inbound", "disconnectType": "client"}]},
        {"purpose": "acd", "queueId": "q1", "connectedTime": "2026-03-02T15:00:00Z", "endTime": "2026-03-02T15:00:40Z"},
    ]  # fmt: skip
    agent = {"purpose": "agent", "userId": "u1", "connectedTime": "2026-03-02T15:00:40Z",
             "endTime": "2026-03-02T15:05:00Z", "wrapup": {"code": "w-result"}}  # fmt: skip
    body = {
        "topicName": "v2.conversations.g1",
        "eventBody": {"id": "g1", "participants": fields.get("participants", [*parts, agent])},
        "metadata": {"CorrelationId": "n1"},
    }
    return json.dumps(body).encode()


def twilio(event: str, attributes: dict[str, Any] | None = None, **fields: str) -> bytes:
    """An event of Twilio's TaskRouter as a form."""
    return urlencode(
        {
            "EventType": event,
            "Sid": f"EV-{event}",
            "AccountSid": "AC0",
            "WorkspaceSid": "WS0",
            "TaskSid": "WT1",
            "TaskAttributes": json.dumps({"from": "+15555550100", **(attributes or {})}),
            "TaskAge": "42",
            "TaskQueueName": "Scheduling",
            "TaskChannelUniqueName": "voice",
            "Timestamp": "1772463600",
            "TimestampMs": "1772463600250",
            **fields,
        }
    ).encode()
