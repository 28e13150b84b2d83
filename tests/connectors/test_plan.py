"""A plan made for a set of segments says what the general plan says, and conditions hold on what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.files import looks_like_hl7, split_messages
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from tests.connectors.messages import PID, events, message, read
from tests.connectors.test_robustness import MESSAGES

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "hl7v2"
SITE = """
add:
  ADT^A01:
    - {event: visit.roomed, unless: {ZRM-1: absent}}
    - {event: visit.triaged, when: {ZRM-1: absent}}
    - {event: visit.provider_seen, when: {PV1-2: I, ZRM-1: present}}
    - {event: visit.left, when: {SCH-26 from 2.4: absent, PV1-10 up to 2.3: absent}}
sensitive:
  - {label: open, when: {PV1-2: present}, unless: {ZRM-1: absent}}
"""


def same_again(raw: bytes, site: str = "") -> None:
    """The first message of its shape is read by the general plan, the third by one of its own."""
    reader = Hl7Reader(load_mapping(("site.yaml", site) if site else None), default_zone="America/New_York")
    first, second, third = (reader.read(raw, "file message 1") for _ in range(3))
    assert first == second == third


@pytest.mark.parametrize("raw", MESSAGES, ids=range(len(MESSAGES)))
@pytest.mark.parametrize("site", ["", SITE], ids=["shipped", "site"])
def test_every_message_is_read_alike_every_time(raw: bytes, site: str) -> None:
    same_again(raw, site)


@given(
    st.lists(st.sampled_from(["PV1|1|I", "PV1|1|O||||||||MED", "ZRM|1", "ZRM|", "SCH|1", "PD1|" + "|" * 11 + "Y"])),
    st.sampled_from(["2.3", "2.3.1", "2.5.1", "", "x"]),
)
def test_what_is_absent_is_absent_in_every_plan(lines: list[str], version: str) -> None:
    same_again(message("ADT^A01", PID, *lines, version=version), SITE)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real messages is not on this machine")
def test_real_messages_are_read_alike_every_time() -> None:
    reader = Hl7Reader(load_mapping())
    differing = [
        path.name
        for path in sorted(CORPUS.rglob("*.hl7"))
        if looks_like_hl7((content := path.read_bytes())[:8192])
        for raw in list(split_messages([content]))[:20]
        if isinstance(raw, bytes)
        and not (reader.read(raw, "x") == Hl7Reader(load_mapping()).read(raw, "x") == reader.read(raw, "x"))
    ]
    assert differing == []


@pytest.mark.parametrize("repeat", range(3))
def test_conditions_on_a_segment_that_is_not_there(repeat: int) -> None:
    without = events(message("ADT^A01", PID, "PV1|1|I"), SITE)
    assert without.keys() == {"visit.started", "visit.triaged", "visit.left"}
    assert without["visit.started"].sensitivity is None
    with_it = events(message("ADT^A01", PID, "PV1|1|I", "ZRM|4"), SITE)
    assert with_it.keys() == {"visit.started", "visit.roomed", "visit.provider_seen", "visit.left"}
    assert with_it["visit.started"].sensitivity == "open"


@pytest.mark.parametrize("flag, given_", [("N", "result.quiet"), ("H", "result.loud"), ("", None)])
def test_a_flag_may_be_asked_for_when_it_is_false(flag: str, given_: str | None) -> None:
    site = """
    messages:
      ORU^R01:
        each: ORDER
        events:
          - {event: result.quiet, when: {derived.abnormal: false}}
          - {event: result.loud, when: {derived.abnormal: true}}
    """
    reading = read(message("ORU^R01", PID, "OBR|1|P1", f"OBX|1|NM|K|||||{flag}"), site)
    assert [event.type for event in reading.events] == ([given_] if given_ else [])


def test_a_list_may_be_asked_for() -> None:
    site = "messages: {ADT^A08: [{event: person.updated, when: {derived.phones: '5550100'}}]}"
    raw = message("ADT^A08", "PID|1||1^^^A||Doe||||||||5550100~5550101")
    assert read(raw, site).events == ()
    assert events(raw, site.replace("'5550100'", "present")).keys() == {"person.updated"}
