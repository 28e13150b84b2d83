"""Nothing around an event may cost the event: spoilt lines, layouts, arrays, more files than may be open."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.cloudevents.read import CloudEventReader
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub import cloudevent_files
from hub.__main__ import main
from hub.inputs import find_inputs


def event(number: int, **data: Any) -> dict[str, Any]:
    # data stands before specversion, as a sender may write it
    told = {"mrn": "M1", "order_id": f"o{number}"} | data
    head = {"id": str(number), "source": "s", "type": "result.final", "time": "2026-03-02T10:00:00Z"}
    return {"data": told, **head, "specversion": "1.0"}


GOOD = [event(n) for n in range(100)]
LINES = "".join(json.dumps(one) + "\n" for one in GOOD)
SPLIT = LINES[: len(LINES) // 2], LINES[len(LINES) // 2 :]
MIXED = json.dumps(GOOD[:50]) + "\n" + json.dumps(GOOD[50]) + json.dumps(GOOD[51:])
HEADED = '{"specversion": "1.0",\n' + json.dumps(GOOD[0])[1:].replace(", ", ",\n", 3)


def counted(path: Path) -> tuple[int, list[str], list[str]]:
    """How many events, and the reasons of what is dead and of what is ignored."""
    found = [
        message
        for one in find_inputs([str(path)])
        for message in one.messages(Hl7Reader(load_mapping(None)), CloudEventReader())
    ]
    readings = [m.reading for m in found if m.reading is not None]
    dead = [r.dead.reason.value for r in readings if r.dead is not None]
    return sum(m.event is not None for m in found), dead, [r.ignored for r in readings if r.ignored is not None]


@pytest.mark.parametrize(
    "content, dead",
    [
        pytest.param('{"id":"x"}\n' + LINES, ["invalid"], id="first line is no event"),
        pytest.param('"id":"x","specversion":"1.0"}\n' + LINES, ["unreadable"], id="first line is the rest of one"),
        pytest.param('{"id":"x","specv\n' + LINES, ["unreadable"], id="first line is cut short"),
        pytest.param(LINES + '{"id":"x","specv', ["unreadable"], id="last line is cut short"),
        pytest.param(SPLIT[0] + "garbage\n" + SPLIT[1], None, id="garbage in the middle"),
        pytest.param("\ufeff" + LINES, [], id="a byte order mark"),
        pytest.param("\n\n  \n" + LINES.replace("\n", "\r\n\r\n"), [], id="blank lines"),
        pytest.param(json.dumps(GOOD), [], id="one array"),
        pytest.param(json.dumps(GOOD, indent=2), [], id="one array over lines"),
        pytest.param("\n".join(json.dumps(one, indent=2) for one in GOOD), [], id="each over several lines"),
        pytest.param("\n".join(json.dumps(GOOD[n : n + 10]) for n in range(0, 100, 10)), [], id="an array a line"),
        pytest.param(MIXED, [], id="array, object, array"),
        pytest.param(HEADED, [], id="head on its first line"),
    ],
)  # fmt: skip
def test_every_whole_event_is_taken(tmp_path: Path, content: str, dead: list[str] | None) -> None:
    path = tmp_path / "events.json"
    path.write_text(content, encoding="utf-8")
    events, reasons, ignored = counted(path)
    expected = 1 if content == HEADED else 100
    if dead is None:  # the cut goes through a line: it and its rest are spoilt, no other
        assert (events, set(reasons)) == (99, {"unreadable"})
    else:
        assert (events, reasons) == (expected, dead)
    assert ignored == []


@pytest.mark.parametrize("where", ["in the data", "in the head", "in what is not read", "in an array", "over lines"])
def test_a_byte_that_is_no_utf8_costs_its_event_alone(tmp_path: Path, where: str) -> None:
    spoilt = json.dumps(event(-1, note="NOTE") | {"extension": "MORE"})
    place = {"in the head": '"s"', "in what is not read": "MORE"}.get(where, "NOTE")
    raw = (json.dumps(json.loads(spoilt), indent=2) if where == "over lines" else spoilt).encode()
    raw = raw.replace(place.encode(), place.encode()[:-1] + b"\xff" + place.encode()[-1:])
    path = tmp_path / "events.json"
    if where == "in an array":
        path.write_bytes(b"[" + raw + b"," + json.dumps(GOOD)[1:].encode())
    else:
        path.write_bytes(LINES.encode() + raw + b"\n" + json.dumps(event(500)).encode() + b"\n")
    events, dead, ignored = counted(path)
    # what is not read may be passed by; then the event is taken, and its digest must not fail either
    assert events + len(dead) == (101 if where == "in an array" else 102)
    assert (set(dead) <= {"unreadable"}, ignored) == (True, [])
    assert events >= (100 if where == "in an array" else 101)


def test_a_first_event_larger_than_what_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(json.dumps(event(-1, note="x" * 200_000)) + "\n" + LINES)
    assert counted(path) == (101, [], [])


def test_an_array_larger_than_a_message_may_be(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text(json.dumps([event(n, note="x" * 1000) for n in range(17_000)]))
    assert path.stat().st_size > cloudevent_files.LARGEST
    assert counted(path) == (17_000, [], [])


def test_an_array_cut_short_costs_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text(json.dumps(GOOD)[:-20])
    assert counted(path) == (99, ["unreadable"], [])


def test_an_element_that_is_too_large_is_one_dead_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudevent_files, "LARGEST", 3000)
    path = tmp_path / "events.json"
    path.write_text(json.dumps([event(1), event(2, note="x" * 3_000_000), event(3)]))
    assert counted(path) == (2, ["too_large"], [])


@pytest.mark.parametrize("content", ['{"kind":"Patient"}\n' * 50, '[{"a":1},{"b":2}]', '{\n "a": 1\n}', "[1, 2"])
def test_json_without_an_event_is_one_ignored_message(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    events, dead, ignored = counted(path)
    assert (events, dead, len(ignored)) == (0, [], 1)


@pytest.mark.parametrize("seed", range(20))
def test_elements_whatever_the_pieces(seed: int) -> None:
    random = Random(seed)
    texts = ['a"b', "\\", "[{,}]", '\\"', "é", "", "x" * 40, '\\\\"[']
    items = [{"t": random.choice(texts), "n": [random.choice(texts)] * random.randrange(3)} for _ in range(9)]
    content = json.dumps(items, ensure_ascii=random.random() < 0.5, indent=random.choice([None, 1])).encode()
    scanner = cloudevent_files._Elements()
    found: list[bytes | None] = []
    at = 0
    while at < len(content):
        size = random.choice([1, 2, 3, 7, 50])
        found += scanner.feed(content[at : at + size])
        at += size
    assert [json.loads(f) for f in found if f is not None] == items
    assert scanner.is_whole


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.ndjson").write_text(json.dumps(event(number)) + "\n")

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    command = [sys.executable, "-m", "hub", "replay", str(tmp_path), "--format", "json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=few)
    report = json.loads(run.stdout)
    assert (report["accepted"], report["dead_letters"]) == (300, 0)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["replay", *arguments])
    return int(stopped.value.code or 0), capsys.readouterr().err


def test_wrong_use_is_a_sentence_and_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in ((("-", "-"), "twice"), (("",), "empty path"), (("x" * 5000,), "cannot be reached")):
        code, err = said(capsys, *arguments)
        assert (code, told in err) == (2, True), arguments


def test_an_explanation_asked_for_by_what_is_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(LINES)
    code, err = said(capsys, str(path), "--explain", "²")
    assert (code, "no such alert" in err) == (1, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text(LINES)
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "hub", "replay", str(path), "--format", "json"]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in run.stderr
    assert run.returncode != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without rights")
def test_a_path_inside_a_folder_without_rights(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "in.ndjson").write_text(LINES)
    closed.chmod(0)
    code = (
        f"import os; os.setuid(65534); from hub.inputs import find_inputs; find_inputs([{str(closed / 'in.ndjson')!r}])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    closed.chmod(0o700)
    assert "WrongUse" in run.stderr or "PermissionError" not in run.stderr
