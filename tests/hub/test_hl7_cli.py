"""`pxhub hl7`: what a message becomes, what its version has against it, what its fields are called."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hub.__main__ import main

HEAD = "MSH|^~\\&|ADT|NORTH|HUB|HUB|20260302100000||ADT^A01^ADT_A01|1|P|{version}\rEVN||20260302100000\r"
WELL = HEAD.format(version="2.5.1") + "PID|1||M1^^^NORTH^MR||Doe^Jane||19800101|{sex}\rPV1|1|I\r"


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]  # a small closure
    def run(command: str, content: str, *options: str) -> tuple[int, str]:
        path = tmp_path / "message.hl7"
        path.write_text(content)
        with pytest.raises(SystemExit) as stopped:
            main(["hl7", command, str(path), *options])
        return int(stopped.value.code or 0), capsys.readouterr().out

    return run


def test_a_message_that_is_well(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", WELL.format(sex="F"))
    assert code == 0
    assert "visit.started at 2026-03-02T10:00:00Z" in out


def test_a_code_that_its_table_lacks_is_told_by_field_and_not_by_value(say) -> None:  # type: ignore[no-untyped-def]
    _, out = say("check", WELL.format(sex="QQQ"))
    assert "PID-8 (ADMINISTRATIVE_SEX)" in out
    assert "QQQ" not in out


def test_a_missing_segment_is_told(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", HEAD.format(version="2.5.1") + "PID|1||M1^^^NORTH^MR||Doe^Jane\r")
    assert code == 1
    assert "PV1" in out


def test_a_dead_letter_names_its_field(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", HEAD.format(version="2.5.1") + "PID|1||\rPV1|1|I\r", "--format", "json")
    [message] = json.loads(out)
    assert code == 1
    assert not message["well"]
    assert "no_identifier" in message["becomes"]
    assert "PID-3 (PATIENT_IDENTIFIER_LIST)" in message["becomes"]


def test_what_is_probably_a_mistake_in_the_mapping_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message, mapping = tmp_path / "message.hl7", tmp_path / "mapping.yaml"
    message.write_text(WELL.format(sex="F"))
    mapping.write_text("tables: {priority: {RUSH: X}}\n")
    with pytest.raises(SystemExit) as stopped:
        main(["hl7", "check", str(message), "--mapping", str(mapping), "--format", "json"])
    out, err = capsys.readouterr()
    assert (stopped.value.code, json.loads(out)[0]["well"]) == (0, True)
    assert "mapping.yaml:1:27: " in err


@pytest.mark.parametrize("version", ["2.9", "", "2.4^^", "nonsense", "2.3"])
def test_any_version_is_looked_into(say, version: str) -> None:  # type: ignore[no-untyped-def]
    _, out = say("check", HEAD.format(version=version) + "PID|1||M1^^^NORTH^MR||Doe^Jane||19800101|F\rPV1|1|I\r")
    assert "1 messages" in out


def test_show_names_the_fields(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("show", WELL.format(sex="F"), "--format", "json")
    [shown] = json.loads(out)
    assert code == 0
    names = {field["place"]: field["name"] for field in shown["fields"]}
    assert names["PID-7"] == "DATE_TIME_OF_BIRTH"
    assert names["PV1-2"] == "PATIENT_CLASS"


def test_a_wrong_date_is_told_by_its_field(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", WELL.format(sex="F").replace("19800101", "19801341"))
    assert code == 1
    assert "PID-7 (DATE_TIME_OF_BIRTH) is no time" in out
    assert "19801341" not in out


def test_a_dead_letter_is_looked_into_too(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", HEAD.format(version="2.5.1") + "PID|1||||Doe^Jane||no date|F\rPV1|1\r")
    assert code == 1
    assert "no_identifier" in out
    assert "PID-7 (DATE_TIME_OF_BIRTH) is no time" in out
    assert "PV1-2 (PATIENT_CLASS)" in out


def test_an_order_of_a_test_needs_no_medication(say) -> None:  # type: ignore[no-untyped-def]
    head = HEAD.format(version="2.5.1").replace("ADT^A01^ADT_A01", "ORM^O01^ORM_O01").partition("\r")[0]
    lines = ("PID|1||M1^^^NORTH^MR||Doe^Jane", "ORC|NW|P1", "OBR|1|P1||CBC^Blood count")
    code, out = say("check", "\r".join((head, *lines)))
    assert "_CHOICE" not in out
    assert "order.placed" in out
    assert code == 0, out


def test_a_field_is_named_once(say) -> None:  # type: ignore[no-untyped-def]
    _, out = say("check", WELL.format(sex="F") + "OBX|1|ST|A^B^C^D^E^F^G^H^I^J^K||x||||||F\r")
    assert "(OBSERVATION_IDENTIFIER) (OBSERVATION_IDENTIFIER)" not in out
    assert "OBX-3 (OBSERVATION_IDENTIFIER)" in out


@pytest.mark.parametrize(
    "type_, version",
    [("ADT^A08", "2.3"), ("ADT^A08", "2.5.1"), ("ADT^A31", "2.3"), ("ADT^A31", "2.5"), ("ADT^A04^ADT_XXX", "2.4")],
)
def test_a_type_that_does_not_name_its_structure(say, type_: str, version: str) -> None:  # type: ignore[no-untyped-def]
    content = WELL.format(sex="F").replace("ADT^A01^ADT_A01", type_).replace("2.5.1", version)
    content = content.replace("EVN||", f"EVN|{type_[4:7]}|")
    code, out = say("check", content)
    assert code == 0, out
    assert "Error" not in out


def test_a_type_that_its_version_does_not_have(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", WELL.format(sex="F").replace("ADT^A01^ADT_A01", "ZZZ^Z01"))
    assert code == 0
    assert "no structure for this message type" in out


def test_what_has_too_many_parts_is_told_plainly(say) -> None:  # type: ignore[no-untyped-def]
    lines = ("OBX|1|ST|K^Potassium|1|x||N^Normal||||F", "OBX|2|ST|K|1|x||||||F" + "|x" * 20)
    _, out = say("check", WELL.format(sex="F") + "\r".join(lines))
    assert "OBX has more fields than the version" in out
    assert "[None]" not in out


def test_blank_lines_and_lines_of_text_are_no_fault(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say(
        "check", WELL.format(sex="F").replace("\r", "\r \r\n") + "OBX|1|TX|K^Potassium|1|it goes\non||||||F"
    )
    assert code == 0, out


@pytest.mark.parametrize(
    "options",
    [("--timezone", "Mars/Olympus"), ("--timezone", "/etc/passwd"), ("--mapping", "nowhere.yaml"), ("--mapping", ".")],
)
def test_a_wrong_option_is_wrong_use(say, options: tuple[str, str]) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", WELL.format(sex="F"), *options)
    assert (code, out) == (2, "")


PACKED = gzip.compress((WELL.format(sex="F") + WELL.format(sex="M").replace("|1|P|", "|2|P|")).encode(), 0)


@pytest.mark.parametrize(
    "content, whole",
    [(b"\x1f\x8b\x08\x00junk", 0), (PACKED[:-8], 2), (PACKED + b"junk", 2), (PACKED[:-20], 1)],
    ids=["no gzip", "without its trailer", "junk behind it", "cut"],
)
def test_of_a_damaged_archive_what_stands_before_the_damage_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, whole: int
) -> None:
    path = tmp_path / "message.gz"
    path.write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        main(["hl7", "check", str(path), "--format", "json"])
    *well, last = json.loads(capsys.readouterr().out)
    assert stopped.value.code == 1
    assert [message["well"] for message in well] == [True] * whole
    assert "unreadable" in last["becomes"]


def test_an_event_s_attributes_are_shown(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", WELL.format(sex="F"), "--format", "json")
    [message] = json.loads(out)
    [event] = message["events"]
    assert code == 0
    assert (event["type"], event["time"]) == ("visit.started", "2026-03-02T10:00:00Z")
    assert event["data"]["class"] == "I"
    assert 'class: "I"' in say("check", WELL.format(sex="F"))[1]


def test_an_empty_file_is_one_ignored_message(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", "")
    assert code == 0
    assert "ignored, nothing in it\n1 messages, 0 with" in out


def test_bytes_before_the_first_message_are_told(say) -> None:  # type: ignore[no-untyped-def]
    code, out = say("check", "# export\r\n" + WELL.format(sex="F"), "--format", "json")
    stray, message = json.loads(out)
    assert (code, stray["well"], message["well"]) == (1, False, True)
    assert "message 1, between messages" in stray["becomes"]


@pytest.mark.parametrize("command", ["check", "show"])
def test_standard_input(command: str) -> None:
    run = [sys.executable, "-m", "hub", "hl7", command, "-", "--format", "json"]
    done = subprocess.run(run, input=WELL.format(sex="F"), capture_output=True, text=True, check=True)
    [message] = json.loads(done.stdout)
    assert message["place"] == "standard input message 1"


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_facility_s_charset(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    site, path = tmp_path / "site.yaml", tmp_path / "message.hl7"
    site.write_text("facilities: {NORTH: {charset: 8859/2}}")
    path.write_bytes(WELL.format(sex="F").replace("PV1|1|I", "PV1|1|I||||||||Chór").encode("iso8859-2"))
    with pytest.raises(SystemExit) as stopped:
        main(["hl7", command, str(path), "--site", str(site), "--format", "json"])
    assert stopped.value.code == 0
    assert "Chór" in capsys.readouterr().out
