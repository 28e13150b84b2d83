"""Thresholds as texts, read for the tests of the language."""

from __future__ import annotations

from schemas.declaration import Findings, Problem, Table, read_declaration
from schemas.threshold import Threshold, ThresholdSet, WaitRule
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
