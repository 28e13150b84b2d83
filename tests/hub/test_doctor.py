"""`pxhub doctor`: what it looks at, and that it says what is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.cli import doctor
from hub.cli.doctor import Finding, examine

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LOOKED_AT = ["python", "tzdata", "holidays", "hl7apy", "clock", "disk", "packs", "packages"]


def found(what: str, now: datetime = NOW, folder: Path = Path()) -> Finding:
    return next(finding for finding in examine(now, folder) if finding.what == what)


def run(arguments: list[str]) -> int | str | None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *arguments])
    return ended.value.code


def test_all_is_well_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", what] for what in LOOKED_AT]


def test_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["well"] is True
    assert [finding["what"] for finding in told["findings"]] == LOOKED_AT


def test_ndjson_is_the_same_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--format", "ndjson"]) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["well"] is True


@pytest.mark.parametrize("year", [1970, 2025, 2090])
def test_a_clock_that_cannot_be_right_is_told(year: int) -> None:
    clock = found("clock", now=datetime(year, 1, 1, tzinfo=UTC))
    assert not clock.well
    assert "set the clock" in clock.mend


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    disk = found("disk", folder=tmp_path / "gone")
    assert not disk.well
    assert disk.mend


def test_something_wrong_is_exit_code_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PYTHON", (99, 0))
    assert run([]) == 1
    assert "WRONG python" in capsys.readouterr().out
