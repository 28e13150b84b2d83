"""What is due next: coarse buckets, and a heap for the earliest one only.

A timer is any object with `next`, the instant it wants to ring at, or None. Setting costs one append (a heap push in
the current bucket), and nothing is removed then: an entry whose object has since changed its mind is skipped. Who lets
objects go says how many, and when half of what is kept may be such entries, all are looked through once.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final, Protocol

from schemas.event import MINUTE

_BUCKET: Final = 15 * MINUTE
_FEW: Final = 4096
FAR: Final = 2**62


class Ringing(Protocol):
    next: int | None


class Timers:
    """`earliest` is a lower bound of the next ring: nothing rings before it."""

    __slots__ = ("_buckets", "_current", "_forgotten", "_heap", "_order", "_sequence", "earliest")

    def __init__(self) -> None:
        self._buckets: dict[int, list[Ringing]] = {}
        self._order: list[int] = []  # heap of bucket numbers
        self._current: int = -FAR
        self._heap: list[tuple[int, int, Ringing]] = []
        self._sequence: int = 0
        self._forgotten: int = 0
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

    def forget(self, count: int) -> None:
        """So many objects that were set ring no more (their `next` is None), and are to leave memory."""
        self._forgotten += count
        held = len(self._heap) + sum(map(len, self._buckets.values())) if self._forgotten > _FEW else 0
        if self._forgotten * 2 > held > 0:
            self._forgotten = 0
            self._heap = [entry for entry in self._heap if entry[2].next == entry[0]]
            heapify(self._heap)
            for number, bucket in self._buckets.items():
                self._buckets[number] = [t for t in bucket if t.next is not None and t.next // _BUCKET == number]

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
