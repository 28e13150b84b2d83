"""Mapping files of webhooks: what is checked when they are read, and what their lines mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.api import Reading
from connectors.contact_center.declared import WrongHook
from connectors.contact_center.plan import Options
from connectors.contact_center.read import HookReader
from connectors.contact_center.shipped import read_hook_text, shipped_hook, shipped_names
from schemas.vocabulary import EVENT_TYPES
from tests.connectors.contact_center.bodies import AGENT, QUEUE, connect, conversation, genesys, record, twilio

HEAD = "version: 1\nvendor: acme\n"
MESSAGE = """messages:
  - name: call
    recognise: {kind: call}
    id: id
    time: at
    events:
"""


def read(lines: str, body: dict[str, Any], head: str = HEAD, **options: Any) -> Reading:
    mapping = read_hook_text("acme.yaml", head + MESSAGE + "      - " + lines + "\n")
    raw = json.dumps({"kind": "call", "id": "1", "at": "2026-03-02T15:00:00Z", **body}).encode()
    return HookReader(mapping, Options(**options)).read(raw, "a body")


def attributes(lines: str, body: dict[str, Any], head: str = HEAD) -> dict[str, Any]:
    [event] = read(f"{{event: call.told, attributes: {{{lines}}}}}", body, head).events
    return {name: value for name, value in event.data.items() if name != "origin_id"}


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_mapping_is_right(name: str) -> None:
    mapping = shipped_hook(name)
    assert mapping.vendor == name
    assert mapping.check is not None
    assert all(given.event in EVENT_TYPES for message in mapping.messages for given in message.events)


def test_two_products_and_more_are_files_alone() -> None:
    assert {"zendesk", "intercom", "whatsapp"} <= set(shipped_names())


@pytest.mark.parametrize(
    "text, place, told",
    [
        (HEAD + "mesages: []\n", "3:1", "(did you mean `messages`?)"),
        ("vendor: acme\nmessages: []\n", "1:1", "`version: 1` is expected"),
        (HEAD + MESSAGE + "      - {event: contact.endet}\n", "9:17", "(did you mean `contact.ended`?)"),
        (HEAD + MESSAGE + "      - {event: contact.ended, when: {a: }}\n", "9:41", "a condition names a value"),
        (HEAD + MESSAGE + "      - {event: contact.ended, whenn: {a: b}}\n", "9:32", "(did you mean `when`?)"),
        (
            HEAD + MESSAGE + "      - {event: contact.ended, attributes: {chanel: a}}\n",
            "9:9",
            "(did you mean `channel`?)",
        ),
        (HEAD + MESSAGE + "      - {event: a.b, attributes: {x: 'a[?'}}\n", "9:38", "this is no JMESPath"),
        (
            HEAD + MESSAGE + "      - {event: a.b, attributes: {x: {path: a, table: t}}}\n",
            "9:55",
            "there is no table `t`",
        ),
        (HEAD + MESSAGE + "      - {event: a.b, attributes: {x: {pth: a}}}\n", "9:39", "(did you mean `path`?)"),
        (HEAD + MESSAGE + "      - {event: a.b, attributes: {x: {between: a}}}\n", "9:48", "has two times"),
        (HEAD + MESSAGE + "      - {event: a.b, when: {'@queue': {below: 5}}}\n", "9:9", "there is none of this name"),
        (HEAD + MESSAGE + "      - {event: contact.queued}\n", "9:9", "contact.queued always tells first"),
        (HEAD + MESSAGE + "      - {event: a.b, groups: G}\n", "9:9", "there is no group `G`"),
        (HEAD + MESSAGE + "      - {event: a.b, choice: {c: d}}\n", "9:31", "there is no choice `c`"),
        (HEAD + "check: {kind: hmc}\n" + MESSAGE + "      - {event: a.b}\n", "3:15", "(did you mean `hmac`?)"),
        (HEAD + MESSAGE.replace("    time: at\n", "") + "      - {event: a.b}\n", "4:5", "no `time` says when a.b"),
        (
            HEAD + MESSAGE.replace("recognise: {kind: call}", "recognise: {}") + "      - {event: a.b}\n",
            "4:5",
            "`recognise`",
        ),
        (
            HEAD + "messages:\n  - {name: a, like: b, recognise: {a: b}, events: []}\n",
            "4:21",
            "no message `b` stands above",
        ),
    ],
)
def test_mistakes_are_told_when_a_file_is_read(text: str, place: str, told: str) -> None:
    with pytest.raises(WrongHook) as wrong:
        read_hook_text("acme.yaml", text)
    assert told in str(wrong.value)
    assert f"acme.yaml:{place}: error" in str(wrong.value)


def test_kinds_of_attributes() -> None:
    head = HEAD + "tables: {c: {A: alpha}}\n"
    body = {"a": {"b": "x/y", "n": "12.5", "t": 1772463600, "s": "2026-03-02T15:00:07.250Z", "w": "yes", "l": "ABC"}}
    assert attributes("queue: a.b", body) == {"queue": "x/y"}
    assert attributes("queue: [a.none, a.b]", body) == {"queue": "x/y"}
    assert attributes("queue: {path: a.b, last: /}", body) == {"queue": "y"}
    assert attributes("queue: {path: a.b, split: /, part: 1}", body) == {"queue": "x"}
    assert attributes("queue: {path: a.b, split: /, part: 3}", body) == {}
    assert attributes("queue: {path: a.l, lower: true}", body) == {"queue": "abc"}
    assert attributes("queue: {path: a.l, table: c}", body, head) == {"queue": "ABC"}
    assert attributes("queue: {path: a.l, table: c, strict: true}", body, head) == {}
    assert attributes("queue: {path: a.c, table: c}", {"a": {"c": " a "}}, head) == {"queue": "alpha"}
    assert attributes("holds: {number: a.n}, talk_seconds: {number: a.n, divide: 2}", body) == {
        "holds": 12.5,
        "talk_seconds": 6.25,
    }
    assert attributes("holds: {number: a.b}", body) == {}
    assert attributes("promised_for: {time: a.t}", body) == {"promised_for": "2026-03-02T15:00:00Z"}
    assert attributes("queue_seconds: {between: [at, a.s]}", body) == {"queue_seconds": 7.25}
    assert attributes("queue_seconds: {between: [a.s, at]}", body) == {}
    assert attributes("interpreter: {flag: a.w}", body) == {"interpreter": True}
    assert attributes("abandoned: {when: {a.b: present, a.none: absent}}", body) == {"abandoned": True}
    assert attributes("abandoned: {when: {a.b: present}, unless: {a.n: {above: 12}}}", body) == {"abandoned": False}
    assert attributes("queue: {choose: [{when: {a.b: z}, value: one}, {path: a.none}, {value: two}]}", body) == {
        "queue": "two"
    }
    assert attributes("task_id: {number: a.t}", body) == {"task_id": "1772463600"}  # numbers of things are texts
    assert attributes('queue: "length(to_string(a.b))"', body) == {"queue": 3}
    assert attributes("queue: a", body) == {}  # an object is no value


def test_a_number_of_a_contact_counts_in_its_own_system() -> None:
    line = "{event: call.told, attributes: {contact_id: call}}"
    told = [
        read(line, {"call": call}, head, **options).events[0].data["contact_id"]
        for call, head, options in (
            (777, HEAD, {}),
            ("777", HEAD.replace("acme", "other"), {}),
            ("777", HEAD, {"instance": "north"}),
            ("5f0c8a4e-0b1d-4c55-9d0e-6a2f6f3f2c11", HEAD, {}),
        )
    ]
    assert told == ["777^acme", "777^other", "777^acme/north", "5f0c8a4e-0b1d-4c55-9d0e-6a2f6f3f2c11"]


def test_conditions() -> None:
    def comes(when: str, **body: Any) -> bool:
        return bool(read(f"{{event: call.told, when: {{{when}}}}}", body).events)

    assert comes("a: [x, Y]", a="y ")  # codes are compared without case and blanks
    assert comes("a: 7", a="7")
    assert comes("a: true", a=True)
    assert not comes("a: true", a="true1")
    assert comes("a: {starts: [b, c]}", a="Cx")
    assert comes("a: {ends: .end}", a="x.end")
    assert comes("a: {same_as: b}", a="1", b="1")
    assert not comes("a: {same_as: b}")
    assert comes("a: {above: 5}", a="6")
    assert not comes("a: {below: 5}", a=None)
    assert comes("'a[0].b': present", a=[{"b": 1}])


def test_paths_of_a_message_begin_at_its_root() -> None:
    text = HEAD + MESSAGE.replace("    id: id\n", "    root: detail\n    id: $.id\n").replace("time: at", "time: $.at")
    mapping = read_hook_text("acme.yaml", text + "      - {event: a.b, attributes: {x: y, n: 'z[0]'}}\n")
    raw = b'{"kind": "call", "id": "1", "at": "2026-03-02T15:00:00Z", "detail": {"y": 1, "z": [2]}}'
    [event] = HookReader(mapping).read(raw, "a body").events
    assert (event.id, event.data["x"], event.data["n"]) == ("1/a.b", 1, 2)


def test_a_list_in_a_body_gives_an_event_an_item() -> None:
    text = HEAD + MESSAGE.replace("    id: id\n", "    each: items\n    id: id\n")
    mapping = read_hook_text("acme.yaml", text + "      - {event: a.b, attributes: {x: y, of: $.kind}}\n")
    items = [{"id": n, "at": 1772463600 + n, "y": n} for n in (1, 2)]
    reading = HookReader(mapping).read(json.dumps({"kind": "call", "items": items}).encode(), "a body")
    assert [(event.id, event.data["x"], event.data["of"]) for event in reading.events] == [
        ("1/a.b", 1, "call"),
        ("2/a.b", 2, "call"),
    ]
    spoilt = HookReader(mapping).read(json.dumps({"kind": "call", "items": [*items, {"id": 3}]}).encode(), "a body")
    assert spoilt.dead is not None  # whole or not at all
    assert spoilt.events == ()
    assert spoilt.dead.place == "a body, item 3, at"


@pytest.mark.parametrize(
    "at, reason", [(None, "no_time"), ("yesterday", "bad_time"), (-5, "bad_time"), ([], "bad_time")]
)
def test_times_that_are_none(at: object, reason: str) -> None:
    reading = read("{event: call.told}", {"at": at})
    assert reading.dead is not None
    assert reading.dead.reason.value == reason
    assert "yesterday" not in reading.dead.mend


@pytest.mark.parametrize("id_", [{"n": 1}, [1], {}, []])
def test_an_id_that_is_no_single_value_is_a_dead_letter(id_: object) -> None:
    reading = read("{event: call.told}", {"id": id_})
    assert reading.dead is not None
    assert (reading.dead.reason.value, reading.dead.place) == ("invalid", "a body, id")
    assert reading.id == reading.digest.hex()  # the same again is the same letter
    two = HEAD + MESSAGE.replace("id: id", "id: [call.id, step]") + "      - {event: a.b, attributes: {x: 'z[0]'}}\n"
    raw = json.dumps({"kind": "call", "step": "1", "call": {"id": id_}, "at": 1772463600}).encode()
    letter = HookReader(read_hook_text("acme.yaml", two)).read(raw, "a body").dead
    assert letter is not None
    assert letter.place == "a body, call.id"
    listed = HEAD + MESSAGE.replace("    id: id\n", "    each: items\n    id: id\n") + "      - {event: a.b}\n"
    raw = json.dumps({"kind": "call", "items": [{"id": 1, "at": 1772463600}, {"id": id_, "at": 1772463600}]}).encode()
    letter = HookReader(read_hook_text("acme.yaml", listed)).read(raw, "a body").dead
    assert letter is not None
    assert letter.place == "a body, item 2, id"


@pytest.mark.parametrize("id_", [7, 7.5, "7", True, None, ""])
def test_an_id_of_another_type_or_none_is_taken(id_: object) -> None:
    assert read("{event: call.told}", {"id": id_}).events


def test_a_stamp_without_an_offset_is_noted_unless_the_source_has_a_zone() -> None:
    from zoneinfo import ZoneInfo

    naive = {"at": "2026-03-02T15:00:00"}
    assert read("{event: call.told}", naive).notes == ("zone_assumed",)
    placed = read("{event: call.told}", naive, zone=ZoneInfo("America/New_York"))
    assert (placed.notes, placed.events[0].time) == ((), 1772481600000000)


BODIES = {
    "amazon-connect": [connect("QUEUED"), record(Queue=QUEUE, Agent=AGENT), connect("COMPLETED")],
    "genesys-cloud": [genesys("acd.end", acdOutcome="ABANDON"), conversation()],
    "twilio": [twilio("task.canceled"), b"MessageSid=SM1&AccountSid=AC0&MessageStatus=sent"],
}


@given(
    st.sampled_from([(vendor, body) for vendor, bodies in BODIES.items() for body in bodies]),
    st.integers(0, 400),
    st.binary(max_size=6),
    st.integers(0, 8),
)
def test_spoilt_bodies_are_read_to_an_answer(which: tuple[str, bytes], at: int, put: bytes, cut: int) -> None:
    vendor, body = which
    spoilt = body[:at] + put + body[at + cut :]
    reading = READERS[vendor].read(spoilt, "a body")
    assert [bool(reading.events), reading.ignored is not None, reading.dead is not None].count(True) == 1


NAMES = st.sampled_from(["queueInfo", "agentInfo", "contactId", "x"])
PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    max_leaves=8,
)
READERS = {vendor: HookReader(shipped_hook(vendor)) for vendor in BODIES}


@given(PARTS)
def test_a_part_of_another_type_is_read_to_an_answer(part: object) -> None:
    for name in ("queueInfo", "contactId", "channel", "initiationTimestamp", "segmentAttributes"):
        reading = READERS["amazon-connect"].read(connect("QUEUED", **{name: part}), "a body")
        assert [bool(reading.events), reading.ignored is not None, reading.dead is not None].count(True) == 1


@given(st.sampled_from(["amazon-connect", "genesys-cloud"]), st.data())
def test_the_quick_way_and_the_careful_one_say_the_same(vendor: str, data: st.DataObject) -> None:
    body = json.loads(data.draw(st.sampled_from(BODIES[vendor])))
    part = body.get("detail", body)
    name = data.draw(st.sampled_from(sorted(part)))
    if data.draw(st.booleans()):
        part[name] = data.draw(st.sampled_from([None, "", "CALLBACK", 7, {}, []]))
    reader = HookReader(shipped_hook(vendor))
    quick = reader.read(json.dumps(body).encode(), "a body")
    assert any(one.shape is not None for one in reader.plan.quick)
    reader.plan.quick = ()
    careful = reader.read(json.dumps(body).encode(), "a body")
    assert (quick.source, quick.events, quick.ignored) == (careful.source, careful.events, careful.ignored)
    assert (quick.dead and quick.dead.place) == (careful.dead and careful.dead.place)
