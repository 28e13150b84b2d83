"""Acknowledgements: the codes, whom they name, the form of each version, and that they never change."""

from __future__ import annotations

import hl7 as python_hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hl7 import ack
from connectors.hl7.ack import Answer, Refusal, acknowledge, code_of, control_of, find_answer, is_answered, refuse
from connectors.hl7.mllp import Framer, write_frame
from schemas.errors import Reason
from schemas.message import Outcome, Verdict
from tests.connectors.messages import PID, message

ACCEPTED = Verdict(Outcome.ACCEPTED, 1)
DEAD = Verdict(Outcome.DEAD, 2, Reason.NO_IDENTIFIER.value, "the message, PID-3", "name a patient there")


def adt(version: str = "2.5.1", **fields: str) -> bytes:
    return message("ADT^A01^ADT_A01", PID, version=version, **fields)


def asking(accept: str, application: str) -> bytes:
    return adt(version=f"2.5.1|||{accept}|{application}")


def lines(answer: bytes) -> list[list[str]]:
    return [line.split("|") for line in answer.decode("latin-1").rstrip("\r").split("\r")]


def codes(answers: tuple[bytes, ...]) -> list[str]:
    return [lines(answer)[1][1] for answer in answers]


def test_what_is_taken_is_answered_aa() -> None:
    [answer] = acknowledge(adt(), ACCEPTED)
    [header, msa] = lines(answer)
    assert header[2:6] == ["HUB", "HUB", "APP", "FAC"]
    assert header[6] == "20260302120000"
    assert header[8] == "ACK^A01^ACK"
    assert header[10:12] == ["P", "2.5.1"]
    assert msa == ["MSA", "AA", "M1"]


@pytest.mark.parametrize(
    "verdict, code",
    [
        (ACCEPTED, "AA"),
        (Verdict(Outcome.DUPLICATE, 1), "AA"),
        (Verdict(Outcome.IGNORED, 1, "no mapping for MDM^T01"), "AA"),
        (DEAD, "AE"),
        (Verdict(Outcome.DUPLICATE, 2, DEAD.reason, DEAD.place, DEAD.mend), "AE"),
    ],
)
def test_each_outcome_has_its_code(verdict: Verdict, code: str) -> None:
    assert codes(acknowledge(adt(), verdict)) == [code]


@pytest.mark.parametrize("refusal", Refusal)
def test_what_is_not_kept_is_answered_ar(refusal: Refusal) -> None:
    [answer] = refuse(adt(), refusal)
    assert codes((answer,)) == ["AR"]
    assert lines(answer)[1][2] == "M1"
    assert "Doe" not in answer.decode()


def test_a_dead_letter_is_told_by_place_and_mend() -> None:
    [answer] = acknowledge(adt(), DEAD)
    error = lines(answer)[2]
    assert error[:5] == ["ERR", "", "PID^1^3", "101^Required field missing^HL70357", "E"]
    assert error[7:] == ["no_identifier at the message, PID-3", "name a patient there"]


def test_a_component_of_a_place_stands_behind_its_repetition() -> None:
    [answer] = acknowledge(adt(), Verdict(Outcome.DEAD, 1, "bad_time", "PID-7.1", "give a time"))
    assert lines(answer)[2][2] == "PID^1^7^1^1"


def test_a_conflict_is_a_duplicate_key_at_msh_10() -> None:
    [answer] = acknowledge(adt(), Verdict(Outcome.DEAD, 1, "conflict", "id", "give a new id"))
    assert lines(answer)[2][2:4] == ["MSH^1^10", "205^Duplicate key identifier^HL70357"]


def test_before_2_5_an_error_stands_in_err_1() -> None:
    [answer] = acknowledge(adt("2.3"), DEAD)
    assert lines(answer)[2] == ["ERR", "PID^1^3^101&Required field missing&HL70357"]


@pytest.mark.parametrize(
    "version, kind",
    [("2.1", "ACK^A01"), ("2.3", "ACK^A01"), ("2.3.1", "ACK^A01^ACK"), ("2.7", "ACK^A01^ACK"), ("x", "ACK^A01^ACK")],
)
def test_the_type_is_of_the_senders_version(version: str, kind: str) -> None:
    [answer] = acknowledge(adt(version), ACCEPTED)
    assert lines(answer)[0][8] == kind
    assert lines(answer)[0][11] == version


def test_without_an_event_the_type_is_ack_alone() -> None:
    assert lines(acknowledge(message("ORU", PID), ACCEPTED)[0])[0][8] == "ACK"


def test_the_delimiters_are_the_senders() -> None:
    raw = b"MSH$*%?!$APP$FAC$HUB$HUB$20260302120000$$ADT*A01$M1$P$2.5.1\rPID$1\r"
    [answer] = acknowledge(raw, Verdict(Outcome.DEAD, 1, "invalid", "PID-3", "a $ or a * is wrong there"))
    assert answer.startswith(b"MSH$*%?!$HUB$HUB$APP$FAC$20260302120000$$ACK*A01*ACK$")
    assert b"\rMSA$AE$M1\r" in answer
    assert b"$a ?F? or a ?S? is wrong there\r" in answer


def test_the_character_set_and_its_bytes_are_the_senders() -> None:
    raw = "MSH|^~\\&|APP|ÄRZTE^1|||20260302||ADT^A01|M1|P|2.5||||||8859/1\rPID|1\r".encode("latin-1")
    [answer] = acknowledge(raw, ACCEPTED)
    assert answer.startswith("MSH|^~\\&|||APP|ÄRZTE^1|".encode("latin-1"))
    assert lines(answer)[0][17] == "8859/1"


@pytest.mark.parametrize(
    "accept, application, well, wrong",
    [
        ("", "", ["AA"], ["AE"]),
        ("AL", "", ["CA"], ["CE"]),
        ("AL", "NE", ["CA"], ["CE"]),
        ("AL", "AL", ["CA", "AA"], ["CE", "AE"]),
        ("NE", "AL", ["AA"], ["AE"]),
        ("", "AL", ["AA"], ["AE"]),
        ("ER", "NE", [], ["CE"]),
        ("SU", "ER", ["CA"], ["AE"]),
        ("NE", "NE", [], []),
        ("??", "", ["CA"], ["CE"]),
    ],
)
def test_enhanced_mode_answers_what_is_asked(accept: str, application: str, well: list[str], wrong: list[str]) -> None:
    raw = asking(accept, application)
    assert codes(acknowledge(raw, ACCEPTED)) == well
    assert codes(acknowledge(raw, DEAD)) == wrong
    assert codes(refuse(raw, Refusal.BUSY)) == [code.replace("E", "R") for code in wrong]
    assert is_answered(raw) == bool(well)


def test_answers_of_enhanced_mode_ask_for_none_and_have_ids_of_their_own() -> None:
    first, second = acknowledge(asking("AL", "AL"), ACCEPTED)
    assert lines(first)[0][14:16] == ["NE", "NE"]
    assert lines(first)[0][9] != lines(second)[0][9]


def test_an_acknowledgement_is_never_acknowledged() -> None:
    [answer] = acknowledge(adt(), ACCEPTED)
    assert acknowledge(answer, ACCEPTED) == ()
    assert refuse(answer, Refusal.BUSY) == ()
    assert not is_answered(answer)


def test_the_same_bytes_are_answered_by_the_same_bytes_and_others_by_another_id() -> None:
    assert acknowledge(adt(), ACCEPTED) == acknowledge(adt(), Verdict(Outcome.DUPLICATE, 1))
    assert acknowledge(adt(), DEAD) == acknowledge(
        adt(), Verdict(Outcome.DUPLICATE, 9, DEAD.reason, DEAD.place, DEAD.mend)
    )
    ids = {lines(acknowledge(adt(control=control), ACCEPTED)[0])[0][9] for control in ("M1", "M2", "M3")}
    assert len(ids) == 3
    assert all(len(id_) == 20 for id_ in ids)


def test_a_sender_that_repeats_for_ever_is_answered_aa() -> None:
    [answer] = acknowledge(adt(), DEAD, dead_letters="AA")
    assert lines(answer)[1:] == [["MSA", "AA", "M1"]]


def test_without_a_header_the_answer_names_nobody() -> None:
    [answer] = acknowledge(b"PID|1||100", Verdict(Outcome.DEAD, 1, "unreadable", "the message, MSH", "begin with MSH"))
    assert lines(answer)[0][8] == "ACK"
    assert lines(answer)[1] == ["MSA", "AE"]
    assert lines(answer)[2][2:4] == ["MSH^1", "100^Segment sequence error^HL70357"]


def test_control_characters_and_endless_fields_are_not_repeated() -> None:
    raw = b"MSH|^~\\&|A\x1cPP|" + b"F" * 3000 + b"|||x||ADT^A01|M\x0b1\x1c|P|2.5.1\r"
    [answer] = acknowledge(raw, ACCEPTED)
    assert lines(answer)[0][4:7] == ["APP", "", ""]
    assert lines(answer)[1] == ["MSA", "AA", "M1"]
    assert control_of(raw) == "M1"


def test_an_answer_is_read() -> None:
    assert find_answer(acknowledge(adt(), ACCEPTED)[0]) == Answer("AA", "M1")
    assert find_answer(acknowledge(asking("AL", ""), DEAD)[0]) == Answer("CE", "M1")
    assert find_answer(adt()) is None
    assert find_answer(b"nothing") is None
    assert find_answer(b"MSH|^~\\&|\rMSA|ZZ|M1\r") is None


def test_python_hl7_reads_it() -> None:
    parsed = python_hl7.parse(acknowledge(adt(), DEAD)[0].decode())
    assert (str(parsed["MSA.F1"]), str(parsed["MSA.F2"])) == ("AE", "M1")
    assert str(parsed["ERR.F3"]) == "101"


HEADERS = st.lists(
    st.sampled_from(
        [b"MSH", b"|", b"^~\\&", b"$", b"ADT", b"^", b"2.3", b"\x1c", b"\x0b", b"\xff", b"\xc3\xa9", b"NE"]
    ),
    max_size=40,
).map(b"".join)


@given(st.one_of(st.binary(max_size=200), HEADERS.map(b"MSH|^~\\&|".__add__), HEADERS.map(b"MSH".__add__)))
def test_whatever_the_bytes_an_answer_is_a_frame_and_names_the_message(raw: bytes) -> None:
    for verdict in (ACCEPTED, DEAD):
        for answer in acknowledge(raw, verdict):
            assert Framer().feed(write_frame(answer)) == [answer]
            found = find_answer(answer)
            assert found is not None
            assert found.control == control_of(raw)
            assert found.code == code_of(answer)


_WORDS = ("", "A", "NORTH^1.2^ISO", '""', "a\\F\\b", "x" * 600, "\xe9", "\x1b(J", "a\x01b")


@given(
    st.lists(st.sampled_from(_WORDS), min_size=4, max_size=4),
    st.sampled_from(("20260302120000", "20260302", "202603021200-0500", "", "now", "20260302120000.5")),
    st.sampled_from(("ADT^A01^ADT_A01", "ORU", "ACK", "ADT^A 1", "mcf^A01")),
    st.sampled_from(("1", "A77", "", "a-b", "a\\T\\b", "\xe9", "1" * 600, "a\x02b")),
    st.sampled_from(
        ("P|2.5.1", "P|2.3", "D|2.5.1|7|", "P|2.5.1|||AL|AL", "P|2.5.1|||NE|NE", "P", "P|2.4|||ER|SU|USA|8859/1")
    ),
    st.sampled_from(("\r", "\n", "\r\n")),
)
def test_an_answer_that_is_made_quickly_is_the_same(
    who: list[str], time: str, kind: str, control: str, rest: str, end: str
) -> None:
    header = "|".join(("MSH", "^~\\&", *who, time, "", kind, control, rest))
    raw = f"{header}{end}PID|1||7^^^NORTH^MR{end}".encode("latin-1")
    for one in (raw, raw.replace(b"PID", b"PV1")):  # the first is remembered, the second uses it
        assert acknowledge(one, ACCEPTED) == ack._answers(one, ack.ACCEPT, None)
