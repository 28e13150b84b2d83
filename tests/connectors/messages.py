"""Messages for the tests: a header and lines, and what a reader makes of them."""

from __future__ import annotations

from functools import lru_cache

from connectors.api import Reading
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from schemas.event import Event

PID = "PID|1||100^^^NORTH^MR||Doe^Jane"
ZONE = "America/New_York"


def message(
    kind: str, *lines: str, version: str = "2.5.1", control: str = "M1", stamp: str = "20260302120000"
) -> bytes:
    """A message of that type with these lines after its header."""
    header = f"MSH|^~\\&|APP|FAC|HUB|HUB|{stamp}||{kind}|{control}|P|{version}"
    return "\r".join((header, *lines)).encode() + b"\r"


@lru_cache(maxsize=32)
def reader(mapping: str = "", zone: str | None = ZONE) -> Hl7Reader:
    """A reader by the shipped mapping, and a site's lines over it."""
    return Hl7Reader(load_mapping(("site.yaml", mapping)) if mapping else load_mapping(), default_zone=zone)


def read(raw: bytes, mapping: str = "") -> Reading:
    return reader(mapping).read(raw, "file message 1")


def events(raw: bytes, mapping: str = "") -> dict[str, Event]:
    """The events of a message by type; each type may come once."""
    reading = read(raw, mapping)
    assert reading.dead is None, reading.dead
    found = {event.type: event for event in reading.events}
    assert len(found) == len(reading.events)
    return found


def only(raw: bytes, mapping: str = "") -> Event:
    """The one event of a message."""
    (event,) = events(raw, mapping).values()
    return event
