"""`pxhub replay` as its user meets it: files in, a report and alerts out, exit codes."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main

THRESHOLDS = """
version: 1
thresholds:
  - id: told
    kind: wait
    key: order_id
    start: {event: result.final}
    satisfied_by: [{event: result.viewed}]
    within: 4h
    severity: high
  - id: hold
    kind: measure
    event: contact.ended
    value: queue_seconds
    limit: {above: 120}
"""
MESSAGE = (
    "MSH|^~\\&|LAB|NORTH|HUB|HUB|20260302100000||ORU^R01|{id}|P|2.5.1\r"
    "PID|1||M1^^^NORTH^MR||Doe^Jane\r"
    "ORC|RE|P1^WARD|F1^LAB\r"
    "OBR|1|P1^WARD|F1^LAB|GLU|||20260302080000|||||||||||||||20260302100000|||{status}\r"
    "OBX|1|NM|GLU||5|||H\r"
)


def event(id_: str, type_: str, time: str, **data: Any) -> str:
    data = {"mrn": "M1", "assigning_authority": "NORTH"} | data
    return (
        json.dumps({"specversion": "1.0", "id": id_, "source": "s", "type": type_, "time": time, "data": data}) + "\n"
    )


class Run:
    """What one run of the command gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.out)
        return report


class Desk:
    """A folder, and the command run in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.put("thresholds.yaml", THRESHOLDS)

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def replay(self, *paths: Path | str, options: tuple[str, ...] = (), format_: str = "json") -> Run:
        arguments = [
            *map(str, paths),
            "--thresholds",
            str(self.folder / "thresholds.yaml"),
            "--format",
            format_,
            *options,
        ]
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["replay", *arguments])
        out, err = self._capsys.readouterr()
        return Run(int(stopped.value.code or 0), out, err)

    def alerts(self, *paths: Path | str, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        out = self.folder / "alerts.ndjson"
        self.replay(*paths, options=("--alerts-out", str(out), *options))
        return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


FINAL = event("1", "result.final", "2026-03-02T10:00:00Z", order_id="o1", facility="NORTH")
VIEWED = event("2", "result.viewed", "2026-03-02T15:00:00Z", order_id="o1")


def test_a_late_end_is_an_alert_with_every_field(desk: Desk) -> None:
    [alert] = desk.alerts(desk.put("a.ndjson", FINAL + VIEWED))
    assert alert.pop("id").startswith("al-")
    assert alert.pop("person").startswith("pn-")
    assert alert.pop("journey").startswith("jn-")
    assert alert == {
        "threshold": "told",
        "key": "o1",
        "state": "resolved",
        "level": "breached",
        "severity": "high",
        "mode": "live",
        "started_at": "2026-03-02T10:00:00Z",
        "due_at": "2026-03-02T14:00:00Z",
        "fired_at": "2026-03-02T14:00:00Z",
        "ended_at": "2026-03-02T15:00:00Z",
        "delay_seconds": 3600,
        "facility": "NORTH",
        "late_start": False,
        "reason": "result.viewed was promised within 4h of result.final",
    }


def test_an_end_heard_late_retracts(desk: Desk) -> None:
    later = event("3", "result.final", "2026-03-02T20:00:00Z", order_id="o2")
    viewed = event("2", "result.viewed", "2026-03-02T13:00:00Z", order_id="o1")
    [alert] = desk.alerts(desk.put("a.ndjson", FINAL + later + viewed))
    assert (alert["state"], alert["delay_seconds"]) == ("retracted", None)


def test_every_message_is_counted_once(desk: Desk) -> None:
    other = event("1", "result.final", "2026-03-02T10:00:00Z", order_id="o2")
    respelt = json.dumps(dict(reversed(json.loads(FINAL).items())) | {"traceparent": "x"}) + "\n"
    timeless = json.dumps({k: v for k, v in json.loads(VIEWED).items() if k != "time"} | {"id": "9"}) + "\n"
    far = event("8", "result.final", "2999-01-01T00:00:00Z", order_id="o3")
    path = desk.put("a.ndjson", FINAL + respelt + other + timeless + far + "{broken\n")
    report = desk.replay(path, desk.put("photo.png", b"\x89PNG\r\n\x1a\n\x00")).report
    assert report["messages"] == 7
    assert (report["accepted"], report["duplicates"], report["ignored"], report["dead_letters"]) == (1, 1, 1, 4)
    assert report["dead_letters_by_reason"] == {"conflict": 1, "from_the_future": 1, "no_time": 1, "unreadable": 1}
    assert report["ignored_by_reason"] == {"not HL7 v2, FHIR or CloudEvents": 1}


def test_the_order_of_files_means_nothing(desk: Desk) -> None:
    paths = [desk.put("b/2.ndjson", VIEWED), desk.put("a/1.ndjson", FINAL)]
    assert desk.replay(*paths).out == desk.replay(*reversed(paths)).out
    assert desk.alerts(*paths) == desk.alerts(*reversed(paths))


def test_until_is_the_last_clock(desk: Desk) -> None:
    path = desk.put("a.ndjson", FINAL + VIEWED)
    run = desk.replay(path, options=("--until", "2026-03-02T14:00:00Z"))
    assert run.report["alerts"] == {"told": {"breached": 1}}
    assert run.report["ignored_by_reason"] == {"after_until": 1}
    assert desk.replay(path, options=("--until", "2026-03-02T13:59:59Z")).report["alerts"] == {}


def test_hl7_in_every_wrapping_gives_the_same_events(desk: Desk) -> None:
    message = MESSAGE.format(id="77", status="F")
    framed = b"\x0b" + message.encode() + b"\x1c\r"
    paths = [
        desk.put("cr.hl7", message),
        desk.put("lf.hl7", message.replace("\r", "\n")),
        desk.put("crlf.hl7", message.replace("\r", "\r\n")),
        desk.put("mllp.bin", framed),
        desk.put("packed.hl7.gz", gzip.compress(message.encode())),
        desk.put("batch.hl7", f"FHS|^~\\&\rBHS|^~\\&\r{message}BTS|1\rFTS|1\r"),
    ]
    report = desk.replay(*paths).report
    assert (report["messages"], report["accepted"], report["duplicates"]) == (6, 1, 5)
    assert (report["persons"], report["waits"]) == (1, 1)


def test_a_control_id_with_other_content_is_a_conflict(desk: Desk) -> None:
    path = desk.put("a.hl7", MESSAGE.format(id="77", status="F") + "\r" + MESSAGE.format(id="77", status="P"))
    assert desk.replay(path).report["dead_letters_by_reason"] == {"conflict": 1}


def test_a_stamp_without_offset_is_read_in_the_zone_named(desk: Desk) -> None:
    path = desk.put("a.hl7", MESSAGE.format(id="77", status="F"))
    silent = desk.replay(path)
    assert "no offset" in silent.err
    assert silent.report["assumed_utc"] > 0
    site = desk.put("site.yaml", "facilities: {NORTH: {zone: America/New_York}}\n")
    until = ("--until", "2026-03-02T23:00:00Z")
    for options in (("--timezone", "America/New_York"), ("--site", str(site))):
        [alert] = desk.alerts(path, options=(*until, *options))
        assert alert["started_at"] == "2026-03-02T15:00:00Z"
        assert alert["key"] == "P1^WARD"


def test_standard_input(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((FINAL + VIEWED).encode())))
    assert desk.replay("-").report["accepted"] == 2


def test_measure_is_resolved_at_once_and_named_by_its_event(desk: Desk) -> None:
    [alert] = desk.alerts(desk.put("a.ndjson", event("7", "contact.ended", "2026-03-02T10:00:00Z", queue_seconds=121)))
    assert (alert["key"], alert["state"], alert["delay_seconds"], alert["journey"]) == ("7", "resolved", 0, None)


def test_a_gzip_cut_short_is_one_dead_letter(desk: Desk) -> None:
    lines = "".join(event(str(n), "result.final", "2026-03-02T10:00:00Z", order_id=f"o{n}") for n in range(50_000))
    report = desk.replay(desk.put("cut.gz", gzip.compress(lines.encode())[:-2000])).report
    assert report["dead_letters"] == 1
    assert report["accepted"] > 0


def test_explain_tells_the_worst(desk: Desk) -> None:
    run = desk.replay(desk.put("a.ndjson", FINAL + VIEWED), options=("--explain", "1"), format_="table")
    assert run.code == 0
    for said in ("told  resolved, 1h late  severity high", "Expected  result.viewed", "4h from the start"):
        assert said in run.out


def test_exit_codes(desk: Desk) -> None:
    path = desk.put("a.ndjson", FINAL + "{broken\n")
    assert desk.replay(path).code == 0
    assert desk.replay(path, options=("--strict",)).code == 1
    assert desk.replay(path, options=("--explain", "al-none")).code == 1
    assert desk.replay(desk.folder / "nowhere").code == 2
    assert desk.replay(path, options=("--timezone", "Mars/Olympus")).code == 2
    assert desk.replay(path, options=("--until", "soon")).code == 2


def test_a_wrong_thresholds_file_tells_all_its_mistakes(desk: Desk) -> None:
    desk.put(
        "thresholds.yaml", THRESHOLDS.replace("within: 4h", "within: 4 hurs").replace("kind: measure", "kind: mesure")
    )
    run = desk.replay(desk.put("a.ndjson", FINAL))
    assert run.code == 2
    assert run.out == ""
    assert "thresholds.yaml:9:13: error" in run.err
    assert "thresholds.yaml:12:11: error" in run.err


def test_a_source_that_fell_silent_is_told_of(desk: Desk) -> None:
    desk.put("thresholds.yaml", "thresholds: [{id: quiet, kind: silence, by: source, quiet: 2h}]\n")
    other = event("o", "result.final", "2026-03-02T16:00:00Z").replace('"source": "s"', '"source": "t"')
    again = event("s", "result.final", "2026-03-02T15:00:00Z")
    alerts = desk.alerts(desk.put("a.ndjson", FINAL + again + other), options=("--until", "2026-03-02T18:30:00Z"))
    told = [(a["key"], a["state"], a["started_at"], a["due_at"], a["ended_at"]) for a in alerts]
    assert told[0] == ("s", "resolved", "2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z", "2026-03-02T15:00:00Z")
    assert [(key, state) for key, state, *_ in told[1:]] == [("s", "breached"), ("t", "breached")]


def test_what_is_probably_a_mistake_is_said_and_stops_nothing(desk: Desk) -> None:
    desk.put(
        "thresholds.yaml", THRESHOLDS.replace("{event: result.final}", "{event: result.final, where: {catgory: LAB}}")
    )
    run = desk.replay(desk.put("a.ndjson", FINAL))
    assert run.code == 0
    assert "did you mean `category`?" in run.err
