"""Silences judged the slow way: minute by minute, with nothing kept but the list of messages. All on whole minutes, UTC.

An hour of the week has, of each time it was met whole, the longest quiet that was reached in it; what is silent and what
is learned is asked anew for each minute.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

HOUR = 60
WEEK = 7 * 24 * HOUR


@dataclass
class Silent:
    """One silence, in minutes: last heard, when it was said, when it ended."""

    heard: int
    due: int
    ended: int | None = None


@dataclass
class Hours:
    """What each hour of the week taught."""

    by_hour: dict[int, list[int]] = field(default_factory=dict)

    def limit(self, hour: int, quiet: int | None, least: int) -> int | None:
        if quiet is not None:
            return max(quiet, least)
        if len(self.by_hour.get(hour, [])) < 4:
            return None
        around = [(hour - 1) % 168, hour, (hour + 1) % 168]
        return max(2 * max(q for h in around for q in self.by_hour.get(h, [])), least)

    def learn(self, hour: int, longest: int) -> None:
        self.by_hour[hour] = [*self.by_hour.get(hour, []), longest][-4:]


def silences(
    messages: Sequence[int], until: int, *, quiet: int | None, least: int, planned: Collection[int]
) -> list[Silent]:
    """`messages` in order; `planned` the minutes of planned downtime; minutes since a Monday midnight."""
    found: list[Silent] = []
    learned = Hours()
    at = messages[0]
    told = set(messages)
    heard = since = at
    whole, stood, longest, limit = False, False, 0, learned.limit(at // HOUR % 168, quiet, least)
    while at < until:
        is_open = bool(found) and found[-1].ended is None
        if at in told:
            longest = max(longest, at - since)
            if is_open:
                found[-1].ended = at
            heard = since = at
        if at in planned:
            since = at + 1
            whole = False
        elif at not in told and not is_open and limit is not None and at - since >= limit:
            found.append(Silent(heard, at))
            stood = True
        at += 1
        if at not in planned or at - 1 not in planned:
            longest = max(longest, at - since)
        if at % HOUR == 0:
            hour = (at // HOUR - 1) % 168
            if quiet is None and whole:
                if stood and limit is not None:
                    longest = min(longest, limit)
                if limit is not None or not stood:
                    learned.learn(hour, longest)
            limit = learned.limit(at // HOUR % 168, quiet, least)
            whole, longest = True, 0
            stood = bool(found) and found[-1].ended is None
    if until in told and found and found[-1].ended is None:
        found[-1].ended = until
    elif until not in told and until not in planned and limit is not None and until - since >= limit:
        if not found or found[-1].ended is not None:
            found.append(Silent(heard, until))
    return found
