"""Records of px.inbound that nobody of us wrote, or a newer version did."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from schemas.event import Event
from schemas.message import Message
from streams.distributed.formats import NewerFormat
from streams.distributed.inbound import LATEST, Ticked, Told, read_inbound, write_message, write_tick
from streams.distributed.letters import read_letter
from streams.distributed.names import INBOUND
from tests.properties.topics_in_memory import Run, messages_of
from tests.streams.test_partition import START, THRESHOLDS, read_instant

DEEP = b"\x91" * 100_000
FOREIGN = [b"", b"\xc1", b"{}", b'["m1"]', msgspec.msgpack.encode(["m1", 1]), msgspec.msgpack.encode(["x1"]), DEEP]


def message(number: int, order: str) -> list[Message]:
    return messages_of([[Event(f"e{number}", "s", "e.start", read_instant(START), {"order_id": order}, ("1^N",))]])


@pytest.mark.parametrize("value", FOREIGN)
def test_what_is_no_record_of_ours_is_a_dead_letter(value: bytes) -> None:
    run = Run(THRESHOLDS, 2, Random(1))
    run.tell(message(0, "A"))
    run.topics.put(INBOUND, 0, b"key", value)
    run.tell(message(1, "B"))
    run.close(read_instant("2026-03-02T12:00:00Z"))
    run.work()
    assert sorted(alert.key for alert in run.alerts.values()) == ["A", "B"]
    [letter] = map(read_letter, run.letters())
    assert (letter.reason, letter.topic, letter.offset, letter.raw) == ("unreadable", INBOUND, 1, value)


@pytest.mark.parametrize("tag", ["m2", "t2", "m17"])
def test_a_newer_format_stops_identify_with_a_word(tag: str) -> None:
    with pytest.raises(NewerFormat, match=r"px\.inbound was written by a newer version"):
        read_inbound(msgspec.msgpack.encode([tag, {"of": "another shape"}]))


def test_what_is_written_is_read() -> None:
    [one] = message(0, "A")
    told = read_inbound(write_message(one, b"c"))
    assert isinstance(told, Told)
    assert (told.kind, told.raw, told.source, told.id, told.digest, told.content) == (
        "cloudevents", one.raw, "s", "e0", one.digest, b"c",
    )  # fmt: skip
    assert read_inbound(write_tick(7)) == Ticked(7)


def test_what_cannot_be_kept_is_a_dead_letter_from_here_on() -> None:
    event = Event("e", "s", "e.start", 0, {"n": 1 << 70})  # type: ignore[dict-item]
    told = read_inbound(write_message(Message("cloudevents", b"raw", "s", "e", b"d", (event,)), b"c"))
    assert isinstance(told, Told)
    assert told.dead is not None
    assert told.dead[0] == "invalid"
    assert told.raw == b"raw"


def test_what_was_loaded_is_closed_by_what_was_taken_of_it_alone() -> None:
    run = Run(THRESHOLDS, 2, Random(1))
    conflict = messages_of([[Event("e0", "s", "e.end", read_instant("2026-05-01T12:00:00Z"), {}, ("1^N",))]])
    run.tell([*message(0, "A"), *conflict])  # the same id: no clock goes by what it says
    run.close(LATEST)
    run.work()
    assert run.alerts == {}
    assert [one.partition.engine.clock for one in run.correlate] == [read_instant(START)] * 2
    assert len(run.letters()) == 1
