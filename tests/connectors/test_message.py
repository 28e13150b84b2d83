"""The lexer: delimiters, escapes, repetitions, line ends, and text that runs over the end of its line."""

from __future__ import annotations

import pytest

from connectors.hl7.message import DELETED, LARGE_FIELD, Message
from schemas.errors import Reason, Unreadable

HEAD = "MSH|^~\\&|A|B|||20260301||ADT^A01|1|P|2.5"


def test_fields_are_numbered_as_hl7_does() -> None:
    found = Message(f"{HEAD}\rPID|1||7^^^F&1.2&ISO^MR~8^^^G\r")
    assert (found.header[1], found.header[2], found.header[9]) == ("|", "^~\\&", "ADT^A01")
    pid = found.first("PID")
    assert found.value(pid, 3) == "7"
    assert found.value(pid, 3, 4) == "F"
    assert found.value(pid, 3, 4, 2) == "1.2"
    assert found.value(pid, 3, 1, 1, 2) == "8"
    assert [found.value(pid, *at) for at in ((3, 9), (3, 4, 9), (3, 1, 1, 3), (99,))] == ["", "", "", ""]


def test_the_separators_are_those_of_the_header() -> None:
    found = Message("MSH@~&#\\@A@B@@@20260301@@ADT~A01@1@P@2.5\rPID@1@@7~~~F\\G~MR&8\r")
    pid = found.first("PID")
    assert found.value(found.header, 9, 2) == "A01"
    assert [found.value(pid, 3, 4, 2), found.value(pid, 3, 1, 1, 2)] == ["G", "8"]


@pytest.mark.parametrize(
    "encoding, wanted",
    [("^~\\&", "^~\\&"), ("^~\\&#", "^~\\&"), ("^~\\\\&", "^~\\&"), ("^\\&", "^~\\&"), ("^~", "^~\0\0"), ("", "^~\\&")],
)
def test_encoding_characters_keep_their_places(encoding: str, wanted: str) -> None:
    found = Message(f"MSH|{encoding}|A\rPID|1\r")
    assert found.component + found.repetition + found.escape + found.subcomponent == wanted


@pytest.mark.parametrize(
    "text, wanted",
    [
        (r"a\F\b\S\c\R\d\E\e\T\f", "a|b^c~d\\e&f"),
        (r"one\.br\two", "one\ntwo"),
        (r"\H\loud\N\ and clear", "loud and clear"),
        (r"a\X0D0A\b", "a\nb"),
        (r"caf\XC3A9\ ", "café"),
        (r"\X4\ \XZZ\ ", r"\X4\ \XZZ\ ".strip()),
        (r"\Z99\ \.in5\x", r"\Z99\ \.in5\x"),
        (r"C:\path", r"C:\path"),
        (r"a\F", r"a\F"),
        (r"cut\P\ ", "cut#"),
    ],
)
def test_escapes(text: str, wanted: str) -> None:
    found = Message(f"{HEAD}\rOBX|1|TX|||{text}\r")
    assert found.value(found.first("OBX"), 5) == wanted


def test_an_escaped_byte_is_read_in_the_message_s_own_character_set() -> None:
    found = Message(f"{HEAD}\rOBX|1|TX|||\\XE9\\\r", "iso8859_1")
    assert found.value(found.first("OBX"), 5) == "é"


def test_a_deleted_value_is_no_value_and_no_news_either() -> None:
    found = Message(f'{HEAD}\rPID|1||""^^^F||""\r')
    pid = found.first("PID")
    assert pid[5] == DELETED
    assert found.value(pid, 5) == found.value(pid, 3) == found.value(pid, 4) == ""


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\r\n"])
def test_any_line_end_and_blank_lines_give_the_same_segments(end: str) -> None:
    found = Message(end.join((HEAD, "EVN|A01", "PID|1")))
    assert found.lines == [HEAD, "EVN|A01", "PID|1"]


def test_text_that_runs_on_belongs_to_the_segment_before() -> None:
    found = Message(f"{HEAD}\rNTE|1||first\nsecond | third ^ fourth\n||||\rOBX|1\r")
    assert [line[:3] for line in found.lines] == ["MSH", "NTE", "OBX"]
    assert found.first("NTE")[3].startswith("first\nsecond")


def test_raw_delimiters_in_a_note_shift_nothing_behind_it() -> None:
    found = Message(f"{HEAD}\rNTE|1||a|b^c\rPID|1||7\r")
    assert found.value(found.first("PID"), 3) == "7"


def test_a_bare_segment_name_is_a_segment_without_fields() -> None:
    found = Message(f"{HEAD}\rPV1\rPID|1\r")
    assert found.first("PV1") == ["PV1"]


def test_a_page_in_one_field_is_passed_by() -> None:
    found = Message(f"{HEAD}\rOBX|1|ED|K^K||{'A' * (LARGE_FIELD + 1)}||||||F\r")
    obx = found.first("OBX")
    assert (obx[5], obx[11], found.value(obx, 3)) == ("", "F", "K")


@pytest.mark.parametrize("text", ["", "PID|1", "MSH", "MSHA|x", "MSH \r", "MSH|abc|", "MSH|_|"])
def test_what_has_no_header_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        Message(text)
    assert caught.value.reason is Reason.UNREADABLE
    assert caught.value.place.startswith("MSH")
