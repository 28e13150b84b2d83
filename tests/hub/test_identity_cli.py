"""`pxhub identity`, and one person across files: in memory, in a store, undone, previewed, read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.__main__ import main

SITE = "timezone: America/New_York\nfacilities: {NORTH: {region: US}}\n"
THRESHOLDS = """
thresholds:
  - id: told
    kind: wait
    key: order_id
    start: {event: result.final}
    satisfied_by: {event: contact.ended, where: {outcome: reached}, by: person}
    within: 4h
"""


def patient(number: int, mrn: str, born: str, phone: str, *more: str) -> str:
    stamp = f"2026060108{number:02d}00"
    return (
        f"MSH|^~\\&|ADT|NORTH|HUB|HUB|{stamp}||ADT^A28^ADT_A05|{number}|P|2.5.1\rEVN|A28|{stamp}\r"
        f"PID|1||{mrn}^^^NORTH^MR||Doe^{mrn}||{born}|F|||||{phone}||es\r" + "".join(more)
    )


def event(id_: str, type_: str, time: str, **data: Any) -> str:
    told = {"specversion": "1.0", "id": id_, "source": "c", "type": type_, "time": f"2026-06-{time}:00Z", "data": data}
    return json.dumps(told) + "\n"


class Desk:
    """A folder of messages from two systems, and the command."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.store, self.site = folder / "in", folder / "store", folder / "site.yaml"
        self.alerts = folder / "alerts.ndjson"
        self._capsys = capsys
        self.folder.mkdir()
        self.site.write_text(SITE)
        (folder / "t.yaml").write_text(THRESHOLDS)
        (self.folder / "people.hl7").write_text("\r".join((
            patient(1, "100", "19700102", "(212)555-0100"),
            patient(2, "200", "19800304", "(212)555-0199"),
            patient(3, "201", "20120506", "(212)555-0199", "NK1|1|Roe^Ann|MTH||(212)555-0199\r"),
            patient(4, "300", "19700102", "+1 555 CALL NOW"),
        )))  # fmt: skip
        (self.folder / "calls.ndjson").write_text(
            event("r1", "result.final", "01T13:00", order_id="o1", identifiers=["100^NORTH"])
            + event("r2", "result.final", "01T13:01", order_id="o2", identifiers=["201^NORTH"])
            + event("e1", "contact.ended", "01T14:00", contact_id="c1", address="+1 212 555 0100", outcome="reached")
            + event("e2", "contact.ended", "01T15:00", contact_id="c2", address="+12125550199", outcome="reached")
            + event("e3", "contact.ended", "01T15:30", contact_id="c3", address="+1 555 CALL NOW")
            + event("p", "consent.revoked", "02T09:00", channel="voice", identifiers=["201^NORTH"])
        )

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        self._capsys.readouterr()
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        return code, self._capsys.readouterr().out

    def replay(self, *more: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        named = ("--site", self.site, "--thresholds", self.folder.parent / "t.yaml", "--alerts-out", self.alerts)
        code, out = self.run("replay", self.folder, *named, "--format", "ndjson", *more)
        assert code == 0
        return json.loads(out), [json.loads(line) for line in self.alerts.read_text().splitlines()]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_a_call_settles_the_callers_wait_and_a_family_is_not_guessed(desk: Desk) -> None:
    report, alerts = desk.replay()
    assert [(alert["key"], alert["state"]) for alert in alerts] == [("o2", "breached")]
    assert alerts[0]["outreach"] == {
        "allowed": False, "reason": "do_not_call", "language": "es", "ask_for": "proxy",
    }  # fmt: skip
    assert report["notes"] == {"phone_unreadable": 2}
    again, stored = desk.replay("--store", desk.store)
    differing = ("fired_at", "late_start")
    assert [{k: v for k, v in a.items() if k not in differing} for a in stored] == [
        {k: v for k, v in a.items() if k not in differing} for a in alerts
    ]
    assert {k: again[k] for k in report} == report
    code, out = desk.run("alerts", "show", alerts[0]["id"], "--store", desk.store)
    assert code == 0
    assert "Outreach  not allowed, reason do not call, language es, ask for proxy" in out
    code, out = desk.run("journeys", "show", "201^NORTH", "--store", desk.store)
    assert "Proxy     Roe, Ann, mother, +12125550199" in out


def test_a_link_is_explained_undone_and_not_made_again(desk: Desk) -> None:
    desk.replay("--store", desk.store)
    code, out = desk.run("identity", "explain", "c1", "--store", desk.store)
    assert code == 0
    assert "by rule phone, score 80, on phone" in out
    assert "+1212" not in out
    assert "several persons" in desk.run("identity", "explain", "c2", "--store", desk.store)[1]
    assert desk.run("identity", "explain", "nobody", "--store", desk.store)[0] == 1
    assert desk.run("identity", "undo", "e1/linked", "--store", desk.store)[0] == 0
    assert "taken back by hand" in desk.run("identity", "explain", "c1", "--store", desk.store)[1]
    assert desk.run("identity", "undo", "c1", "--store", desk.store)[0] == 1
    code, out = desk.run("alerts", "list", "--store", desk.store, "--format", "ndjson")
    keys = [(alert["key"], alert["state"]) for alert in map(json.loads, out.splitlines())]
    assert sorted(keys) == [("o1", "breached"), ("o2", "breached")]
    assert desk.run("store", "check", "--store", desk.store)[0] == 0
    (desk.folder / "more.ndjson").write_text(
        event("e9", "contact.ended", "03T14:00", contact_id="c1", address="+12125550100", outcome="reached")
    )
    desk.replay("--store", desk.store)
    assert "undone" in desk.run("identity", "explain", "c1", "--store", desk.store)[1]


def test_reading_again_decides_nothing_anew(desk: Desk) -> None:
    desk.replay("--store", desk.store)
    desk.site.write_text(SITE + "identity: {links: false}\n")
    code, out = desk.run("store", "remap", "--store", desk.store, "--format", "ndjson")
    assert code == 0
    assert json.loads(out)["changed"] == 0
    assert "by rule phone" in desk.run("identity", "explain", "c1", "--store", desk.store)[1]


def test_a_preview_says_what_would_be_and_writes_nothing(desk: Desk) -> None:
    desk.replay("--store", desk.store)
    before = (desk.store / "pxhub.db").read_bytes()
    other = desk.folder.parent / "other.yaml"
    other.write_text(SITE + "identity: {link_at: 85}\n")
    for asked in (("--store", desk.store), (desk.folder,)):
        code, out = desk.run("identity", "preview", *asked, "--site", other, "--format", "json")
        told = json.loads(out)
        assert code == 0
        assert told["counts"] == {
            "would_link": 0, "would_unlink": 1, "would_link_to_another": 0, "stays_linked": 0, "stays_open": 2,
        }  # fmt: skip
        assert "c1" not in [line["contact"] for line in told["contacts"]]
        assert "+1212" not in out
        assert "100^NORTH" not in out
    assert (desk.store / "pxhub.db").read_bytes() == before


@pytest.mark.parametrize(
    "section, said",
    [
        ("{own: [5550100]}", "`own` lists numbers with their country"),
        ("{link_at: 101}", "`link_at` is a whole number from 0 to 100"),
        ("{rules: [{id: x, needs: [name], score: 50}]}", "the rest leads to nobody by itself"),
        ("{rules: [{id: phne, score: 50}]}", "did you mean `phone`?"),
        ("{rules: [{id: x, needs: [phone, birthdate], score: 50}]}", "did you mean `birth_date`?"),
        ("{costs: {name_far: 5}}", "name_far"),
        ("{links: perhaps}", "`links` is true or false"),
        ("{region: USA}", "`region` is a country of two letters"),
    ],
)
def test_a_mistake_in_the_section_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], section: str, said: str
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"identity: {section}\n")
    (tmp_path / "in").mkdir()
    with pytest.raises(SystemExit):
        main(["replay", str(tmp_path / "in"), "--site", str(site)])
    assert said in capsys.readouterr().err


def test_an_alert_of_a_call_is_the_callers_until_the_link_is_undone(desk: Desk) -> None:
    thresholds = desk.folder.parent / "t.yaml"
    limit = "{id: hold, kind: measure, event: contact.ended, value: queue_seconds, limit: {above: 60}}"
    thresholds.write_text(f"thresholds: [{limit}]\n")
    calls = desk.folder / "calls.ndjson"
    calls.write_text(
        event("e1", "contact.ended", "01T14:00", contact_id="c1", address="+12125550100", queue_seconds=90)
        + event("e2", "contact.ended", "01T15:00", contact_id="c2", address="+12125550199", queue_seconds=90)
        + event("e3", "contact.analysed", "01T16:00", contact_id="c2", identifiers=["201^NORTH"])
    )
    _, alerts = desk.replay()
    _, stored = desk.replay("--store", desk.store)
    whose = [alert["person"] for alert in alerts]
    assert None not in whose
    assert [alert["person"] for alert in stored] == whose
    desk.run("identity", "undo", "c1", "--store", desk.store)
    out = desk.run("alerts", "list", "--store", desk.store, "--format", "ndjson")[1]
    assert [json.loads(line)["person"] for line in out.splitlines()] == [None, whose[1]]
