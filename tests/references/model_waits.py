"""Waits, judged from all their evidence at once (for the reference model)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tests.references.model_calendar import ModelCalendar, ModelDuration, instant
from tests.references.model_history import Declared, History, Judged, Row, Told, listed, number, row

ROLES: Final = ("start", "paused_by", "resumed_by", "satisfied_by", "cancelled_by")  # their order at one instant


@dataclass(frozen=True, eq=False)
class Evidence:
    told: Told
    role: str
    match: Declared

    @property
    def place(self) -> tuple[int, int, str, str]:
        return (self.told.time, ROLES.index(self.role), self.told.source, self.told.id)


@dataclass
class Wait:
    """`starts`: the event that opened it, then those that moved it."""

    key: str
    starts: list[Evidence]


@dataclass
class Due:
    at: int
    paused: int | None  # when the pause that still holds began


class Waits:
    """The waits of one threshold in one group."""

    def __init__(self, threshold: Declared, history: History, told: list[Told], calendar: ModelCalendar | None) -> None:
        self.threshold, self.history, self.calendar = threshold, history, calendar
        self.names = listed(threshold["key"])
        matched = [
            Evidence(one, role, match)
            for one in told
            for role in ROLES
            for match in listed(threshold.get(role))
            if history.matches(one, match)
        ]
        self.evidence = sorted(matched, key=lambda one: one.place)
        self.waits: list[Wait] = []
        for start in self.evidence:
            if start.role == "start" and all(start.told not in [s.told for s in w.starts] for w in self.waits):
                self.start(start)

    def start(self, start: Evidence) -> None:
        key = self.history.key(start.told, self.names)
        if key is None or self.first_due(start) is None:
            return
        running = [wait for wait in self.waits if wait.key == key and self.runs(wait, start)]
        restart = self.threshold.get("restart", "keep")
        if running and restart == "keep":
            return
        if running and restart == "move":
            due = self.due(running[-1], start)
            if due.paused is not None or start.told.time <= due.at:
                running[-1].starts.append(start)
                return
        self.waits.append(Wait(key, [start]))

    def duration(self, declared: str) -> ModelDuration:
        return ModelDuration(declared, self.calendar)

    def runs(self, wait: Wait, at: Evidence) -> bool:
        close = self.close(wait)
        return close is None or close.place > at.place

    def finds(self, evidence: Evidence, wait: Wait) -> bool:
        by = evidence.match.get("by")
        if by is None:
            return self.history.key(evidence.told, self.names) == wait.key
        if by == "person":
            return self.history.is_person(evidence.told)
        pairs = [(self.history.text(evidence.told, a), self.history.text(wait.starts[0].told, a)) for a in listed(by)]
        return all(theirs is not None and theirs == own for theirs, own in pairs)

    def counted(self, wait: Wait, roles: Sequence[str], reaches: Callable[[Evidence], bool]) -> Iterator[Evidence]:
        """What of these roles finds the wait, reaches it, and is the n-th where its match says `times: n`.

        An event that started or moved the wait does nothing else to it.
        """
        seen: Counter[int] = Counter()
        starts = [start.told for start in wait.starts]
        for one in self.evidence:
            if one.role in roles and one.told not in starts and reaches(one) and self.finds(one, wait):
                seen[id(one.match)] += 1
                if seen[id(one.match)] == one.match.get("times", 1) or "times" not in one.match:
                    yield one

    def close(self, wait: Wait) -> Evidence | None:
        """The first end or cancel. A disagreeing clock (skew) and a coarse stamp reach back to a later start."""

        def reaches(one: Evidence) -> bool:
            skew = self.duration(self.threshold["skew"]).length() if "skew" in self.threshold else 0
            slack = skew + one.told.precision if one.role == "satisfied_by" else 0
            return wait.starts[0].told.time <= one.told.time + slack

        return next(self.counted(wait, ("satisfied_by", "cancelled_by"), reaches), None)

    def attribute_time(self, told: Told, name: str) -> int | None:
        value = told.read(name)
        return None if value is None else instant(value)

    def begin(self, start: Evidence) -> int:
        """From when the promise counts."""
        later = self.attribute_time(start.told, self.threshold.get("not_before", ""))
        return max(start.told.time, later if later is not None else start.told.time)

    def first_due(self, start: Evidence) -> int | None:
        """Due before any pause; None: no such time, so no wait."""
        if "within" in self.threshold:
            return self.duration(self.threshold["within"]).add(self.begin(start))
        anchor = self.threshold.get("before") or self.threshold["after"]
        at = self.attribute_time(start.told, anchor["attribute"])
        if at is None:
            return None
        if "after" in self.threshold:
            return at if anchor["plus"] == "0m" else self.duration(anchor["plus"]).add(at)
        due = self.duration(anchor["minus"]).subtract(at)
        return due if due is not None and due > start.told.time else None

    def span(self) -> str:
        """The duration whose unit says what a pause's length means."""
        anchor = self.threshold.get("before") or self.threshold.get("after") or {}
        return str(self.threshold.get("within") or anchor.get("minus") or anchor.get("plus"))

    def due(self, wait: Wait, before: Evidence | None) -> Due:
        """Due as moved by the pauses that the evidence before `before` tells of."""
        newest = wait.starts[-1]
        first = self.first_due(newest)
        assert first is not None
        due = Due(first, None)

        def reaches(one: Evidence) -> bool:
            return one.place > newest.place and (before is None or one.place < before.place)

        for one in self.counted(wait, ("paused_by", "resumed_by"), reaches):
            at = one.told.time
            if one.role == "paused_by" and due.paused is None and self.begin(newest) <= at < due.at:
                due.paused = at
            elif one.role == "resumed_by" and due.paused is not None:
                due = Due(self.moved(due.at, due.paused, at), None)
        return due

    def moved(self, due: int, paused: int, resumed: int) -> int:
        if "business" not in self.span():
            return due + resumed - paused
        assert self.calendar
        moved = self.calendar.add_open(due, self.calendar.open_time(paused, resumed))
        assert moved is not None
        return moved

    def warn(self, wait: Wait, due: int) -> Fraction | int | None:
        declared = self.threshold.get("warn_at")
        if declared is None:
            return None
        if str(declared).endswith("%"):
            start = wait.starts[-1].told.time
            return start + (number(declared) or 0) * (due - start)
        return self.duration(declared).subtract(due)

    def verdict(self, wait: Wait, clock: int) -> tuple[str, str] | None:
        """State and level, None where nothing is to be said."""
        close = self.close(wait)
        due = self.due(wait, close)
        warn = self.warn(wait, due.at)
        grace = self.duration(self.threshold["grace"]).length() if "grace" in self.threshold else 0
        warned = warn is not None and (due.paused is None or warn < due.paused)
        if close is not None:
            state = "resolved" if close.role == "satisfied_by" else "cancelled"
            if close.told.time > due.at and due.paused is None:
                return state, "breached"
            return (state, "warning") if warned and warn is not None and close.told.time > warn else None
        if clock >= due.at + grace and due.paused is None:
            return "breached", "breached"
        return ("warning", "warning") if warned and warn is not None and clock >= warn else None

    def alerts(self, clock: int) -> Iterator[Row]:
        for wait in self.waits:
            if verdict := self.verdict(wait, clock):
                start, close = wait.starts[0].told, self.close(wait)
                due = self.due(wait, close)
                ended = close.told.time if close else None
                yield row(self.threshold, start, wait.key, verdict, (start.time, due.at, ended))


def judge_waits(threshold: Declared, history: History, calendar: ModelCalendar | None, clock: int) -> Judged:
    judged = Judged()
    for told in history.by_group.values():
        waits = Waits(threshold, history, told, calendar)
        judged.alerts += waits.alerts(clock)
        judged.waits += len(waits.waits)
    return judged
