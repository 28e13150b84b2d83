"""What is known of a source's rhythm written down, an hour of the week at a time, and read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from schemas.alert import Alert, State
from streams.core.silences import Silence


class SilenceRow(msgspec.Struct, array_like=True):
    """A source under a threshold, without the hours that it taught. `alert` is the one that was raised last."""

    threshold: str
    source: str
    heard: int
    since: int
    end: int
    hour: int
    longest: int
    whole: bool
    stood: bool
    asleep: bool
    facility: str | None
    alert: str | None
    is_open: bool
    before: list[int]


class HourRow(msgspec.Struct, array_like=True):
    """The longest quiets of an hour of the week, the last ones."""

    hour: int
    longest: list[int]


def has_changed(silence: Silence) -> bool:
    """Whether anything is otherwise than it was written."""
    return silence.is_changed or silence.heard != silence.written


def write_silence(silence: Silence) -> SilenceRow:
    """A source without its hours."""
    return SilenceRow(
        silence.plan.id,
        silence.source,
        silence.heard,
        silence.since,
        silence.end,
        silence.hour,
        silence.longest,
        silence.whole,
        silence.stood,
        silence.asleep,
        silence.facility,
        silence.alert.id if silence.alert is not None else None,
        silence.is_open,
        silence.before,
    )


def write_hours(silence: Silence) -> list[HourRow]:
    """The hours that changed since they were last written."""
    return [HourRow(hour, silence.hours[hour]) for hour in sorted(silence.touched)]


def note_written(silence: Silence) -> None:
    silence.written = silence.heard
    silence.is_changed = silence.cleared = False
    silence.touched.clear()


def read_silence(
    silence: Silence, row: SilenceRow, hours: Iterable[HourRow], alert: Callable[[str], Alert | None]
) -> None:
    """Fill a record that was just made; to wake it is the caller's."""
    silence.heard, silence.since = row.heard, row.since
    silence.end, silence.hour, silence.longest = row.end, row.hour, row.longest
    silence.whole, silence.stood, silence.asleep = row.whole, row.stood, row.asleep
    silence.facility, silence.before = row.facility, row.before
    known = alert(row.alert) if row.alert is not None else None
    if known is not None:
        silence.alert = msgspec.structs.replace(known)
        if row.is_open:  # as it was then, whatever was said since
            silence.alert.state, silence.alert.ended_at, silence.alert.delay_seconds = State.BREACHED, None, None
    silence.hours = {held.hour: held.longest for held in hours}
    note_written(silence)
