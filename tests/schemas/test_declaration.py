"""YAML with places: every mistake of form in one pass, and the likely meaning of a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.declaration import Findings, Items, Leaf, Problem, Table, is_misspelt, read_declaration, suggest


def read(text: str) -> tuple[Table | None, list[Problem]]:
    findings = Findings()
    return read_declaration("a.yaml", text, findings), findings.listed()


def leaf(table: Table | None, key: str) -> Leaf:
    assert table is not None
    found = table.find(key)
    assert isinstance(found, Leaf)
    return found


@pytest.mark.parametrize(
    "written, value",
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("01", "01"),
        ("0x1F", "0x1F"),
        ("1.50", 1.5),
        ("2026-12-24", "2026-12-24"),
        ("12:30", "12:30"),
        ('"7"', "7"),
        ("'true'", "true"),
        ("~", None),
        ("", None),
        ('""', ""),
        (".nan", ".nan"),
        ("5%", "5%"),
    ],
)
def test_a_value_is_read_by_yaml_1_2_and_codes_stay_texts(written: str, value: object) -> None:
    table, problems = read(f"a: {written}\n")
    assert problems == []
    found = leaf(table, "a").value
    assert (found, type(found)) == (value, type(value))


def test_a_node_knows_its_line_and_column() -> None:
    table, _ = read("a: 1\nb:\n  - {c: 2}\n")
    assert table is not None
    listed = table.find("b")
    assert isinstance(listed, Items)
    inner = listed.nodes[0]
    assert isinstance(inner, Table)
    assert str(inner.place) == "a.yaml:3:5"
    assert str(inner.place_of("c")) == "a.yaml:3:6"
    assert str(leaf(inner, "c").place) == "a.yaml:3:9"


def test_all_mistakes_of_form_are_told_at_once() -> None:
    _, problems = read("a: &x 1\nb: *x\nc: !set d\na: 2\n? [e]\n: 3\n")
    assert [str(problem) for problem in problems] == [
        "a.yaml:1:4: error: anchors (`&x`) are not read: remove it",
        "a.yaml:2:4: error: aliases (`*x`) are not read: write it out",
        "a.yaml:3:4: error: tags (`!...`) are not read: remove it",
        "a.yaml:4:1: error: `a` stands twice (first in line 1)",
        "a.yaml:5:3: error: a key is a name, here is a list",
    ]


@pytest.mark.parametrize(
    "text, place, said",
    [
        ("", "a.yaml:1:1", "empty"),
        ("# a remark\n", "a.yaml:1:1", "empty"),
        ("- a\n- b\n", "a.yaml:1:1", "a mapping is expected"),
        ("word", "a.yaml:1:1", "a mapping is expected"),
        ("a: [1,\n", "a.yaml:2:1", "no YAML"),
        ("a: 1\n\tb: 2\n", "a.yaml:2:1", "no YAML"),
        ("a: 1\nb\x00: 2", "a.yaml:2:2", "no text"),
        ("[" * 100, "a.yaml:1:41", "deep"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2:1", "second document"),
    ],
)
def test_what_is_no_declaration_is_said_with_its_place(text: str, place: str, said: str) -> None:
    _, problems = read(text)
    assert len(problems) == 1
    assert str(problems[0].place) == place
    assert said in problems[0].text


@given(st.text() | st.text(alphabet="{}[]:,-&*!|>'\"%@#?ab1 \n\t"))
def test_any_text_gives_a_tree_or_a_problem(text: str) -> None:
    table, problems = read(text)
    assert table is not None or problems


@pytest.mark.parametrize(
    "word, known, meant",
    [
        ("satisfied_bye", ("satisfied_by", "cancelled_by"), "satisfied_by"),
        ("wihtin", ("within", "window"), "within"),
        ("Within", ("within", "window"), "within"),
        ("zebra", ("within", "window"), None),
        ("within", ("within",), None),
        ("", ("within",), None),
    ],
)
def test_the_likely_meaning(word: str, known: tuple[str, ...], meant: str | None) -> None:
    assert suggest(word, known) == meant


def test_a_slip_of_the_pen_is_told_from_another_word() -> None:
    assert is_misspelt("catagory", "category")
    assert is_misspelt("fianl", "final")
    assert not is_misspelt("planned", "placed")
    assert not is_misspelt("final", "final")


def test_a_suggestion_stands_behind_the_text() -> None:
    findings = Findings()
    read_declaration("a.yaml", "x: &y 1", findings)
    problem = findings.listed()[0]
    assert str(Problem(problem.place, "no", "yes")) == "a.yaml:1:4: error: no (did you mean `yes`?)"
