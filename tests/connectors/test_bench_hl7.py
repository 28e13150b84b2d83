"""The HL7 bench measures what it says: its messages are of the three kinds and each gives events."""

from __future__ import annotations

from hub.bench.hl7 import run, write_messages
from tests.connectors.messages import read


def test_its_messages_are_of_five_to_ten_segments_and_each_gives_events() -> None:
    made = list(write_messages(24))
    assert {raw.split(b"|")[8][:3] for raw in made} == {b"ADT", b"SIU", b"ORU"}
    assert all(5 <= raw.count(b"\r") <= 10 for raw in made)
    assert all(read(raw).events for raw in made)
    assert len({read(raw).events[0].identifiers for raw in made}) == len(made)


def test_its_figures() -> None:
    figures = {figure.name: figure for figure in run(60, mutations=20)}
    assert figures["stream cut, read and mapped to events"].figure > 0
    assert figures["reference: hl7apy, parsing alone, a sample"].unit == "messages/s"
    assert figures["mutated messages read, each with an answer"].figure >= 20
