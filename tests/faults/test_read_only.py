"""A store where nothing can be written is read, and whoever would write is told."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.__main__ import main

EVENT = {
    "specversion": "1.0", "id": "1", "source": "s", "type": "contact.ended", "time": "2026-03-02T10:00:00Z",
    "data": {"mrn": "1", "assigning_authority": "N", "contact_id": "c", "queue_seconds": 9000},
}  # fmt: skip

THRESHOLDS = "thresholds: [{id: hold, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 60}}]\n"


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder as one that nobody can write to; root needs a mount for that."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    if subprocess.run(["mount", "--bind", folder, folder], check=False, capture_output=True).returncode:
        pytest.skip("this root may mount nothing")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # a command of this process may hold it


def ask(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int | str | None, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code, *capsys.readouterr()


def test_a_store_on_a_read_only_mount_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, events, copy = tmp_path / "store", tmp_path / "e.ndjson", tmp_path / "copy.db"
    events.write_text(json.dumps(EVENT) + "\n")
    declared = tmp_path / "t.yaml"
    declared.write_text(THRESHOLDS)
    assert ask(capsys, "replay", events, "--store", store, "--thresholds", declared, "--format", "ndjson")[0] == 0
    before = ask(capsys, "alerts", "list", "--format", "ndjson", "--store", store)
    assert before[1].count("\n") >= 1
    with read_only(store):
        assert ask(capsys, "alerts", "list", "--format", "ndjson", "--store", store) == before
        assert ask(capsys, "store", "check", "--store", store)[0] == 0
        assert ask(capsys, "store", "backup", copy, "--store", store)[0] == 0
        code, _, err = ask(capsys, "dead-letters", "replay", "--store", store)
        assert code == 2
        assert "cannot be opened for writing" in err
        (tmp_path / "left").mkdir()
        os.link(copy, tmp_path / "left" / "pxhub.db")
    (tmp_path / "left" / "pxhub.db-wal").write_bytes(b"what a crash left behind")
    with read_only(tmp_path / "left"):
        code, _, err = ask(capsys, "alerts", "list", "--store", tmp_path / "left")
        assert code == 2
        assert "copy it to where it can be written" in err
