"""Calendar arithmetic by named example: dates that one can check on a wall calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from schemas.calendar import Calendar, Span
from schemas.duration import Duration, Unit
from schemas.event import HOUR, MINUTE, SECOND
from streams.core.calendar import (
    QUARTER,
    Counting,
    adder,
    business_days_between,
    closures,
    open_time,
    pusher,
    subtracter,
    wall_clock,
)
from streams.core.openings import openings

ZONE = "America/New_York"
DAYTIME: tuple[Span, ...] = ((8 * 60, 17 * 60),)
SATURDAY: tuple[Span, ...] = ((9 * 60, 12 * 60),)
CLOSED: tuple[Span, ...] = ()
ALWAYS: tuple[Span, ...] = ((0, 1440),)


def week(
    *hours: tuple[Span, ...], zone: str | None = ZONE, us: bool = True, closed: frozenset[date] = frozenset()
) -> Calendar:
    return Calendar(
        id="clinic",
        timezone=zone,
        hours=hours,
        country="US" if us else None,
        subdivision="NY" if us else None,
        closed=closed,
    )


CLINIC = week(*[DAYTIME] * 5, SATURDAY, CLOSED, closed=frozenset({date(2026, 12, 24)}))
LUNCH = week(*[((8 * 60, 12 * 60), (13 * 60, 17 * 60))] * 5, CLOSED, CLOSED, us=False)
ROUND_THE_CLOCK = week(*[ALWAYS] * 7, us=False)
NEVER = week(*[CLOSED] * 7, us=False)


def at(text: str, *, zone: str = ZONE, fold: int = 0) -> int:
    wall = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(wall.timestamp() * 1_000_000)


def told(instant: int | None, *, zone: str = ZONE) -> str | None:
    if instant is None:
        return None
    wall = datetime.fromtimestamp(instant // 1_000_000, UTC).astimezone(ZoneInfo(zone))
    return wall.strftime("%a %m-%d %H:%M:%S").lower().removesuffix(":00")


def business_days(count: int, calendar: Calendar = CLINIC) -> Counting:
    return adder(Duration(count, Unit.BUSINESS_DAYS), calendar)


def business_days_back(count: int, calendar: Calendar = CLINIC) -> Counting:
    return subtracter(Duration(count, Unit.BUSINESS_DAYS), calendar)


def business_hours(count: int, calendar: Calendar = CLINIC) -> Counting:
    return adder(Duration(count, Unit.BUSINESS_HOURS), calendar)


def business_hours_back(count: int, calendar: Calendar = CLINIC) -> Counting:
    return subtracter(Duration(count, Unit.BUSINESS_HOURS), calendar)


def days(count: int, calendar: Calendar | None = CLINIC) -> Counting:
    return adder(Duration(count, Unit.DAYS), calendar)


class TestExactAndWallClock:
    def test_hours_and_minutes_are_elapsed_time_across_dst(self) -> None:
        assert told(adder(Duration(4, Unit.HOURS), CLINIC)(at("2026-03-08T00:30"))) == "sun 03-08 05:30"
        assert told(adder(Duration(90, Unit.MINUTES), None)(at("2026-11-01T00:30"))) == "sun 11-01 01:00"

    def test_days_keep_the_wall_clock_across_both_changes(self) -> None:
        assert told(days(1)(at("2026-03-07T16:50"))) == "sun 03-08 16:50"
        assert told(days(10)(at("2026-10-28T16:50"))) == "sat 11-07 16:50"
        assert told(adder(Duration(1, Unit.WEEKS), CLINIC)(at("2026-10-28T16:50"))) == "wed 11-04 16:50"

    def test_days_without_a_calendar_are_of_24_hours(self) -> None:
        assert told(days(1, None)(at("2026-03-07T16:50"))) == "sun 03-08 17:50"

    def test_dst_gap_moves_forward_by_the_gap(self) -> None:
        assert told(days(1)(at("2026-03-07T02:30"))) == "sun 03-08 03:30"
        lord_howe = week(*[DAYTIME] * 7, zone="Australia/Lord_Howe", us=False)
        start = at("2026-10-03T02:10", zone="Australia/Lord_Howe")
        assert told(days(1, lord_howe)(start), zone="Australia/Lord_Howe") == "sun 10-04 02:40"

    def test_dst_overlap_is_the_first(self) -> None:
        assert days(1)(at("2026-10-31T01:30")) == at("2026-11-01T01:30", fold=0)
        assert days(1)(at("2026-11-01T01:30", fold=1)) == at("2026-11-02T01:30")

    def test_leap_day(self) -> None:
        assert told(days(1)(at("2028-02-28T09:00"))) == "tue 02-29 09:00"
        assert told(days(365)(at("2028-02-29T09:00"))) == "wed 02-28 09:00"

    def test_days_count_back_by_the_wall_clock(self) -> None:
        assert told(subtracter(Duration(2, Unit.DAYS), CLINIC)(at("2026-03-09T08:15"))) == "sat 03-07 08:15"


class TestBusinessDays:
    def test_the_example_of_the_story(self) -> None:
        assert told(business_days(2)(at("2026-11-13T16:50"))) == "mon 11-16 16:50"

    def test_business_days_over_holiday(self) -> None:
        # Independence Day 2026 is a Saturday and is observed on Friday.
        assert told(business_days(1)(at("2026-07-02T10:00"))) == "mon 07-06 10:00"
        assert told(business_days(1)(at("2026-12-23T10:00"))) == "sat 12-26 10:00"

    def test_start_outside_hours_counts_from_the_next_opening(self) -> None:
        assert told(business_days(1)(at("2026-11-16T19:00"))) == "wed 11-18 08:00"
        assert told(business_days(1)(at("2026-11-17T03:00"))) == "wed 11-18 08:00"
        assert told(business_days(1)(at("2026-11-16T17:00"))) == "wed 11-18 08:00"
        assert told(business_days(1)(at("2026-11-16T16:59:59"))) == "tue 11-17 16:59:59"

    def test_closed_at_that_wall_clock_is_the_last_closing_of_that_day(self) -> None:
        assert told(business_days(1)(at("2026-11-13T16:50"))) == "sat 11-14 12:00"

    def test_closed_at_that_wall_clock_is_the_next_opening_of_that_day(self) -> None:
        assert told(business_days(1)(at("2026-11-13T08:30"))) == "sat 11-14 09:00"
        late_friday = week(*[DAYTIME] * 4, ((720, 750), (840, 900)), CLOSED, CLOSED, us=False)
        assert told(business_days(1, late_friday)(at("2026-11-12T13:00"))) == "fri 11-13 14:00"

    def test_a_due_time_on_a_closing_stays_there(self) -> None:
        break_on_tuesday = week(DAYTIME, ((480, 720), (780, 1020)), *[DAYTIME] * 3, CLOSED, CLOSED, us=False)
        assert told(business_days(1, break_on_tuesday)(at("2026-11-16T12:00"))) == "tue 11-17 12:00"
        assert told(business_days(1, break_on_tuesday)(at("2026-11-16T12:00:01"))) == "tue 11-17 13:00"

    def test_a_span_may_end_at_midnight(self) -> None:
        evening = week(*[((18 * 60, 1440),)] * 7, us=False)
        assert told(business_days(1, evening)(at("2026-11-16T23:59:59"))) == "tue 11-17 23:59:59"
        assert told(business_days(1, evening)(at("2026-11-17T00:00"))) == "wed 11-18 18:00"

    def test_gap_and_overlap_on_the_due_day(self) -> None:
        assert told(business_days(1, ROUND_THE_CLOCK)(at("2026-03-07T02:30"))) == "sun 03-08 03:30"
        assert business_days(1, ROUND_THE_CLOCK)(at("2026-10-31T01:30")) == at("2026-11-01T01:30", fold=0)

    def test_the_second_time_around_is_not_open_when_the_hours_end_in_the_first(self) -> None:
        early = week(*[((60, 105),)] * 7, us=False)
        assert told(business_days(1, early)(at("2026-11-01T01:30", fold=0))) == "mon 11-02 01:30"
        assert told(business_days(1, early)(at("2026-11-01T01:30", fold=1))) == "tue 11-03 01:00"

    def test_hours_that_fall_into_the_gap_make_no_open_day(self) -> None:
        night = week(*[((2 * 60 + 30, 3 * 60 + 15),)] * 7, us=False)
        assert told(business_days(1, night)(at("2026-03-07T02:45"))) == "mon 03-09 02:45"

    def test_a_date_that_a_zone_skipped_is_no_open_day(self) -> None:
        apia = week(*[DAYTIME] * 7, zone="Pacific/Apia", us=False)
        start = at("2011-12-29T10:00", zone="Pacific/Apia")
        assert told(business_days(1, apia)(start), zone="Pacific/Apia") == "sat 12-31 10:00"


class TestBusinessHours:
    def test_only_open_time_counts(self) -> None:
        assert told(business_hours(6)(at("2026-11-13T16:50"))) == "mon 11-16 10:50"

    def test_reached_at_a_closing_is_that_closing(self) -> None:
        assert told(business_hours(9)(at("2026-11-16T08:00"))) == "mon 11-16 17:00"
        assert told(business_hours(4, LUNCH)(at("2026-11-16T07:00"))) == "mon 11-16 12:00"

    def test_an_hour_that_dst_skips_or_repeats_is_counted_as_it_passes(self) -> None:
        assert told(business_hours(3, ROUND_THE_CLOCK)(at("2026-03-08T00:30"))) == "sun 03-08 04:30"
        assert told(business_hours(3, ROUND_THE_CLOCK)(at("2026-11-01T00:30"))) == "sun 11-01 02:30"

    def test_midnight_between_two_open_days_is_no_closing(self) -> None:
        assert told(business_hours(2, ROUND_THE_CLOCK)(at("2026-11-16T23:00"))) == "tue 11-17 01:00"


class TestCountingBack:
    def test_the_same_wall_clock_on_an_open_day(self) -> None:
        assert told(business_days_back(3)(at("2026-11-18T10:00"))) == "sat 11-14 10:00"

    def test_outside_hours_counts_from_the_previous_closing(self) -> None:
        assert told(business_days_back(3)(at("2026-11-18T07:00"))) == "fri 11-13 17:00"
        assert told(business_days_back(1)(at("2026-11-15T15:00"))) == "fri 11-13 12:00"

    def test_closed_then_is_the_previous_closing_of_that_day(self) -> None:
        assert told(business_days_back(1)(at("2026-11-16T15:00"))) == "sat 11-14 12:00"
        assert told(business_days_back(1, LUNCH)(at("2026-11-17T12:30"))) == "mon 11-16 12:00"

    def test_before_all_hours_of_that_day_is_its_first_opening(self) -> None:
        assert told(business_days_back(1)(at("2026-11-16T08:30"))) == "sat 11-14 09:00"

    def test_a_closing_at_midnight_belongs_to_the_day_that_it_ends(self) -> None:
        evening = week(*[((18 * 60, 1440),)] * 7, us=False)
        assert told(business_days_back(1, evening)(at("2026-11-18T00:00"))) == "tue 11-17 00:00"
        assert told(business_days_back(1, evening)(at("2026-11-18T09:00"))) == "tue 11-17 00:00"

    def test_hours_back(self) -> None:
        assert told(business_hours_back(2)(at("2026-11-16T09:00"))) == "sat 11-14 11:00"
        assert told(business_hours_back(1)(at("2026-11-16T09:00"))) == "mon 11-16 08:00"
        assert told(business_hours_back(1)(at("2026-11-16T06:00"))) == "sat 11-14 11:00"

    def test_holidays_are_not_counted(self) -> None:
        assert told(business_days_back(1)(at("2026-07-06T10:00"))) == "thu 07-02 10:00"


class TestNoSuchTime:
    def test_a_calendar_that_never_opens(self) -> None:
        start = at("2026-11-16T10:00")
        assert business_days(1, NEVER)(start) is None
        assert business_hours_back(1, NEVER)(start) is None
        assert open_time(NEVER)(start, start + 100 * HOUR) == 0
        assert business_days_between(NEVER)(start, start + 100 * HOUR) == 0

    def test_days_of_the_wall_clock_ask_for_no_hours(self) -> None:
        assert told(days(2, NEVER)(at("2026-11-16T10:00"))) == "wed 11-18 10:00"

    def test_a_calendar_whose_only_hours_are_gone_for_good(self) -> None:
        only_in_the_gap = week(*[CLOSED] * 6, ((540, 541),), closed=frozenset(), us=False)
        assert business_days(5_000_000, only_in_the_gap)(at("2026-11-16T10:00")) is None

    def test_beyond_the_years_that_can_be_written(self) -> None:
        late = at("9999-12-01T10:00", zone="UTC")
        assert adder(Duration(20, Unit.WEEKS), None)(late) is None
        assert days(400)(late) is None
        assert business_days(400)(late) is None
        assert business_hours_back(400)(at("0001-01-02T10:00", zone="UTC")) is None

    def test_a_far_stamp_takes_no_time(self) -> None:
        assert business_days_between(CLINIC)(at("2026-11-16T10:00"), at("9999-11-16T10:00")) > 20_000

    def test_business_units_need_a_calendar(self) -> None:
        with pytest.raises(ValueError, match="needs a calendar"):
            adder(Duration(2, Unit.BUSINESS_DAYS), None)

    def test_what_is_unknown_is_said(self) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            days(1, week(*[DAYTIME] * 7, zone="America/Nowhere"))
        with pytest.raises(ValueError, match="no holidays are known for ZZ"):
            business_days(1, Calendar(id="c", timezone=ZONE, hours=(DAYTIME,) * 7, country="ZZ"))


class TestOpenTime:
    def test_nights_lunches_and_weekends_do_not_count(self) -> None:
        measure = open_time(LUNCH)
        assert measure(at("2026-11-13T11:00"), at("2026-11-13T14:00")) == 2 * HOUR
        assert measure(at("2026-11-13T16:00"), at("2026-11-16T09:00")) == 2 * HOUR
        assert measure(at("2026-11-16T09:00"), at("2026-11-13T16:00")) == 0

    def test_a_due_time_moves_by_a_pauses_open_time(self) -> None:
        push = pusher(CLINIC)
        assert told(push(at("2026-11-13T16:50"), 20 * MINUTE)) == "sat 11-14 09:10"
        assert told(push(at("2026-11-13T17:00"), 0)) == "fri 11-13 17:00"
        assert told(push(at("2026-11-13T16:50"), 10 * MINUTE)) == "fri 11-13 17:00"

    def test_days_ahead_leave_out_the_first_day_and_count_the_last(self) -> None:
        count = business_days_between(CLINIC)
        assert count(at("2026-11-13T16:50"), at("2026-11-16T08:00")) == 2
        assert count(at("2026-11-13T08:00"), at("2026-11-13T17:00")) == 0
        assert count(at("2026-11-16T08:00"), at("2026-11-13T17:00")) == 0
        assert count(at("2026-07-02T08:00"), at("2026-07-06T08:00")) == 1

    def test_closures_are_named(self) -> None:
        named = closures(CLINIC)(at("2026-12-23T10:00"), at("2026-12-26T10:00"))
        assert [reason for _, reason in named] == ["closed", "Christmas Day"]


class TestKeptByQuarterHour:
    def test_edges_at_odd_minutes_stay_exact(self) -> None:
        odd = week(*[((8 * 60 + 7, 16 * 60 + 53),)] * 5, CLOSED, CLOSED, us=False)
        add = business_days(1, odd)
        assert told(add(at("2026-11-16T08:00"))) == "tue 11-17 08:07"
        assert told(add(at("2026-11-16T08:10"))) == "tue 11-17 08:10"
        assert told(add(at("2026-11-16T16:45"))) == "tue 11-17 16:45"
        assert told(add(at("2026-11-16T16:54"))) == "wed 11-18 08:07"

    def test_an_edge_at_the_due_end_stays_exact(self) -> None:
        short_tuesday = week(DAYTIME, ((8 * 60, 15 * 60 + 7),), *[DAYTIME] * 3, CLOSED, CLOSED, us=False)
        add = business_days(1, short_tuesday)
        assert told(add(at("2026-11-16T15:05"))) == "tue 11-17 15:05"
        assert told(add(at("2026-11-16T15:09"))) == "tue 11-17 15:07"

    def test_a_quarter_is_worked_out_once(self) -> None:
        calendar = week(*[((9 * 60, 17 * 60 + 1),)] * 7, us=False)
        add = business_days(3, calendar)
        begin = at("2026-11-16T10:00")
        assert add(begin + 1) == at("2026-11-19T10:00") + 1
        opened = openings(calendar)
        opened._hours_by_day.clear()
        assert add(begin + QUARTER - SECOND) == at("2026-11-19T10:15") - SECOND
        assert not opened._hours_by_day, "asked again for the hours of a day"

    def test_more_quarters_than_are_kept(self) -> None:
        add = days(2, week(*[DAYTIME] * 7, us=False))
        first = at("2020-06-01T00:00")
        starts = range(first, first + 20_000 * QUARTER, QUARTER)
        read = wall_clock(ZONE)
        assert all(read(due) - read(start) == 48 * HOUR for start in starts if (due := add(start)) and _noon(start))


def _noon(instant: int) -> bool:
    return wall_clock(ZONE)(instant) // HOUR % 24 == 12


def test_without_a_zone_a_calendar_is_read_in_utc() -> None:
    unzoned = week(*[DAYTIME] * 7, zone=None, us=False)
    due = business_days(1, unzoned)(at("2026-11-16T07:00", zone="UTC"))
    assert told(due, zone="UTC") == "tue 11-17 08:00"
