"""An alert as every surface writes it: each field, what is absent as null, times in RFC 3339."""

from __future__ import annotations

from typing import Annotated

import msgspec

from hub.bearing import bearing_on
from schemas.alert import Alert, Level, State
from schemas.instant import write_instant
from streams.core.directory import Directory
from streams.core.standing import Outreach

Time = Annotated[str, msgspec.Meta(description="RFC 3339, in UTC.", extra_json_schema={"format": "date-time"})]
Text = str | None


class AlertLine(msgspec.Struct, kw_only=True):
    """An alert. `started_at`, `due_at` and `ended_at` are occurred times, `fired_at` is log time; `delay_seconds` is
    ended minus due, null while it is open or retracted. `superseded_by` stands only where there is such an alert,
    `outreach` where something is known of the person that changes what may be done, `sensitivity` where a label is."""

    id: str
    threshold: str
    key: str
    person: Text
    journey: Text
    state: State
    level: Level
    severity: str
    mode: str
    started_at: Time
    due_at: Time
    fired_at: Time
    ended_at: Time | None
    delay_seconds: int | None
    facility: Text
    late_start: bool
    reason: str
    superseded_by: str | msgspec.UnsetType = msgspec.UNSET
    outreach: Outreach | msgspec.UnsetType = msgspec.UNSET
    sensitivity: list[str] | msgspec.UnsetType = msgspec.UNSET


class AlertChange(AlertLine, kw_only=True):
    """A transition: the alert as it stood then. `cursor` is the place in the stream of transitions, `at` the log time
    of the change."""

    cursor: str
    at: Time


class AlertSaid(AlertLine, kw_only=True):
    """A transition on px.alerts: the alert as it stood then. `at` is the log time of the change, `purpose` what turning
    to the patient about it is for."""

    at: Time
    purpose: str | msgspec.UnsetType = msgspec.UNSET


class AlertShown(AlertLine, kw_only=True):
    """An alert in its last state, with its explanation, line by line; without it where the hub that is asked does not
    judge itself (docs/distributed.md)."""

    explanation: list[str] | msgspec.UnsetType = msgspec.UNSET


def alert_fields(alert: Alert, directory: Directory | None = None) -> dict[str, object]:
    """The fields of an AlertLine; `directory` tells what is known of the person."""
    ended = alert.ended_at
    outreach, labels = bearing_on(alert, directory)
    return {
        "id": alert.id,
        "threshold": alert.threshold,
        "key": alert.key,
        "person": alert.person,
        "journey": alert.journey,
        "state": alert.state,
        "level": alert.level,
        "severity": alert.severity,
        "mode": alert.mode,
        "started_at": write_instant(alert.started_at),
        "due_at": write_instant(alert.due_at),
        "fired_at": write_instant(alert.fired_at),
        "ended_at": None if ended is None else write_instant(ended),
        "delay_seconds": alert.delay_seconds,
        "facility": alert.facility,
        "late_start": alert.late_start,
        "reason": alert.reason,
        "superseded_by": msgspec.UNSET if alert.superseded_by is None else alert.superseded_by,
        "outreach": msgspec.UNSET if outreach is None else outreach,
        "sensitivity": labels or msgspec.UNSET,
    }


def alert_change(cursor: str, at: int, alert: Alert, directory: Directory | None = None) -> AlertChange:
    """A transition as it goes out; `at` in microseconds."""
    return AlertChange(cursor=cursor, at=write_instant(at), **alert_fields(alert, directory))  # type: ignore[arg-type]
