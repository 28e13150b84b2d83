"""What was heard of a subscription: up to which number, and which numbers before it were not.

Law: whatever the order and repetition of notifications, a number is missing until its content came, and never after.
What came before the first notification that is heard of is nobody's to miss.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from connectors.fhir.notification import Notification

MOST_RANGES: Final = 1_000
"""Ranges that are kept; of more the oldest run together, and what came of them is asked for again."""
Range = tuple[int, int]


class Heard(msgspec.Struct, frozen=True):
    """`last` is the highest number heard of; `missing` are ranges, both ends among them, in their order."""

    last: int
    missing: tuple[Range, ...] = ()

    @property
    def count(self) -> int:
        """How many numbers are missing."""
        return sum(end - begin + 1 for begin, end in self.missing)


def hear(heard: Heard | None, told: Notification, came: AbstractSet[int]) -> Heard:
    """What is heard with one notification more; `came` are its numbers whose content came with it."""
    numbers = sorted(event.number for event in told.events)
    since = told.since_start
    first = numbers[0] if numbers else (since or 0) + 1
    if heard is None or (told.kind == "handshake" and since is not None and since < heard.last):
        heard = Heard(first - 1 if numbers else since or 0)  # new, or begun again
    last, missing = heard.last, list(heard.missing)
    for number in numbers:
        if number > last:
            missing.append((last + 1, number))
            last = number
    for number in numbers:
        if number in came:
            missing = without(missing, number)
    if since is not None and since > last and told.kind in ("handshake", "heartbeat", "query-status"):
        missing.append((last + 1, since))
        last = since
    return Heard(last, tuple(_joined(missing)))


def without(ranges: list[Range], number: int) -> list[Range]:
    """Ranges without one number."""
    found: list[Range] = []
    for begin, end in ranges:
        if not begin <= number <= end:
            found.append((begin, end))
            continue
        if begin < number:
            found.append((begin, number - 1))
        if number < end:
            found.append((number + 1, end))
    return found


def _joined(ranges: list[Range]) -> list[Range]:
    """Ranges in order, those that touch as one."""
    found: list[Range] = []
    for begin, end in sorted(ranges):
        if found and begin <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    if len(found) > MOST_RANGES:
        rest = len(found) - MOST_RANGES
        found = [(found[0][0], found[rest][1]), *found[rest + 1 :]]
    return found
