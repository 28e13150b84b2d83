"""Alerts: their states, the moves between them, and the id that follows from the content."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import msgspec


class State(StrEnum):
    WARNING = "warning"
    BREACHED = "breached"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"
    RETRACTED = "retracted"


OPEN: Final = (State.WARNING, State.BREACHED)
"""The states in which something may still be done in time, or is still to be done."""


class Level(StrEnum):
    """How far an alert got: the highest reached."""

    WARNING = "warning"
    BREACHED = "breached"


# What is not here cannot happen. Late evidence judges anew, so only the warning cannot be returned to
# from a state that says more; a retracted alert may stand again.
MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.WARNING: frozenset({State.BREACHED, State.RESOLVED, State.CANCELLED, State.RETRACTED}),
    State.BREACHED: frozenset({State.WARNING, State.RESOLVED, State.CANCELLED, State.RETRACTED}),
    State.RESOLVED: frozenset({State.WARNING, State.BREACHED, State.CANCELLED, State.RETRACTED}),
    State.CANCELLED: frozenset({State.WARNING, State.BREACHED, State.RESOLVED, State.RETRACTED}),
    State.RETRACTED: frozenset({State.WARNING, State.BREACHED, State.RESOLVED, State.CANCELLED}),
}


class Alert(msgspec.Struct, kw_only=True):
    """What the hub says about a wait or a limit, in its last state. Times are microseconds since the epoch.

    `key` is the wait key's value as text, several joined by `|`. `started_at`, `due_at`, `ended_at` are occurred
    times, `fired_at` is log time. `delay_seconds` is ended minus due, null while open or retracted. `sensitivity` holds
    the labels of the event that made it, with commas; `purpose` what turning to the patient about it is for.
    """

    id: str
    threshold: str
    key: str
    person: str | None
    journey: str | None
    state: State
    level: Level
    severity: str
    mode: str
    started_at: int
    due_at: int
    fired_at: int
    ended_at: int | None
    delay_seconds: int | None
    facility: str | None
    late_start: bool
    reason: str
    superseded_by: str | None = None
    sensitivity: str | None = None
    purpose: str | None = None


def alert_id(threshold: str, source: str, event: str) -> str:
    """The alert's id: from the threshold's id and the event that made it, so that every run and runtime agrees.

    `event` is the start event's id (measure, sequence, count: the event that made it); for rate and average
    `source` is the `by` value and `event` the step.
    """
    digest = blake2b("\x1f".join((threshold, source, event)).encode("utf-8", "surrogatepass"), digest_size=12)
    return f"al-{digest.hexdigest()}"
