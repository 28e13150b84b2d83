"""Commands on a store: what files put into it is what a replay in memory says, and every command tells of it."""

from __future__ import annotations

import json
import resource
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import typer

from hub.__main__ import main
from hub.api.cursor import Cursors, cursors_of
from hub.cli.alerts import alerts_app, journeys_app, waits_app
from hub.cli.store import events_app, letters_app, store_app
from hub.cli.stored import FormatOption, StoreOption
from schemas.alert import State
from streams.embedded.reader import Reader


class Desk:
    """A folder with a store in it, and the command."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.store = folder / "store"
        self._capsys = capsys

    def run(self, *arguments: str | Path) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        out, err = self._capsys.readouterr()
        return code, out, err

    def ask(self, *arguments: str | Path) -> list[dict[str, Any]]:
        code, out, err = self.run(*arguments, "--store", self.store, "--format", "ndjson")
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def event(id_: str, type_: str, time: str, **data: Any) -> str:
    data = {"mrn": "M1", "assigning_authority": "NORTH"} | data
    told = {"specversion": "1.0", "id": id_, "source": "s", "type": type_, "time": time, "data": data}
    return json.dumps(told) + "\n"


def told(desk: Desk, *lines: str, id_: str = "told") -> None:
    """Put a few events into the store, judged by one threshold."""
    thresholds = desk.folder / "t.yaml"
    thresholds.write_text(
        "thresholds:\n"
        f"  - {{id: {id_}, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 4h}}\n"
    )
    path = desk.folder / "events.ndjson"
    path.write_text("".join(lines))
    code, _, err = desk.run("replay", path, "--store", desk.store, "--thresholds", thresholds, "--format", "json")
    assert code == 0, err


def said(err: str) -> list[str]:
    """What is said on stderr beside the log."""
    return [line for line in err.splitlines() if not line.startswith("{")]


FINAL = event("1", "result.final", "2026-03-02T10:00:00Z", order_id="o1")
OTHER = event("1", "result.final", "2026-03-02T10:30:00Z", order_id="o1")
VIEWED = event("2", "result.viewed", "2026-03-02T15:00:00Z", order_id="o1")
RUNS = event("3", "result.final", "2026-03-02T15:00:00Z", order_id="o2")


def test_a_clinics_week_gives_the_same_alerts_by_both_ways(desk: Desk) -> None:
    assert desk.run("simulate", "--out", desk.folder / "clinic")[0] == 0
    files, site = desk.folder / "clinic", desk.folder / "clinic" / "site.yaml"
    common = ("replay", files, "--site", site, "--format", "json", "--alerts-out")
    code, in_memory, _ = desk.run(*common, desk.folder / "a.ndjson")
    assert code == 0
    code, stored, _ = desk.run(*common, desk.folder / "b.ndjson", "--store", desk.store)
    assert code == 0
    assert (desk.folder / "a.ndjson").read_bytes() == (desk.folder / "b.ndjson").read_bytes()
    one, other = json.loads(in_memory), json.loads(stored)
    assert {name: one[name] for name in other} == other
    assert desk.run("store", "check", "--store", desk.store)[0] == 0


def test_what_a_store_holds_is_told(desk: Desk) -> None:
    told(desk, FINAL, OTHER, VIEWED, RUNS)
    [alert] = desk.ask("alerts", "list")
    assert (alert["state"], alert["key"], alert["delay_seconds"]) == ("resolved", "o1", 3600)
    [shown] = desk.ask("alerts", "show", alert["id"])
    assert any("4h from the start" in line for line in shown["explanation"])
    changes = desk.ask("alerts", "tail", "--no-follow")
    assert [(c["cursor"], c["state"]) for c in changes] == [(1, "breached"), (2, "resolved")]
    with closing(Reader.open(desk.store)) as reader:
        by_http = cursors_of(reader).write(1)
    assert desk.ask("alerts", "tail", "--no-follow", "--after", "1") == changes[1:]
    assert desk.ask("alerts", "tail", "--no-follow", "--after", by_http) == changes[1:]
    assert [w["key"] for w in desk.ask("waits", "list")] == ["o2"]
    assert [(e["id"], e["data"]["order_id"]) for e in desk.ask("events", "show")] == [
        ("1", "o1"),
        ("2", "o1"),
        ("3", "o2"),
    ]
    assert len(desk.ask("events", "show", "--person", "M1^NORTH", "--type", "result.viewed")) == 1
    assert {row["journey"] for row in desk.ask("journeys", "show", alert["person"])} == {"order_id o1", "order_id o2"}
    [stats] = desk.ask("store", "stats")
    assert (stats["messages"], stats["accepted"], stats["dead_letters"], stats["open_dead_letters"]) == (4, 3, 1, 1)
    assert stats["clock"] >= "2026-03-02T"


def test_a_dead_letter_is_shown_replayed_and_dropped(desk: Desk) -> None:
    told(desk, FINAL, OTHER)
    [letter] = desk.ask("dead-letters", "list")
    assert letter["reason"] == "conflict"
    code, raw, _ = desk.run("dead-letters", "show", str(letter["id"]), "--raw", "--store", desk.store)
    assert (code, json.loads(raw)) == (0, json.loads(OTHER))
    code, out, _ = desk.run("dead-letters", "replay", "--store", desk.store, "--format", "ndjson")
    assert (code, json.loads(out)["reason"]) == (1, "conflict")
    assert desk.ask("dead-letters", "drop", str(letter["id"])) == [{"id": letter["id"], "state": "dropped"}]
    assert desk.ask("dead-letters", "list") == []
    assert desk.run("dead-letters", "drop", str(letter["id"]), "--store", desk.store)[0] == 1


@pytest.mark.parametrize("command", ["replay", "drop"])
def test_a_dead_letter_that_does_not_wait_is_told_of(desk: Desk, command: str) -> None:
    told(desk, FINAL, OTHER, VIEWED)
    [letter] = desk.ask("dead-letters", "list")
    settled = str(letter["id"])
    code, out, err = desk.run("dead-letters", command, "999", "--store", desk.store, "--format", "ndjson")
    assert (code, out, said(err)) == (1, "", ["999: there is no such open dead letter"])
    assert desk.run("dead-letters", "drop", settled, settled, "--store", desk.store)[0] == 0
    code, _, err = desk.run("dead-letters", command, "999", settled, "--store", desk.store)
    assert code == 1
    assert said(err) == [f"{seq}: there is no such open dead letter" for seq in ("999", settled)]
    assert desk.run("dead-letters", "replay", "--store", desk.store)[0] == 0  # none is named, and none waits


def test_what_is_asked_for_and_unknown_is_wrong_use(desk: Desk) -> None:
    told(desk, FINAL, VIEWED)
    code, _, err = desk.run("alerts", "list", "--state", "bogus", "--store", desk.store)
    assert code == 2
    assert all(state.value in err for state in State)
    for command in ("alerts", "waits"):
        code, _, err = desk.run(command, "list", "--threshold", "tolt", "--store", desk.store)
        assert code == 2
        assert err == "--threshold tolt: this store knows no such threshold (did you mean `told`?)\n"
    assert len(desk.ask("alerts", "list", "--state", "resolved", "--threshold", "told")) == 1
    assert desk.ask("alerts", "list", "--state", "breached") == []
    assert desk.ask("waits", "list", "--threshold", "told") == []


def test_a_cursor_that_leads_nowhere_here_is_wrong_use(desk: Desk) -> None:
    told(desk, FINAL, OTHER, VIEWED, RUNS)
    elsewhere = Cursors("another store").write(1)
    for cursor, mend in ((elsewhere, "of another store"), ("3", "of before a restore"), ("-1", "is no cursor")):
        code, _, err = desk.run("alerts", "tail", "--no-follow", "--store", desk.store, "--after", cursor)
        assert (code, mend in err) == (2, True), err


def test_a_threshold_of_before_is_known_by_its_alerts(desk: Desk) -> None:
    told(desk, FINAL, VIEWED)
    told(desk, RUNS, id_="later")
    assert len(desk.ask("alerts", "list", "--threshold", "told")) == 1
    assert desk.ask("waits", "list", "--threshold", "told") == []
    assert desk.run("alerts", "list", "--threshold", "other", "--store", desk.store)[0] == 2


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_a_time_that_is_none_names_its_option(desk: Desk, option: str) -> None:
    told(desk, FINAL)
    code, _, err = desk.run("store", "remap", option, "yesterday", "--store", desk.store)
    assert code == 2
    assert said(err) == [f"{option} yesterday: a time such as 2026-03-08T17:00:00Z is expected"]


def test_a_letter_that_is_well_now_moves_from_one_count_to_the_other(desk: Desk) -> None:
    message = (
        "MSH|^~\\&|LAB|NORTH|HUB|HUB|||ORU^R01|7|P|2.5.1\rPID|1||M1^^^NORTH^MR||Doe^Jane\r"
        "ORC|RE|P1^WARD|F1^LAB\rOBR|1|P1^WARD|F1^LAB|GLU|||20260302080000||||||||||||||||||F\r"
        "OBX|1|NM|GLU||5|||H\r"
    )
    path = desk.folder / "a.hl7"
    path.write_bytes(message.encode())
    assert desk.run("replay", path, "--store", desk.store, "--format", "json")[0] == 0
    [letter] = desk.ask("dead-letters", "list")
    assert letter["reason"] == "no_time"
    mapping = desk.folder / "mapping.yaml"
    mapping.write_text("events:\n  result.final: {time: OBR-7}\n")
    [stats] = desk.ask("store", "stats")
    assert (stats["accepted"], stats["dead_letters"]) == (0, 1)
    [settled] = desk.ask("dead-letters", "replay", "--mapping", mapping)
    assert settled["outcome"] == "accepted"
    [stats] = desk.ask("store", "stats")
    assert (stats["messages"], stats["accepted"], stats["dead_letters"]) == (1, 1, 0)
    assert [e["type"] for e in desk.ask("events", "show")] == ["result.final"]
    assert desk.run("store", "check", "--store", desk.store)[0] == 0


def test_a_mended_mapping_is_run_over_what_came_before(desk: Desk) -> None:
    message = (
        "MSH|^~\\&|LAB|NORTH|HUB|HUB|20260302100000||ORU^R01|7|P|2.5.1\rPID|1||M1^^^NORTH^MR||Doe^Jane\r"
        "ORC|RE|P1^WARD|F1^LAB\rOBR|1|P1^WARD|F1^LAB|GLU|||20260302080000|||||||||||||||20260302100000|||F\r"
        "OBX|1|NM|GLU||5|||H\r"
    )
    path, thresholds, mapping = desk.folder / "a.hl7", desk.folder / "t.yaml", desk.folder / "mapping.yaml"
    path.write_bytes(message.encode())
    thresholds.write_text(
        "thresholds:\n  - {id: t, kind: measure, event: result.final, value: level, limit: {above: 3}, key: order_id}\n"
    )
    code, _, err = desk.run("replay", path, "--store", desk.store, "--thresholds", thresholds, "--format", "json")
    assert code == 0, err
    assert desk.ask("alerts", "list") == []
    mapping.write_text("events:\n  result.final:\n    attributes: {level: {number: OBX-5}}\n")
    [counts] = desk.ask("store", "remap", "--mapping", mapping)
    assert counts == {"messages": 1, "changed": 1, "kept": 0}
    assert [e["data"]["level"] for e in desk.ask("events", "show")] == [5]
    [alert] = desk.ask("alerts", "list")
    assert (alert["state"], alert["key"]) == ("resolved", "P1^WARD")
    assert desk.run("store", "check", "--store", desk.store)[0] == 0


def test_a_copy_is_the_store(desk: Desk) -> None:
    told(desk, FINAL, VIEWED)
    copy = desk.folder / "copy.db"
    assert desk.ask("store", "backup", copy) == [{"file": str(copy), "bytes": copy.stat().st_size}]
    assert desk.run("store", "backup", copy, "--store", desk.store)[0] == 2
    again = desk.folder / "again"
    code, out, _ = desk.run("store", "restore", copy, "--store", again, "--format", "json")
    assert (code, json.loads(out)) == (0, {"store": str(again), "file": str(copy)})
    assert desk.run("store", "restore", copy, "--store", again)[0] == 2
    assert desk.run("store", "check", "--store", again)[0] == 0
    copy.write_bytes(b"no store")
    assert desk.run("store", "restore", copy, "--store", desk.folder / "third")[0] == 2


def test_a_copy_that_finds_no_room_leaves_nothing_behind(desk: Desk) -> None:
    told(desk, FINAL, VIEWED)
    copy, soft = desk.folder / "copy.db", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40 * 1024, soft[1]))
    try:
        code, _, err = desk.run("store", "backup", copy, "--store", desk.store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, soft)
    assert code == 2
    assert "the copy cannot be written" in err
    assert sorted(path.name for path in desk.folder.glob("copy.db*")) == []
    assert desk.run("store", "backup", copy, "--store", desk.store)[0] == 0


def test_the_doctor_looks_at_a_store(desk: Desk) -> None:
    told(desk, FINAL, OTHER)
    code, out, _ = desk.run("doctor", "--store", desk.store, "--format", "json")
    findings = {finding["what"]: finding for finding in json.loads(out)["findings"]}
    assert code == 0, out
    assert findings["store"]["found"] == "2 messages, 0 transitions"
    assert findings["dead letters"]["found"].startswith("1 ")
    [whole] = desk.ask("doctor")
    assert [finding["what"] for finding in whole["findings"]] == list(findings)
    (desk.store / "pxhub.db").chmod(0o644)
    code, out, _ = desk.run("doctor", "--store", desk.store, "--format", "json")
    assert code == 1
    assert desk.run("doctor", "--store", desk.folder / "none")[0] == 1


def test_a_store_is_not_run_ahead_of_the_machines_clock(desk: Desk) -> None:
    path = desk.folder / "events.ndjson"
    path.write_text(FINAL)
    code, _, err = desk.run("replay", path, "--store", desk.store, "--until", "2999-01-01T00:00:00Z")
    assert code == 2
    assert "--until lies ahead of this machine's clock" in err
    assert not desk.store.exists()
    assert desk.run("replay", path, "--until", "2999-01-01T00:00:00Z", "--format", "json")[0] == 0


def test_the_doctor_tells_of_a_store_whose_clock_is_ahead(desk: Desk) -> None:
    told(desk, FINAL)
    with sqlite3.connect(desk.store / "pxhub.db") as db:
        db.execute("UPDATE log SET recorded = recorded + 1000000000000000")  # 32 years
    db.close()
    code, out, _ = desk.run("doctor", "--store", desk.store, "--format", "json")
    [clock] = [finding for finding in json.loads(out)["findings"] if finding["what"] == "store clock"]
    assert (code, clock["well"]) == (1, False)
    assert "ahead of the machine's" in clock["found"]


def test_a_store_that_was_tampered_with_is_found(desk: Desk) -> None:
    told(desk, FINAL, VIEWED)
    with sqlite3.connect(desk.store / "pxhub.db") as db:
        db.execute("DELETE FROM alert")
        db.execute("UPDATE tally SET count = count + 1")
    db.close()
    code, out, _ = desk.run("store", "check", "--store", desk.store, "--format", "json")
    assert code == 1
    faults = json.loads(out)["faults"]
    assert any("not stored" in fault for fault in faults)
    assert any("counted" in fault for fault in faults)


@pytest.mark.parametrize("app", [alerts_app, waits_app, journeys_app, events_app, letters_app, store_app])
def test_every_command_on_a_store_takes_the_store_and_the_three_formats(app: typer.Typer) -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        taken = get_type_hints(command.callback, include_extras=True)
        assert taken["format_"] == FormatOption, command.name
        if (app, command.name) != (alerts_app, "list"):  # of a hub in Kafka too, and then there is none
            assert taken["store"] == StoreOption, command.name


@pytest.mark.parametrize("command", [("alerts", "list"), ("waits", "list"), ("store", "stats"), ("events", "show")])
def test_where_there_is_no_store_it_is_said(desk: Desk, command: tuple[str, str]) -> None:
    code, _, err = desk.run(*command, "--store", desk.folder / "none")
    assert code == 2
    assert "there is no store here" in err


def test_a_stamp_from_the_future_does_not_run_the_clock_of_a_store_away(desk: Desk) -> None:
    far = event("9", "result.viewed", "2099-11-01T10:00:00Z", order_id="o9")
    told(desk, event("3", "result.final", "2026-03-02T10:00:00Z", order_id="o2"), far)
    [stats] = desk.ask("store", "stats")
    assert (stats["dead_letters"], stats["clock"]) == (1, "2026-03-02T10:00:00Z")
    assert desk.ask("alerts", "list") == []
    assert [w["key"] for w in desk.ask("waits", "list")] == ["o2"]


def test_what_was_taken_as_a_test_is_taken_when_it_is_read_again(desk: Desk) -> None:
    message = (
        "MSH|^~\\&|LAB|NORTH|HUB|HUB|20260302100000||ORU^R01|7|T|2.5.1\rPID|1||M1^^^NORTH^MR||Doe^Jane\r"
        "ORC|RE|P1^WARD|F1^LAB\rOBR|1|P1^WARD|F1^LAB|GLU|||20260302080000|||||||||||||||20260302100000|||F\r"
    )
    path = desk.folder / "a.hl7"
    path.write_bytes(message.encode())
    assert desk.run("replay", path, "--store", desk.store, "--timezone", "UTC", "--format", "json")[0] == 0
    [counts] = desk.ask("store", "remap")
    assert (counts["messages"], counts["changed"]) == (1, 0)
    [stats] = desk.ask("store", "stats")
    assert (stats["accepted"], stats["ignored"]) == (1, 0)


def test_a_zone_that_was_assumed_is_told(desk: Desk) -> None:
    path = desk.folder / "a.ndjson"
    path.write_text(event("1", "result.final", "2026-03-02T10:00:00"))
    code, out, err = desk.run("replay", path, "--store", desk.store, "--format", "json")
    assert (code, json.loads(out)["assumed_utc"]) == (0, 1)
    assert "read as UTC" in err


def test_a_file_that_is_cut_short_is_told(desk: Desk) -> None:
    told(desk, FINAL)
    path = desk.store / "pxhub.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 2048)
    for command in (("alerts", "list"), ("store", "purge")):
        code, _, err = desk.run(*command, "--store", desk.store)
        assert (code, "cut short" in err, "restore a backup" in err) == (2, True, True)


def test_a_fhir_resource_is_kept_and_read_again(desk: Desk) -> None:
    order = {
        "resourceType": "ServiceRequest", "id": "o", "status": "active", "intent": "order",
        "meta": {"lastUpdated": "2026-03-02T10:00:00Z"}, "subject": {"reference": "Patient/1"},
    }  # fmt: skip
    lines = [json.dumps(one) for one in (order, order, order | {"subject": {"reference": "#nobody"}, "id": "p"})]
    path = desk.folder / "orders.ndjson"
    path.write_text("\n".join(lines))
    code, out, err = desk.run("replay", path, "--store", desk.store, "--format", "json")
    assert code == 0, err
    report = json.loads(out)
    assert (report["accepted"], report["duplicates"], report["dead_letters_by_reason"]) == (1, 1, {"no_identifier": 1})
    [counts] = desk.ask("store", "remap")
    assert (counts["messages"], counts["changed"], counts["kept"]) == (1, 0, 0)
    assert [e["type"] for e in desk.ask("events", "show")] == ["order.stated"]
    code, out, _ = desk.run("dead-letters", "replay", "--store", desk.store, "--format", "ndjson")
    assert json.loads(out)["reason"] == "no_identifier"
    assert desk.run("store", "check", "--store", desk.store)[0] == 0
