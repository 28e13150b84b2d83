"""The engine and the reference model say the same of generated histories, kind by kind and all together."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.strategies import Told, afters, declarations, histories, limits, run_engine, run_model, waits

DEEP = settings().max_examples  # of the profile: ten times as many for the waits, on which all else stands


@settings(max_examples=DEEP * 15)
@given(declarations(waits(), most=1), histories(), afters)
def test_waits(declared: str, history: list[Told], after: timedelta) -> None:
    assert run_engine(declared, history, after=after) == run_model(declared, history, after=after)


@settings(max_examples=DEEP * 10)
@given(declarations(limits(), most=1), histories(), afters)
def test_the_other_kinds(declared: str, history: list[Told], after: timedelta) -> None:
    assert run_engine(declared, history, after=after) == run_model(declared, history, after=after)


@settings(max_examples=DEEP * 10)
@given(declarations(most=3), histories(most=24), afters)
def test_all_kinds_together(declared: str, history: list[Told], after: timedelta) -> None:
    assert run_engine(declared, history, after=after) == run_model(declared, history, after=after)


@settings(max_examples=DEEP * 5)
@given(declarations(waits(), most=1), histories(identity=False, most=8), st.just(timedelta(days=12)))
def test_waits_of_one_person_to_their_end(declared: str, history: list[Told], after: timedelta) -> None:
    assert run_engine(declared, history, after=after) == run_model(declared, history, after=after)
