"""Packs and single thresholds switched on and off by name, and lines changed without copying."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.site import Site, read_site_text
from hub.thresholds import WrongThresholds, load_thresholds


def site(text: str) -> Site:
    found, problems = read_site_text("site.yaml", text)
    assert not problems
    return found


def packs(text: str, path: Path | None = None) -> set[str]:
    return {t.pack for t in load_thresholds(path, site(text)).thresholds}


def ids(text: str, path: Path | None = None) -> set[str]:
    return {t.id for t in load_thresholds(path, site(text)).thresholds}


def test_without_a_word_all_packs_are_on() -> None:
    shipped = "access results referrals discharge authorization billing contact feedback respect integration"
    assert packs("version: 1") == set(shipped.split())
    assert len(ids("version: 1")) == 102


def test_a_list_names_what_is_on() -> None:
    assert packs("packs: [access, results]") == {"access", "results"}
    assert ids("packs: [call.hold, integration]") == {"call.hold", "identity.unresolved", "interface.silent"}


def test_a_mapping_says_of_each_whether_it_is_on() -> None:
    left = ids("packs: {contact: off, call.hold: on, interface.silent: off}")
    assert {name for name in left if name.startswith(("call.", "interface."))} == {"call.hold"}
    assert "bill.answered" in left


def test_own_files_are_switched_by_a_mapping_alone(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("thresholds: [{id: a, kind: silence}, {id: b, kind: silence}]")
    assert ids("packs: [access]", own) == {"a", "b"}
    assert ids("packs: {a: off}", own) == {"b"}
    assert ids("packs: {mine: off}", own) == set()


@pytest.mark.parametrize(
    "text, said",
    [
        ("packs: access", "site.yaml:1:8: error: `packs` is a list of names"),
        ("packs: [acces]", "site.yaml:1:9: error: no pack and no threshold is called `acces` (did you mean `access`?)"),
        ("packs:\n  call.hold: maybe", "site.yaml:2:14: error: `call.hold` is `on` or `off`"),
        ("packs: [[access]]", "site.yaml:1:9: error: `packs` names packs and thresholds"),
        ("thresholds:\n  call.holt: {mode: shadow}", "site.yaml:2:3: error: no threshold `call.holt` is loaded"),
        ("thresholds:\n  call.hold: {limit: {over: 3}}", "site.yaml:2:22: error: "),
        ("thresholds:\n  interface.silent: {downtime: [sunday]}", "site.yaml:2:33: error: `downtime` is written as"),
    ],
)
def test_a_mistake_names_file_and_line(text: str, said: str) -> None:
    with pytest.raises(WrongThresholds) as wrong:
        load_thresholds(None, site(text))
    assert any(str(problem).startswith(said) for problem in wrong.value.problems), [
        str(problem) for problem in wrong.value.problems
    ]


def test_a_line_is_changed_without_copying_and_of_a_threshold_that_is_off_it_does_no_harm() -> None:
    loaded = load_thresholds(
        None, site("packs: [access]\nthresholds: {access.booked: {within: 1 business day}, call.hold: {severity: low}}")
    )
    booked = next(t for t in loaded.thresholds if t.id == "access.booked")
    assert str(booked.rule.within) == "1 business day"  # type: ignore[union-attr]  # a wait
    assert booked.source == "practice"


def test_every_shipped_threshold_says_where_its_figure_comes_from_and_what_to_do() -> None:
    for threshold in load_thresholds(None).thresholds:
        assert threshold.source, threshold.id
        assert threshold.theme, threshold.id
        assert threshold.next_step, threshold.id
        assert threshold.audience, threshold.id
