"""Every story is a test of its own name: the shipped ones, three a threshold, and the edge cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.stories import SHIPPED, Stories, find_stories
from hub.thresholds import load_thresholds

EDGE = Path(__file__).parent / "edge"


def _named(folder: Path) -> list[object]:
    return [pytest.param(path, id=name) for path, name in find_stories([folder])]


@pytest.fixture(scope="module")
def stories() -> Stories:
    return Stories(None)


@pytest.mark.parametrize("path", _named(EDGE))
def test_edge_case(stories: Stories, path: Path) -> None:
    assert stories.play(path, path.stem).failures == ()


@pytest.mark.parametrize("path", _named(SHIPPED))
def test_shipped_story(stories: Stories, path: Path) -> None:
    assert stories.play(path, path.stem).failures == ()


def test_every_shipped_threshold_has_its_three_stories() -> None:
    told: dict[str, set[str]] = {}
    for path, _ in find_stories([SHIPPED]):
        told.setdefault(path.parent.name, set()).add(path.stem.split("-")[0])
    shipped = {threshold.id for threshold in load_thresholds(None).thresholds}
    lacking = {id_: told.get(id_, set()) for id_ in shipped if not {"kept", "broken", "false"} <= told.get(id_, set())}
    assert lacking == {}
