"""What cannot be read of files, taken into a store: each is a dead letter of its own, and says what can be done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SPOILT = {
    "a.json": b'{"resourceType": "Bundle", "entry": [{"resource": {"id": "1", "x": 1e999}}]}',
    "b.json": b'{"resourceType": "Bundle", "entry": [{"resource": {"id": "2", "x": "\xe9"}}]}',
    "c.json": b'{"resourceType": "Bundle", "entry": [{"resource": {"id": "3",\n "x": 1}',
    "d.gz": b"\x1f\x8b\x08\x00cut",
    "e.ndjson": b'{"resourceType": "Patient", "id": "4"}\n{"resourceType": "Patient", "id": "\xe9"}\n',
}


def run(*arguments: object) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "hub", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)  # 1: some are dead still
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_is_a_letter_of_its_own_with_and_without_a_store(tmp_path: Path) -> None:
    files, store = tmp_path / "files", tmp_path / "store"
    files.mkdir()
    for name, content in SPOILT.items():
        (files / name).write_bytes(content)
    [alone] = run("replay", files, "--format", "ndjson")
    [stored] = run("replay", files, "--format", "ndjson", "--store", store)
    assert alone == stored
    assert (alone["dead_letters"], alone["accepted"]) == (len(SPOILT), 1)
    letters = run("dead-letters", "list", "--store", store, "--format", "ndjson")
    assert {Path(letter["place"].partition(",")[0]).name for letter in letters} == set(SPOILT)
    assert {letter["source_kind"] for letter in letters} == {"file", "fhir"}
    again = run("dead-letters", "replay", "--store", store, "--format", "ndjson")
    assert {letter["outcome"] for letter in again} == {"dead"}
    assert not any("report it" in letter["mend"] for letter in again)


EVENT = {"specversion": "1.0", "source": "s", "type": "order.placed", "data": {"mrn": "1", "order_id": "o"}}


def test_a_letter_is_recorded_at_the_clock_of_its_neighbours(tmp_path: Path) -> None:
    files, store = tmp_path / "files", tmp_path / "store"
    files.mkdir()
    (files / "a.ndjson").write_text('{"specversion": "1.0"}\n')
    (files / "b.ndjson").write_text("{}\n")
    run("replay", files, "--format", "ndjson", "--store", store)
    letters = run("dead-letters", "list", "--store", store, "--format", "ndjson")
    assert letters
    assert {letter["recorded"] for letter in letters} == {None}  # nothing has told a time yet
    told = [json.dumps({**EVENT, "id": str(n), "time": f"2026-03-0{n}T15:00:00Z"}) for n in (2, 3)]
    (files / "c.ndjson").write_text("\n".join((told[0], '{"specversion": "1.0", "id": "x"}', told[1])) + "\n")
    run("replay", files, "--format", "ndjson", "--store", store)
    letters = run("dead-letters", "list", "--store", store, "--format", "ndjson")
    assert {letter["recorded"] for letter in letters} == {"2026-03-02T15:00:00Z"}
    assert run("store", "check", "--store", store, "--format", "ndjson")
