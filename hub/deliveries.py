"""A simulated clinic's folder as what was delivered, by whom and when: the three voices as one sequence of time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from pathlib import Path
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from connectors.api import Reading
from connectors.hl7.files import split_messages
from hub.simulate import CALLS_FILE, PORTAL_FILE
from hub.simulate.clinic import INTERFACES
from schemas.errors import WrongUse
from schemas.event import SECOND
from schemas.instant import read_instant

Voice = Literal["hl7", "fhir", "calls"]
VOICES: Final[tuple[Voice, ...]] = ("hl7", "fhir", "calls")


class Delivery(NamedTuple):
    """`at` is when it was sent, in microseconds; `body` a message, a bundle, or what a webhook posts. `number` is the
    telephone number in it, empty where there is none or several: a caller is known from the moment on at which their
    number was told, so what holds the same number must come in order."""

    at: int
    voice: Voice
    body: bytes
    number: bytes = b""


def in_parts(said: Iterable[Delivery], *, most: int, span: int) -> Iterator[list[Delivery]]:
    """Deliveries that may be under way together, whichever arrives first: at most `most` of them, of less than `span`
    microseconds, and no call beside a message that tells the caller's number."""
    part: list[Delivery] = []
    told: dict[bytes, Voice] = {}
    for delivery in said:
        crossed = delivery.number and told.get(delivery.number, delivery.voice) != delivery.voice
        if part and (crossed or len(part) >= most or delivery.at - part[0].at >= span):
            yield part
            part, told = [], {}
        part.append(delivery)
        if delivery.number:
            told[delivery.number] = delivery.voice
    if part:
        yield part


class _Times(msgspec.Struct):
    """Where the simulated bodies say when they were sent."""

    timestamp: str | None = None
    time: str | None = None
    ended: str | None = msgspec.field(default=None, name="DisconnectTimestamp")


_REGISTERED: Final = re.compile(rb"\^PRN\^PH\^\^1\^978\^(\d{7})")  # PID-13
_CALLED: Final = re.compile(rb'"\+1978(\d{7})"')
_times: Final = msgspec.json.Decoder(_Times).decode


def deliveries(folder: Path, zone: ZoneInfo) -> Iterator[Delivery]:
    """All deliveries of a folder that `write_clinic` has written, in order of time; each file keeps its own order.
    `zone` is where the clinic's clocks stand."""
    return merge(
        *(_hl7(folder / interface.file, zone) for interface in INTERFACES),
        _lines(folder / PORTAL_FILE, "fhir"),
        _lines(folder / CALLS_FILE, "calls"),
        key=lambda delivery: delivery.at,
    )


def _hl7(path: Path, zone: ZoneInfo) -> Iterator[Delivery]:
    """By MSH-7, which the clinic's systems write as the wall clock; a repetition is sent behind the one before it."""
    last = 0
    for raw in split_messages([path.read_bytes()]):
        if isinstance(raw, Reading):
            raise WrongUse(f"{path}: this is no file that pxhub simulate has written")
        stamp = datetime.strptime(raw.split(b"|", 7)[6].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=zone)
        last = max(last, int(stamp.timestamp()) * SECOND)
        number = _REGISTERED.search(raw)
        yield Delivery(last, "hl7", raw, number[1] if number else b"")


def _lines(path: Path, voice: Voice) -> Iterator[Delivery]:
    for line in path.read_bytes().splitlines():
        said = _times(line)
        number = _CALLED.search(line) if voice == "calls" else None
        at = read_instant(said.timestamp or said.time or said.ended or "")
        yield Delivery(at, voice, line, number[1] if number else b"")
