"""What a record may say at most, whoever wrote it: of the clock, and of what can be kept.

Theory. No single record may run a clock away. By log time none may say that it is later than the broker's own stamp on
it, but for an hour, in which brokers' clocks may differ: what the hub writes itself follows from stamps that are older.
By event time a clock is wherever events are (a backfill that is closed years ahead is asked for), so there an instant
must only be one that can be written, with the longest promise behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from schemas.errors import Reason
from schemas.event import EARLIEST, HOUR, Event
from schemas.instant import read_instant
from streams.distributed.circles import is_name, partition_of
from streams.distributed.formats import UNREAD, Spoilt, check_unread
from streams.distributed.records import Buried, Record
from streams.distributed.wire import Given
from streams.embedded.entries import is_deep

LATEST: Final = read_instant("9000-01-01T00:00:00Z")
MEND_AHEAD: Final = "it says more than an hour beyond the broker's stamp on it; check the clock of who wrote it"
_MEND: Final = "identify writes these records; who else does must write CloudEvents 1.0 with the circle as the key"
_PLAIN: Final = frozenset((str, float, bool, type(None)))
_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 64) - 1
Place = TypeVar("Place")


class Ahead(ValueError):
    """A record says that it is later than it can be."""


def latest(record: Record, *, by_event: bool) -> int:
    """The latest log time that a record may tell of, in microseconds."""
    return LATEST if by_event else record.timestamp * 1000 + HOUR


def check_ahead(at: int, most: int) -> int:
    """The same instant. Raises Ahead where it is later than it may be, ValueError where none can be written so."""
    if at > most:
        raise Ahead("this lies ahead of the clock")
    return check_time(at)


def check_time(at: int) -> int:
    """The same instant. Raises ValueError for one before 1970 or too late to be written with what is due behind it."""
    if not EARLIEST <= at <= LATEST:
        raise ValueError("this is no time of an event")
    return at


def read_place(topic: str, kept: bytes, known: int, type_: type[Place], instants: Callable[[Place], Any]) -> Place:
    """Where a stage stands, as its topic keeps it in a format up to `known`; `instants` are the times in it. Raises
    NewerFormat and Spoilt."""
    check_unread(topic, kept, known)
    try:
        place = msgspec.msgpack.decode(kept, type=type_)
        for at in instants(place):
            check_time(at)
    except (*UNREAD, ValueError) as wrong:
        raise Spoilt(topic) from wrong
    return place


def check_told(told: Event | Given | int | None, record: Record, *, by_event: bool) -> None:
    """Raises ValueError, or Ahead, for what a record of px.events may not tell."""
    if isinstance(told, int):
        check_ahead(told, latest(record, by_event=by_event))
    elif isinstance(told, Event):
        check_time(told.time)
        check_ahead(told.recorded, latest(record, by_event=by_event))
        check_kept(told.data)
    elif told is not None:
        for person in told.circle.persons:
            for row in person.log:
                check_time(row[3])
                check_kept(row[4])


def check_asked(data: dict[str, Any], partitions: int) -> None:
    """Raises ValueError where a circle is asked for by none, or for a partition that is not that one's."""
    to, partition = data.get("to"), data.get("partition")
    key = to.encode("utf-8", "replace") if isinstance(to, str) else None
    if not is_name(key) or type(partition) is not int or partition < 0:
        raise ValueError("no circle asks")
    if partitions and partition != partition_of(bytes.fromhex(str(to)), partitions):
        raise ValueError("that circle lives elsewhere")


def refused(wrong: Exception, record: Record) -> Buried:
    """The dead letter of a record of px.events that was not taken."""
    raw = record.value or b""
    if isinstance(wrong, Ahead):
        return Buried(Reason.FROM_THE_FUTURE.value, "time", MEND_AHEAD, record.offset, raw)
    kind = Reason.INVALID if isinstance(wrong, msgspec.ValidationError) else Reason.UNREADABLE
    return Buried(kind.value, "the record", _MEND, record.offset, raw)


def check_kept(data: dict[str, Any]) -> None:
    """Raises ValueError for data that could not be kept: whole numbers beyond 64 bits, or nested too deep."""
    if _PLAIN.issuperset(map(type, data.values())):
        return  # as nearly always
    if is_deep(data) or not all(map(_is_kept, data.values())):
        raise ValueError("this data cannot be kept")


def _is_kept(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return bool(_LEAST <= value <= _MOST)
    if kind is dict:
        return all(map(_is_kept, value.values()))
    return all(map(_is_kept, value)) if kind is list else True
