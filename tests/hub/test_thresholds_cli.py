"""`pxhub thresholds`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hub.__main__ import main
from hub.cli.thresholds import thresholds_app
from hub.site import FACILITY_KEYS, SITE_KEYS, read_site_text
from hub.thresholds import PACKS, WrongThresholds, check_thresholds, load_thresholds
from schemas.threshold_keys import COMMON, FILE_KEYS, OF_KIND
from streams.core.thresholds import read_thresholds

WRONG = """thresholds:
  - id: told
    kind: wait
    key: order_id
    start: result.final
    satisfied_by: result.viewed
    within: 2 busness days
"""
OWN = """calendars:
  clinic: {timezone: UTC, hours: {mon-fri: "08:00-17:00"}, holidays: {country: US}, closed: [2026-12-24]}
thresholds:
  - id: told
    title: Told in time
    kind: wait
    key: order_id
    start: {event: result.final, where: {category: LAB, class: [E, O], priority: {present: false}}}
    satisfied_by: [{event: result.viewed}, {event: contact.ended, where: {reason: result}, by: person, times: 2}]
    cancelled_by: {event: order.cancelled, by: [order_id, visit_id]}
    paused_by: order.scheduled
    resumed_by: exam.completed
    within: 2 business days
    not_before: start
    calendar: clinic
    warn_at: 75%
    grace: 5m
    skew: 2m
    restart: move
    survives_death: true
    mode: shadow
    source: our own
  - {id: hold, kind: measure, event: contact.ended, value: hold_seconds, limit: {above: 120, below: -0.5}}
  - {id: back, kind: sequence, key: person, first: visit.ended, then: visit.started, within: 72h}
  - {id: again, kind: count, key: [person, reason], event: contact.ended, limit: {at_least: 3, in: 7d}}
  - {id: gave_up, kind: rate, of: contact.abandoned, out_of: contact.ended, by: queue, window: 1h, limit: {above: 5%},
     minimum: 20, distinct: contact_id}
  - {id: mean, kind: average, event: contact.ended, value: hold_seconds, window: 30m, limit: {above: 120}}
  - {id: quiet, kind: silence, at_least: 15m}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(thresholds_app, list(arguments), catch_exceptions=False)


def write(folder: Path, text: str, name: str = "own.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_check_points_to_the_mistake(tmp_path: Path) -> None:
    path = write(tmp_path, WRONG)
    result = run("check", path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        (
            f"{path}:7:13: error: `within`: `busness days` is no unit"
            " (s, m, h, days, weeks, business hours, business days)"
            " (did you mean `2 business days`?)"
        ),
        "        within: 2 busness days",
        "                ^",
        "0 thresholds can be used; 1 error.",
    ]


def test_check_of_what_is_right(tmp_path: Path) -> None:
    result = run("check", write(tmp_path, OWN))
    assert (result.exit_code, result.stdout) == (0, "7 thresholds can be used; nothing is wrong.\n")
    assert run("check").exit_code == 0


def test_check_of_a_site_file_tells_its_mapping_too(tmp_path: Path) -> None:
    lines = "facilities: {N: {zone: Moon}}\nmapping: {tables: {class: {X: Q}}, groups: {VIST: {a: ZVS-1}}}\n"
    site = write(tmp_path, lines, "site.yaml")
    result = run("check", "--site", site)
    assert result.exit_code == 1
    for said in (
        f"{site}:1:24: error",
        f"{site}:2:31: warning: `class` is one of",
        f"{site}:2:45: error: no event has",
    ):
        assert said in result.stdout, result.stdout


def test_check_for_machines(tmp_path: Path) -> None:
    path = write(tmp_path, WRONG)
    result = run("check", path, "--format", "json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["ok"], answer["thresholds"]) == (1, False, 0)
    (problem,) = answer["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["severity"]) == (path, 7, 13, "error")
    assert problem["suggestion"] == "2 business days"
    lines = run("check", path, "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [problem]


def test_a_warning_does_not_fail_the_check(tmp_path: Path) -> None:
    text = OWN.replace("category: LAB", "catagory: LAB")
    result = run("check", write(tmp_path, text))
    assert result.exit_code == 0
    assert "warning: `result.final` carries no `catagory` (did you mean `category`?)" in result.stdout


def test_a_folder_is_read_recursively_and_together(tmp_path: Path) -> None:
    calendars, thresholds = OWN.split("thresholds:", 1)
    (tmp_path / "deeper").mkdir()
    write(tmp_path / "deeper", calendars, "calendars.yml")
    write(tmp_path, "thresholds:" + thresholds)
    write(tmp_path, "not: read", "notes.txt")
    result = run("check", str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "7 thresholds can be used; nothing is wrong.\n")
    assert [threshold.pack for threshold in load_thresholds(tmp_path).thresholds] == ["own"] * 7


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "1:1: error: the file is empty"),
        (b"\xff\xfe\x00\x01", "1:1: error: this is no text in UTF-8"),
        (b"- a\n", "1:1: error: a mapping is expected at the top"),
        (b"a: [", "1:5: error: this is no YAML"),
        (b"MSH|^~\\&|A|B\rPID|1\r", "error: "),
        (b"a: \x07", "1:4: error: this is no text"),
    ],
)
def test_what_is_no_thresholds_file_is_said_without_a_traceback(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    result = run("check", str(path))
    assert result.exit_code == 1
    assert said in result.stdout
    with pytest.raises(WrongThresholds, match="error: "):
        load_thresholds(path)


def test_a_folder_without_thresholds_is_said(tmp_path: Path) -> None:
    result = run("check", str(tmp_path))
    assert result.exit_code == 1
    assert "no *.yaml file in this folder" in result.stdout


def test_a_site_file_is_checked_with_them(tmp_path: Path) -> None:
    own = write(tmp_path, OWN)
    site = write(tmp_path, "thresholds: {told: {within: 3 busness days}, tld: {mode: live}}", "site.yaml")
    result = run("check", own, "--site", site)
    assert result.exit_code == 1
    assert f"{site}:1:29: error: `within`" in result.stdout
    assert "(did you mean `told`?)" in result.stdout
    assert run("check", own, "--site", write(tmp_path, "a: 1", "bad.yaml")).exit_code == 1


def test_wrong_use_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, WRONG)
    for arguments in (["check", str(tmp_path / "absent.yaml")], ["list", path], ["explain", "order.bookd"]):
        with pytest.raises(SystemExit) as left:
            main(["thresholds", *arguments])
        assert left.value.code == 2
    assert "did you mean `order.booked`?" in capsys.readouterr().err


def test_explain_says_in_english_what_is_promised(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    assert run("explain", path).stdout.split("\n\n")[0].splitlines() == [
        "told  (wait)",
        "  Promise    Told in time",
        (
            "  Starts     at result.final (category LAB and class E or O and no priority); "
            "a wait for each order_id of a person"
        ),
        "  Kept by    result.viewed or 2 times contact.ended (reason result) of the person",
        "  Due        2 business days after the start, or after `start` of the start event if that is later",
        "  Calendar   clinic (UTC): mon-fri 08:00-17:00; closed on the holidays of US; closed on 2026-12-24",
        "  Off        order.cancelled of the same order_id and visit_id",
        "  Paused by  order.scheduled, until exam.completed",
        "  Warns      at 75% of it",
        "  Again      when it starts again meanwhile, due counts from the newer one",
        "  Grace      said 5m after due, for sources that are slow",
        "  Skew       an end up to 2m before the start counts, for clocks that disagree",
        "  Severity   medium (shadow: judged and listed, alerts nobody)",
        "  Death      goes on after the person has died",
        "  Source     our own",
        f"  Declared   {path}:4",
    ]


@pytest.mark.parametrize(
    "name, said",
    [
        ("hold", "each time it is above 120 or below -0.5"),
        ("back", "visit.started, of the same person"),
        ("again", "from 3 within 7 days until they are fewer"),
        ("gave_up", "while it is above 5% over 1h, if there are at least 20"),
        ("mean", "mean hold_seconds of contact.ended, over all"),
        ("quiet", "twice its longest quiet around that hour of the week, and at least 15m"),
    ],
)
def test_explain_of_the_other_kinds(tmp_path: Path, name: str, said: str) -> None:
    result = run("explain", name, "--thresholds", write(tmp_path, OWN))
    assert result.exit_code == 0
    assert said in result.stdout


def test_every_shipped_threshold_is_explained() -> None:
    loaded = load_thresholds(None)
    result = run("explain", str(PACKS), "--format", "json")
    told = json.loads(result.stdout)["thresholds"]
    assert [threshold["id"] for threshold in told] == [threshold.id for threshold in loaded.thresholds]
    assert all(dict(threshold["lines"])["Source"] != "none given" for threshold in told)


def test_list_for_people_and_machines(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    rows = json.loads(run("list", path, "--format", "json").stdout)["thresholds"]
    assert rows[0] == {
        "id": "told",
        "kind": "wait",
        "pack": "own",
        "severity": "medium",
        "mode": "shadow",
        "title": "Told in time",
    }
    assert [json.loads(line) for line in run("list", path, "--format", "ndjson").stdout.splitlines()] == rows
    assert "Told in time" in " ".join(run("list", path).stdout.split())


def test_a_schema_is_printed() -> None:
    assert json.loads(run("schema", "site").stdout)["$id"] == "urn:pxhub:schema:site"


DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "thresholds.md"


def test_the_examples_of_the_document_are_right() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    files = [block for block in blocks if "facilities:" not in block]
    assert len(files) == 2
    for block in files:
        assert read_thresholds([("docs.yaml", block)])[1] == []
    (site_text,) = (block for block in blocks if "facilities:" in block)
    site, problems = read_site_text("site.yaml", site_text)
    assert problems == []
    assert check_thresholds([], site)[1] == []


def test_the_document_tells_every_line() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    keys = {*COMMON, *(key for keys in OF_KIND.values() for key in keys), *FILE_KEYS, *SITE_KEYS, *FACILITY_KEYS}
    assert [key for key in sorted(keys) if f"`{key}" not in text and f"{key}:" not in text] == []
