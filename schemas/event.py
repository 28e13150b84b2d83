"""The event: what one message means, in the hub's own words.

Times are whole microseconds since 1970-01-01T00:00:00Z (`int`), everywhere behind the connectors:
comparing and adding them is exact, and twenty times cheaper than `datetime`.
"""

from __future__ import annotations

from typing import Final

import msgspec

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
EARLIEST: Final = 0
"""No event is earlier than 1970: such a stamp is a birth date, or what a system writes for none (year 1, 1900)."""

Scalar = str | int | float | bool
Attribute = Scalar | list[Scalar]


class Event(msgspec.Struct, gc=False):
    """One thing that happened. Read-only by agreement (frozen structs cost a third more to make).

    `source` and `id` together are its identity. `data` holds the attributes of THRESHOLDS.md; one that the
    message does not carry is absent, never empty. `identifiers` are the person's, `value^authority` or the value
    alone, the first being the one that the event came under; empty when it names nobody. Identifiers of a merge
    are not among them: they stand in `data` (`surviving`, `retired`).
    `precision` is how coarse the source's stamp is, in microseconds (a stamp to the minute: 60,000,000; to the
    second or finer: 0); `time` is the start of it. `recorded` is the log time at which the hub first heard of it, 0
    where no log tells.
    """

    id: str
    source: str
    type: str
    time: int
    data: dict[str, Attribute]
    identifiers: tuple[str, ...] = ()
    facility: str | None = None
    precision: int = 0
    sensitivity: str | None = None
    recorded: int = 0
