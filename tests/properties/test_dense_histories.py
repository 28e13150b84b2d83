"""The engine beside the reference model where they are most likely to differ: few words, few instants, many meetings.

The general strategies spread over many types, attributes and options, so that three events that meet in one wait are
rare; a late end found by `by` once slipped through them. Here almost every event means something to the one wait.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.strategies import Told, afters, run_engine, run_model

DEEP = max(settings().max_examples, 100)
ROLES = {"satisfied_by": "e.end", "cancelled_by": "e.cancel", "paused_by": "e.pause", "resumed_by": "e.resume"}
BYS = (None, "person", "q", ["q", "order_id"])


@st.composite
def thresholds(draw: st.DrawFn) -> str:
    wait: dict[str, Any] = {"id": "w", "kind": "wait", "key": draw(st.sampled_from(("order_id", "order_id", "person")))}
    wait["start"] = [{"event": "e.start"}]
    wait["within"] = draw(st.sampled_from(("1h", "3h")))
    roles = ["satisfied_by"]
    roles += draw(st.sampled_from(([], ["cancelled_by"], ["paused_by", "resumed_by"], list(ROLES)[1:])))
    for role in roles:
        by = draw(st.sampled_from(BYS))
        match: dict[str, Any] = {"event": ROLES[role]} | ({} if by is None else {"by": by})
        if role in ("satisfied_by", "cancelled_by") and draw(st.integers(0, 7)) == 0:
            match["times"] = 2
        wait[role] = [match]
        if role == "satisfied_by" and draw(st.booleans()):
            wait[role].append({"event": "e.end2", "by": "person"})
    for name, values in (
        ("restart", ("keep", "move", "new")),
        ("warn_at", (None, None, "50%", "30m")),
        ("skew", (None, None, None, "30m", "1h")),
        ("grace", (None, None, "30m")),
    ):
        value = draw(st.sampled_from(values))
        if value is not None:
            wait[name] = value
    return json.dumps({"thresholds": [wait]})


@st.composite
def events(draw: st.DrawFn) -> Told:
    half_hours = draw(st.integers(0, 12))
    return {
        "type": draw(st.sampled_from(("e.start", "e.start", "e.end", "e.end2", *ROLES.values()))),
        "time": f"2026-03-02T{10 + half_hours // 2:02}:{half_hours % 2 * 30:02}:00+00:00",
        "facility": None,
        "precision": draw(st.sampled_from((0, 0, 0, 0, 60_000_000))),
        "data": {
            "identifiers": [draw(st.sampled_from(("1^N", "1^N", "1^N", "2^N")))],
            "order_id": draw(st.sampled_from(("A", "A", "B"))),
            "q": draw(st.sampled_from(("x", "x", "y"))),
        },
    }


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    told = draw(st.lists(events(), min_size=2, max_size=9))
    return [one | {"id": f"e{number}", "source": "sim"} for number, one in enumerate(told)]


@settings(max_examples=DEEP * 30)
@given(thresholds(), histories(), afters)
def test_one_wait_and_little_else(declared: str, history: list[Told], after: timedelta) -> None:
    assert run_engine(declared, history, after=after) == run_model(declared, history, after=after)
