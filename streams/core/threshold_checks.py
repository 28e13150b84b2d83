"""What single lines cannot show: units that need a calendar, matches that make no sense where they stand."""

from __future__ import annotations

from collections.abc import Collection

from schemas.duration import BUSINESS, Duration
from schemas.threshold import Rule, Threshold, WaitRule
from streams.core.threshold_kinds import Lines


def check_threshold(
    threshold: Threshold, lines: Lines, own_events: Collection[str], calendars: Collection[str]
) -> None:
    """Say what is wrong with a threshold whose lines are each right."""
    _check_calendar(threshold, lines, calendars)


def _check_calendar(threshold: Threshold, lines: Lines, calendars: Collection[str]) -> None:
    if threshold.calendar is not None or lines.has("calendar"):
        return
    for key, duration in _spans(threshold.rule):
        if duration.unit in BUSINESS:
            only = f"calendar: {next(iter(calendars))}" if len(calendars) == 1 else None
            lines.findings.error(lines.place(key), f"`{duration}` needs a `calendar`", only)
            return


def _spans(rule: Rule) -> list[tuple[str, Duration]]:
    if not isinstance(rule, WaitRule):
        return []
    spans = [("within", rule.within), ("warn_at", rule.warn_at if isinstance(rule.warn_at, Duration) else None)]
    spans += [
        (key, anchor.offset if anchor else None) for key, anchor in (("before", rule.before), ("after", rule.after))
    ]
    return [(key, duration) for key, duration in spans if duration is not None]
