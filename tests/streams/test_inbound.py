"""Records of px.inbound that nobody of us wrote, or a newer version did."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from schemas.event import Event
from schemas.identity import IdentityRules
from schemas.message import Message
from streams.distributed.formats import NewerFormat
from streams.distributed.identify import Identify
from streams.distributed.inbound import LATEST, Ticked, Told, read_inbound, write_message, write_tick, write_told
from streams.distributed.index import Index
from streams.distributed.letters import read_letter
from streams.distributed.names import DEAD_LETTERS, EVENTS, INBOUND
from streams.distributed.wire import decode
from tests.properties.topics_in_memory import Record, Run, Shelf, messages_of
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


def forged(events: bytes, number: int = 7) -> bytes:
    """A message of somebody who knows its shape, and puts events of his own into it."""
    return write_told(Told("cloudevents", b"raw", "s", f"f{number}", b"d" * 16, b"c" * 16, events))


def row(at: int, data: object) -> list[object]:
    return ["f", "s", "e.start", at, data, ["9^N"], None, 0, None, 0]


AT = read_instant(START)
FORGED = {
    "no list": b"\xc1",
    "of another shape": msgspec.msgpack.encode([["f"]]),
    "half a character": msgspec.msgpack.encode([row(AT, {"order_id": "abc"})]).replace(b"\xa3abc", b"\xa3\xed\xa0\x80"),
    "a time that is none": msgspec.msgpack.encode([row(1 << 62, {})]),
    "a time before time": msgspec.msgpack.encode([row(-1, {})]),
    "a time with nothing behind it": msgspec.msgpack.encode([row(read_instant("9999-01-01T00:00:00Z"), {})]),
    "keys that JSON has not": msgspec.msgpack.encode([row(AT, {"order_id": {None: 1}})]),
    "what JSON has not": msgspec.msgpack.encode([row(AT, {"order_id": msgspec.msgpack.Ext(7, b"x")})]),
    "nested beyond reading": b"\x91" * 3_000,
    "no events at all": msgspec.msgpack.encode([]),
}


@pytest.mark.parametrize("name", FORGED)
def test_events_that_nobody_of_us_wrote_are_a_dead_letter_and_stop_nobody(name: str) -> None:
    run = Run(THRESHOLDS, 2, Random(1))
    run.tell(message(0, "A"))
    run.topics.put(INBOUND, 0, None, forged(FORGED[name]))
    run.tell(message(1, "B"))
    run.close(read_instant("2026-03-02T12:00:00Z"))
    run.work()
    assert sorted(alert.key for alert in run.alerts.values()) == ["A", "B"]
    [letter] = map(read_letter, run.letters())
    assert (letter.reason in {"unreadable", "invalid", "engine"}, letter.topic, letter.offset) == (True, INBOUND, 1)
    told = {(kind, outcome): n for (kind, outcome, _), n in run.identify.tallies.items()}
    assert told.pop(("cloudevents", "accepted")) == 2
    assert sum(told.values()) == 1


def test_what_px_events_cannot_take_is_too_large_and_its_slice_goes_on() -> None:
    """A control character is six in JSON: what px.inbound took as 4 MB would be 24 MB behind it."""
    one = Identify(Index(Shelf()), IdentityRules(), 1, by_event=True)
    large = Event("big", "s", "e.start", AT, {"order_id": "\x01" * 4_000_000}, ("1^N",))
    messages = [*message(0, "A"), *messages_of([[large]]), *message(1, "B")]
    records = [Record(n, 0, None, write_message(each, each.digest)) for n, each in enumerate(messages)]
    out = one.take(records, len(records))
    assert [decode(o.value or b"").id for o in out if o.topic == EVENTS] == ["e0", "e1"]
    [letter] = [read_letter(o.value or b"") for o in out if o.topic == DEAD_LETTERS]
    assert (letter.reason, letter.place, letter.offset, letter.id) == ("too_large", "data", 1, "big")
    assert letter.raw == messages[1].raw
    assert sorted((outcome, n) for (_, outcome, _), n in one.tallies.items()) == [("accepted", 2), ("dead", 1)]
