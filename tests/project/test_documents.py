"""What the documents say is what the project has."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.project.places import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def section(path: Path, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}\s*$(.*?)(?=^#{{1,2}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{path.name} has no section {heading!r}"
    return found.group(2)


def names_in_first_column(table: str) -> list[str]:
    """What stands in backquotes in the first column of the tables in a text."""
    rows = [line for line in table.splitlines() if line.startswith("|")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def rows(table: str) -> list[list[str]]:
    """The cells of a text's table rows, without head and rule."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def attributes(cell: str, groups: dict[str, str]) -> set[str]:
    """The attributes that a cell names, its groups (VISIT, ORDER) spelt out."""
    own = {re.sub(r"\??\*?$", "", name) if "." not in name else name for name in re.findall(r"`([^`]+)`", cell)}
    words = re.findall(r"\b[A-Z]{4,}\b", re.sub(r"`[^`]*`", "", cell))
    return own.union(*(attributes(groups[word], groups) for word in words if word in groups))


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def test_every_event_type_has_its_line_in_thresholds_md() -> None:
    from schemas.vocabulary import EVENT_TYPES

    told = names_in_first_column(section(ROOT / "THRESHOLDS.md", "Vocabulary"))
    assert sorted(told) == sorted(set(told)), "an event type is told twice"
    assert set(told) == set(EVENT_TYPES)


def test_the_attributes_of_every_event_are_told() -> None:
    from schemas.vocabulary import EVENT_TYPES

    groups = {row[0]: row[1] for row in rows(section(ROOT / "THRESHOLDS.md", "Attributes by group"))}
    different = {
        event: attributes(row[3], groups) ^ set(EVENT_TYPES[event].attributes)
        for row in rows(section(ROOT / "THRESHOLDS.md", "Vocabulary"))
        for event in re.findall(r"`([^`]+)`", row[0])
        if attributes(row[3], groups) != set(EVENT_TYPES[event].attributes)
    }
    assert different == {}


def test_every_shipped_threshold_has_its_line_in_thresholds_md() -> None:
    told = names_in_first_column(section(ROOT / "THRESHOLDS.md", "Starter pack"))
    shipped = [
        threshold["id"]
        for path in sorted((ROOT / "hub" / "packs").glob("*.yaml"))
        for threshold in (YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")).get("thresholds") or [])
    ]
    assert sorted(told) == sorted(shipped)


def test_the_changelog_tells_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert headings[0] == "Unreleased"
    assert headings[1] == version


def test_the_makefile_has_what_is_promised() -> None:
    assert targets() >= {"help", "setup", "demo", "test", "test-fast", "check", "bench", "nightly"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_to_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []
    assert set(re.findall(r"`make ([a-z-]+)`", text)) - targets() == set()


def test_every_document_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [page.name for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "README.md"]
    assert [name for name in pages if f"({name})" not in index] == []


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
