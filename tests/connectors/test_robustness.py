"""Whatever the bytes are, there is an answer: one of accepted, ignored, dead letter, and never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.api import Reading
from connectors.hl7.files import split_messages
from hub.bench import fuzz
from tests.connectors.messages import PID, message, read

MESSAGES = (
    message("ADT^A01^ADT_A01", "EVN|A01|20260302120000", PID, "PD1|1", "PV1|1|I|W4^1|||||||||||||||VIP||||V1^^^N"),
    message("ADT^A40", "EVN||20260302", "PID|1||1^^^A&1.2&ISO^MR~2", "MRG|3^^^A^MR~4", "PID|2||5", "MRG|6"),
    message(
        "ORU^R01",
        *(
            PID,
            "PV1|1|O",
            "ORC|RE|P1^E|F1^L|||CM||||20260302",
            "OBR|1|P1^E|F1^L|C^T" + "|" * 20 + "CH|F",
            "OBX|1|NM|K|||||HH",
        ),
        *("NTE|1||a\\.br\\b\\X0D\\", "OBR|2|P2|F2|D" + "|" * 21 + "P", "SPM|1|^S1"),
    ),
    message("SIU^S12", "SCH|P1|F1||||R|C|||||^^^202603101000^2026031011" + "|" * 14 + "Booked|O1|O2", PID, "AIS|1||X"),
    message("MDM^T02", PID, "TXA|1|DS|||||||||D1||P1|F1||LA"),
    "\x0bMSH|^~\\&|A|F|||20260302||ADT^A08|1|P|2.3||||||8859/1\rPID|||1||M\xfcller\r\x1c\r".encode("latin-1"),
)


def check(reading: Reading) -> None:
    outcomes = [bool(reading.events), reading.ignored is not None, reading.dead is not None]
    assert outcomes.count(True) == 1
    for event in reading.events:
        assert event.id
        assert event.identifiers
        assert all(value is not None and value != "" for value in event.data.values())
    if reading.ignored is not None:
        assert len(reading.ignored) <= len("nothing mapped in ") + 20


@pytest.mark.parametrize("raw", MESSAGES, ids=range(len(MESSAGES)))
def test_every_truncation_of_a_message(raw: bytes) -> None:
    for end in range(len(raw) + 1):
        check(read(raw[:end]))
        found = list(split_messages([raw[:end]]))
        assert len(found) <= 1
        for one in found:
            check(one if isinstance(one, Reading) else read(one))


@settings(max_examples=400)
@given(st.data())
def test_flipped_bits(data: st.DataObject) -> None:
    spoilt = bytearray(data.draw(st.sampled_from(MESSAGES)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[at] ^= 1 << data.draw(st.integers(0, 7))
    raw = bytes(spoilt)
    check(read(raw))
    for one in split_messages([raw[:50], raw[50:]]):
        check(one if isinstance(one, Reading) else read(one))


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    check(read(raw))
    check(read(b"MSH|^~\\&|" + raw))
    check(read(b"MSH" + raw))


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 60))
def test_every_byte_of_a_stream_is_accounted_for(before: bytes, after: bytes, size: int) -> None:
    """Nothing that is neither blank nor envelope is lost without an answer."""
    stream = before + b"\r" + MESSAGES[0] + after
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    found = list(split_messages(chunks))
    assert any(isinstance(one, Reading) or one.startswith(MESSAGES[0][:40]) for one in found)


def test_a_run_of_mutations_is_repeated_by_its_seed() -> None:
    one, other = fuzz.run(400, seed=5), fuzz.run(400, seed=5)
    assert one == other
    assert one["messages"] == one["accepted"] + one["ignored"] + one["dead_letters"]
    assert min(one.values()) > 0


def test_a_message_of_many_segments_costs_what_it_holds() -> None:
    """A hundred thousand segments, and a field of as many repetitions, are read in one pass."""
    many = message("ORU^R01", PID, "OBR|1|P1" + "|" * 23 + "F", *(["OBX|1|NM|K|||||N"] * 100_000))
    assert read(many).events[0].data["abnormal"] is False
    long = message("ADT^A01", "PID|1||" + "~".join(f"{n}^^^A" for n in range(5_000)))
    assert len(read(long).events[0].identifiers) == 5_000
    text = message("ORU^R01", PID, "OBR|1|P1" + "|" * 23 + "F", "OBX|1|TX|a||", *(["so it goes"] * 300_000))
    assert read(text).events[0].type == "result.final"
    escapes = message("ADT^A01", PID, "PV1|1|I|" + "\\F" * 20_000)
    check(read(escapes))
