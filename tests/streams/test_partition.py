"""One partition of px.events: what it does with records that nobody should have written, and what it keeps."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple

from schemas.event import Event
from schemas.instant import read_instant
from streams.core.engine import Engine
from streams.core.thresholds import read_thresholds
from streams.distributed.counting import Slice, read_slice, write_slice
from streams.distributed.formats import POSITION, NewerFormat
from streams.distributed.kept import OtherThresholds, Position, Row, read_position, read_row
from streams.distributed.partition import Partition, Poison
from streams.distributed.wire import AWAITED, GIVEN, write_event, write_tick
from tests.properties.topics_in_memory import Record

THRESHOLDS, _ = read_thresholds(
    [
        (
            "t.yaml",
            json.dumps(
                {
                    "thresholds": [
                        {"id": "w", "kind": "wait", "key": "order_id", "start": {"event": "e.start"}, "within": "1h"}
                        | {"satisfied_by": {"event": "e.end"}}
                    ]
                }
            ),
        )
    ],
    default_zone="UTC",
)
write_position = msgspec.msgpack.encode
START = "2026-03-02T10:00:00Z"
LATER = read_instant("2026-03-02T12:00:00Z")
KEY = b"0123456789abcdef"


def record(offset: int, value: bytes | None, key: bytes | None = KEY) -> Record:
    return Record(offset, 0, key, value)


def started(offset: int, order: str = "A", following: int = 0, key: bytes = KEY) -> Record:
    event = Event(f"e{offset}", "s", "e.start", read_instant(START), {"order_id": order}, ("1^N",))
    return record(offset, write_event(event, START, following), key)


def partition(**options: Any) -> Partition:
    return Partition(THRESHOLDS, "t", by_event=True, partitions=2, **options)


def breached(one: Partition, offset: int) -> list[str]:
    """The keys of what is broken once the clock has passed."""
    one.take([record(offset, write_tick(LATER, "t"), None)])
    return sorted(change.alert.key for change in one.take_transitions())


DEEP = b'{"id":"1","source":"s","type":"e.start","time":"2026-03-02T10:00:00Z","data":' + b'{"a":' * 5000 + b"1"
WITH = (
    b'{"id":"1","source":"s","type":"e.start","subject":"1^N","time":"2026-03-02T10:00:00Z",'
    b'"recorded":"2026-03-02T10:00:00Z","data":%b}'
)
ASKS = b'{"id":"1","source":"s","type":"circle.asked","time":"2026-03-02T10:00:00Z","data":%b}'


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


def given(at: int, data: dict[str, Any]) -> bytes:
    """A hand-over of one person with one event."""
    log = [["e", "s", "e.start", at, data, ["1^N"], None, 0, None, 0]]
    circle = [["1^N"], [[["1^N"], ["1^N"], False, log, []]], [], [], [], [], [], [], []]
    body = base64.b64encode(msgspec.msgpack.encode([1, circle, []])).decode()
    return json.dumps({"id": "h", "source": "s", "type": GIVEN, "time": START, "data_base64": body}).encode()


FOREIGN: dict[str, tuple[bytes | None, bytes | None]] = {
    "nothing": (KEY, None),
    "empty": (KEY, b""),
    "not JSON": (KEY, b"\x00\xff{"),
    "not an object": (KEY, b"[1]"),
    "cut off": (KEY, b'{"id":"1","source":"s"'),
    "no time": (KEY, b'{"id":"1","source":"s","type":"e.start"}'),
    "a time that is none": (KEY, b'{"id":"1","source":"s","type":"e.start","time":"soon"}'),
    "a year that is none": (KEY, b'{"id":"1","source":"s","type":"e.start","time":"99999-01-01T00:00:00Z"}'),
    "half a character": (KEY, b'{"id":"1","source":"s","type":"\\ud800","time":"2026-03-02T10:00:00Z"}'),
    "not UTF-8": (KEY, b'{"id":"\xff","source":"s","type":"e.start","time":"2026-03-02T10:00:00Z"}'),
    "too deep": (KEY, DEEP + b"}" * 5001),
    "no key": (None, b'{"id":"1","source":"s","type":"e.start","time":"2026-03-02T10:00:00Z"}'),
    "a key of somebody else": (b"order-17", b'{"id":"1","source":"s","type":"e.start","time":"2026-03-02T10:00:00Z"}'),
    "a hand-over that is none": (KEY, b'{"id":"1","source":"s","type":"circle.given","data_base64":"AAAA"}'),
    "a hand-over not in base64": (KEY, b'{"id":"1","source":"s","type":"circle.given","data_base64":"!"}'),
    "a tick without a time": (None, b'{"id":"1","source":"s","type":"clock.ticked"}'),
    "a number beyond 64 bits": (KEY, WITH % b'{"order_id":1180591620717411303424}'),
    "a number beyond 64 bits in a list": (KEY, WITH % b'{"order_id":[1,-9223372036854775809]}'),
    "deeper than is kept": (KEY, WITH % (b'{"order_id":' * 300 + b"1" + b"}" * 300)),
    "a time with nothing behind it": (KEY, b'{"id":"1","source":"s","type":"e.start","time":"9999-12-31T00:00:00Z"}'),
    "a time before time": (KEY, b'{"id":"1","source":"s","type":"e.start","time":"0001-01-01T00:00:00Z"}'),
    "a precision of ages": (KEY, (WITH % b"{}").replace(b"{", b'{"precision":18446744073709551616,', 1)),
    "half a character in data": (KEY, WITH % b'{"order_id":"\\udc00"}'),
    "an empty key": (b"", WITH % b"{}"),
    "asked by nobody": (KEY, ASKS % b"null"),
    "asked for nowhere": (KEY, ASKS % b'{"to":"0123456789abcdef"}'),
    "asked by what is no circle": (KEY, ASKS % b'{"to":"x","partition":1}'),
    "asked for half a partition": (KEY, ASKS % b'{"to":"0123456789abcdef","partition":1.5}'),
    "asked for a partition that is none": (KEY, ASKS % b'{"to":"0123456789abcdef","partition":-1}'),
    "asked for elsewhere": (KEY, ASKS % b'{"to":"0123456789abcdee","partition":1}'),
    "a hand-over of ages": (KEY, given(1 << 62, {})),
    "a hand-over too deep": (KEY, given(0, {"a": nested(300)})),
    "data that is no object": (KEY, b'{"id":"1","source":"s","type":"e.start","time":"2026-03-02T10:00:00Z","data":1}'),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_others_wrote_is_a_dead_letter_and_the_log_goes_on(name: str) -> None:
    key, value = FOREIGN[name]
    one = partition()
    one.take([started(0), record(1, value, key), started(2, "B")])
    [buried] = one.buried
    assert (buried.offset, buried.raw) == (1, value or b"")
    assert buried.reason in {"unreadable", "invalid"}
    assert breached(one, 3) == ["A", "B"]
    write_slice(Slice(1, 0, 0, 4, [(counts, astuple(event)) for counts, event in one.counted]))
    rows = one.checkpoint(everything=True)  # and what is kept is read again
    partition().recover([(key, value) for key, value in rows if value is not None])


class Failing(Engine):
    """An engine that fails on one order."""

    def apply(self, event: Event, at: int | None = None) -> None:
        if event.data.get("order_id") == "bad":
            raise ZeroDivisionError
        super().apply(event, at)


def failing() -> Partition:
    one = partition()
    one.engine = Failing(THRESHOLDS, keeps_all=False)
    one.counted = one.engine.count_elsewhere()
    return one


def test_a_record_on_which_the_engine_fails_is_set_apart_alone() -> None:
    log = [started(0), started(1, "bad"), started(2, "B")]
    one = failing()
    with pytest.raises(Poison) as poison:
        one.take(log)
    assert poison.value.offset == 1
    again = failing()
    again.set_apart(1, log[1].value or b"")
    again.take(log)
    assert [(b.reason, b.offset, b.raw) for b in again.buried] == [("engine", 1, log[1].value)]
    rows = dict(again.checkpoint())
    assert breached(again, 3) == ["A", "B"]
    # who stands up later still passes it by: the circle was not written, so the log is put again from its start
    last = failing()
    position = last.recover((key, value) for key, value in rows.items() if value is not None)
    assert (position.tail, position.applied, position.apart) == (-1, 2, [1])
    last.take(log)
    last.end_recovery()
    assert last.buried == []
    assert breached(last, 3) == ["A", "B"]


def test_a_message_is_put_again_from_its_first_event() -> None:
    log = [started(4, "A", following=1), started(5, "B")]
    one = partition()
    one.take(log)
    rows = dict(one.checkpoint())
    again = partition()
    position = again.recover((key, value) for key, value in rows.items() if value is not None)
    assert (position.tail, position.applied) == (3, 5)
    again.take(log[position.tail - 3 :])
    again.end_recovery()
    assert breached(again, 6) == ["A", "B"]


def test_a_message_whose_rest_is_to_come_is_put_again_whole() -> None:
    log = [started(4, "A", following=1), started(9, "B")]
    one = partition()
    one.take(log[:1])
    assert read_position(dict(one.checkpoint())[POSITION] or b"").tail == 3


def test_rows_of_this_format_are_read_and_newer_ones_stop() -> None:
    one = partition()
    one.take([started(0)])
    rows = dict(one.checkpoint(everything=True))
    row = read_row(rows[KEY] or b"")
    assert (row.format, row.upto) == (1, 0)
    newer = [
        msgspec.msgpack.encode([2, 0, row.circle]),
        msgspec.msgpack.encode([2, {"another": "shape"}]),
        msgspec.msgpack.encode(Row(7, 0, row.circle)),
    ]
    for value in newer:
        with pytest.raises(NewerFormat, match=r"px\.state holds format \d, and this version knows up to 1"):
            partition().recover([(KEY, value)])
    for value in (write_position(Position(format=2)), msgspec.msgpack.encode([3, "x"])):
        with pytest.raises(NewerFormat):
            partition().recover([(POSITION, value)])


def test_a_hand_over_of_a_newer_format_stops_and_is_not_set_apart() -> None:
    body = base64.b64encode(msgspec.msgpack.encode([2, "of another shape"])).decode()
    given = {"id": "h", "source": "pxhub/correlate", "type": GIVEN, "time": START, "data_base64": body}
    awaited = {"id": "h", "source": "pxhub/identify", "type": AWAITED, "time": START}
    one = partition()
    one.take([record(0, json.dumps(awaited).encode())])
    with pytest.raises(NewerFormat):
        one.take([record(1, json.dumps(given).encode())])


def test_a_slice_of_a_newer_format_stops_measure() -> None:
    with pytest.raises(NewerFormat):
        read_slice(msgspec.msgpack.encode([2, "of another shape"]))
    for value in (b"", b"\xc1", b"{}", msgspec.msgpack.encode([1]), msgspec.msgpack.encode("\xff")):
        with pytest.raises(ValueError, match="this is no slice"):
            read_slice(value)


def test_what_stands_is_told_by_its_thresholds() -> None:
    one = partition()
    one.recover([(POSITION, write_position(Position()))])
    one.recover([(POSITION, write_position(Position(applied=1, judged_by="t")))])
    with pytest.raises(OtherThresholds, match=r"px\.state was judged by other thresholds"):
        one.recover([(POSITION, write_position(Position(applied=1, judged_by="other")))])
