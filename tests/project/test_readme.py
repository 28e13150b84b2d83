"""The README's first threshold and its story are true: they are taken from the page, read and played."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.stories import Stories
from streams.core.thresholds import read_thresholds
from tests.project.places import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    """The fenced block of a language that holds a text."""
    (found,) = [
        body
        for name, body in re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
        if name == language and containing in body
    ]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results.yaml").write_text(block("yaml", "lab.potassium"))
    (tmp_path / "late.txt").write_text(block("text", "thresholds: results.yaml"))
    return tmp_path


def test_its_threshold_is_right(folder: Path) -> None:
    declared, problems = read_thresholds(
        [("results.yaml", (folder / "results.yaml").read_text())], default_zone="America/New_York"
    )
    assert [str(problem) for problem in problems] == []
    assert [threshold.id for threshold in declared.thresholds] == ["lab.potassium"]


def test_its_story_comes_out(folder: Path) -> None:
    outcome = Stories().play(folder / "late.txt", "late")
    assert outcome.failures == ()
    assert outcome.transitions == 2


def test_its_figures_are_the_first_screen() -> None:
    first_screen = TEXT.splitlines()[:40]
    assert any("make demo" in line for line in first_screen)
    assert any("make test" in line for line in first_screen)
    assert any(line.startswith("Expected ") for line in first_screen), "an alert with its explanation comes first"
