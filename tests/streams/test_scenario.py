"""The story format: what is read, what is refused, and what a failing story says."""

from __future__ import annotations

import pytest

from schemas.alert import State
from schemas.event import DAY, HOUR, MINUTE
from schemas.instant import write_instant
from schemas.threshold import ThresholdSet
from streams.core.scenario import ClockMove, Expectation, Happening, Story, WrongStory, read_story
from streams.core.scenario_run import Outcome, run_story
from streams.core.scenario_times import read_hours, read_length, write_length
from streams.core.thresholds import read_thresholds

HEAD = """\
# A result is told.
threshold: result.told
timezone: America/New_York
from: 2026-03-13
"""
TOLD = """\
calendars:
  clinic: {timezone: America/New_York, hours: {mon-fri: "08:00-17:00"}}
thresholds:
  - {id: result.told, kind: wait, key: order_id, start: {event: result.final},
     satisfied_by: {event: result.viewed}, within: 2 business days, calendar: clinic}
"""


def story(lines: str) -> Story:
    return read_story("told.txt", HEAD + lines)


def happening(lines: str) -> Happening:
    step = story(lines).steps[0]
    assert isinstance(step, Happening)
    return step


def expectation(lines: str) -> Expectation:
    step = story(lines).steps[-1]
    assert isinstance(step, Expectation)
    return step


def mistakes(text: str) -> list[tuple[int, str]]:
    with pytest.raises(WrongStory) as caught:
        read_story("told.txt", text)
    return [(mistake.line, mistake.text) for mistake in caught.value.mistakes]


def declared() -> ThresholdSet:
    thresholds, problems = read_thresholds([("told.yaml", TOLD)], default_zone="UTC")
    assert not problems
    return thresholds


def play(lines: str) -> Outcome:
    return run_story(story(lines), declared())


def test_the_head_is_read() -> None:
    read = story("calendar clinic: mon-fri 08:00-17:00, sat 09:00-12:00 13-15\nfri 10:00 result.final order=o1\n")
    assert (read.title, read.thresholds, read.zone) == ("A result is told.", ("result.told",), "America/New_York")
    assert read.calendars[0].hours[5] == ((540, 720), (780, 900))


def test_a_calendar_of_the_story_takes_its_zone_whatever_their_order() -> None:
    text = "threshold: a\ncalendar clinic: mon-fri 08:00-17:00\ntimezone: Europe/London\n"
    calendar = read_story("x.txt", text).calendars[0]
    assert (calendar.id, calendar.timezone, calendar.hours[0], calendar.hours[5]) == (
        "clinic",
        "Europe/London",
        ((480, 1020),),
        (),
    )


def test_hours_name_holidays_and_closed_days() -> None:
    calendar = read_hours("clinic", "sun-tue 00:00-24:00, holidays US-NY, closed 2026-12-24 2026-12-31")
    assert [bool(spans) for spans in calendar.hours] == [True, True, False, False, False, False, True]
    assert (calendar.country, calendar.subdivision, len(calendar.closed)) == ("US", "NY", 2)


@pytest.mark.parametrize(
    "written, instant",
    [
        ("fri 16:50", "2026-03-13T20:50:00Z"),
        ("thu 16:50", "2026-03-19T20:50:00Z"),
        ("fri+2w 16:50", "2026-03-27T20:50:00Z"),
        ("+3d 10:00", "2026-03-16T14:00:00Z"),
        ("2026-03-08 02:30", "2026-03-08T07:30:00Z"),
        ("2026-11-01 01:30", "2026-11-01T05:30:00Z"),
        ("2026-11-01 06:30Z", "2026-11-01T06:30:00Z"),
        ("2026-03-13 09:05:07.5", "2026-03-13T13:05:07.5Z"),
        ("mon 9:05", "2026-03-16T13:05:00Z"),
    ],
)
def test_times_are_wall_clocks_of_the_zone(written: str, instant: str) -> None:
    step = happening(f"{written}  result.final order=o1\n")
    assert write_instant(step.at) == instant
    assert step.event.time == step.at


def test_a_time_without_a_day_and_a_line_without_a_time_follow_the_line_before() -> None:
    steps = story("fri 10:00 result.final order=o1\n10:30 result.final order=o2\n result.viewed order=o1\n").steps
    assert [step.at - steps[0].at for step in steps] == [0, 30 * MINUTE, 30 * MINUTE]


def test_attributes_take_their_types() -> None:
    step = happening(
        "fri 10:00 appointment.booked appointment=a1 start=tue 14:00 lead_days=3 score=-0.5 urgent=true"
        ' reason="too far, too late" code=007 tags=x,y facility=NORTH by=provider\n'
    )
    assert step.event.data == {
        "appointment_id": "a1",
        "start": "2026-03-17T18:00:00Z",
        "lead_days": 3,
        "score": -0.5,
        "urgent": True,
        "reason": "too far, too late",
        "code": "007",
        "tags": ["x", "y"],
        "facility": "NORTH",
        "by": "provider",
    }
    assert step.event.facility == "NORTH"


def test_whom_it_is_about() -> None:
    assert happening("fri 10:00 result.final order=o1\n").event.identifiers == ("patient",)
    assert happening("fri 10:00 result.final mrn=1^N,2^S\n").event.identifiers == ("1^N", "2^S")
    assert happening("fri 10:00 contact.ended person=nobody\n").event.identifiers == ()
    merge = happening("fri 10:00 person.merged surviving=1^N retired=2^N\n").event
    assert (merge.identifiers, merge.data) == (("1^N",), {"surviving": ["1^N"], "retired": ["2^N"]})


def test_every_line_is_an_event_of_its_own_unless_it_says_otherwise() -> None:
    steps = story("fri 10:00 result.final order=o1\nfri 10:00 result.final order=o1\n").steps
    ids = {step.event.id for step in steps if isinstance(step, Happening)}
    assert len(ids) == 2
    named = happening("fri 10:00 result.final order=o1 source=lab id=77\n").event
    assert (named.source, named.id) == ("lab", "77")


@pytest.mark.parametrize(
    "line",
    ["fri 15:00 result.viewed order=o1 (arrives mon 12:00)", "arrives mon 12:00: fri 15:00 result.viewed order=o1"],
)
def test_late_arrival_stands_at_its_arrival(line: str) -> None:
    step = happening(line + "\n")
    assert step.at - step.event.time == 2 * DAY + 21 * HOUR


def test_repeated_events_are_numbered() -> None:
    steps = story("fri 10:00 visit.started visit=v# person=p# (3 times, 5m apart)\n").steps
    events = [step.event for step in steps if isinstance(step, Happening)]
    assert [event.data["visit_id"] for event in events] == ["v1", "v2", "v3"]
    assert [event.identifiers for event in events] == [("p1",), ("p2",), ("p3",)]
    assert [event.time - events[0].time for event in events] == [0, 5 * MINUTE, 10 * MINUTE]


def test_what_is_expected_may_fall_between_repeated_events() -> None:
    text = "fri 10:00 visit.started visit=v# (3 times, 5m apart)\nfri 10:07 -> breached\nfri 10:12 result.final\n"
    assert [type(step) for step in story(text).steps[-2:]] == [Expectation, Happening]


def test_a_coarse_stamp_says_so() -> None:
    assert happening("fri 00:00 result.final order=o1 (to the day)\n").event.precision == DAY


def test_an_expectation_is_read() -> None:
    step = expectation(
        "fri 10:00 -> resolved result.told order=o1 mode=shadow due mon 16:50 ended tue 09:10 16h20m late\n"
    )
    assert (step.state, step.threshold, step.late) == (State.RESOLVED, "result.told", 58800)
    assert step.attributes == {"order_id": "o1", "mode": "shadow"}
    assert {name: write_instant(at) for name, at in step.times.items()} == {
        "due": "2026-03-16T20:50:00Z",
        "ended": "2026-03-17T13:10:00Z",
    }
    assert expectation("fri 10:00 -> breached late start\n").late_start
    assert expectation("fri 10:00 -> nothing\n").state is None


def test_the_end_moves_the_clock() -> None:
    assert isinstance(story("fri 10:00 result.final\nend mon 10:00\n").steps[-1], ClockMove)


def test_every_mistake_is_told_with_its_line() -> None:
    found = mistakes(
        "timezone: Mars/Olympus\nfrom: yesterday\n\n"
        "fri 10:00 result.final order=o1\n2026-03-13 10:00 resultfinal\n2026-03-13 10:00 -> breachd\n"
        "2026-03-13 09:00 result.final\n2026-03-13 25:00 result.final\n2026-03-13 11:00 result.final (sometimes)\n"
        "2026-03-13 11:00 result.final order=o1 order=o2\n2026-03-13 11:00 -> breached perhaps\n"
    )
    assert [line for line, _ in found] == [1, 1, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    assert any("did you mean" in text for line, text in found if line == 6)


def test_names_of_days_need_a_date() -> None:
    assert "from: DATE" in mistakes("threshold: a\ntimezone: UTC\nfri 10:00 result.final\n")[0][1]


def test_a_comment_ends_a_line_and_a_number_sign_in_a_value_does_not() -> None:
    step = happening('fri 10:00 result.final order=o#1 note="a # b"  # said by the laboratory\n')
    assert step.event.data == {"order_id": "o#1", "note": "a # b"}


@pytest.mark.parametrize("text, seconds", [("16h20m", 58800), ("45s", 45), ("1d2h", 93600), ("90m", 5400)])
def test_lengths(text: str, seconds: int) -> None:
    assert read_length(text) == seconds * 1_000_000
    assert read_length(write_length(seconds)) == seconds * 1_000_000


def test_a_story_that_tells_it_as_it_is() -> None:
    outcome = play(
        "calendar clinic: mon-fri 08:00-17:00, sat 09:00-12:00\n"
        "fri 16:50  result.final   order=o1\n"
        "mon 16:50  -> breached    order=o1  due mon 16:50\n"
        "tue 09:10  result.viewed  order=o1\n"
        "           -> resolved    order=o1  16h20m late\n"
        "end wed 08:00\n"
    )
    assert (outcome.failures, outcome.transitions) == ((), 2)


def test_what_is_not_told_of_is_a_failure_at_the_line_before_it() -> None:
    outcome = play("fri 10:00 result.final order=o1\nend mon+1w 10:00\n")
    assert [failure.line for failure in outcome.failures] == [5]
    assert "not told of: tue 2026-03-17 10:00 -> breached result.told key=o1" in outcome.failures[0].text


def test_what_does_not_happen_is_a_failure_at_its_line() -> None:
    outcome = play(
        "fri 10:00 result.final order=o1\nmon 10:00 -> breached order=o1\nmon 11:00 result.viewed order=o1\n"
    )
    assert [failure.line for failure in outcome.failures] == [6]
    assert "did not happen" in outcome.failures[0].text


def test_what_happens_otherwise_says_in_what_it_differs() -> None:
    outcome = play(
        "fri 10:00 result.final order=o1\ntue 10:00 -> breached order=o2 due tue 11:00\n"
        "tue 12:00 result.viewed order=o1\n  -> resolved order=o1 1h late\n"
    )
    assert [failure.line for failure in outcome.failures] == [6, 8]
    assert "differs in order_id, due" in outcome.failures[0].text
    assert "2h late (differs in how late)" in outcome.failures[1].text


def test_an_undeclared_threshold_is_a_wrong_story() -> None:
    with pytest.raises(WrongStory, match="no threshold"):
        run_story(read_story("x.txt", HEAD.replace("result.told", "result.tld")), declared())
