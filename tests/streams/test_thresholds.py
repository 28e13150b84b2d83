"""The threshold language: what is written is what is read, and every mistake is told with its place and its mend."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from schemas.calendar import Calendar
from schemas.declaration import Findings, Problem, Table, has_errors, read_declaration
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
    ThresholdSet,
    WaitRule,
)
from streams.core.thresholds import read_thresholds

CLINIC = """
calendars:
  clinic: {timezone: America/New_York, hours: {mon-fri: "08:00-17:00", sat: ["09:00-12:00", "13:00-24:00"]},
           holidays: {country: US, subdivision: NY}, closed: [2026-12-24]}
"""
WAIT = "id: a, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final"


def read(text: str, **more: object) -> tuple[ThresholdSet, list[Problem]]:
    return read_thresholds([("t.yaml", text)], **more)  # type: ignore[arg-type]  # keywords are the test's own


def one(lines: str, before: str = "") -> Threshold:
    """The threshold of a flow mapping, which must be right."""
    loaded, problems = read(f"{before}\nthresholds:\n  - {{{lines}}}\n")
    assert [str(problem) for problem in problems] == []
    return loaded.thresholds[0]


def wait(lines: str, before: str = "") -> WaitRule:
    rule = one(f"{WAIT}, {lines}", before).rule
    assert isinstance(rule, WaitRule)
    return rule


def errors(text: str) -> list[str]:
    _, problems = read(text)
    return [str(problem) for problem in problems if problem.severity == "error"]


def error(lines: str, before: str = "") -> str:
    """The one error of a wait within 4h with these lines beside."""
    found = errors(f"{before}\nthresholds:\n  - {{{WAIT}, {lines}}}\n")
    assert len(found) == 1, found
    return found[0].split("error: ", 1)[1]


def table(text: str) -> Table:
    read_as = read_declaration("site.yaml", text, Findings())
    assert read_as is not None
    return read_as


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


def test_ten_mistakes_are_ten_errors_in_one_go() -> None:
    found = errors(
        """version: 1
calendars:
  clinic: {timezone: America/NewYork, hours: {mon-fri: "17:00-08:00"}}
thresholds:
  - id: told
    kind: wait
    key: order_id
    start: {event: result.finl}
    satisfied_bye: [{event: result.viewed}]
    within: 2 busness days
    warn_at: 120%
    severity: hgh
    calendar: clinik
  - {id: told, kind: rate, of: contact.ended, out_of: contact.ended, window: 1h, limit: {above: 500%}}
"""
    )
    places, texts = zip(*(error.split(": error: ", 1) for error in found), strict=True)
    assert list(places) == [
        f"t.yaml:{place}"
        for place in ("3:22", "3:56", "8:20", "9:5", "10:13", "11:14", "12:15", "13:15", "14:10", "14:97")
    ]
    meant = [text.rpartition("did you mean `")[2].removesuffix("`?)") if "did you" in text else "" for text in texts]
    assert meant == [
        *("America/New_York", "", "result.final", "satisfied_by", "2 business days"),
        *("", "high", "clinic", "", ""),
    ]


def test_one_slip_is_one_error_and_what_stands_behind_it_is_read_on() -> None:
    found = errors(
        """tresholds:
  - {id: a, knd: wait, key: order_id, strat: {evnt: order.placed, wher: {reason: []}}, satisfied_by: result.final,
     wihtin: 4 huors}
"""
    )
    assert [error.split(" ")[0] for error in found] == [
        *("t.yaml:1:1:", "t.yaml:2:13:", "t.yaml:2:39:", "t.yaml:2:47:", "t.yaml:2:67:", "t.yaml:2:82:"),
        *("t.yaml:3:6:", "t.yaml:3:14:"),
    ]


@pytest.mark.parametrize(
    "lines, said",
    [
        ("severity: low", "a wait needs one of `within`, `before`, `after`"),
        ("within: 4h, after: {attribute: start, plus: 1h}", "`within` stands already"),
        ("within: 0h", "above zero"),
        ("within: -4h", "whole number"),
        ("within: 4", "did you mean `4h`"),
        ("within: [4h]", "`within` is a single value, here is a list"),
        ("within: ", "`within` has no value"),
        ("within: 1 business day", "`1 business days` needs a `calendar`".replace("days", "day")),
        ("within: 4h, warn_at: 1 business hour", "`1 business hour` needs a `calendar`"),
        ("before: {attribute: start, minus: 1 business day}", "needs a `calendar`"),
        ("before: {attribute: start}", "`before` needs `minus`"),
        ("before: {attribute: start, plus: 4h, minus: 4h}", "`plus` is no key of `before`"),
        ("after: {plus: 4h}", "`after` needs `attribute`"),
        ("within: 4h, calendar: clinc", "no calendar `clinc` is declared (did you mean `clinic`?)"),
        ("within: 4h, warn_at: 100%", "below 100%"),
        ("within: 4h, warn_at: 0%", "above 0%"),
        ("within: 4h, warn_at: 75", "did you mean `75%`"),
        ("within: 4h, warn_at: 0.75", "did you mean `75%`"),
        ("within: 4h, grace: 1 business hour", "`grace` is an elapsed time"),
        ("within: 4h, restart: kep", "did you mean `keep`"),
        ("within: 4h, mode: shadw", "did you mean `shadow`"),
        ("within: 4h, survives_death: yes", "did you mean `true`"),
        ("within: 4h, minimum: 4", "it belongs to rate, average"),
        ("within: 4h, cancelled_by: []", "empty list"),
        ("within: 4h, cancelled_by: [{where: {a: 1}}]", "needs `event`"),
        ("within: 4h, cancelled_by: [[order.cancelled]]", "a match of `cancelled_by` is a mapping"),
        ("within: 4h, cancelled_by: {event: order.cancelled, where: {}}", "`where` is empty"),
        ("within: 4h, cancelled_by: {event: order.cancelled, where: {reason: }}", "`reason` has no value"),
        ("within: 4h, cancelled_by: {event: order.cancelled, where: {reason: []}}", "empty list"),
        ("within: 4h, cancelled_by: {event: order.cancelled, where: {reason: {abve: 1}}}", "did you mean `above`"),
        ("within: 4h, cancelled_by: {event: order.cancelled, where: {reason: {above: 2, below: 1}}}", "no `reason`"),
        ("within: 4h, cancelled_by: {event: order.cancelled, where: {reason: {above: x}}}", "a number is expected"),
        ("within: 4h, cancelled_by: {event: order.cancelled, times: 0}", "`times` is at least 1"),
        ("within: 4h, cancelled_by: {event: order.cancelled, by: []}", "`by` is an empty list"),
        ("within: 4h, paused_by: {event: order.cancelled, times: 2}", "`times` is for ends and cancels"),
        ("within: 4h, not_before: 5", "names an attribute"),
    ],
)
def test_an_impossible_wait_is_said(lines: str, said: str) -> None:
    assert said in error(lines, CLINIC)


@pytest.mark.parametrize(
    "lines, said",
    [
        ("id: a", "a threshold needs a `kind`"),
        ("kind: silence", "a threshold needs an `id`"),
        ("id: a, kind: silense", "did you mean `silence`"),
        ("id: a b, kind: silence", "an `id` is made of"),
        ("id: a, kind: wait, key: k, satisfied_by: x.y, within: 1h, start: {event: order.placed, times: 2}", "`times`"),
        ("id: a, kind: wait, key: k, satisfied_by: x.y, within: 1h, start: {event: order.placed, by: person}", "`by`"),
        ("id: a, kind: measure, event: x.y, value: v", "kind `measure` needs `limit`"),
        ("id: a, kind: measure, event: x.y, value: v, limit: {}", "`limit` needs `above` or `below`"),
        ("id: a, kind: measure, event: x.y, value: v, limit: {above: 1, below: 2}", "every value breaks this limit"),
        ("id: a, kind: measure, event: x.y, value: v, limit: {above: 5%}", "did you mean `5`"),
        ("id: a, kind: measure, event: x.y, value: v, limit: 5", "`limit` is a mapping"),
        ("id: a, kind: count, event: x.y, key: person, limit: {at_least: 0, in: 7d}", "`at_least` is at least 1"),
        ("id: a, kind: count, event: x.y, key: person, limit: {at_least: 2.5, in: 7d}", "is a whole number"),
        ("id: a, kind: count, event: x.y, key: person, limit: {at_least: 2}", "needs `in`"),
        ("id: a, kind: count, event: x.y, key: person, limit: {at_least: 2, in: 2 business days}", "elapsed time"),
        ("id: a, kind: count, event: x.y, key: [k, k], limit: {at_least: 2, in: 2h}", "stands twice"),
        ("id: a, kind: sequence, key: k, first: x.y, then: x.z, within: 1 business day", "elapsed time"),
        ("id: a, kind: rate, of: x.y, out_of: x.z, window: 7s, limit: {above: 5%}", "twelfths"),
        ("id: a, kind: rate, of: x.y, out_of: x.z, window: 1h, limit: {above: 500%}", "between 0% and 100%"),
        ("id: a, kind: rate, of: x.y, out_of: x.z, window: 1h, limit: {above: -1%}", "between 0% and 100%"),
        ("id: a, kind: rate, of: x.y, out_of: x.z, window: 1h, limit: {above: 100%}", "no rate breaks this limit"),
        ("id: a, kind: rate, of: x.y, out_of: x.z, window: 1h, limit: {above: 5}", "did you mean `5%`"),
        ("id: a, kind: rate, of: x.y, out_of: x.z, window: 1h, limit: {above: 5%}, minimum: 0", "at least 1"),
        ("id: a, kind: silence, by: queue", "`by` is one of source"),
        ("id: a, kind: silence, quiet: learnt", "whole number and a unit"),
    ],
)
def test_an_impossible_threshold_is_said(lines: str, said: str) -> None:
    found = errors(f"thresholds:\n  - {{{lines}}}\n")
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize(
    "lines, said",
    [
        ("hours: {mon-fri: '08:00-17:00'}", "needs a `timezone`"),
        ("timezone: UTC", "needs `hours`"),
        ("timezone: UTC, hours: {}", "open at some time of the week"),
        ("timezone: UTC, hours: {mon: []}", "open at some time of the week"),
        ("timezone: Mars/Base, hours: {mon: '08:00-17:00'}", "is no time zone"),
        ("timezone: UTC, hours: {mon-fry: '08:00-17:00'}", "did you mean `fri`"),
        ("timezone: UTC, hours: {mon-fri: '08:00-17:00', tue: '09:00-10:00'}", "tue stands twice"),
        ("timezone: UTC, hours: {mon: ['08:00-12:00', '11:00-17:00']}", "overlaps"),
        ("timezone: UTC, hours: {mon: '08:00-24:01'}", "between 00:00 and 24:00"),
        ("timezone: UTC, hours: {mon: '08:00-08:00'}", "closes after it opens"),
        ("timezone: UTC, hours: {mon: '22:00-06:00'}", "write two"),
        ("timezone: UTC, hours: {mon: 8-17}", "08:00-17:00"),
        ("timezone: UTC, hours: {mon: '08:00-17:00'}, holidays: {country: us}", "did you mean `US`"),
        (
            "timezone: UTC, hours: {mon: '08:00-17:00'}, holidays: {country: US, subdivision: US-NY}",
            "did you mean `NY`",
        ),
        ("timezone: UTC, hours: {mon: '08:00-17:00'}, holidays: {subdivision: NY}", "need a `country`"),
        ("timezone: UTC, hours: {mon: '08:00-17:00'}, closed: [2026-02-30]", "a closed day is a date"),
        ("timezone: UTC, hours: {mon: '08:00-17:00'}, open: 4", "is no key of a calendar"),
    ],
)
def test_an_impossible_calendar_is_said(lines: str, said: str) -> None:
    found = errors(f"calendars: {{c: {{{lines}}}}}\n")
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize(
    "text, said",
    [
        ("{}", "declares no `thresholds`"),
        ("thresholds: {a: 1}", "is a list"),
        ("thresholds: [5]", "a threshold is a mapping"),
        ("version: 2\nthresholds: []", "`version` is 1"),
        ("defaults: {severty: low}\nthresholds: []", "did you mean `severity`"),
        ("defaults: {id: a}\nthresholds: []", "no key of `defaults`"),
        ("", "empty"),
    ],
)
def test_an_impossible_file_is_said(text: str, said: str) -> None:
    found = errors(text)
    assert len(found) == 1, found
    assert said in found[0]


def test_the_same_id_in_two_files_is_an_error_with_both_places() -> None:
    text = f"thresholds:\n  - {{{WAIT}, within: 4h}}\n"
    _, problems = read_thresholds([("a.yaml", text), ("b.yaml", text)])
    assert [str(problem) for problem in problems] == [
        "b.yaml:2:10: error: `a` is declared twice (first at a.yaml:2:10)"
    ]


def test_a_type_of_ones_own_is_a_note_and_a_resembling_one_can_be_declared() -> None:
    lines = "id: a, kind: wait, key: meal_id, start: meal.ordered, satisfied_by: result.finl, within: 1h"
    own = f"thresholds:\n  - {{{lines}}}\n"
    loaded, problems = read(own)
    assert [problem.severity for problem in problems] == ["note", "error"]
    assert loaded.thresholds == ()
    loaded, problems = read("events: [result.finl]\n" + own)
    assert not has_errors(problems)
    assert len(loaded.thresholds) == 1


@pytest.mark.parametrize(
    "lines, meant",
    [
        ("within: 4h, cancelled_by: {event: order.cancelled, where: {reson: x}}", "reason"),
        (
            "within: 4h, paused_by: {event: order.placed, where: {code: {differs_from: person.langauge}}}",
            "person.language",
        ),
        ("within: 4h, cancelled_by: {event: order.cancelled, by: catgory}", "category"),
        ("within: 4h, theme: acess", "access"),
    ],
)
def test_a_doubtful_word_is_a_warning_and_the_threshold_is_used(lines: str, meant: str) -> None:
    loaded, problems = read(f"thresholds:\n  - {{{WAIT}, {lines}}}\n")
    assert [(problem.severity, problem.suggestion) for problem in problems] == [("warning", meant)]
    assert len(loaded.thresholds) == 1


@pytest.mark.parametrize(
    "lines, said",
    [
        ("within: 4h, resumed_by: order.placed", "resumes nothing"),
        ("within: 4h, warn_at: 4h", "when the wait starts"),
        ("before: {attribute: start, minus: 1h}, not_before: start", "moves only a `within`"),
    ],
)
def test_a_line_without_effect_is_a_warning(lines: str, said: str) -> None:
    _, problems = read(f"thresholds:\n  - {{{WAIT}, {lines}}}\n")
    warned = [
        problem.text for problem in problems if problem.severity == "warning" and "carries no" not in problem.text
    ]
    assert len(warned) == 1
    assert said in warned[0]


def test_one_thresholds_mistakes_leave_the_others_alone() -> None:
    loaded, problems = read(
        f"thresholds:\n  - {{{WAIT}, within: 4h}}\n  - {{id: b, kind: wait}}\n  - {{id: c, kind: silence}}\n"
    )
    assert [threshold.id for threshold in loaded.thresholds] == ["a", "c"]
    assert has_errors(problems)
