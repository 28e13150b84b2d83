"""Stamps of before 1970, as systems write for no time: never when something happened, by whichever door they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.__main__ import main
from schemas.errors import Reason
from schemas.instant import read_instant
from tests.connectors.messages import PID, message
from tests.hub.api.live_hub import cloud_event, running

HL7 = ["00010101", "00010101000000", "0001", "18991230000000", "19691231235959+0000", "196912", "19700101010000+0200"]
ISO = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01",
    "1899-12-30T00:00:00-05:00",
    "1969-12-31T23:59:59Z",
    "1970-01-01T01:00:00+02:00",
]
SINCE = ["19700101000000+0000", "1970-01-01T00:00:00Z", "1969-12-31T19:00:00-05:00"]


def hl7(stamp: str, number: int, *, sent: str | None = None) -> bytes:
    told = message("ADT^A01^ADT_A01", f"EVN||{stamp}", PID, "PV1|1|I", control=str(number))
    return told.replace(b"|20260302120000|", f"|{stamp if sent is None else sent}|".encode(), 1)


def event(stamp: str, number: int) -> dict[str, Any]:
    return cloud_event("result.final", 0, f"e{number}", order_id=str(number)) | {"time": stamp}


def resource(stamp: str, number: int) -> dict[str, Any]:
    return {
        "resourceType": "Appointment",
        "id": f"a{number}",
        "status": "booked",
        "meta": {"lastUpdated": stamp},
        "start": "2026-03-02T09:00:00Z",
        "participant": [{"actor": {"reference": f"Patient/{number}"}, "status": "accepted"}],
    }


def lines(told: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in told)


FILES = {
    "messages.hl7": (b"".join(hl7(stamp, n) for n, stamp in enumerate(HL7)), len(HL7)),
    "events.ndjson": (lines([event(stamp, n) for n, stamp in enumerate(ISO)]), len(ISO)),
    "resources.ndjson": (lines([resource(stamp, n) for n, stamp in enumerate(ISO)]), len(ISO)),
}


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_in_files_they_are_dead_letters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, durable: bool
) -> None:
    content, many = FILES[name]
    (tmp_path / name).write_bytes(content)
    where = ("--store", str(tmp_path / "store")) if durable else ()
    with pytest.raises(SystemExit) as ended:
        main(["replay", str(tmp_path / name), "--timezone", "America/New_York", "--format", "json", *where])
    report = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert report["dead_letters_by_reason"] == {"bad_time": many}
    assert (report["messages"], report["accepted"]) == (many, 0)


@pytest.mark.anyio
async def test_a_hub_keeps_them_as_dead_letters_and_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        verdicts = await hub.intake.take("hl7", [hl7(stamp, n) for n, stamp in enumerate(HL7)])
        verdicts += await hub.intake.take("cloudevents", [json.dumps(event(s, n)).encode() for n, s in enumerate(ISO)])
        verdicts += await hub.intake.take("fhir", [json.dumps(resource(s, n)).encode() for n, s in enumerate(ISO)])
        assert {verdict.reason for verdict in verdicts} == {Reason.BAD_TIME.value}
        assert all("1970 or later" in (verdict.mend or "") for verdict in verdicts)
        first, *others = SINCE
        assert [v.reason for v in await hub.intake.take("hl7", [hl7(first, 90)])] == [None]
        assert await hub.take(*(event(stamp, 90 + n) for n, stamp in enumerate(others))) == ["accepted"] * 2


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("stamp", HL7)
def test_another_field_of_the_message_says_when_it_happened_and_that_is_counted(stamp: str) -> None:
    found = Hl7Reader(load_mapping(), default_zone="UTC").read(hl7(stamp, 1, sent="20260302120000"), "here")
    assert [event.time for event in found.events] == [read_instant("2026-03-02T12:00:00Z")]
    assert found.notes == ("bad_time_skipped",)


def test_a_date_of_birth_is_no_event_time() -> None:
    told = message("ADT^A08^ADT_A01", "EVN||20260302120000", f"{PID}||19310101", "PV1|1|I")
    assert Hl7Reader(load_mapping(), default_zone="UTC").read(told, "here").events[0].data["birth_date"] == "1931-01-01"


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize(
    "rule",
    [
        "after: {attribute: due, plus: 2h}",
        "after: {attribute: due, plus: 30d}",
        "after: {attribute: due, plus: 3 business days}, calendar: desk",
        "before: {attribute: due, minus: 2h}",
        "before: {attribute: due, minus: 3 business days}, calendar: desk",
        "within: 1h, not_before: due",
    ],
)
def test_by_an_attribute_of_such_a_time_nothing_is_late(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stamp: str, rule: str
) -> None:
    (tmp_path / "t.yaml").write_text(
        "calendars: {desk: {timezone: America/New_York, hours: {mon-fri: '08:00-17:00'}}}\n"
        f"thresholds: [{{id: t, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final, {rule}}}]\n"
    )
    told = [cloud_event("order.placed", 0, "1", order_id="a", due=stamp), cloud_event("result.final", 5, order_id="a")]
    told += [cloud_event("order.placed", 0, "2", order_id="b", due=stamp)]  # and one that still runs
    (tmp_path / "e.ndjson").write_bytes(lines(told))
    store = ("--store", str(tmp_path / "store"))
    for where in ((), store):
        files = [str(tmp_path / "e.ndjson"), "--thresholds", str(tmp_path / "t.yaml")]
        with pytest.raises(SystemExit) as ended:
            main(["replay", *files, "--format", "json", "--alerts-out", str(tmp_path / "alerts.ndjson"), *where])
        out, err = capsys.readouterr()
        assert ended.value.code == 0, err
        report = json.loads(out)
        assert (report["accepted"], report["alerts"]) == (3, {})
    with pytest.raises(SystemExit) as ended:
        main(["waits", "list", *store])
    assert ended.value.code == 0, capsys.readouterr().err
