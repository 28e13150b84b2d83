"""Planned downtime of sources: read from its lines, and found within an hour.

Written by the wall clock of the threshold's calendar (UTC without one). What crosses midnight is written as two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from schemas.declaration import Findings, Items, Leaf, Node, Table, suggest
from schemas.event import DAY, MINUTE
from schemas.instant import from_datetime
from schemas.threshold import Downtime
from schemas.threshold_keys import DAYS, DOWNTIME_KEYS
from streams.core.threshold_fields import as_table, check_keys, read_text

_WEEKLY: Final = re.compile(r"([a-z]+)(?:-([a-z]+))? ([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])")
_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_WEEK: Final = 7 * DAY
_SINCE_MONDAY: Final = 3 * DAY  # the epoch was a Thursday
_LAST: Final = 24 * 60
Span = tuple[int, int]
"""From and to, microseconds; the end is not within."""


def read_downtimes(node: Node, key: str, findings: Findings) -> tuple[Downtime, ...] | None:
    """One or a list: `sun 02:00-04:00`, `{weekly: sun 02:00-04:00, source: ...}` or `{from: ..., to: ...}`."""
    read = [_read_one(item, key, findings) for item in (node.nodes if isinstance(node, Items) else (node,))]
    found = tuple(one for one in read if one is not None)
    return found if len(found) == len(read) else None


def _read_one(node: Node, key: str, findings: Findings) -> Downtime | None:
    if isinstance(node, Leaf):
        weekly = _read_weekly(node, key, findings)
        return None if weekly is None else Downtime(weekly=weekly)
    table = as_table(node, key, findings)
    if table is None:
        return None
    table = check_keys(table, DOWNTIME_KEYS, f"`{key}`", findings)
    sources = _read_sources(table.find("source"), findings)
    weekly_node = table.find("weekly")
    dated = [name for name in ("from", "to") if table.find(name) is not None]
    if (weekly_node is None) == (len(dated) < 2) or (weekly_node is not None and dated):
        findings.error(table.place, f"`{key}` has `weekly`, or `from` and `to`")
        return None
    if weekly_node is not None:
        weekly = _read_weekly(weekly_node, "weekly", findings)
        return None if weekly is None or sources is None else Downtime(weekly=weekly, sources=sources)
    begin, end = (_read_wall(table, name, findings) for name in ("from", "to"))
    if begin is None or end is None or sources is None:
        return None
    if end <= begin:
        findings.error(table.place_of("to"), "`to` lies after `from`")
        return None
    return Downtime(begin=begin, end=end, sources=sources)


def _read_sources(node: Node | None, findings: Findings) -> tuple[str, ...] | None:
    """The sources that are meant; empty for all, None where one is wrong."""
    if node is None:
        return ()
    items = node.nodes if isinstance(node, Items) else (node,)
    names = [read_text(item, "source", findings) for item in items]
    return tuple(name for name in names if name is not None) if None not in names and names else None


def _read_weekly(node: Node, key: str, findings: Findings) -> tuple[tuple[int, int, int], ...] | None:
    text = read_text(node, key, findings)
    if text is None:
        return None
    found = _WEEKLY.fullmatch(text.casefold())
    if found is None:
        findings.error(node.place, f'`{key}` is written as "sun 02:00-04:00" or "mon-fri 22:00-24:00"')
        return None
    first, last = found[1], found[2] or found[1]
    for name in (first, last):
        if name not in DAYS:
            findings.error(node.place, f"`{name}` is no day (mon, tue ... sun)", suggest(name, DAYS))
            return None
    begin, end = int(found[3]) * 60 + int(found[4]), int(found[5]) * 60 + int(found[6])
    if end > _LAST or begin >= _LAST:
        findings.error(node.place, "a time of day lies between 00:00 and 24:00")
        return None
    if end <= begin:
        findings.error(node.place, "a downtime ends after it begins, and does not cross midnight: write two")
        return None
    day, days = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
    return tuple(((day + n) % 7, begin, end) for n in range(days))


def _read_wall(table: Table, key: str, findings: Findings) -> int | None:
    node = table.find(key)
    text = read_text(node, key, findings) if node is not None else None
    if node is None or text is None:
        return None
    try:
        wall = datetime.fromisoformat(text) if _DATED.fullmatch(text) else None
    except ValueError:
        wall = None
    if wall is None:
        findings.error(node.place, f'`{key}` is a day and a time of the wall clock, as "2026-12-05 22:00"')
        return None
    return from_datetime(wall.replace(tzinfo=UTC))


def downtimes_within(downtimes: Iterable[Downtime], source: str, begin: int, end: int) -> list[Span]:
    """What of a span of wall clock (microseconds, at most a day) is planned downtime of a source."""
    found: list[Span] = []
    for one in downtimes:
        if one.sources and source not in one.sources:
            continue
        if one.begin is not None and one.end is not None:
            found.append((max(one.begin, begin), min(one.end, end)))
        week = (begin + _SINCE_MONDAY) // _WEEK * _WEEK - _SINCE_MONDAY
        for day, opening, closing in one.weekly:
            for monday in (week, week + _WEEK):
                of_day = monday + day * DAY
                found.append((max(of_day + opening * MINUTE, begin), min(of_day + closing * MINUTE, end)))
    return sorted(span for span in found if span[0] < span[1])
