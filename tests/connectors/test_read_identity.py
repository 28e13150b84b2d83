"""Who a message is about, and what merges, links, renumberings and moves say."""

from __future__ import annotations

import pytest

from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from schemas.errors import Reason
from tests.connectors.messages import events, message, only, read

EVN = "EVN||20260302115900"


def named(pid: str) -> tuple[str, ...]:
    return only(message("ADT^A08", pid)).identifiers


@pytest.mark.parametrize(
    "pid, wanted",
    [
        ("PID|1||1^^^A^MR", ("1^A",)),
        ("PID|1||1", ("1",)),
        ("PID|1||1^^^A&1.2&ISO^MR", ("1^A",)),
        ("PID|1||1^^^&1.2&ISO^MR", ("1^1.2",)),
        ("PID|1||9^^^NAT^NI~1^^^A^MR", ("1^A", "9^NAT")),
        ("PID|1||9^^^NAT^NI~8^^^B^XX", ("9^NAT", "8^B")),
        ("PID|1||1^^^A^MR~1^^^A^PI", ("1^A",)),
        ("PID|1||555^^^USA^SS~1^^^A^PI~7^^^NY^DL~X^^^US^PPN~V^^^A^VN~K^^^A^AN", ("1^A",)),
        ("PID|1|2^^^B|1^^^A^MR|3", ("1^A",)),
        ("PID|1|2^^^B||3", ("2^B",)),
        ("PID|1|||3^^^C~4^^^C", ("3^C", "4^C")),
        ("PID|1||555^^^USA^SS|3", ("3",)),
        ('PID|1||""^^^A^MR~1^^^A^MR', ("1^A",)),
        ("PID|1||00012345678901234567^^^A^MR", ("00012345678901234567^A",)),
        ("PID|1||1\\T\\2^^^A\\S\\B^MR", ("1&2^A^B",)),
        ("PID|1|| 1 ^^^ A ^MR", ("1^A",)),
        ("PID|1||1\\S\\2^^^A^MR", ("1\\S\\2^A",)),
    ],
)
def test_identifiers(pid: str, wanted: tuple[str, ...]) -> None:
    assert named(pid) == wanted


def test_the_first_is_the_mrn() -> None:
    data = only(message("ADT^A08", "PID|1||9^^^NAT^NI~1^^^A^MR")).data
    assert (data["mrn"], data["assigning_authority"]) == ("1", "A")


def test_a_facility_s_authority_is_given_to_numbers_that_name_none() -> None:
    reader = Hl7Reader(load_mapping(), authorities={"FAC": "NORTH"})
    (event,) = reader.read(message("ADT^A08", "PID|1||1~2^^^B"), "f").events
    assert event.identifiers == ("1^NORTH", "2^B")


@pytest.mark.parametrize("lines", [(), ("PID|1",), ("PID|1||555^^^USA^SS",), ('PID|1||""',), ("PID",)])
def test_an_event_about_nobody_is_a_dead_letter(lines: tuple[str, ...]) -> None:
    letter = read(message("ADT^A01", *lines)).dead
    assert letter is not None
    assert (letter.reason, letter.place) == (Reason.NO_IDENTIFIER, "file message 1, PID-3")
    assert "555" not in letter.mend


@pytest.mark.parametrize("trigger", ["A18", "A30", "A34", "A36", "A40"])
def test_merges(trigger: str) -> None:
    event = only(message(f"ADT^{trigger}", EVN, "PID|1||1^^^A^MR~9^^^N^NI", "MRG|2^^^A^MR~3^^^A^MR||K7"))
    assert event.type == "person.merged"
    assert event.data["surviving"] == ["1^A", "9^N"]
    assert event.data["retired"] == ["2^A", "3^A"]
    assert event.identifiers == ("1^A", "9^N")


def test_one_message_may_merge_several_pairs() -> None:
    raw = message("ADT^A40", EVN, "PID|1||1^^^A^MR", "MRG|2^^^A^MR", "PID|2||5^^^A^MR", "MRG|6^^^A^MR")
    one, other = read(raw).events
    assert [(e.data["surviving"], e.data["retired"]) for e in (one, other)] == [(["1^A"], ["2^A"]), (["5^A"], ["6^A"])]
    assert one.id != other.id


def test_an_older_merge_names_who_retires_in_its_fourth_field() -> None:
    assert only(message("ADT^A18", EVN, "PID|1||1^^^A", "MRG||||2^^^A")).data["retired"] == ["2^A"]


@pytest.mark.parametrize("trigger, type_", [("A24", "person.linked"), ("A37", "person.unlinked")])
def test_links(trigger: str, type_: str) -> None:
    event = only(message(f"ADT^{trigger}", EVN, "PID|1||1^^^A^MR", "PV1|1|O", "PID|2||2^^^B^MR"))
    assert event.type == type_
    assert (event.data["surviving"], event.data["retired"]) == (["1^A"], ["2^B"])


@pytest.mark.parametrize(
    "trigger, kind, surviving, retired",
    [
        ("A47", "mrn", ["1^A"], ["2^A"]),
        ("A35", "account", ["K1^A"], ["K2^A"]),
        ("A41", "account", ["K1^A"], ["K2^A"]),
        ("A49", "account", ["K1^A"], ["K2^A"]),
        ("A42", "visit", ["V1^A"], ["V2^A"]),
        ("A50", "visit", ["V1^A"], ["V2^A"]),
    ],
)
def test_numbers_are_replaced_and_nobody_is_merged(
    trigger: str, kind: str, surviving: list[str], retired: list[str]
) -> None:
    pid = "PID|1||1^^^A^MR" + "|" * 15 + "K1^^^A"
    mrg = "MRG|2^^^A^MR||K2^^^A||V2^^^A"
    event = only(message(f"ADT^{trigger}", EVN, pid, mrg, "PV1|1|O" + "|" * 17 + "V1^^^A"))
    assert (event.type, event.data["kind"]) == ("identity.renumbered", kind)
    assert (event.data["surviving"], event.data["retired"]) == (surviving, retired)
    assert event.identifiers == ("1^A",)


@pytest.mark.parametrize("trigger, kind", [("A43", "mrn"), ("A44", "account"), ("A45", "visit")])
def test_what_is_another_person_s_now(trigger: str, kind: str) -> None:
    pid = "PID|1||1^^^A^MR" + "|" * 15 + "K1^^^A"
    event = only(message(f"ADT^{trigger}", EVN, pid, "MRG|2^^^A^MR||K1^^^A||V2^^^A", "PV1|1|O" + "|" * 17 + "V2^^^A"))
    assert (event.type, event.data["kind"]) == ("identity.moved", kind)
    assert (event.data["surviving"], event.data["retired"]) == (["1^A"], ["2^A"])
    assert (event.data["visit_id"], event.data["account_id"]) == ("V2^A", "K1^A")


def test_several_visits_are_moved_in_one_message() -> None:
    pv1 = "PV1|1|I" + "|" * 17
    raw = message(
        "ADT^A45",
        *(EVN, "PID|1||1^^^A^MR", "MRG|2^^^A^MR||||V2", pv1 + "V2", "MRG|3^^^A^MR||||V3", pv1 + "V3"),
    )
    one, other = read(raw).events
    assert [e.data["visit_id"] for e in (one, other)] == ["V2", "V3"]
    assert [e.data["retired"] for e in (one, other)] == [["2^A"], ["3^A"]]
    assert [e.data["surviving"] for e in (one, other)] == [["1^A"], ["1^A"]]
    assert one.id != other.id


def test_several_are_merged_into_one() -> None:
    raw = message("ADT^A40", EVN, "PID|1||1^^^A^MR", "MRG|2^^^A^MR", "MRG|3^^^A^MR")
    assert [(e.data["surviving"], e.data["retired"]) for e in read(raw).events] == [
        (["1^A"], ["2^A"]),
        (["1^A"], ["3^A"]),
    ]


@pytest.mark.parametrize("trigger", ["A40", "A47", "A41", "A45", "A24"])
def test_a_merge_that_does_not_say_of_whom_is_invalid(trigger: str) -> None:
    letter = read(message(f"ADT^{trigger}", EVN, "PID|1||1^^^A^MR")).dead
    assert letter is not None
    assert letter.reason is Reason.INVALID


@pytest.mark.parametrize("trigger, mrg", [("A44", "MRG|||K1^^^A"), ("A45", "MRG|||||V1^^^A"), ("A45", "MRG|||K1^^^A")])
def test_a_move_that_does_not_say_from_whom_is_invalid(trigger: str, mrg: str) -> None:
    letter = read(message(f"ADT^{trigger}", EVN, "PID|1||1^^^A^MR", mrg, "PV1|1|O")).dead
    assert letter is not None
    assert (letter.reason, letter.place) == (Reason.INVALID, "file message 1, MRG")


def test_a_merge_is_taken_whole_or_not_at_all() -> None:
    raw = message("ADT^A40", EVN, "PID|1||1^^^A^MR", "MRG|2^^^A^MR", "PID|2||5^^^A^MR")
    assert read(raw).events == ()


def test_merges_may_come_with_a_death() -> None:
    pid = "PID|1||1^^^A^MR" + "|" * 27 + "Y"
    assert events(message("ADT^A40", EVN, pid, "MRG|2^^^A^MR")).keys() == {"person.merged", "person.died"}
