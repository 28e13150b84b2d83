"""What stands in the log, as values, and how events are written there and read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from schemas.alert import Alert
from schemas.errors import StoreFailed
from schemas.event import Event
from schemas.message import Message, Outcome, Thing, Verdict
from streams.core.alerts import Transition
from streams.core.circle import EventRow
from streams.core.rate_rows import BucketRow, RateRow
from streams.core.silence_rows import HourRow, SilenceRow
from streams.embedded.learned import Learned
from streams.embedded.residence import Written

_DEEPEST: Final = 64  # objects and lists within each other
_NESTED: Final = frozenset((dict, list))

_events_decoder: Final = msgspec.msgpack.Decoder(list[EventRow])
_alert_decoder: Final = msgspec.json.Decoder(Alert)
_encode: Final = msgspec.msgpack.Encoder().encode


def write_events(events: Iterable[Event]) -> bytes:
    """Events as they stand in the log."""
    return _encode([msgspec.structs.astuple(event) for event in events])


def written(events: tuple[Event, ...]) -> bytes | None:
    """The same, or None for what cannot be kept: numbers beyond 64 bits, data nested deeper than can be read again."""
    try:
        for event in events:
            if not _NESTED.isdisjoint(map(type, event.data.values())) and is_deep(event.data):
                return None
        return write_events(events)
    except (OverflowError, RecursionError, TypeError, ValueError):
        return None


def is_deep(value: object, room: int = _DEEPEST) -> bool:
    """Whether a value is nested deeper than `_DEEPEST`."""
    if isinstance(value, dict):
        return room == 0 or any(is_deep(v, room - 1) for v in value.values() if type(v) in _NESTED)
    if isinstance(value, list):
        return room == 0 or any(is_deep(v, room - 1) for v in value if type(v) in _NESTED)
    return False


def read_events(blob: bytes) -> tuple[Event, ...]:
    """Events out of the log. Raises StoreFailed for what is damaged."""
    try:
        return tuple(Event(*row) for row in _events_decoder.decode(blob))
    except (msgspec.MsgspecError, RecursionError, TypeError, ValueError) as wrong:
        raise StoreFailed("a row of the log is damaged; restore a backup") from wrong


def read_alert(body: bytes) -> Alert:
    """An alert as a store has it. Raises StoreFailed for what is damaged."""
    try:
        return _alert_decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, TypeError, ValueError) as wrong:
        raise StoreFailed("a row of the alerts is damaged; restore a backup") from wrong


class Entry(msgspec.Struct, gc=False):
    """One row of the log, as its columns stand. `recorded` and `clock` in microseconds: when it was recorded, and where
    the engine's clock is put before it is applied. `events` is None for what is no event."""

    seq: int
    recorded: int
    clock: int
    kind: str
    outcome: str
    reason: str | None
    source: str
    id: str
    raw: bytes
    blob: bytes | None  # the events, as `write_events` gives them

    @property
    def events(self) -> tuple[Event, ...] | None:
        """The events; None where it told none."""
        return None if self.blob is None else read_events(self.blob)


class Taken(NamedTuple):
    """What the engine took of one message: where and when, and its events; or none, of a message that only shows that
    its source is there."""

    seq: int
    recorded: int
    clock: int
    events: tuple[Event, ...]
    source: str = ""


Said = tuple[int, Transition, int]
"""A change of an alert: its cursor, and the place of the log after which it was said, 0 where none is known."""


class Position(msgspec.Struct, array_like=True):
    """How far the file is: the log was applied up to `applied`, at `clock`; what follows `tail` is to be applied again
    for the circles that were not written since. Then counts, and by which thresholds it was judged."""

    applied: int = 0
    clock: int = 0
    tail: int = 0
    persons: int = 0
    waits: int = 0
    without_due: int = 0
    without_key: int = 0
    judged_by: str = ""


@dataclass(slots=True)
class Batch:
    """What one commit writes."""

    entries: list[Entry] = field(default_factory=list)
    seen: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)  # hash -> digest, seq
    dead: list[tuple[int, str, str, str]] = field(default_factory=list)  # seq, reason, place, mend
    comments: list[tuple[str, int | None, str]] = field(default_factory=list)  # id, seq, text
    tallies: dict[tuple[str, str, str], int] = field(default_factory=dict)  # (kind, outcome, reason) -> count
    transitions: list[Said] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)  # whose person or journey is another one now
    circles: list[Written] = field(default_factory=list)
    rates: list[tuple[RateRow, list[BucketRow]]] = field(default_factory=list)
    silences: list[tuple[SilenceRow, list[HourRow], bool]] = field(default_factory=list)  # whether its hours went
    away: list[tuple[int, int]] = field(default_factory=list)
    position: Position | None = None
    learned: Learned | None = None  # of the directory
    things: list[tuple[Thing, int | None]] = field(default_factory=list)  # versions that came, and the place of the log


def comments_of(messages: Iterable[Message], verdicts: Iterable[Verdict]) -> list[tuple[str, int | None, str]]:
    """What is kept apart of messages that are kept: its id, the message's place in the log, the text."""
    return [
        (comment.id, verdict.seq, comment.text)
        for message, verdict in zip(messages, verdicts, strict=True)
        if message.comments and verdict.outcome is not Outcome.DUPLICATE
        for comment in message.comments
    ]


def things_of(messages: Iterable[Message], verdicts: Iterable[Verdict], last: int) -> list[tuple[Thing, int | None]]:
    """The versions that came with messages, and until which place of the log each is remembered; `last` is where that
    ends now. A dead letter, and the repetition of one, tells of none."""
    return [
        (thing, last if verdict.outcome is Outcome.DUPLICATE else verdict.seq)
        for message, verdict in zip(messages, verdicts, strict=True)
        if message.things
        and not (verdict.outcome is Outcome.DEAD or (verdict.outcome is Outcome.DUPLICATE and verdict.reason))
        for thing in message.things
    ]
