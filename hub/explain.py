"""An alert in full: what started it, what was expected by when and how that time came about, where the figure comes
from, what has happened since, and what to do next."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hub.wording import ends
from schemas.alert import Alert, State
from schemas.calendar import Calendar, Span
from schemas.duration import Duration
from schemas.event import DAY, Event
from schemas.instant import to_datetime
from schemas.threshold import AverageRule, MeasureRule, Threshold, WaitRule
from streams.core.calendar import closures
from streams.core.conditions import attribute_of
from streams.core.counts import Count
from streams.core.promises import instant_of
from streams.core.rates import Rate
from streams.core.sequences import Momentary
from streams.core.silences import Silence
from streams.core.state import Wait

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SINCE = 12  # events listed; the rest is counted


def explain_alert(alert: Alert, owner: object | None, clock: int, zone: str = "UTC") -> list[str]:
    """The lines. Times stand in the calendar's zone, else in `zone`."""
    threshold = _threshold_of(owner)
    calendar = threshold.calendar if threshold is not None else None
    where = ZoneInfo((calendar.timezone if calendar else None) or zone)
    shadow = ", shadow" if alert.mode == "shadow" else ""
    state = _state(alert) if isinstance(owner, Wait) else alert.state.value
    lines = [f"{alert.threshold}  {state}  severity {alert.severity}{shadow}"]
    if threshold is not None and threshold.title:
        lines.append(threshold.title)
    lines.append("")
    if isinstance(owner, Wait):
        lines += _wait(alert, owner, clock, where, calendar)
    else:
        lines += _other(alert, owner, where)
    if threshold is not None:
        lines.append(f"Source    {threshold.source or 'none given'}")
        lines.append(f"Next      {threshold.next_step or 'none declared'}")
    lines.append(f"Alert     {alert.id}")
    return lines


def _threshold_of(owner: object | None) -> Threshold | None:
    match owner:
        case Wait() | Count() | Rate() | Silence():
            return owner.plan.threshold
        case Momentary():
            return owner.threshold
        case _:
            return None


def _state(alert: Alert) -> str:
    if alert.delay_seconds is not None and alert.state in (State.RESOLVED, State.CANCELLED) and alert.delay_seconds > 0:
        return f"{alert.state.value}, {lasting(alert.delay_seconds)} late"
    return alert.state.value


def _wait(alert: Alert, wait: Wait, clock: int, where: ZoneInfo, calendar: Calendar | None) -> list[str]:
    rule = wait.plan.rule
    person = f"person {alert.person}" if alert.person else "nobody known"
    lines = [
        f"Whose     {person}, {' '.join(rule.key)} {alert.key}",
        f"Started   {moment(wait.start.time, where)}  {_event(wait.start)}",
    ]
    if wait.counted is not wait.start:
        lines.append(f"Moved     {moment(wait.counted.time, where)}  {_event(wait.counted)}")
    lines += [f"Expected  {ends(rule.satisfied_by) or 'an end'}", f"By        {moment(wait.due, where)}"]
    lines += [f"How       {line}" for line in _how(wait, where, calendar)]
    for begin, end in wait.pauses:
        span = f"{moment(begin.time, where)} to {moment(end.time, where)}"
        lines.append(f"Paused    {span}, from {begin.type} to {end.type}")
    if wait.paused is not None:
        lines.append(f"Paused    since {moment(wait.paused.time, where)}, by {wait.paused.type}")
    if alert.late_start:
        lines.append("Heard     the start came when its time was already past")
    lines += _since(wait, clock, where)
    return lines


def _how(wait: Wait, where: ZoneInfo, calendar: Calendar | None) -> list[str]:
    rule: WaitRule = wait.plan.rule
    counted_from = wait.base
    if rule.within is not None:
        span: Duration = rule.within
        base = "the start" if wait.base == wait.counted.time else f"{rule.not_before}, {moment(wait.base, where)}"
        how = [f"{span} from {base}"]
    elif rule.before is not None:
        span = rule.before.offset
        counted_from, told = _anchor(wait, rule.before.attribute, where)
        how = [f"{span} before {told}"]
    else:
        assert rule.after is not None  # noqa: S101 - one of the three is set
        span = rule.after.offset
        counted_from, told = _anchor(wait, rule.after.attribute, where)
        how = [f"{span} after {told}" if span.count else f"at {told}"]
    if calendar is not None and calendar.timezone:
        how.append(f"in calendar {calendar.id}, {calendar.timezone}: {hours(calendar)}")
        passed = [f"{_day(day)} {name}" for day, name in closures(calendar)(*sorted((counted_from, wait.due)))]
        if passed:
            how.append("closed in between: " + ", ".join(passed))
    else:
        how.append("by the clock, without a calendar")
    if rule.grace is not None:
        how.append(f"said {rule.grace} later, for sources that are slow")
    return how


def _anchor(wait: Wait, attribute: str, where: ZoneInfo) -> tuple[int, str]:
    """The time in the start event that a wait is due before or after, and how it is told."""
    at = instant_of(wait.counted.data, attribute)
    assert at is not None  # noqa: S101 - without it the wait had not begun
    return at, f"{attribute} of the start event, {moment(at, where)}"


def _since(wait: Wait, clock: int, where: ZoneInfo) -> list[str]:
    """What came after the start, in order of time; what closed the wait stands among it, once."""
    close = wait.close
    events = [e for e in wait.journey.events if e.time >= wait.start.time and e is not wait.start and e is not close]
    if close is None:
        lines = _listed("Since", events, where)
        if not events:
            lines.append("Since     nothing that concerns it")
        if clock > wait.due and wait.paused is None:
            lines.append(f"Open      {lasting((clock - wait.due) // 1_000_000)} over, at {moment(clock, where)}")
        return lines
    word = "Cancelled" if wait.cancelled else "Ended"
    return [
        *_listed("Since", [e for e in events if e.time <= close.time], where),
        *_listed(word, [close], where),
        *_listed("Later", [e for e in events if e.time > close.time], where),
    ]


def _other(alert: Alert, owner: object | None, where: ZoneInfo) -> list[str]:
    lines = [f"Key       {alert.key}"]
    if alert.person:
        lines.append(f"Whose     person {alert.person}")
    if isinstance(owner, Momentary):
        first = owner.followed.first_before(owner.event) if owner.followed is not None else None
        if first is not None:
            after = lasting((owner.event.time - first) // 1_000_000)
            lines.append(f"First     {moment(first, where)}, {after} before")
        lines.append(f"Event     {moment(owner.event.time, where)}  {_event(owner.event)}")
        rule = owner.threshold.rule
        if isinstance(rule, MeasureRule):
            lines.append(f"Measured  {rule.value} {attribute_of(owner.event.data, rule.value)}")
    elif isinstance(owner, Silence):
        lines.append(f"Heard     {moment(alert.started_at, where)}, and then nothing")
        lines.append(f"Silent    {moment(alert.due_at, where)}")
        lines.append(f"Until     {moment(alert.ended_at, where) if alert.ended_at is not None else 'still so'}")
    else:
        if isinstance(owner, Count):
            lines += _listed("Counted", owner.counted(alert.started_at), where)
        elif isinstance(owner, Rate):
            lines.append(f"Measured  {_measured(owner, alert.started_at)}")
        lines.append(f"From      {moment(alert.started_at, where)}")
        lines.append(f"Until     {moment(alert.ended_at, where) if alert.ended_at is not None else 'still so'}")
    lines.append(f"Why       {alert.reason}")
    return lines


def _listed(word: str, events: list[Event], where: ZoneInfo) -> list[str]:
    lines = [f"{word:<9} {moment(e.time, where)}  {_event(e)}" for e in events[:_SINCE]]
    if len(events) > _SINCE:
        lines.append(f"          and {len(events) - _SINCE} more")
    return lines


def _measured(rate: Rate, opened: int) -> str:
    """What the window held that opened the alert: `7 of 60, 11.7 %`, or `a mean of 143 over 12`."""
    count, sum_ = rate.measured(opened)
    if isinstance(rate.plan.rule, AverageRule):
        return f"a mean of {float(sum_) / count:.4g} over {count} events in {rate.plan.rule.window}"
    return f"{sum_} of {count}, {100 * float(sum_) / count:.3g} %, in {rate.plan.rule.window}"


def _event(event: Event) -> str:
    outcome = event.data.get("outcome") if event.type == "contact.ended" else None
    type_ = f"{event.type} ({outcome})" if isinstance(outcome, str) else event.type
    if event.source.startswith("hl7/"):
        return f"{type_} from {event.source}, message {event.id.partition('@')[0].partition('/')[0]}"
    id_ = event.id.removesuffix(f"/{event.type}")
    if event.source.startswith("fhir/"):
        return f"{type_} from {event.source}, {id_.partition('@')[0]}"
    return f"{type_} from {event.source}, event {id_}"


def moment(micros: int, where: ZoneInfo) -> str:
    """`Fri 2026-03-06 16:50 EST`, with seconds only where there are any."""
    local: datetime = to_datetime(micros).astimezone(where)
    return local.strftime("%a %Y-%m-%d %H:%M:%S %Z" if local.second else "%a %Y-%m-%d %H:%M %Z")


def _day(number: int) -> str:
    """A day by its number since 1970-01-01."""
    return to_datetime(number * DAY).strftime("%a %Y-%m-%d")


def lasting(seconds: int) -> str:
    """`2d 3h`, `16h 20m`, `5m`: the two largest units that are there."""
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts[:2]) or "0s"


def hours(calendar: Calendar) -> str:
    """Opening hours, days alike taken together: `mon-fri 08:00-17:00, sat 09:00-12:00`."""
    groups: list[tuple[int, int, tuple[Span, ...]]] = []
    for day, spans in enumerate(calendar.hours):
        if groups and groups[-1][2] == spans:
            groups[-1] = (groups[-1][0], day, spans)
        else:
            groups.append((day, day, spans))
    said = []
    for first, last, spans in groups:
        if spans:
            name = _WEEKDAYS[first] if first == last else f"{_WEEKDAYS[first]}-{_WEEKDAYS[last]}"
            said.append(f"{name} {' '.join(f'{_clock(a)}-{_clock(b)}' for a, b in spans)}")
    return ", ".join(said) or "never open"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
