"""The quick parser of declarations says what the careful one says, or nothing."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from schemas.declaration import Findings, read_declaration
from schemas.quick_yaml import quick_events

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "hub" / "packs").glob("*.yaml")) + sorted((ROOT / "connectors").rglob("*.yaml"))
PARTS = (
    "a", "b c", "k: ", "k:\n", "- ", "-", "\n", "\n  ", "\n    ", ": ", ":", ", ", ",", "[", "]", "{", "}", "# c", "#",
    '"x"', "'y z'", '"a\n  b"', "a\n  b", "|\n", ">\n", "|-\n  a\n", ">-\n  a\n  b\n", "\\", "é", '"', "'", "!", "&",
    "*", "%", "@", "?", "? ", "~", "=", "<<", "8:00", "http://h", "[?a=='b']", ".", "--- ", "...\n", "\t", "\r\n",
    "\u2028", "\u0085", '"\\x41"', '"\\/"', "''", "- a\n", "a: b\n", "[a, b]", "{a: b}", "x: [", "y: {", "🙂", "\ufeff",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


def told(events: Any) -> list[tuple[Any, ...]]:
    """What a declaration is made of: kinds and places of nodes, values and whether they stand without quotes."""
    found: list[tuple[Any, ...]] = []
    for event in events:
        kind = type(event).__name__
        begins = kind in ("MappingStartEvent", "SequenceStartEvent", "ScalarEvent")
        place = (event.start_mark.line, event.start_mark.column) if begins else ()
        scalar = (event.value, not event.style) if kind == "ScalarEvent" else ()
        found.append((kind, *place, *scalar))
    return found


def careful(text: str) -> list[tuple[Any, ...]] | None:
    try:
        return told(YAML(typ="safe", pure=True).parse(text))
    except (YAMLError, ValueError, AttributeError, IndexError, TypeError):
        return None


@given(TEXTS | st.builds("k:\n{}\nl: m\n".format, TEXTS))
@example("k: |\n# c")
@example("k: |\n  # c\n")
@example("*a: b\n")
@example("k: &8:00 a")
@example("a: [b,\n# c\n c]")
def test_the_quick_parser_says_the_same_or_nothing(text: str) -> None:
    quick = quick_events(text)
    if quick is not None:
        assert told(quick) == careful(text)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_shipped_is_read_quickly(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    quick = quick_events(text)
    assert quick is not None
    assert told(quick) == careful(text)


def test_what_is_left_to_the_careful_parser_is_read_all_the_same() -> None:
    text = files("hub").joinpath("packs", "billing.yaml").read_text(encoding="utf-8")
    findings = Findings()
    quick, slow = (read_declaration("f.yaml", one, findings) for one in (text, text.replace("\n", "\r\n")))
    assert quick_events(text.replace("\n", "\r\n")) is None
    assert quick == slow
    assert not findings.listed()


@pytest.mark.parametrize("text", ["a", "- a\n", "a: {b: c\n", "a: b\n a: c\n", "a:\n", "\0"])
def test_what_is_no_plain_mapping_is_not_read_quickly(text: str) -> None:
    assert quick_events(text) is None
