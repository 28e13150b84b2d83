"""What is due next: coarse buckets, and a heap for the earliest one only.

A timer is any object with `next`, the instant it wants to ring at, or None. Setting costs one append (a heap push in
the current bucket), and nothing is ever removed: an entry whose object has since changed its mind is skipped.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final, Protocol

from schemas.event import MINUTE

_BUCKET: Final = 15 * MINUTE
FAR: Final = 2**62


class Ringing(Protocol):
    next: int | None


class Timers:
    """`earliest` is a lower bound of the next ring: nothing rings before it."""

    __slots__ = ("_buckets", "_current", "_heap", "_order", "_sequence", "earliest")

    def __init__(self) -> None:
        self._buckets: dict[int, list[Ringing]] = {}
        self._order: list[int] = []  # heap of bucket numbers
        self._current: int = -FAR
        self._heap: list[tuple[int, int, Ringing]] = []
        self._sequence: int = 0
        self.earliest: int = FAR

    def set(self, timer: Ringing, at: int) -> None:
        """Let it ring at `at`; an earlier setting of the same object is forgotten."""
        timer.next = at
        number = at // _BUCKET
        if number <= self._current:
            self._sequence += 1
            heappush(self._heap, (at, self._sequence, timer))
        else:
            bucket = self._buckets.get(number)
            if bucket is None:
                self._buckets[number] = [timer]
                heappush(self._order, number)
            else:
                bucket.append(timer)
        if at < self.earliest:
            self.earliest = at if number <= self._current else number * _BUCKET

    def take(self, now: int) -> tuple[int, Ringing] | None:
        """The next timer due at or before `now`, taken out, with its instant; None when there is no more."""
        while True:
            while self._heap:
                at, _, timer = self._heap[0]
                if timer.next != at:
                    heappop(self._heap)
                    continue
                if at > now:
                    self.earliest = at
                    return None
                heappop(self._heap)
                timer.next = None
                return at, timer
            if not self._order:
                self.earliest = FAR
                return None
            number = self._order[0]
            if number * _BUCKET > now:
                self.earliest = number * _BUCKET
                return None
            heappop(self._order)
            self._open(number)

    def _open(self, number: int) -> None:
        self._current = number
        entries: list[tuple[int, int, Ringing]] = []
        for timer in self._buckets.pop(number):
            if timer.next is not None and timer.next // _BUCKET == number:
                self._sequence += 1
                entries.append((timer.next, self._sequence, timer))
        heapify(entries)
        self._heap = entries
