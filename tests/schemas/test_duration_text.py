"""Durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.duration import Duration, Unit
from schemas.duration_text import UNIT_BY_SPELLING, WrongDuration, exact_seconds, read_duration


@pytest.mark.parametrize(
    "text, duration",
    [
        ("4h", Duration(4, Unit.HOURS)),
        ("90m", Duration(90, Unit.MINUTES)),
        ("30s", Duration(30, Unit.SECONDS)),
        ("7d", Duration(7, Unit.DAYS)),
        ("10 days", Duration(10, Unit.DAYS)),
        ("1 day", Duration(1, Unit.DAYS)),
        ("2 weeks", Duration(2, Unit.WEEKS)),
        ("15 min", Duration(15, Unit.MINUTES)),
        ("2 Business Days", Duration(2, Unit.BUSINESS_DAYS)),
        ("1 business hour", Duration(1, Unit.BUSINESS_HOURS)),
        ("  6   business   hours ", Duration(6, Unit.BUSINESS_HOURS)),
    ],
)
def test_units_read_in_singular_and_plural(text: str, duration: Duration) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize(
    "text, meant",
    [
        ("2 busness days", "2 business days"),
        ("3 dyas", "3 days"),
        ("4 houres", "4 hours"),
        ("1 month", "30 days"),
        ("2 working days", "2 business days"),
        ("4", "4h"),
        ("1.5h", "90m"),
        ("1h30m", "90m"),
        ("2 fortnights", None),
        ("soon", None),
        ("0h", None),
        ("", None),
        ("900000 days", None),
    ],
)
def test_what_is_no_duration_says_what_it_likely_means(text: str, meant: str | None) -> None:
    with pytest.raises(WrongDuration) as wrong:
        read_duration(text)
    assert wrong.value.suggestion == meant


def test_nothing_is_allowed_where_it_is_asked_for() -> None:
    assert read_duration("0m", least=0) == Duration(0, Unit.MINUTES)


@given(st.integers(1, 2000), st.sampled_from(sorted(UNIT_BY_SPELLING)), st.sampled_from(["", " ", "  "]))
def test_what_is_written_is_what_is_read(count: int, spelling: str, gap: str) -> None:
    duration = read_duration(f"{count}{gap}{spelling}")
    assert duration == Duration(count, UNIT_BY_SPELLING[spelling])
    assert read_duration(str(duration)) == duration


@given(st.text())
def test_any_text_is_a_duration_or_none(text: str) -> None:
    try:
        duration: Duration | None = read_duration(text)
    except WrongDuration:
        duration = None
    assert duration is None or duration.count > 0


def test_business_units_have_no_exact_length() -> None:
    assert exact_seconds(Duration(2, Unit.DAYS)) == 172_800
    assert exact_seconds(Duration(2, Unit.BUSINESS_DAYS)) is None
