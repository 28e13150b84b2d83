"""HL7 stamps to microseconds, with their coarseness; both DST changes; what is no time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7.time import Times
from schemas.event import DAY, HOUR, MINUTE
from schemas.instant import from_datetime, read_instant, write_instant

NEW_YORK = "America/New_York"


def at(stamp: str, zone: str = NEW_YORK) -> str:
    return write_instant(Times(ZoneInfo(zone)).read(stamp)[0])


@pytest.mark.parametrize(
    "stamp, wanted",
    [
        ("20260302120000", "2026-03-02T17:00:00Z"),
        ("202603021200", "2026-03-02T17:00:00Z"),
        ("2026030212", "2026-03-02T17:00:00Z"),
        ("20260302", "2026-03-02T05:00:00Z"),
        ("202603", "2026-03-01T05:00:00Z"),
        ("2026", "2026-01-01T05:00:00Z"),
        ("20260302120000.25", "2026-03-02T17:00:00.25Z"),
        ("20260302120000.1234567", "2026-03-02T17:00:00.123456Z"),
        ("20260302120000+0000", "2026-03-02T12:00:00Z"),
        ("202603021200-0330", "2026-03-02T15:30:00Z"),
        ("20260302120000.5+0530", "2026-03-02T06:30:00.5Z"),
        (" 20260302120000 ", "2026-03-02T17:00:00Z"),
        ("20240229000000", "2024-02-29T05:00:00Z"),
        ("20161231235960+0000", "2017-01-01T00:00:00Z"),  # a leap second
    ],
)
def test_stamps(stamp: str, wanted: str) -> None:
    assert at(stamp) == wanted
    assert at(stamp) == wanted


def test_a_wall_clock_that_does_not_exist_moves_forward_by_the_gap() -> None:
    assert at("20260308023000") == at("20260308033000") == "2026-03-08T07:30:00Z"


def test_of_a_wall_clock_that_exists_twice_it_is_the_first() -> None:
    assert at("20261101013000") == "2026-11-01T05:30:00Z"
    assert at("20261101020000") == "2026-11-01T07:00:00Z"


def test_a_gap_of_half_an_hour() -> None:
    assert at("20261004021500", "Australia/Lord_Howe") == at("20261004024500", "Australia/Lord_Howe")


@pytest.mark.parametrize(
    "stamp, precision",
    [("2026", 366 * DAY), ("202603", 31 * DAY), ("20260302", DAY), ("2026030212", HOUR), ("202603021200", MINUTE)],
)
def test_coarseness(stamp: str, precision: int) -> None:
    times = Times(UTC)
    assert times.read(stamp)[1] == precision
    assert times.read(f"{stamp}+0100")[1:] == (precision, False)


def test_seconds_and_finer_are_exact_and_an_own_offset_is_told() -> None:
    times = Times(UTC)
    assert times.read("20260302120000")[1:] == (0, True)
    assert times.read("20260302120000.1-0500")[1:] == (0, False)


NO_TIMES = (
    *("", "0", "99", "20261301", "20260230", "20260302240000", "20260302126000", "20260302120061", "2020051401000000"),
    *("00000000", "00000000000000", "2026-03-02", "20260302T1200", "20260302120000+9900", "20260302120000+05", "soon"),
    *("２０２６０３０２１２００００", "0001010100", "99991231235959-1200", "20260302120000,5"),
)


@pytest.mark.parametrize("stamp", NO_TIMES)
def test_what_is_no_time(stamp: str) -> None:
    times = Times(ZoneInfo("Asia/Kolkata"))
    for _ in range(2):
        with pytest.raises(ValueError):
            times.read(stamp)


@given(
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2040, 1, 1)),  # noqa: DTZ001 - wall clocks
    st.sampled_from([NEW_YORK, "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo", "UTC"]),
)
def test_what_is_remembered_of_a_day_changes_no_reading(wall: datetime, zone: str) -> None:
    times = Times(ZoneInfo(zone))
    wall = wall.replace(microsecond=0)
    for hour in (0, wall.hour, 23, 3, 2, 1):
        moment = wall.replace(hour=hour)
        wanted = from_datetime(moment.replace(tzinfo=ZoneInfo(zone)))
        assert times.read(moment.strftime("%Y%m%d%H%M%S").rjust(14, "0"))[0] == wanted


@pytest.mark.parametrize("zone", [NEW_YORK, "Australia/Lord_Howe", "America/Sao_Paulo"])
@pytest.mark.parametrize("day", ["20260308", "20261101", "20261004", "20260405", "20181104"])
def test_every_minute_of_a_day_on_which_the_clock_is_changed(zone: str, day: str) -> None:
    times = Times(ZoneInfo(zone))
    for minute in range(0, 1440, 7):
        wall = datetime.strptime(day, "%Y%m%d").replace(hour=minute // 60, minute=minute % 60, tzinfo=ZoneInfo(zone))
        assert times.read(f"{day}{minute // 60:02d}{minute % 60:02d}00")[0] == from_datetime(wall)


@given(st.integers(min_value=-62_135_596_800, max_value=253_402_214_400))
def test_times_are_written_as_everywhere(seconds: int) -> None:
    times = Times(UTC)
    for micros in (seconds * 1_000_000, seconds * 1_000_000 + 250_000):
        assert times.write(micros) == write_instant(micros)
        assert read_instant(times.write(micros)) == micros
