"""A start that is refused has changed nothing: what the store was served with stands, and nothing is judged anew."""

from __future__ import annotations

import base64
import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.hub.test_serve import command

THRESHOLDS = """
thresholds:
  - {id: told, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 4h}
"""


def event(id_: str, type_: str, time: str) -> str:
    data = {"mrn": "M1", "assigning_authority": "N", "order_id": "o1"}
    told = {"specversion": "1.0", "id": id_, "source": "s", "type": type_, "time": time, "data": data}
    return json.dumps(told) + "\n"


def content(store: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(store / "pxhub.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of a wait that was kept, and thresholds by which it was not."""
    (tmp_path / "t.yaml").write_text(THRESHOLDS)
    (tmp_path / "stricter.yaml").write_text(THRESHOLDS.replace("4h", "1h"))
    (tmp_path / "events.ndjson").write_text(
        event("1", "result.final", "2026-03-02T10:00:00Z") + event("2", "result.viewed", "2026-03-02T12:00:00Z")
    )
    (tmp_path / "hooks.yaml").write_text("webhooks: [{name: ops, url: nonsense}]\n")
    (tmp_path / "inside.yaml").write_text("webhooks:\n  - {name: ops, url: https://localhost/, secret_file: secret}\n")
    (tmp_path / "secret").write_text("whsec_" + base64.b64encode(bytes(32)).decode())
    done = command(
        "replay", tmp_path / "events.ndjson", "--store", tmp_path / "store", "--thresholds", tmp_path / "t.yaml"
    )
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_refused_start_leaves_the_store_as_it_was(folder: Path, taken: int) -> None:
    before = content(folder / "store")
    loopback = "127.0.0.1:0"
    for options, said in (
        (("--http", f"127.0.0.1:{taken}"), "in use"),
        (("--http", loopback, "--mllp", f"127.0.0.1:{taken}"), "in use"),
        (("--http", "0.0.0.0:0"), "loopback only"),
        (("--http", loopback, "--webhooks", folder / "hooks.yaml"), "hooks.yaml:1"),
        (("--http", loopback, "--webhooks", folder / "inside.yaml"), "inside.yaml:2:"),
        (("--mllp", "0.0.0.0:0"), "--mllp-allow"),
        (("--mllp", loopback, "--mllp-allow", "10.0.0.1/8"), "no bits behind its length"),
        (("--mllp", loopback, "--mllp-certificate", folder / "none.pem"), "no certificate"),
        (("--mllp", "192.0.2.1:0", "--mllp-allow", "10.0.0.0/8"), "cannot be listened on"),
    ):
        done = command(
            "serve",
            "--store",
            folder / "store",
            "--timezone",
            "UTC",
            "--thresholds",
            folder / "stricter.yaml",
            *options,
        )
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert content(folder / "store") == before, options


def test_a_refused_start_makes_no_store(folder: Path, taken: int) -> None:
    done = command("serve", "--store", folder / "new", "--timezone", "UTC", "--mllp", f"127.0.0.1:{taken}")
    assert done.returncode == 2
    assert not (folder / "new").exists()
