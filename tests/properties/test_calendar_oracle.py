"""The calendar agrees with a slow and obvious one, and with a library that others wrote, wherever DST is near."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from whenever import Instant, PlainDateTime

from schemas.calendar import Calendar, Span
from schemas.duration import Duration, Unit
from streams.core.calendar import QUARTER, adder, business_days_between, open_time, pusher, subtracter, wall_clock
from streams.core.zones import zone
from tests.references.slow_calendar import (
    instant_of,
    slow_add,
    slow_business_days,
    slow_open_time,
    slow_push,
    slow_subtract,
)

ZONES = ("America/New_York", "Europe/London", "Australia/Lord_Howe", "UTC", "Asia/Kolkata")
CHANGES = (  # both changes of 2026 in each of the zones, and the holidays around New Year
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 4, 5),
    date(2026, 10, 4),
    date(2025, 12, 31),
    date(2026, 7, 3),
)
COUNTRIES = ((None, None), ("US", "NY"), ("GB", "ENG"), ("IN", None))
HOUR_MICROSECONDS = 3_600_000_000


@st.composite
def day_hours(draw: st.DrawFn) -> tuple[Span, ...]:
    edges = st.one_of(st.integers(0, 1440), st.integers(0, 240), st.sampled_from([0, 480, 720, 1020, 1440]))
    points = sorted(draw(st.sets(edges, min_size=0, max_size=6)))
    return tuple(zip(points[::2], points[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    hours = draw(
        st.lists(day_hours(), min_size=7, max_size=7).filter(
            lambda week: any(b - a > 30 for day in week[:5] for a, b in day)
        )
    )
    country, subdivision = draw(st.sampled_from(COUNTRIES))
    near = st.sampled_from(CHANGES).flatmap(lambda day: st.integers(-6, 6).map(lambda n: day + timedelta(days=n)))
    return Calendar(
        id="drawn",
        timezone=draw(st.sampled_from(ZONES)),
        hours=tuple(hours),
        country=country,
        subdivision=subdivision,
        closed=frozenset(draw(st.sets(near, max_size=3))),
    )


@st.composite
def starts(draw: st.DrawFn) -> int:
    day = draw(st.sampled_from(CHANGES)) + timedelta(days=draw(st.integers(-4, 4)))
    minute = draw(st.one_of(st.integers(0, 1439), st.integers(0, 200), st.sampled_from([0, 480, 719, 720, 1020])))
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (a wall clock is naive)
    wall = midnight + timedelta(minutes=minute, microseconds=draw(st.sampled_from([0, 0, 1, 59_999_999, 31_000_000])))
    return instant_of(wall, draw(st.sampled_from(ZONES)))


durations = st.one_of(
    st.builds(Duration, st.integers(1, 4), st.sampled_from([Unit.BUSINESS_DAYS, Unit.DAYS])),
    st.builds(Duration, st.integers(1, 20), st.just(Unit.BUSINESS_HOURS)),
    st.builds(Duration, st.integers(1, 2), st.sampled_from([Unit.WEEKS, Unit.HOURS])),
    st.builds(Duration, st.integers(1, 90), st.sampled_from([Unit.SECONDS, Unit.MINUTES])),
)


def same_quarter(start: int, within: list[int]) -> list[int]:
    """The quarter's ends and some starts in it: what is kept for one must hold for all."""
    begin = start - start % QUARTER
    return [begin, *(begin + offset for offset in within), start, begin + QUARTER - 1]


@given(calendars(), durations, starts(), st.lists(st.integers(0, QUARTER - 1), max_size=3))
def test_a_due_time_is_the_slow_one(calendar: Calendar, duration: Duration, start: int, within: list[int]) -> None:
    add = adder(duration, calendar)
    for each in same_quarter(start, within):
        expected = slow_add(each, duration, calendar)
        assert expected is None or add(each) == expected


@given(calendars(), durations, starts(), st.lists(st.integers(0, QUARTER - 1), max_size=3))
def test_counting_back_is_the_slow_one(calendar: Calendar, duration: Duration, start: int, within: list[int]) -> None:
    subtract = subtracter(duration, calendar)
    for each in same_quarter(start, within):
        expected = slow_subtract(each, duration, calendar)
        assert expected is None or subtract(each) == expected


@given(calendars(), starts(), st.integers(0, 60 * HOUR_MICROSECONDS))
def test_open_time_is_the_slow_one(calendar: Calendar, begin: int, length: int) -> None:
    assert open_time(calendar)(begin, begin + length) == slow_open_time(calendar, begin, begin + length)


@given(calendars(), starts(), st.integers(0, 12 * HOUR_MICROSECONDS))
def test_a_push_is_the_slow_one_and_measures_what_it_moved(calendar: Calendar, begin: int, amount: int) -> None:
    pushed = pusher(calendar)(begin, amount)
    expected = slow_push(calendar, begin, amount)
    assert expected is None or pushed == expected
    assert expected is None or open_time(calendar)(begin, pushed) == amount


@given(calendars(), starts(), starts())
def test_open_days_between_are_the_slow_ones(calendar: Calendar, begin: int, end: int) -> None:
    assert business_days_between(calendar)(begin, end) == slow_business_days(calendar, begin, end)


@given(
    st.sampled_from(
        [*ZONES, "America/Sao_Paulo", "Africa/Casablanca", "Asia/Beirut", "Pacific/Apia", "America/Havana"]
    ),
    st.datetimes(datetime(1990, 1, 1), datetime(2045, 1, 1)),  # noqa: DTZ001 (a wall clock is naive)
)
def test_walls_resolve_as_whenever_resolves_them(name: str, wall: datetime) -> None:
    judge = PlainDateTime(wall).assume_tz(name, disambiguation="compatible")
    instant = zone(name).instant(_microseconds(wall))
    assert instant == judge.to_instant().timestamp(unit="microsecond")
    back = Instant.from_timestamp(instant, unit="microsecond").to_tz(name).to_plain()
    assert wall_clock(name)(instant) == _microseconds(back.to_stdlib())


@given(st.sampled_from(ZONES), st.sampled_from(CHANGES), st.integers(-1440, 2880), st.integers(1, 3))
def test_days_of_the_wall_clock_are_those_of_whenever(name: str, day: date, minute: int, days: int) -> None:
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001
    start = PlainDateTime(wall).assume_tz(name, disambiguation="compatible")
    week: tuple[tuple[Span, ...], ...] = ((),) * 7
    add = adder(Duration(days, Unit.DAYS), Calendar(id="zone", timezone=name, hours=week))
    judge = start.to_plain().add(days=days).assume_tz(name, disambiguation="compatible")
    assert add(start.to_instant().timestamp(unit="microsecond")) == judge.to_instant().timestamp(unit="microsecond")


def _microseconds(wall: datetime) -> int:
    return (wall - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
