"""The law of order: what stands follows from the set of events and the last clock, never from the arrival."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.strategies import Told, afters, declarations, histories, last_time, run_engine

randoms = st.randoms(use_true_random=False)


def once(history: list[Told]) -> list[Told]:
    """Without repeated ids: of two messages with one id the first to arrive stands, which is decided by arrival."""
    return list({(told["source"], told["id"]): told for told in history}.values())


@given(declarations(most=3), histories(most=20), afters, randoms)
def test_order_of_arrival_changes_nothing_that_stands(
    declared: str, history: list[Told], after: timedelta, random: Random
) -> None:
    told = once(history)
    shuffled = random.sample(told, len(told))
    assert run_engine(declared, shuffled, after=after) == run_engine(declared, told, after=after)


@given(declarations(most=3), histories(most=20), afters, randoms)
def test_ticks_between_change_nothing_that_stands(
    declared: str, history: list[Told], after: timedelta, random: Random
) -> None:
    end = int(last_time(history).timestamp()) * 1_000_000
    ticks = [end - random.randrange(20 * 86_400) * 1_000_000 for _ in range(12)]
    assert run_engine(declared, history, ticks=ticks, after=after) == run_engine(declared, history, after=after)


@given(declarations(most=3), histories(most=20), afters)
def test_events_that_nobody_declared_change_nothing(declared: str, history: list[Told], after: timedelta) -> None:
    strange = [told | {"type": "weather.changed", "id": f"w-{told['id']}"} for told in history]
    mixed = [told for pair in zip(strange, history, strict=True) for told in pair]
    assert run_engine(declared, mixed, after=after).alerts == run_engine(declared, history, after=after).alerts
