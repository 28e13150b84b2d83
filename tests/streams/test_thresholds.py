"""The threshold language: what is written is what is read, and every mistake is told with its place and its mend."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from schemas.calendar import Calendar
from schemas.duration import Duration, Unit
from schemas.threshold import (
    Anchor,
    AverageRule,
    Condition,
    CountRule,
    Limit,
    Match,
    MeasureRule,
    RateRule,
    SequenceRule,
    SilenceRule,
    Threshold,
    WaitRule,
)
from streams.core.thresholds import read_thresholds
from tests.streams.threshold_texts import CLINIC, WAIT, one, read, table, wait


def test_a_threshold_of_every_line() -> None:
    loaded, problems = read(
        CLINIC
        + """
thresholds:
  - id: result.told
    title: A final result reaches the patient
    theme: information
    kind: wait
    key: [order_id, visit_id]
    start: {event: result.final, where: {category: LAB, class: [E, O], abnormal: true, order_id: {present: true}}}
    satisfied_by:
      - event: result.viewed
      - {event: contact.ended, where: {reason: result, outcome: reached}, by: person, times: 2}
      - {event: notice.given, by: [order_id, visit_id]}
    cancelled_by: order.cancelled
    paused_by: {event: authorization.pended, where: {language: {differs_from: person.language}}}
    resumed_by: [authorization.supplemented]
    restart: move
    within: 2 business days
    not_before: start
    calendar: clinic
    warn_at: 75%
    grace: 5m
    skew: 2m
    survives_death: true
    severity: high
    mode: shadow
    audience: [operations, call-center]
    next_step: call-patient
    source: "where the figure comes from"
"""
    )
    assert [p for p in problems if p.severity == "error"] == []
    clinic = Calendar(
        id="clinic",
        timezone="America/New_York",
        hours=(((480, 1020),),) * 5 + (((540, 720), (780, 1440)), ()),
        country="US",
        subdivision="NY",
        closed=frozenset({date(2026, 12, 24)}),
    )
    assert loaded.calendars == {"clinic": clinic}
    assert loaded.thresholds == (
        Threshold(
            id="result.told",
            kind="wait",
            title="A final result reaches the patient",
            theme="information",
            severity="high",
            mode="shadow",
            audience=("operations", "call-center"),
            next_step="call-patient",
            source="where the figure comes from",
            calendar=clinic,
            pack="t",
            place="t.yaml:7",
            rule=WaitRule(
                key=("order_id", "visit_id"),
                start=(
                    Match(
                        event="result.final",
                        where=(
                            Condition(attribute="category", one_of=("LAB",)),
                            Condition(attribute="class", one_of=("E", "O")),
                            Condition(attribute="abnormal", one_of=(True,)),
                            Condition(attribute="order_id", present=True),
                        ),
                    ),
                ),
                satisfied_by=(
                    Match(event="result.viewed"),
                    Match(
                        event="contact.ended",
                        where=(
                            Condition(attribute="reason", one_of=("result",)),
                            Condition(attribute="outcome", one_of=("reached",)),
                        ),
                        by=("person",),
                        times=2,
                    ),
                    Match(event="notice.given", by=("order_id", "visit_id")),
                ),
                cancelled_by=(Match(event="order.cancelled"),),
                paused_by=(
                    Match(
                        event="authorization.pended",
                        where=(Condition(attribute="language", differs_from="person.language"),),
                    ),
                ),
                resumed_by=(Match(event="authorization.supplemented"),),
                restart="move",
                within=Duration(2, Unit.BUSINESS_DAYS),
                not_before="start",
                warn_at=Fraction(3, 4),
                grace=Duration(5, Unit.MINUTES),
                skew=Duration(2, Unit.MINUTES),
                survives_death=True,
            ),
        ),
    )


def test_what_is_not_said_has_its_default() -> None:
    threshold = one(f"{WAIT}, within: 4h")
    assert (threshold.title, threshold.severity, threshold.mode) == ("A", "medium", "live")
    assert (threshold.source, threshold.audience, threshold.next_step, threshold.theme) == ("", (), None, None)
    assert threshold.rule == WaitRule(
        key=("order_id",),
        start=(Match(event="order.placed"),),
        satisfied_by=(Match(event="result.final"),),
        within=Duration(4, Unit.HOURS),
    )
    assert one("id: hold.time-x, kind: silence").title == "Hold time x"


def test_before_after_and_a_warning_before_due() -> None:
    assert wait("before: {attribute: start, minus: 3 days}").before == Anchor(
        attribute="start", offset=Duration(3, Unit.DAYS)
    )
    assert wait("after: {attribute: start, plus: 0m}").after == Anchor(
        attribute="start", offset=Duration(0, Unit.MINUTES)
    )
    assert wait("within: 4h, warn_at: 30m").warn_at == Duration(30, Unit.MINUTES)
    assert wait("within: 4h, warn_at: 12.5%").warn_at == Fraction(1, 8)


@pytest.mark.parametrize(
    "lines, rule",
    [
        (
            "id: a, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 120}",
            MeasureRule(event=(Match(event="contact.ended"),), value="queue_seconds", limit=Limit(above=Fraction(120))),
        ),
        (
            (
                "id: a, kind: measure, event: contact.ended, where: {channel: voice}, value: item.pain, key: person, "
                "limit: {below: -0.4, above: 7}"
            ),
            MeasureRule(
                event=(Match(event="contact.ended", where=(Condition(attribute="channel", one_of=("voice",)),)),),
                value="item.pain",
                limit=Limit(below=Fraction(-2, 5), above=Fraction(7)),
                key=("person",),
            ),
        ),
        (
            (
                "id: a, kind: sequence, key: person, first: visit.ended, within: 72h, "
                "then: {event: visit.started, where: {admission_type: {present: false}}}"
            ),
            SequenceRule(
                key=("person",),
                first=(Match(event="visit.ended"),),
                then=(Match(event="visit.started", where=(Condition(attribute="admission_type", present=False),)),),
                within=Duration(72, Unit.HOURS),
            ),
        ),
        (
            (
                "id: a, kind: count, event: [contact.ended, contact.abandoned], key: [person, reason], "
                "limit: {at_least: 3, in: 7d}, distinct: contact_id"
            ),
            CountRule(
                key=("person", "reason"),
                event=(Match(event="contact.ended"), Match(event="contact.abandoned")),
                at_least=3,
                span=Duration(7, Unit.DAYS),
                distinct="contact_id",
            ),
        ),
        (
            (
                "id: a, kind: rate, of: {event: contact.ended, where: {talk_seconds: {above: 1, below: 31.5}}}, "
                "out_of: contact.ended, by: queue, window: 1h, limit: {above: 5%}, minimum: 20, grace: 10m"
            ),
            RateRule(
                of=(
                    Match(
                        event="contact.ended",
                        where=(Condition(attribute="talk_seconds", above=Fraction(1), below=Fraction(63, 2)),),
                    ),
                ),
                out_of=(Match(event="contact.ended"),),
                by=("queue",),
                window=Duration(1, Unit.HOURS),
                limit=Limit(above=Fraction(1, 20)),
                minimum=20,
                grace=Duration(10, Unit.MINUTES),
            ),
        ),
        (
            "id: a, kind: rate, of: contact.answered, out_of: contact.queued, window: 30m, limit: {below: 0.8}",
            RateRule(
                of=(Match(event="contact.answered"),),
                out_of=(Match(event="contact.queued"),),
                by=(),
                window=Duration(30, Unit.MINUTES),
                limit=Limit(below=Fraction(4, 5)),
            ),
        ),
        (
            (
                "id: a, kind: average, event: contact.ended, value: queue_seconds, by: [queue, facility], window: 30m, "
                "limit: {above: 120}, minimum: 10"
            ),
            AverageRule(
                event=(Match(event="contact.ended"),),
                value="queue_seconds",
                by=("queue", "facility"),
                window=Duration(30, Unit.MINUTES),
                limit=Limit(above=Fraction(120)),
                minimum=10,
            ),
        ),
        (
            "id: a, kind: silence, by: source, quiet: learned, at_least: 15m",
            SilenceRule(by="source", quiet=None, at_least=Duration(15, Unit.MINUTES)),
        ),
        ("id: a, kind: silence, quiet: 2h", SilenceRule(by="source", quiet=Duration(2, Unit.HOURS))),
    ],
)
def test_the_other_kinds(lines: str, rule: object) -> None:
    assert one(lines).rule == rule


def test_no_is_a_text_and_numbers_keep_their_kind() -> None:
    rule = wait("within: 4h, paused_by: {event: order.cancelled, where: {reason: [no, 4, 4.5, 01, '5', true]}}")
    assert rule.paused_by[0].where[0].one_of == ("no", 4, 4.5, "01", "5", True)
    assert [type(value) for value in rule.paused_by[0].where[0].one_of or ()] == [str, int, float, str, str, bool]


def test_defaults_are_shared_where_the_kind_has_such_a_line() -> None:
    loaded, problems = read(
        """
defaults:
  severity: high
  within: 1h
  audience: operations
  cancelled_by: [{event: person.died, by: person}, {event: order.cancelled}]
thresholds:
  - {id: shared, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final}
  - {id: own, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final, severity: low,
     before: {attribute: start, minus: 1h}, audience: [call-center], cancelled_by: result.cancelled}
  - {id: twice, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final,
     cancelled_by: [{event: order.cancelled}]}
  - {id: lives, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final, survives_death: true}
  - {id: count, kind: count, key: person, event: contact.ended, limit: {at_least: 2, in: 1d}}
"""
    )
    assert problems == []
    died, cancelled = Match(event="person.died", by=("person",)), Match(event="order.cancelled")
    by_id = {threshold.id: threshold for threshold in loaded.thresholds}
    cancels = {name: t.rule.cancelled_by for name, t in by_id.items() if isinstance(t.rule, WaitRule)}
    assert cancels == {
        "shared": (died, cancelled),
        "own": (Match(event="result.cancelled"), died, cancelled),
        "twice": (cancelled, died),
        "lives": (cancelled,),
    }
    assert [by_id[name].severity for name in ("shared", "own", "count")] == ["high", "low", "high"]
    assert by_id["own"].audience == ("call-center", "operations")
    own = by_id["own"].rule
    assert isinstance(own, WaitRule)
    assert own.within is None


def test_a_death_that_a_threshold_names_itself_stays() -> None:
    rule = wait("within: 1h, survives_death: true, cancelled_by: [{event: person.died, by: person}]")
    assert rule.cancelled_by == (Match(event="person.died", by=("person",)),)


def test_a_calendar_of_any_file_loaded_together_serves_and_a_files_own_comes_first() -> None:
    business = f"thresholds:\n  - {{{WAIT}, within: 1 business day, calendar: clinic}}\n"
    loaded, problems = read_thresholds([("a.yaml", business), ("calendars.yaml", CLINIC)])
    assert problems == []
    assert loaded.thresholds[0].calendar == loaded.calendars["clinic"]
    london = CLINIC.replace("America/New_York", "Europe/London")
    loaded, problems = read_thresholds([("a.yaml", CLINIC), ("b.yaml", london + business)])
    assert problems == []
    assert loaded.thresholds[0].calendar is not None
    assert loaded.thresholds[0].calendar.timezone == "Europe/London"
    _, problems = read_thresholds([("a.yaml", CLINIC), ("b.yaml", london), ("c.yaml", business)])
    assert "declared in several files" in problems[0].text


def test_the_sites_zone_is_filled_in() -> None:
    text = CLINIC.replace("America/New_York", "site")
    assert read(text)[0].calendars["clinic"].timezone == "UTC"
    assert read(text, default_zone="Asia/Kolkata")[0].calendars["clinic"].timezone == "Asia/Kolkata"


def test_a_site_overrides_single_lines() -> None:
    text = f"thresholds:\n  - {{{WAIT}, within: 4h, warn_at: 50%, mode: shadow}}\n"
    overrides = table("a: {mode: live, before: {attribute: start, minus: 1 business day}, calendar: clinic, warn_at: }")
    calendars = table(CLINIC.strip().removeprefix("calendars:\n"))
    loaded, problems = read(text, overrides=overrides, calendars=calendars)
    assert problems == []
    rule = loaded.thresholds[0].rule
    assert isinstance(rule, WaitRule)
    assert (loaded.thresholds[0].mode, rule.within, rule.warn_at) == ("live", None, None)
    assert rule.before == Anchor(attribute="start", offset=Duration(1, Unit.BUSINESS_DAYS))


def test_an_override_is_checked_like_a_threshold() -> None:
    text = f"thresholds:\n  - {{{WAIT}, within: 4h}}\n"
    overrides = table("a: {severty: high, within: 4 furlongs, kind: count}\nb: {mode: live}\nshipped: {mode: live}\n")
    _, problems = read(text, overrides=overrides, shipped=[("s.yaml", "thresholds: [{id: shipped}]")])
    assert [str(problem) for problem in problems] == [
        "site.yaml:1:5: error: `severty` is no key of a threshold (did you mean `severity`?)",
        "site.yaml:1:28: error: `within`: `furlongs` is no unit (s, m, h, days, weeks, business hours, business days)",
        "site.yaml:1:40: error: `kind` of a threshold cannot be overridden",
        "site.yaml:2:1: error: no threshold `b` is loaded",
    ]


def test_a_sites_calendar_stands_for_itself_or_adds_its_lines() -> None:
    text = f"{CLINIC}thresholds:\n  - {{{WAIT}, within: 1 business day, calendar: clinic}}\n"
    added, problems = read(text, calendars=table("clinic: {timezone: Europe/London}"))
    assert problems == []
    assert added.calendars["clinic"].timezone == "Europe/London"
    assert added.calendars["clinic"].country == "US"
    whole, problems = read(text, calendars=table("clinic: {timezone: UTC, hours: {sun: '00:00-24:00'}}"))
    assert problems == []
    assert whole.thresholds[0].calendar == whole.calendars["clinic"]
    assert whole.calendars["clinic"].hours[6] == ((0, 1440),)
    assert whole.calendars["clinic"].country is None
