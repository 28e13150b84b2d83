"""What the clinic's contact center posts, as Amazon Connect does: contact events in EventBridge's envelope, and the
record of a contact when it is over. Text out, a body a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from hub.simulate.dice import Dice
from hub.simulate.people import Person

_ACCOUNT: Final = "111122223333"
INSTANCE: Final = "arn:aws:connect:us-east-1:111122223333:instance/6d4f0b52-9f2c-4a57-8d35-0c5f9b1e7a10"
SCHEDULING: Final = "0f7c1c1e-5a0b-4c8e-9a55-5b2f6d0e1a01"
NURSE_LINE: Final = "0f7c1c1e-5a0b-4c8e-9a55-5b2f6d0e1a02"
BILLING: Final = "0f7c1c1e-5a0b-4c8e-9a55-5b2f6d0e1a03"
_NAMES: Final = {SCHEDULING: "Scheduling", NURSE_LINE: "Nurse line", BILLING: "Billing"}
_AGENTS: Final = tuple(f"b3a90f44-2f4e-4d0b-9c61-7f3e5d2c1a{number:02}" for number in range(1, 25))

# Wrap-up codes of the clinic: what a call was about, and what came of it. site.yaml says what each means.
RESULT: Final = "RSLT"
REACHED, NO_ANSWER, LEFT_MESSAGE, WRONG_NUMBER, RESOLVED, PASSED_ON = "RCHD", "NOAN", "VMSG", "WRNG", "DONE", "FWD"


def telephone(person: Person) -> str:
    """The number of PID-13, as a telephone network writes it."""
    return f"+1978555{person.number % 10000:04}"


@dataclass(slots=True)
class Call:
    """One leg of a contact; instants are seconds since the epoch, 0 for what did not happen. `contact` is the id of
    the first leg, `before` of the one before it. `said` are the contact's attributes."""

    person: Person
    queue: str
    method: str
    begun: int
    id: str
    agent: str
    contact: str = ""
    before: str = ""
    queued: int = 0
    answered: int = 0
    ended: int = 0
    next: str = ""
    scheduled: int = 0
    reason: str = ""
    said: dict[str, str] = field(default_factory=dict)


class Connect:
    """Writes bodies in the order in which they are posted. `sent` counts them."""

    def __init__(self, write: Callable[[str], object], dice: Dice) -> None:
        self.sent: int = 0
        self._write: Callable[[str], object] = write
        self._dice: Dice = dice

    def call(self, person: Person, queue: str, method: str, begun: int) -> Call:
        """A leg that begins; nothing of it is posted yet."""
        return Call(person, queue, method, begun, self._id(), self._dice.choice(_AGENTS))

    def tell(self, call: Call, step: str, at: int) -> None:
        """A contact event: QUEUED or CONNECTED_TO_AGENT."""
        detail: dict[str, Any] = {
            "eventType": step,
            "contactId": call.id,
            "channel": "VOICE",
            "instanceArn": INSTANCE,
            "initiationMethod": call.method,
            "initiationTimestamp": _stamp(call.begun),
            "queueInfo": {
                "queueArn": f"{INSTANCE}/queue/{call.queue}",
                "queueType": "STANDARD",
                "enqueueTimestamp": _stamp(call.queued),
            },
            "customerEndpoint": {"address": telephone(call.person), "type": "TELEPHONE_NUMBER"},
        }
        if call.before:
            detail |= {"initialContactId": call.contact, "previousContactId": call.before}
        if call.scheduled:
            detail["scheduledTimestamp"] = _stamp(call.scheduled)
        if call.answered:
            detail["agentInfo"] = {
                "agentArn": f"{INSTANCE}/agent/{call.agent}",
                "connectedToAgentTimestamp": _stamp(call.answered),
            }
        self._post(
            {
                "version": "0",
                "id": self._id(),
                "detail-type": "Amazon Connect Contact Event",
                "source": "aws.connect",
                "account": _ACCOUNT,
                "time": _stamp(at),
                "region": "us-east-1",
                "resources": [f"{INSTANCE}/contact/{call.id}", INSTANCE],
                "detail": detail,
            }
        )

    def record(self, call: Call) -> None:
        """The record of a leg that is over."""
        queue = agent = None
        if call.queued:
            left = call.answered or call.ended
            queue = {
                "ARN": f"{INSTANCE}/queue/{call.queue}",
                "Name": _NAMES[call.queue],
                "EnqueueTimestamp": _stamp(call.queued),
                "DequeueTimestamp": _stamp(left),
                "Duration": left - call.queued,
            }
        if call.answered:
            agent = {
                "ARN": f"{INSTANCE}/agent/{call.agent}",
                "ConnectedToAgentTimestamp": _stamp(call.answered),
                "AgentInteractionDuration": call.ended - call.answered,
                "CustomerHoldDuration": 0,
                "NumberOfHolds": 0,
            }
        self._post(
            {
                "AWSAccountId": _ACCOUNT,
                "AWSContactTraceRecordFormatVersion": "2017-03-10",
                "Agent": agent,
                "Attributes": call.said,
                "Channel": "VOICE",
                "ContactId": call.id,
                "CustomerEndpoint": {"Address": telephone(call.person), "Type": "TELEPHONE_NUMBER"},
                "DisconnectReason": call.reason,
                "DisconnectTimestamp": _stamp(call.ended),
                "InitialContactId": call.contact or None,
                "InitiationMethod": call.method,
                "InitiationTimestamp": _stamp(call.begun),
                "InstanceARN": INSTANCE,
                "LastUpdateTimestamp": _stamp(call.ended),
                "NextContactId": call.next or None,
                "PreviousContactId": call.before or None,
                "Queue": queue,
            }
        )

    def _post(self, body: dict[str, Any]) -> None:
        self._write(json.dumps(body, separators=(",", ":"), ensure_ascii=False) + "\n")
        self.sent += 1

    def _id(self) -> str:
        return str(UUID(int=self._dice.getrandbits(128), version=4))


def _stamp(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
