"""What a message is as a record of px.inbound, and what its sender is told of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hub.contents import CLOUDEVENTS
from hub.kafka.inbound import LARGEST, record_of
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason
from schemas.event import Event
from schemas.message import Message, Outcome
from streams.distributed.inbound import Told, read_inbound
from streams.embedded.entries import read_events

NOON = int(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp() * 1_000_000)


def event(**data: object) -> Event:
    return Event("1", "s", "result.final", NOON, dict(data), ("mrn:NORTH:1",))


def told(message: Message) -> tuple[Told, Outcome]:
    value, verdict = record_of(message)
    read = read_inbound(value)
    assert isinstance(read, Told)
    assert len(value) < LARGEST
    return read, verdict.outcome


def test_what_is_read_is_kept_as_it_was_read() -> None:
    found = event(code="K")
    read, outcome = told(Message(CLOUDEVENTS, b'{"a": 1}', "s", "1", b"d" * 16, (found,)))
    assert (outcome, read.source, read.id, read.digest) == (Outcome.ACCEPTED, "s", "1", b"d" * 16)
    assert read_events(read.events) == (found,)
    again, _ = told(Message(CLOUDEVENTS, b'{ "a":1 }', "s", "1", b"e" * 16, (found,)))
    assert again.content == read.content  # the same, written otherwise


@pytest.mark.parametrize("size", [LARGEST - 4096, LARGEST, 2 * LARGEST])
def test_of_what_is_larger_than_a_record_that_it_came_is_kept(size: int) -> None:
    for message in (
        Message(CLOUDEVENTS, bytes(size), "s", "1", b"d" * 16, (event(),)),
        Message(CLOUDEVENTS, bytes(size), "s", "\udc80", b"d" * 16, (event(),)),
        Message(CLOUDEVENTS, bytes(size), "s", "1" * LARGEST, b"d" * 16, (event(),)),
    ):
        read, outcome = told(message)
        assert outcome is Outcome.DEAD
        assert read.dead is not None
        assert (read.dead[0] in {"too_large", "invalid"}, len(read.raw) in {0, size}, read.events) == (True, True, b"")
        assert read.dead[0] == "too_large" or read.raw
        assert ("nothing of it is kept" in read.dead[2]) == (read.raw == b"")
        assert size < LARGEST or read.raw == b""


def test_what_is_ignored_or_dead_is_told_so() -> None:
    assert told(Message("hl7", b"x", ignored="no_mapping"))[1] is Outcome.IGNORED
    letter = DeadLetter(reason=Reason.NO_TIME, place="PV1", mend="send a time")
    read, outcome = told(Message("hl7", b"x", "s", "1", dead=letter))
    assert (outcome, read.dead) == (Outcome.DEAD, ("no_time", "PV1", "send a time"))


@pytest.mark.parametrize(
    "message, reason",
    [
        (Message(CLOUDEVENTS, b"{}", "s", "1", events=(event(number=1 << 70),)), Reason.INVALID),
        (Message(CLOUDEVENTS, b"{}", "s", "\udc80", events=(event(),)), Reason.INVALID),
        (Message(CLOUDEVENTS, b"{}", "s", "1", events=(event(text="x" * LARGEST),)), Reason.TOO_LARGE),
    ],
    ids=["a number beyond 64 bits", "an id that is no text", "more than a record may hold"],
)
def test_what_cannot_be_kept_as_it_was_read_is_a_dead_letter_with_its_bytes(message: Message, reason: Reason) -> None:
    read, outcome = told(message)
    assert outcome is Outcome.DEAD
    assert read.dead is not None
    assert (read.dead[0], read.raw, read.events) == (reason.value, b"{}", b"")
