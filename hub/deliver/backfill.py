"""What is nobody's to hurry for: transitions of alerts that were first heard of long after they were due.

A start on a history, messages that come weeks late, thresholds that are changed and judge all of it anew: each makes
alerts of the past. An alert that was told of in time is told of to its end, however long that takes.
"""

from __future__ import annotations

from typing import Final

from schemas.event import DAY
from streams.embedded.following import Row
from streams.embedded.store import Reader

LONG: Final = 7 * DAY
_IN_TIME: Final = (
    "SELECT 1 FROM transition WHERE alert = ? AND cursor < ? AND json_extract(CAST(body AS TEXT), '$.mode') = 'live' "
    "AND at - json_extract(CAST(body AS TEXT), '$.due_at') <= ? LIMIT 1"
)


def is_long_ago(row: Row) -> bool:
    """Whether a transition was said long after its alert was due."""
    _, at, alert = row
    return at - alert.due_at > LONG


def without_backfill(reader: Reader, rows: list[Row]) -> list[Row]:
    """The transitions that are worth telling. Raises StoreFailed."""
    return [row for row in rows if not is_long_ago(row) or _was_in_time(reader, row)]


def _was_in_time(reader: Reader, row: Row) -> bool:
    """Whether an earlier transition of the same alert was said when it mattered, and so was told."""
    cursor, _, alert = row
    return bool(reader.rows(_IN_TIME, alert.id, cursor, LONG))
