"""Messages of test patients from after the end of a replay."""

from __future__ import annotations

import json
from pathlib import Path

from hub.replay import ReplayOptions, replay
from hub.store_replay import replay_store
from schemas.alert import State
from schemas.instant import read_instant

SILENT = "thresholds: [{id: quiet, kind: silence, by: source, quiet: 1h}]"


def line(id_: str, time: str, named: str) -> str:
    data = {"order_id": id_, "identifiers": [named]}
    return json.dumps(
        {"specversion": "1.0", "id": id_, "source": "lab", "type": "result.final", "time": time, "data": data}
    )


def test_what_lies_behind_the_end_is_heard_of_nobody_also_of_a_test_patient(tmp_path: Path) -> None:
    told = [line("1", "2026-03-02T10:00:00Z", "1^N"), line("2", "2026-03-02T16:00:00Z", "9^N")]
    (tmp_path / "in.ndjson").write_text("\n".join(told), encoding="utf-8")
    (tmp_path / "t.yaml").write_text(SILENT, encoding="utf-8")
    (tmp_path / "site.yaml").write_text("test_patients: [9^N]", encoding="utf-8")
    options = ReplayOptions(
        paths=[str(tmp_path / "in.ndjson")],
        thresholds=tmp_path / "t.yaml",
        site=tmp_path / "site.yaml",
        until=read_instant("2026-03-02T14:00:00Z"),
    )
    memory = replay(options)
    report, stored = replay_store(tmp_path / "store", options)
    assert [alert.state for alert in memory.alerts] == [alert.state for alert in stored] == [State.BREACHED]
    assert memory.report["ignored_by_reason"] == report["ignored_by_reason"] == {"after_until": 1}
