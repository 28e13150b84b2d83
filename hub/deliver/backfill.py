"""What is nobody's to hurry for: alerts that were first said long after they were due.

A start on a history, messages that come weeks late, thresholds that are changed and judge all of it anew: each makes
alerts of the past. Nobody is told of one, nor of what becomes of it; who was told in time is told to the end.
"""

from __future__ import annotations

from typing import Final

from schemas.event import DAY
from streams.embedded.entries import read_alert
from streams.embedded.following import Row
from streams.embedded.reader import Reader

LONG: Final = 7 * DAY
_SAID: Final = "SELECT at, body FROM transition WHERE alert = ? ORDER BY cursor"


def without_backfill(reader: Reader, rows: list[Row]) -> list[Row]:
    """The transitions of alerts that were said in time. Raises StoreFailed."""
    return [row for row in rows if _was_said_in_time(reader, row[2].id)]


def _was_said_in_time(reader: Reader, alert: str) -> bool:
    """Whether an alert was first said, to people and not in the shadow, when it mattered."""
    for at, body in reader.rows(_SAID, alert):
        said = read_alert(body)
        if said.mode == "live":
            return bool(at - said.due_at <= LONG)
    return False
