"""Edge cases of what a site declares: promises that go live, codes that are not mapped, who wants no calls."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from hub.cli.replay import as_line
from hub.replay import ReplayOptions, ReplayResult, replay
from hub.store_replay import replay_store
from streams.embedded.reader import Reader

PROMISE = """
thresholds:
  - {{id: callback, kind: wait, key: callback_id, start: {{event: callback.promised}},
     satisfied_by: [{{event: callback.made}}], within: 1h, mode: {mode}}}
"""
OTHER = """
  - {id: other, kind: wait, key: order_id, start: {event: callback.promised},
     satisfied_by: [{event: outreach.reached, where: {purpose: result}}], within: 1h}
"""
INPATIENT = """
thresholds:
  - {id: stay, kind: wait, key: visit_id, start: {event: visit.started, where: {class: I}},
     satisfied_by: [{event: visit.ended}], within: 1h}
"""


def event(id_: str, type_: str, time: str, **data: Any) -> str:
    body = {"mrn": "100", "assigning_authority": "NORTH", **data}
    return json.dumps({
        "specversion": "1.0", "id": id_, "source": "/crm", "type": type_, "time": f"2026-06-01T{time}:00Z", "data": body
    })  # fmt: skip


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def test_shadow_made_live(tmp_path: Path) -> None:
    """What was broken while nobody trusted the promise stays what it was: listed, and nobody is alerted of the past."""
    store, promises = tmp_path / "store", tmp_path / "promises.yaml"

    def run(mode: str, *lines: str, until: int | None = None) -> None:
        promises.write_text(PROMISE.format(mode=mode))
        replay_store(store, ReplayOptions(paths=[str(write(tmp_path, "in", *lines))], thresholds=promises, until=until))

    run("shadow", event("1", "callback.promised", "10:00", callback_id="c1"), event("2", "order.placed", "12:00"))
    with closing(Reader.open(store)) as reader:
        before = reader.rows("SELECT cursor FROM transition")
    run(
        "live",
        event("3", "callback.promised", "13:00", callback_id="c2"),
        event("4", "callback.made", "13:30", callback_id="c1"),
        event("5", "order.placed", "15:00"),
    )
    with closing(Reader.open(store)) as reader:
        alerts = {alert.key: (alert.mode, alert.state.value) for alert in reader.alerts()}
        said = [body for cursor, body in reader.rows("SELECT cursor, body FROM transition") if (cursor,) not in before]
    assert alerts == {"c1": ("shadow", "resolved"), "c2": ("live", "breached")}
    told = [(alert["key"], alert["mode"]) for alert in map(json.loads, said)]
    assert ("c1", "live") not in told
    assert ("c2", "live") in told


def admission(class_: str) -> str:
    pv1 = ["PV1", "1", class_, *[""] * 16, "V1"]
    return f"MSH|^~\\&|ADT|NORTH|||20260601100000||ADT^A01|1|P|2.5\rPID|1||100^^^NORTH^MR\r{'|'.join(pv1)}\r"


def admitted(tmp_path: Path, class_: str, site: str = "") -> ReplayResult:
    later = admission("O").replace("20260601100000", "20260601120000").replace("|1|P", "|2|P").replace("V1", "V2")
    (tmp_path / "in.hl7").write_text(admission(class_) + "\r" + later)
    promises, declared = (
        write(tmp_path, "promises.yaml", INPATIENT),
        write(tmp_path, "site.yaml", "timezone: UTC", site),
    )
    return replay(ReplayOptions(paths=[str(tmp_path / "in.hl7")], thresholds=promises, site=declared))


def test_site_code_unmapped(tmp_path: Path) -> None:
    """A code that nobody mapped is absent, counted, and opens nothing; mapped it does."""
    unmapped = admitted(tmp_path, "WARD7")
    assert unmapped.report["notes"]["unmapped_class"] == 1
    assert unmapped.alerts == []
    assert "WARD7" not in json.dumps(unmapped.report)
    mapped = admitted(tmp_path, "WARD7", "mapping: {version: 1, tables: {class: {WARD7: I}}}")
    assert "unmapped_class" not in mapped.report["notes"]
    assert [(alert.threshold, alert.state.value) for alert in mapped.alerts] == [("stay", "breached")]


def test_opt_out_suppresses(tmp_path: Path) -> None:
    """The promise is broken all the same; beside it stands that nobody may call, and why."""
    promises = write(tmp_path, "promises.yaml", PROMISE.format(mode="live"))
    lines = (
        event("1", "preference.set", "09:00", do_not_call=True),
        event("2", "callback.promised", "10:00", callback_id="c1"),
        event("3", "order.placed", "12:00"),
    )
    result = replay(ReplayOptions(paths=[str(write(tmp_path, "in", *lines))], thresholds=promises))
    [line] = [as_line(alert, result.directory) for alert in result.alerts]
    assert line["state"] == "breached"
    outreach: Any = line["outreach"]
    assert (outreach.allowed, outreach.reason) == (False, "do_not_call")


def test_a_consent_taken_back_for_one_purpose_closes_what_is_for_it(tmp_path: Path) -> None:
    promise = PROMISE.format(mode="live").rstrip()[:-1]
    promises = write(tmp_path, "promises.yaml", f"{promise}, next_step: call-to-schedule}}", OTHER)
    lines = (
        event("1", "consent.revoked", "09:00", purpose="call-to-schedule"),
        event("2", "callback.promised", "10:00", callback_id="c1", order_id="o1"),
        event("3", "order.placed", "12:00"),
    )
    result = replay(ReplayOptions(paths=[str(write(tmp_path, "in", *lines))], thresholds=promises))
    lines_of = {line["threshold"]: line["outreach"] for line in (as_line(a, result.directory) for a in result.alerts)}
    told: dict[str, Any] = {id_: (outreach.allowed, outreach.reason) for id_, outreach in lines_of.items()}  # type: ignore[attr-defined]
    assert told == {"callback": (False, "purpose_revoked"), "other": (True, None)}


def test_wrong_number_three_times(tmp_path: Path) -> None:
    """A number at which somebody else answered leads to nobody, however often it is tried, until it is told again."""
    promises = write(tmp_path, "promises.yaml", PROMISE.format(mode="live"))
    number = "+12125550147"

    def failed(id_: str, time: str) -> str:
        return event(id_, "outreach.failed", time, reason="wrong_number", address=number, attempt=int(id_))

    def called(id_: str, time: str) -> str:
        data = {"contact_id": f"c{id_}", "channel": "voice", "direction": "inbound", "address": number}
        return event(id_, "contact.ended", time, **data, mrn=None, assigning_authority=None)

    lines = [event("0", "person.updated", "08:00", phones=[number]), called("10", "08:30")]
    lines += [failed("1", "09:00"), failed("2", "10:00"), failed("3", "11:00"), called("11", "11:30")]
    lines += [event("4", "person.updated", "12:00", phones=[number]), called("12", "12:30")]
    store = tmp_path / "store"
    replay_store(store, ReplayOptions(paths=[str(write(tmp_path, "in", *lines))], thresholds=promises))
    with closing(Reader.open(store)) as reader:
        events = [one for taken in reader.accepted() for one in taken.events]
    told = {one.id: one.data["identified"] for one in events if one.type == "contact.ended"}
    assert told == {"10": True, "11": False, "12": True}
