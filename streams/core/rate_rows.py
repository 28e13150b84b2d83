"""Rates and averages written down, a bucket at a time, and read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, Final

import msgspec

from schemas.alert import Alert
from streams.core.rates import STEPS, Bucket, Buckets, Rate

Name = str | tuple[str, str]
_write: Final = msgspec.msgpack.Encoder().encode


class RateRow(msgspec.Struct, array_like=True):
    """What a rate concluded. `raised` are (first step of a run, alert)."""

    threshold: str
    value: str
    judged: int | None
    last: int
    next: int | None
    beyond: list[int]
    raised: list[tuple[int, str]]


class BucketRow(msgspec.Struct, array_like=True):
    """What one step holds: `above` for what is counted or averaged, else for what it is a share of. Sums exactly, as
    text."""

    above: bool
    step: int
    count: int
    sum: str
    latest: list[tuple[Name, list[tuple[int, str, str, str]]]]


def write_rate(rate: Rate) -> RateRow:
    """A rate without its buckets."""
    raised = [(step, alert.id) for step, alert in rate.raised.items()]
    return RateRow(rate.plan.id, rate.value, rate.judged, rate.last, rate.next, sorted(rate.beyond), raised)


def write_buckets(rate: Rate) -> list[BucketRow]:
    """The buckets that changed since they were last written."""
    rows = []
    for above, step in sorted(rate.touched):
        bucket = (rate.upper if above else rate.lower).by_step[step]
        latest = [
            (name, [(at, source, id_, str(value)) for at, source, id_, value in told])
            for name, told in (bucket.latest or {}).items()
        ]
        rows.append(BucketRow(above, step, bucket.count, str(bucket.sum), latest))
    return rows


def note_written(rate: Rate) -> None:
    rate.is_changed = False
    rate.touched.clear()


def read_rate(rate: Rate, row: RateRow, buckets: Iterable[BucketRow], alert: Callable[[str], Alert | None]) -> None:
    """Fill a rate that was just made; its timer is the caller's to set."""
    rate.judged, rate.last, rate.next = row.judged, row.last, row.next
    rate.beyond = set(row.beyond)
    rate.raised = {step: found for step, id_ in row.raised if (found := alert(id_)) is not None}
    for held in buckets:
        bucket = (rate.upper if held.above else rate.lower).by_step.setdefault(held.step, Bucket())
        bucket.count, bucket.sum = held.count, _number(held.sum)
        if held.latest:
            bucket.latest = {
                name: [(at, source, id_, _number(value)) for at, source, id_, value in told]
                for name, told in held.latest
            }


def forget_before(rate: Rate, step: int) -> None:
    """Let go of what lies before a step, and of the runs that ended there."""
    for buckets in (rate.upper, rate.lower):
        _forget(buckets, step - STEPS)
    rate.touched = {(above, s) for above, s in rate.touched if s >= step - STEPS}
    while step in rate.beyond and step - 1 in rate.beyond:
        step -= 1  # a run stays whole
    rate.beyond = {s for s in rate.beyond if s >= step}
    rate.raised = {s: alert for s, alert in rate.raised.items() if s >= step}


def _forget(buckets: Buckets, step: int) -> None:
    for old in [s for s in buckets.by_step if s < step]:
        del buckets.by_step[old]


def _number(text: str) -> Any:
    number = Fraction(text)
    return number.numerator if number.denominator == 1 else number
