"""A threshold in plain English: what it promises, when it starts and ends, how its time comes about, its source."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hub.explain import hours
from hub.wording import any_of, ends, number
from schemas.calendar import Calendar
from schemas.duration import BUSINESS, Duration
from schemas.instant import to_datetime
from schemas.threshold import (
    PERSON,
    AverageRule,
    CountRule,
    Downtime,
    Limit,
    MeasureRule,
    RateRule,
    SequenceRule,
    SilenceRule,
    Threshold,
    WaitRule,
)
from schemas.threshold_keys import DAYS

Line = tuple[str, str]
"""A heading and what stands behind it."""


def explain_threshold(threshold: Threshold) -> list[Line]:
    """The lines, in the order a reader asks: what, when, until when, who hears of it, who says so."""
    lines: list[Line] = [("Promise", threshold.title)]
    match threshold.rule:
        case WaitRule() as wait:
            lines += _wait(wait, threshold.calendar)
        case MeasureRule() as measure:
            lines.append(("Looks at", f"{measure.value} of {any_of(measure.event)}"))
            lines.append(("Alert", f"each time it is {_limit(measure.limit)}"))
        case SequenceRule() as sequence:
            lines.append(("First", any_of(sequence.first)))
            lines.append(("Then", f"{any_of(sequence.then)}, {_same(sequence.key)}"))
            lines.append(("Alert", f"each time the second follows within {sequence.within}"))
        case CountRule() as count:
            lines.append(("Counts", f"{any_of(count.event)}, {_same(count.key)}{_distinct(count.distinct)}"))
            lines.append(("Alert", f"from {count.at_least} within {count.span} until they are fewer"))
        case RateRule() as rate:
            lines.append(("Share of", any_of(rate.of)))
            lines.append(("Out of", f"{any_of(rate.out_of)}{_per(rate.by)}{_distinct(rate.distinct)}"))
            lines += _window(rate, _limit(rate.limit, percent=True))
        case AverageRule() as average:
            what = f"mean {average.value} of {any_of(average.event)}"
            lines.append(("Looks at", f"{what}{_per(average.by)}{_distinct(average.distinct)}"))
            lines += _window(average, _limit(average.limit))
        case SilenceRule() as silence:
            lines += _silence(silence)
    return lines + _about(threshold)


def _wait(rule: WaitRule, calendar: Calendar | None) -> list[Line]:
    held = "a wait a person" if rule.key == (PERSON,) else f"a wait for each {' and '.join(rule.key)} of a person"
    lines = [
        ("Starts", f"at {any_of(rule.start)}; {held}"),
        ("Kept by", ends(rule.satisfied_by)),
        ("Due", _due(rule)),
    ]
    if calendar is not None:
        lines.append(("Calendar", _calendar(calendar, rule)))
    if rule.cancelled_by:
        lines.append(("Off", ends(rule.cancelled_by)))
    if rule.paused_by:
        until = f", until {ends(rule.resumed_by)}" if rule.resumed_by else ""
        lines.append(("Paused by", ends(rule.paused_by) + until))
    if rule.warn_at is not None:
        when = (
            f"{rule.warn_at} before due" if isinstance(rule.warn_at, Duration) else f"at {_percent(rule.warn_at)} of it"
        )
        lines.append(("Warns", when))
    again = {
        "keep": "the first one goes on counting",
        "move": "due counts from the newer one",
        "new": "each counts for itself",
    }
    lines.append(("Again", f"when it starts again meanwhile, {again[rule.restart]}"))
    if rule.grace is not None:
        lines.append(("Grace", f"said {rule.grace} after due, for sources that are slow"))
    if rule.skew is not None:
        lines.append(("Skew", f"an end up to {rule.skew} before the start counts, for clocks that disagree"))
    return lines


def _due(rule: WaitRule) -> str:
    if rule.within is not None:
        later = f", or after `{rule.not_before}` of the start event if that is later" if rule.not_before else ""
        return f"{rule.within} after the start{later}"
    if rule.before is not None:
        return f"{rule.before.offset} before `{rule.before.attribute}` of the start event"
    if rule.after is not None:
        offset = rule.after.offset
        what = f"`{rule.after.attribute}` of the start event"
        return f"{offset} after {what}" if offset.count else f"at {what}"
    return "never"


def _calendar(calendar: Calendar, rule: WaitRule) -> str:
    anchors = [anchor.offset for anchor in (rule.before, rule.after) if anchor is not None]
    spans = [span for span in (rule.within, *anchors) if span is not None]
    counted = any(span.unit in BUSINESS for span in spans)
    text = (
        f"{calendar.id} ({calendar.timezone}): {hours(calendar)}" if counted else f"{calendar.id}: {calendar.timezone}"
    )
    if counted and calendar.country:
        text += f"; closed on the holidays of {'-'.join(p for p in (calendar.country, calendar.subdivision) if p)}"
    if counted and calendar.closed:
        text += f"; closed on {', '.join(sorted(day.isoformat() for day in calendar.closed))}"
    return text


def _window(rule: RateRule | AverageRule, limit: str) -> list[Line]:
    least = f", if there are at least {rule.minimum}" if rule.minimum > 1 else ""
    grace = f"{rule.grace} later" if rule.grace is not None else "a step later"
    return [("Alert", f"while it is {limit} over {rule.window}{least}; judged every twelfth of that, {grace}")]


def _silence(rule: SilenceRule) -> list[Line]:
    usual = "twice its longest quiet around that hour of the week" if rule.quiet is None else str(rule.quiet)
    least = f", and at least {rule.at_least}" if rule.at_least is not None else ""
    lines = [("Looks at", "each source"), ("Alert", f"when it has sent nothing for {usual}{least}, until it does")]
    if rule.quiet is None:
        lines.append(("Learned", "from the last four of each hour of its week; not judged before there are four"))
    return lines + [("Planned", _planned(one)) for one in rule.downtime]


def _planned(one: Downtime) -> str:
    """When nobody wonders at the quiet, and whose."""
    whose = f", of {' and '.join(one.sources)}" if one.sources else ""
    if one.begin is not None and one.end is not None:
        begin, end = (f"{to_datetime(wall):%Y-%m-%d %H:%M}" for wall in (one.begin, one.end))
        return f"{begin} to {end}{whose}"
    spans = [f"{DAYS[day]} {_clock(opening)}-{_clock(closing)}" for day, opening, closing in one.weekly]
    return f"every {', '.join(spans)}{whose}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _about(threshold: Threshold) -> list[Line]:
    shadow = " (shadow: judged and listed, alerts nobody)" if threshold.mode == "shadow" else ""
    lines = [("Severity", threshold.severity + shadow)]
    if threshold.audience:
        lines.append(("For", ", ".join(threshold.audience)))
    if threshold.next_step:
        lines.append(("Next step", threshold.next_step))
    if isinstance(threshold.rule, WaitRule) and threshold.rule.survives_death:
        lines.append(("Death", "goes on after the person has died"))
    lines.append(("Source", threshold.source or "none given"))
    lines.append(("Declared", threshold.place))
    return lines


def _percent(share: Fraction) -> str:
    return f"{number(share * 100)}%"


def _limit(limit: Limit, *, percent: bool = False) -> str:
    write = _percent if percent else number
    bounds = (("above", limit.above), ("below", limit.below))
    return " or ".join(f"{word} {write(bound)}" for word, bound in bounds if bound is not None)


def _same(key: Sequence[str]) -> str:
    others = [name for name in key if name != PERSON]
    return f"of the same person and {' and '.join(others)}" if others else "of the same person"


def _per(by: Sequence[str]) -> str:
    return f", for each {' and '.join(by)}" if by else ", over all"


def _distinct(name: str | None) -> str:
    return f", each {name} once" if name else ""
