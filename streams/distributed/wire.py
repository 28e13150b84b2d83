"""Records of px.events: CloudEvents 1.0 in structured JSON, with what the hub adds to each.

`subject` is the identifier that the event came under, `also` the others; `recorded` the log time, in RFC 3339;
`precision` in seconds; `following` how many more events of the same message come in this partition. A few types
say something of circles or of the clock, and nothing of a patient's care: they are `CONTROL`. The key of a record is
the circle of its person (streams/core/circle.py), so that all of it stands in one partition, in order.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec

from schemas.alert import Alert
from schemas.event import SECOND, Event
from schemas.instant import read_instant, write_instant
from streams.core.circle import Circle
from streams.core.identity import id_of, person_identifier
from streams.distributed.formats import check_format, check_unread
from streams.distributed.names import EVENTS

TICKED: Final = "clock.ticked"
ASKED: Final = "circle.asked"
"""A circle has become part of another one, in another partition: it is to be handed over."""
AWAITED: Final = "circle.awaited"
"""The other side: what comes of this circle waits until that one was given."""
GIVEN: Final = "circle.given"
"""A circle, handed over."""
CONTROL: Final = frozenset((TICKED, ASKED, AWAITED, GIVEN))
IDENTIFY: Final = "pxhub/identify"
CORRELATE: Final = "pxhub/correlate"
FORMAT: Final = 1
"""Of what is written as MessagePack into the topics: the first element of each value."""


Seconds = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
"""How coarse a stamp is; what is more could not be kept."""


class Envelope(msgspec.Struct, gc=False):
    """A record as it is read; extensions that are not named here are passed by."""

    id: str
    source: str
    type: str
    time: str = ""
    data: dict[str, Any] | None = None
    subject: str | None = None
    also: str | None = None
    person: str | None = None
    facility: str | None = None
    sensitivity: str | None = None
    recorded: str = ""
    precision: Seconds = 0
    following: int = 0
    data_base64: str | None = None


class _Written(msgspec.Struct, omit_defaults=True):
    """The same, as it is written."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str | None = None
    also: str | None = None
    person: str | None = None
    facility: str | None = None
    sensitivity: str | None = None
    recorded: str = ""
    precision: int = 0
    following: int = 0
    data: dict[str, Any] | None = None
    data_base64: str | None = None


class Given(msgspec.Struct, array_like=True):
    """A circle on its way, with the alerts that stand of it: where its evidence gives them no more, they are taken
    back."""

    format: int
    circle: Circle
    alerts: list[Alert]


decode: Final = msgspec.json.Decoder(Envelope).decode
_encode: Final = msgspec.json.Encoder().encode
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(Given).decode


def write_event(event: Event, recorded: str, following: int = 0) -> bytes:
    """An event as it goes onto px.events; `recorded` as RFC 3339."""
    names = event.identifiers
    return _encode(
        _Written(
            "1.0",
            event.id,
            event.source,
            event.type,
            write_instant(event.time),
            names[0] if names else None,
            write_names(names[1:]) if len(names) > 1 else None,
            id_of(names[0]) if names else None,
            event.facility,
            event.sensitivity,
            recorded,
            event.precision // SECOND,
            following,
            event.data,
        )
    )


def read_event(wire: Envelope) -> Event:
    """The event of a record. Raises ValueError for a time that is none."""
    subject = wire.subject
    if subject is not None:
        names = (subject,) if wire.also is None else (subject, *read_names(wire.also))
    else:
        names = (person_identifier(wire.person),) if wire.person else ()
    return Event(
        wire.id,
        wire.source,
        wire.type,
        read_instant(wire.time),
        wire.data if wire.data is not None else {},
        names,
        wire.facility,
        wire.precision * SECOND,
        wire.sensitivity,
    )


def write_names(names: Iterable[str]) -> str:
    """Several identifiers as one text, for an extension of a CloudEvent is no list."""
    return ",".join(name.replace("%", "%25").replace(",", "%2C") for name in names)


def read_names(text: str) -> list[str]:
    """The other way."""
    return [name.replace("%2C", ",").replace("%25", "%") for name in text.split(",")]


def write_tick(clock: int, id_: str) -> bytes:
    """The clock has reached an instant."""
    return _encode(_Written("1.0", id_, IDENTIFY, TICKED, write_instant(clock)))


def write_asked(id_: str, now: str, to: str, partition: int) -> bytes:
    """A circle (the record's key) is to be given to another one, in a partition; `id_` names the hand-over."""
    return _encode(_Written("1.0", id_, IDENTIFY, ASKED, now, data={"to": to, "partition": partition}))


def write_awaited(id_: str, now: str) -> bytes:
    """The circle that is the record's key awaits a hand-over."""
    return _encode(_Written("1.0", id_, IDENTIFY, AWAITED, now))


def write_given(id_: str, now: str, circle: Circle, alerts: list[Alert]) -> bytes:
    """A circle for the one that is the record's key."""
    body = base64.b64encode(_pack(Given(FORMAT, circle, alerts))).decode()
    return _encode(_Written("1.0", id_, CORRELATE, GIVEN, now, data_base64=body))


def read_given(wire: Envelope) -> Given:
    """What was handed over. Raises ValueError for what cannot be read, and NewerFormat."""
    body = b""
    try:
        body = base64.b64decode(wire.data_base64 or "", validate=True)
        given = _unpack(body)
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError, RecursionError) as wrong:
        check_unread(EVENTS, body, FORMAT)
        raise ValueError("a hand-over cannot be read") from wrong
    check_format(EVENTS, given.format, FORMAT)
    return given


def read_told(wire: Envelope) -> Event | Given | int | None:
    """What a record tells: an event, a circle, an instant, or (None) something about circles. Raises ValueError and
    NewerFormat."""
    if wire.type not in CONTROL:
        event = read_event(wire)
        event.recorded = read_instant(wire.recorded) if wire.recorded else 0
        return event
    if wire.type == TICKED:
        return read_instant(wire.time)
    return read_given(wire) if wire.type == GIVEN else None
