"""The site file: what it says, and what is wrong with it, all in one go."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.declared import read_declared
from hub.site import Facility, Site, WrongSite, read_site, read_site_text
from hub.thresholds import WrongThresholds, check_thresholds, load_thresholds
from schemas.declaration import Table, WrongDeclaration
from schemas.threshold import WaitRule

SITE = """
timezone: Europe/London
facilities:
  NORTH: {zone: America/New_York, region: us, charset: 8859/1, authority: NORTH_MRN}
  SOUTH: {zone: America/Denver}
authorities:
  NORTH_MRN: [urn:oid:1.2, urn:north:mrn, NORTH_MRN]
mapping:
  codes: {anything: goes}
test_patients: [TEST1^NORTH_MRN, "99999"]
calendars:
  clinic: {holidays: {country: US}}
thresholds:
  cancelled.rebooked: {mode: live, within: 3 business days}
"""


def write(folder: Path, text: str, name: str = "site.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_site_says_what_it_is(tmp_path: Path) -> None:
    site = read_site(write(tmp_path, SITE))
    assert site.timezone == "Europe/London"
    assert site.facilities == {
        "NORTH": Facility(zone="America/New_York", region="US", charset="8859/1", authority="NORTH_MRN"),
        "SOUTH": Facility(zone="America/Denver"),
    }
    assert site.spellings == {"urn:oid:1.2": "NORTH_MRN", "urn:north:mrn": "NORTH_MRN"}
    assert site.test_patients == frozenset({"TEST1^NORTH_MRN", "99999"})
    assert isinstance(site.mapping, Table)
    assert site.mapping.place.line == 9


def test_what_is_not_said_is_empty() -> None:
    assert read_site_text("site.yaml", "version: 1\n") == (Site(), [])


def test_its_lines_reach_the_shipped_thresholds(tmp_path: Path) -> None:
    loaded = load_thresholds(None, read_site(write(tmp_path, SITE)))
    rebooked = next(threshold for threshold in loaded.thresholds if threshold.id == "cancelled.rebooked")
    assert rebooked.mode == "live"
    assert isinstance(rebooked.rule, WaitRule)
    assert str(rebooked.rule.within) == "3 business days"
    assert rebooked.calendar is not None
    assert (rebooked.calendar.timezone, rebooked.calendar.country) == ("Europe/London", "US")


def test_the_zone_of_the_command_goes_before_the_sites(tmp_path: Path) -> None:
    loaded = load_thresholds(None, read_site(write(tmp_path, SITE)), default_zone="Asia/Tokyo")
    assert loaded.calendars["clinic"].timezone == "Asia/Tokyo"


def test_facilities_of_one_zone_name_the_sites_zone() -> None:
    one, _ = read_site_text("site.yaml", "facilities: {N: {zone: America/Denver}, S: {zone: America/Denver}}")
    two, _ = read_site_text("site.yaml", "facilities: {N: {zone: America/Denver}, S: {zone: America/New_York}}")
    assert load_thresholds(None, one).calendars["clinic"].timezone == "America/Denver"
    assert load_thresholds(None, two).calendars["clinic"].timezone == "UTC"


def test_an_override_of_nothing_is_an_error_with_the_likely_meaning(tmp_path: Path) -> None:
    site = read_site(write(tmp_path, "thresholds:\n  cancelled.rebookd: {mode: live}\n"))
    with pytest.raises(WrongThresholds) as wrong:
        load_thresholds(None, site)
    (problem,) = wrong.value.problems
    assert (problem.place.line, problem.place.column, problem.suggestion) == (2, 3, "cancelled.rebooked")


def test_a_line_for_a_shipped_threshold_does_no_harm_where_others_are_loaded(tmp_path: Path) -> None:
    own = write(tmp_path, "thresholds: [{id: quiet, kind: silence}]", "own.yaml")
    loaded, problems = check_thresholds([own], read_site(write(tmp_path, SITE)))
    assert problems == []
    assert [threshold.id for threshold in loaded.thresholds] == ["quiet"]


@pytest.mark.parametrize(
    "text, place, said",
    [
        ("timezone: Europe/Lodnon", "1:11", "did you mean `Europe/London`"),
        ("facilitys: {}", "1:1", "did you mean `facilities`"),
        ("facilities: [NORTH]", "1:13", "`facilities` needs a mapping"),
        ("facilities: {NORTH: {zon: UTC}}", "1:22", "did you mean `zone`"),
        ("facilities: {NORTH: {zone: Nowhere}}", "1:28", "is no time zone"),
        ("facilities: {NORTH: {region: USA}}", "1:30", "two letters"),
        ("facilities: {NORTH: {charset: klingon}}", "1:31", "no character set"),
        (
            "facilities: {NORTH: UTC}",
            "1:21",
            "the facility `NORTH` needs a mapping such as {zone: America/Denver}, here",
        ),
        ("authorities: {A: [x], B: [x]}", "1:27", "a spelling of `A` already"),
        ("authorities: {A: [B], B: [y]}", "1:23", "a name and a spelling of `A`"),
        ("authorities: {A: [{x: 1}]}", "1:19", "single value"),
        ("authorities: {A: {x: 1}}", "1:18", "`A` is a list of spellings such as [urn:oid:1.2.3], here is a mapping"),
        ("test_patients: {N: 1}", "1:16", "is a list of identifiers such as [TEST1^NORTH], here is a mapping"),
        ("test_patients: [[1]]", "1:17", "single value"),
        ("calendars: []", "1:12", "`calendars` needs a mapping"),
        ("thresholds: []", "1:13", "`thresholds` needs a mapping"),
        ("version: 2", "1:10", "`version` is 1"),
        ("- a", "1:1", "a mapping is expected"),
        ("", "1:1", "empty"),
        ("a: 1\na: 2", "2:1", "stands twice"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, place: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(WrongSite) as wrong:
        read_site(path)
    told = [str(problem) for problem in wrong.value.problems]
    assert any(line.startswith(f"{path}:{place}: error: ") and said in line for line in told), told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "timezone: Mars\nfacilities: {N: {zone: Moon, region: 5}}\nauthoritis: {}\n")
    with pytest.raises(WrongSite) as wrong:
        read_site(path)
    assert [problem.place.line for problem in wrong.value.problems] == [1, 2, 2, 3]
    assert str(wrong.value).count("\n") == 3


def test_what_is_no_text_or_not_there_is_said(tmp_path: Path) -> None:
    binary = tmp_path / "site.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WrongSite, match="no text in UTF-8"):
        read_site(binary)
    with pytest.raises(WrongSite, match="cannot be read"):
        read_site(tmp_path / "absent.yaml")
    with pytest.raises(WrongSite, match="cannot be read"):
        read_site(tmp_path)


def test_mistakes_of_site_thresholds_and_mapping_are_told_in_one_go(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "facilities: {N: {zone: Moon}}\nthresholds:\n  cancelled.rebookd: {mode: live}\nmapping: {tabels: {}}\n"
    )
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("evnets: {}\n")
    with pytest.raises(WrongDeclaration) as wrong:
        read_declared(site, None, mapping, None)
    said = str(wrong.value)
    for place in (f"{site}:1:", f"{site}:3:", f"{site}:4:", f"{mapping}:1:"):
        assert place in said, said


def test_what_is_probably_a_mistake_in_a_mapping_reaches_who_runs(tmp_path: Path) -> None:
    site = write(tmp_path, "mapping: {tables: {class: {EMERGENCY: Emergency}}}\n")
    mapping = write(tmp_path, "tables: {priority: {RUSH: X}}\n", "mapping.yaml")
    warnings = read_declared(site, None, mapping, None).warnings
    assert [warning.partition(": ")[0] for warning in warnings] == [f"{site}:1:39", f"{mapping}:1:27"]
