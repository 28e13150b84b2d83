"""Silences judged the slow way: minute by minute, with nothing kept but the list of messages. Whole minutes, in UTC.

An hour of the week has, of each time it was met whole, the longest quiet that was reached in it; what is silent and
what is learned is asked anew for each minute.
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
    """What each hour of the week taught: when it began, and the longest quiet in it."""

    by_hour: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def known(self, hour: int, before: int) -> list[int]:
        """The last four of an hour of the week that were over an hour ago."""
        return [longest for begin, longest in self.by_hour.get(hour % 168, []) if begin < before - HOUR][-4:]

    def limit(self, at: int, quiet: int | None, least: int) -> int | None:
        if quiet is not None:
            return max(quiet, least)
        hour = at // HOUR
        if len(self.known(hour, at)) < 4:
            return None
        around = [q for h in (hour - 1, hour, hour + 1) for q in self.known(h, at)]
        return max(2 * max(around), least)

    def learn(self, begin: int, longest: int) -> None:
        self.by_hour.setdefault(begin // HOUR % 168, []).append((begin, longest))


def silences(
    messages: Sequence[int], until: int, *, quiet: int | None, least: int, planned: Collection[int]
) -> list[Silent]:
    """`messages` in order; `planned` the minutes of planned downtime; minutes since a Monday midnight."""
    return _Watch(frozenset(messages), quiet, least, planned).run(messages[0], until)


class _Watch:
    def __init__(self, told: frozenset[int], quiet: int | None, least: int, planned: Collection[int]) -> None:
        self.told, self.quiet, self.least, self.planned = told, quiet, least, planned
        self.hours = Hours()
        self.found: list[Silent] = []

    @property
    def is_open(self) -> bool:
        return bool(self.found) and self.found[-1].ended is None

    def run(self, first: int, until: int) -> list[Silent]:
        self.heard = self.since = first
        self.enter(first, whole=False)
        for at in range(first, until + 1):
            if at > first:
                if at not in self.planned or at - 1 not in self.planned:
                    self.longest = max(self.longest, at - self.since)
                if at % HOUR == 0:
                    self.leave(at - HOUR)
                    self.enter(at, whole=True)
            self.look(at)
        return self.found

    def look(self, at: int) -> None:
        if at in self.told:
            if self.is_open:
                self.found[-1].ended = at
            self.heard = self.since = at
        if at in self.planned:
            self.since, self.whole = at + 1, False
        elif at not in self.told and not self.is_open and self.limit is not None and at - self.since >= self.limit:
            self.found.append(Silent(self.heard, at))
            self.stood = True

    def enter(self, at: int, *, whole: bool) -> None:
        self.whole, self.stood, self.longest = whole, self.is_open, 0
        self.limit = self.hours.limit(at, self.quiet, self.least)

    def leave(self, begin: int) -> None:
        if self.quiet is not None or not self.whole:
            return
        known = self.hours.known(begin // HOUR, begin)
        if self.stood and len(known) < 4:
            return
        if self.stood:
            self.longest = min(self.longest, max(2 * max(known), self.least))
        self.hours.learn(begin, self.longest)
