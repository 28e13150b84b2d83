"""When a wait is due: `within` of its start, `before` or `after` a time that the start tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.event import EARLIEST, Event
from schemas.instant import read_instant
from schemas.threshold import Threshold, WaitRule
from streams.core.calendar import adder, subtracter
from streams.core.conditions import attribute_of


def instant_of(data: dict[str, Any], attribute: str) -> int | None:
    """A time attribute in microseconds; None where it is absent or no time, or of before 1970, as what systems write
    for none."""
    value = attribute_of(data, attribute)
    if not isinstance(value, str) or not value:
        return None
    try:
        instant = read_instant(value)
    except (ValueError, OverflowError):
        return None
    return instant if instant >= EARLIEST else None


def due_of(threshold: Threshold, rule: WaitRule) -> Callable[[Event], tuple[int, int] | None]:
    """From a start to when its wait is due and what that counts from; to None where there is no such time."""
    calendar = threshold.calendar
    not_before = rule.not_before

    def base_of(event: Event) -> int:
        if not_before is None:
            return event.time
        asked = instant_of(event.data, not_before)
        return event.time if asked is None or asked < event.time else asked

    if rule.within is not None:
        add = adder(rule.within, calendar)
        if not_before is None:

            def within(event: Event) -> tuple[int, int] | None:
                due = add(event.time)
                return None if due is None else (due, event.time)

            return within

        def within_later(event: Event) -> tuple[int, int] | None:
            base = base_of(event)
            due = add(base)
            return None if due is None else (due, base)

        return within_later
    if rule.before is not None:
        attribute, subtract = rule.before.attribute, subtracter(rule.before.offset, calendar)

        def before(event: Event) -> tuple[int, int] | None:
            anchor = instant_of(event.data, attribute)
            due = None if anchor is None else subtract(anchor)
            return None if due is None or due <= event.time else (due, base_of(event))

        return before
    assert rule.after is not None  # noqa: S101 - the reader grants one of the three
    attribute = rule.after.attribute
    plus = adder(rule.after.offset, calendar) if rule.after.offset.count else None

    def after(event: Event) -> tuple[int, int] | None:
        anchor = instant_of(event.data, attribute)
        due = anchor if anchor is None or plus is None else plus(anchor)
        return None if due is None else (due, base_of(event))

    return after
