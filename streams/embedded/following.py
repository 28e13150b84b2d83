"""Transitions read in order, in bounded steps: for who follows them, page after page, while the store is written."""

from __future__ import annotations

from typing import Final

from schemas.alert import OPEN, Alert
from schemas.errors import PxError
from streams.embedded.entries import read_alert
from streams.embedded.reader import Reader

STEP: Final = 20_000
"""Transitions looked at for one page: a filter that takes few of them may not hold the file for long."""

Row = tuple[int, int, Alert]
"""Cursor, log time (microseconds), the alert as it then stood."""


class Gone(PxError):
    """What follows this cursor was purged: a follower would miss it."""


class Ahead(PxError):
    """The cursor lies beyond the last transition: it is of another store, or of one before a restore."""


def read_page(
    reader: Reader,
    *,
    after: int,
    limit: int,
    state: str | None = None,
    threshold: str | None = None,
    facility: str | None = None,
) -> tuple[list[Row], int, bool]:
    """A page of transitions, the cursor to go on from, and whether there is more to look at behind it.
    Raises Gone and Ahead, and StoreFailed."""
    first, last = check_cursor(reader, after)
    upto = min(last, max(after, first - 1) + STEP)
    wanted = {"state": state, "threshold": threshold, "facility": facility}
    asked = {name: value for name, value in wanted.items() if value is not None}
    where = "".join(f" AND {name} = ?" for name in asked)
    found = reader.rows(
        f"SELECT cursor, at, body FROM transition WHERE cursor > ? AND cursor <= ?{where} ORDER BY cursor LIMIT ?",  # noqa: S608 - our own names
        after, upto, *asked.values(), limit,
    )  # fmt: skip
    rows = [(cursor, at, read_alert(body)) for cursor, at, body in found]
    goes_on = rows[-1][0] if len(rows) == limit else upto
    return rows, goes_on, goes_on < last


def check_cursor(reader: Reader, after: int) -> tuple[int, int]:
    """The first and the last cursor there is (1 and 0 where there is none). Raises Gone and Ahead."""
    ((first, last),) = reader.rows("SELECT (SELECT min(cursor) FROM transition), (SELECT max(cursor) FROM transition)")
    first, last = first or 1, last or 0
    if after > last:
        raise Ahead
    if 0 < after < first - 1:
        raise Gone
    return first, last


def open_alerts(reader: Reader) -> dict[str, tuple[str, str]]:
    """The alerts that are open and meant for people: id -> (threshold, severity). It reads all alerts."""
    rows = reader.rows("SELECT body FROM alert WHERE state IN (?, ?)", *(state.value for state in OPEN))
    open_ = (read_alert(body) for (body,) in rows)
    return {alert.id: (alert.threshold, alert.severity) for alert in open_ if alert.mode == "live"}
