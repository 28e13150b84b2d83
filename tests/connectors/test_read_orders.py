"""Orders, specimens and results: ORM, OML, OMG, ORU, OUL."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.event import Event
from schemas.instant import write_instant
from tests.connectors.messages import PID, events, message, only, read

PLACED = ("ORC|NW|P1^EHR|F1^LAB||||^^^^^A||20260302110000", "OBR|1|P1^EHR|F1^LAB|CBC^Blood count^L")


def order(*lines: str, kind: str = "ORM^O01") -> bytes:
    return message(kind, PID, *lines)


def obr(**fields: str) -> str:
    """An OBR with these fields: `f25` is OBR-25."""
    numbers = {int(name[1:]): value for name, value in fields.items()}
    return "|".join(["OBR", *(numbers.get(n, "") for n in range(1, max(numbers) + 1))])


def result(*obx: str, orc: str = "ORC|RE|P1^EHR|F1^LAB", **fields: str) -> dict[str, Event]:
    fields = {"f2": "P1^EHR", "f3": "F1^LAB", "f4": "CBC^Blood count^L", "f25": "F"} | fields
    return events(message("ORU^R01^ORU_R01", PID, "PV1|1|O", orc, obr(**fields), *obx))


@pytest.mark.parametrize("kind", ["ORM^O01", "OML^O21", "OMG^O19", "OML^O33", "OML^O35"])
@pytest.mark.parametrize(
    "control, type_",
    [
        ("NW", "order.placed"),
        *((code, "order.cancelled") for code in ("CA", "CR", "OC", "DC", "OD", "DR")),
        *((code, "order.cancel_refused") for code in ("UC", "UD")),
    ],
)
def test_orders_by_their_control_code(kind: str, control: str, type_: str) -> None:
    assert only(order(f"ORC|{control}|P1", kind=kind)).type == type_


@pytest.mark.parametrize("control", ["OK", "RE", "XO", "SN", "NA", ""])
def test_other_control_codes_say_nothing(control: str) -> None:
    assert read(order(f"ORC|{control}|P1")).ignored == "nothing mapped in ORM^O01"


def test_an_order_s_attributes() -> None:
    event = only(order(*PLACED))
    assert write_instant(event.time) == "2026-03-02T16:00:00Z"
    assert (
        event.data | {"order_id": "P1^EHR", "filler_order_id": "F1^LAB", "code": "CBC", "priority": "A"} == event.data
    )
    assert event.data.keys().isdisjoint({"category", "category_code", "slow", "visit_id", "class", "report_id"})


def test_an_order_s_time_is_orc_9_else_the_message_s() -> None:
    assert write_instant(only(order("ORC|NW|P1")).time) == "2026-03-02T17:00:00Z"


@pytest.mark.parametrize(
    "orc, obr_, order_id, filler",
    [
        ("ORC|NW|P1^E|F1^L", "OBR|1|P1^E|F1^L", "P1^E", "F1^L"),
        ("ORC|NW|P1^E", "OBR|1", "P1^E", None),
        ("ORC|NW||F1^L", "OBR|1", "F1^L", None),
        ("ORC|NW", "OBR|1|P1^E|F1^L", "P1^E", "F1^L"),
        ("ORC|NW|P1^^1.2.3^ISO", "OBR|1", "P1^1.2.3", None),
        ("ORC|NW|P1^E^1.2.3^ISO", "OBR|1", "P1^E", None),
        ("ORC|NW|X1^A|X1^A", "OBR|1", "X1^A", None),
        ("ORC|NW|7|7^L", "OBR|1", "7", "7^L"),
        ("ORC|NW", "OBR|1||", None, None),
    ],
)
def test_two_numbers_of_one_order(orc: str, obr_: str, order_id: str | None, filler: str | None) -> None:
    data = only(order(orc, obr_)).data
    assert (data.get("order_id"), data.get("filler_order_id")) == (order_id, filler)


@pytest.mark.parametrize(
    "lines, priority",
    [
        (("ORC|NW|P1", "TQ1|1||||||||S^STAT^HL70485", "OBR|1|P1|||R"), "S"),
        (("ORC|NW|P1", "OBR|1|P1|||R"), "R"),
        (("ORC|NW|P1|||||^^^^^A", "OBR|1|P1"), "A"),
        (("ORC|NW|P1", obr(f2="P1", f27="^^^^^S")), "S"),
        (("ORC|NW|P1", "OBR|1|P1|||stat"), "S"),
        (("ORC|NW|P1", "OBR|1|P1|||ASAP"), "A"),
        (("ORC|NW|P1", "OBR|1|P1|||Urgent"), "A"),
        (("ORC|NW|P1", "OBR|1|P1|||Routine"), "R"),
        (("ORC|NW|P1", "OBR|1|P1|||T"), None),
        (("ORC|NW|P1", "OBR|1|P1"), None),
    ],
)
def test_priority(lines: tuple[str, ...], priority: str | None) -> None:
    assert only(order(*lines)).data.get("priority") == priority


@pytest.mark.parametrize(
    "code, category, slow",
    [
        *((code, "LAB", False) for code in ("LAB", "CH", "HM", "SR", "BLB", "BG", "IMM", "TX", "108252007", "26436-6")),
        *((code, "LAB", True) for code in ("MB", "MCB", "MYC", "VR", "CP", "SP", "OSL")),
        *((code, "RAD", None) for code in ("RAD", "CT", "NMR", "NMS", "RUS", "OUS", "VUS", "CUS", "RX", "XRC")),
        *((code, "RAD", None) for code in ("363679005", "LP29684-5")),
        ("EEG", "EEG", None),
        ("ch", "LAB", False),
    ],
)
def test_category_is_the_group_and_category_code_as_sent(code: str, category: str, slow: bool | None) -> None:
    data = only(order("ORC|NW|P1", obr(f2="P1", f24=code))).data
    assert (data["category"], data["category_code"], data.get("slow")) == (category, code, slow)


def test_an_empty_section_is_the_site_s_list_then_lab_where_there_is_a_specimen() -> None:
    site = "tables: {category_of_code: {XR1: RAD}, category_of_sender: {APP: RAD}}"
    assert only(order("ORC|NW|P1", "OBR|1|P1||XR1"), site).data["category"] == "RAD"
    assert only(order("ORC|NW|P1", "OBR|1|P1||CBC"), site).data["category"] == "RAD"
    data = only(order("ORC|NW|P1", "OBR|1|P1||CBC", "SPM|1")).data
    assert (data["category"], data["slow"], "category_code" in data) == ("LAB", False, False)
    slow = "tables: {slow_codes: {CULT: true}}"
    assert only(order("ORC|NW|P1", "OBR|1|P1||CULT", "SPM|1"), slow).data["slow"] is True


@pytest.mark.parametrize(
    "status, type_",
    [
        ("P", "result.preliminary"),
        ("A", "result.preliminary"),
        ("R", "result.preliminary"),
        ("F", "result.final"),
        ("C", "result.corrected"),
        ("X", "result.cancelled"),
        ("S", "order.scheduled"),
    ],
)
@pytest.mark.parametrize("kind", ["ORU^R01", "ORU^R30", "ORU^R32", "ORU^R03"])
def test_results_by_their_status(kind: str, status: str, type_: str) -> None:
    event = only(message(kind, PID, obr(f2="P1", f25=status)))
    assert event.type == type_
    assert event.data["order_id"] == "P1"


@pytest.mark.parametrize("status", ["I", "O", "", "Z"])
def test_other_statuses_say_nothing(status: str) -> None:
    assert read(message("ORU^R01", PID, obr(f2="P1", f4="x", f25=status))).ignored == "nothing mapped in ORU^R01"


def test_a_result_s_attributes_and_time() -> None:
    event = result("OBX|1|NM|K|||||H", f22="20260302115500")["result.final"]
    assert write_instant(event.time) == "2026-03-02T16:55:00Z"
    wanted = {"order_id": "P1^EHR", "filler_order_id": "F1^LAB", "report_id": "F1^LAB", "code": "CBC", "class": "O"}
    assert event.data | wanted == event.data
    assert write_instant(result()["result.final"].time) == "2026-03-02T17:00:00Z"


@pytest.mark.parametrize(
    "flags, abnormal, critical",
    [
        (["N"], False, False),
        (["N", ""], False, False),
        (["", ""], None, None),
        ([], None, None),
        *(([code], True, False) for code in ("H", "L", "A", "HU", "LU", "POS", "DET")),
        *(([code], True, True) for code in ("HH", "LL", "AA")),
        (["N", "h"], True, False),
        (["N~HH"], True, True),
        (["A^Abnormal^HL70078~N"], True, False),
        (["ND", "NEG", "<", "U"], False, False),
        (['""'], None, None),
    ],
)
def test_flags(flags: list[str], abnormal: bool | None, critical: bool | None) -> None:
    data = result(*(f"OBX|{n}|NM|K|||||{flag}" for n, flag in enumerate(flags, 1)))["result.final"].data
    assert (data.get("abnormal"), data.get("critical")) == (abnormal, critical)


def test_an_unverified_result_is_never_critical() -> None:
    data = result("OBX|1|NM|K|||||HH", f25="R")["result.preliminary"].data
    assert data["abnormal"] is True
    assert "critical" not in data


@pytest.mark.parametrize(
    "ended, told, wanted", [("20260302110000", "20260302115500", True), ("20260302120000", "20260302115500", False)]
)
def test_after_discharge(ended: str, told: str, wanted: bool) -> None:
    pv1 = "PV1|1|I" + "|" * 43 + ended
    assert only(message("ORU^R01", PID, pv1, obr(f2="P1", f22=told, f25="F"))).data["after_discharge"] is wanted


def test_without_the_end_of_the_visit_nobody_knows_whether_it_was_before() -> None:
    assert "after_discharge" not in result()["result.final"].data


def test_a_panel_of_three_is_three_results_with_their_own_flags() -> None:
    raw = message(
        "ORU^R01",
        PID,
        "ORC|RE|P1|F1",
        obr(f2="P1", f3="F1", f4="CBC", f25="F"),
        "OBX|1|NM|a|||||H",
        obr(f2="P1", f3="F2", f4="CHEM", f25="P"),
        "OBX|1|NM|b|||||N",
        "ORC|RE|P3|F3",
        obr(f4="COAG", f25="F"),
    )
    found = read(raw).events
    assert [(e.type, e.data["code"], e.data.get("abnormal"), e.data["order_id"]) for e in found] == [
        ("result.final", "CBC", True, "P1"),
        ("result.preliminary", "CHEM", False, "P1"),
        ("result.final", "COAG", None, "P3"),
    ]
    assert [e.id.partition("/")[2] for e in found] == ["result.final", "result.preliminary.2", "result.final.3"]


def orders_told(raw: bytes) -> list[tuple[Any, ...]]:
    found = read(raw).events
    return [(e.type, *(e.data.get(name) for name in ("order_id", "filler_order_id", "code"))) for e in found]


def test_under_one_orc_each_observation_keeps_its_own_numbers() -> None:
    raw = message(
        "ORU^R01",
        *(PID, "ORC|RE|P1|F1", obr(f4="A", f25="F"), obr(f2="P2", f3="F2", f4="B", f25="F")),
        *(obr(f3="F3", f4="C", f25="F"), obr(f4="D", f25="F")),
        *("ORC|RE|P5", obr(f4="E", f25="F"), obr(f4="G", f25="F")),
    )
    assert orders_told(raw) == [
        ("result.final", "P1", "F1", "A"),
        ("result.final", "P2", "F2", "B"),
        ("result.final", "F3", None, "C"),
        ("result.final", "P1", "F1", "D"),  # without a number of its own it is of the order that it stands under
        ("result.final", "P5", None, "E"),
        ("result.final", "P5", None, "G"),
    ]


def test_one_control_code_goes_for_the_observations_behind_it() -> None:
    raw = order("ORC|NW|P1|||||||20260302110000", "OBR|1|P1||A", "OBR|2|P2||B", "ORC|CA||F3", "ORC|UC|P4")
    assert orders_told(raw) == [
        ("order.placed", "P1", None, "A"),
        ("order.placed", "P2", None, "B"),
        ("order.cancelled", "F3", None, None),
        ("order.cancel_refused", "P4", None, None),
    ]
    assert [write_instant(e.time)[11:16] for e in read(raw).events] == ["16:00", "16:00", "17:00", "17:00"]


def test_a_specimen_says_laboratory_of_all_and_its_times_of_one() -> None:
    spm = "SPM|1|S1" + "|" * 15 + "20260302100000|20260302103000"
    raw = message("ORU^R01", PID, obr(f2="P1", f25="F"), spm, obr(f2="P2", f25="F"))
    assert [(e.type, e.data["order_id"], e.data["category"]) for e in read(raw).events] == [
        ("specimen.collected", "P1", "LAB"),
        ("specimen.received", "P1", "LAB"),
        ("result.final", "P1", "LAB"),
        ("result.final", "P2", "LAB"),
    ]


def test_the_priority_of_one_order_is_not_another_s() -> None:
    raw = order("ORC|NW|P1", "TQ1|1||||||||S", "OBR|1|P1", "ORC|NW|P2", "OBR|2|P2")
    assert [e.data.get("priority") for e in read(raw).events] == ["S", None]


def test_results_of_two_patients_stay_with_theirs() -> None:
    raw = message(
        "ORU^R01",
        *(PID, "PV1|1|I|W1", obr(f2="P1", f25="F"), "OBX|1|NM|a|||||H"),
        *("PID|2||200^^^NORTH^MR", obr(f2="P2", f25="F")),
    )
    one, other = read(raw).events
    assert (one.identifiers, other.identifiers) == (("100^NORTH",), ("200^NORTH",))
    assert ("class" in one.data, "class" in other.data) == (True, False)


def test_an_order_is_scheduled() -> None:
    told = only(order("ORC|SC|P1|||SC", obr(f2="P1", f36="20260310090000")))
    assert (told.type, told.data["start"]) == ("order.scheduled", "2026-03-10T13:00:00Z")
    assert read(order("ORC|SC|P1|||IP", "OBR|1|P1")).events == ()


@pytest.mark.parametrize("kind", ["ORM^O01", "OML^O21", "OMG^O19"])
@pytest.mark.parametrize(
    "orc, types",
    [
        ("ORC|NW|P1", ["order.placed", "order.scheduled"]),
        ("ORC|SC|P1|||IP", ["order.scheduled"]),
        ("ORC|SC|P1|||SC", ["order.scheduled"]),
        ("ORC|XO|P1", ["order.scheduled"]),
        ("ORC|CA|P1", ["order.cancelled"]),
        ("ORC|UC|P1", ["order.cancel_refused"]),
    ],
)
def test_an_order_with_the_status_of_what_has_a_time(kind: str, orc: str, types: list[str]) -> None:
    found = read(order(orc, obr(f2="P1", f25="S", f36="20260310090000"), kind=kind)).events
    assert [event.type for event in found] == types
    assert [e.data["start"] for e in found if e.type == "order.scheduled"] in ([], ["2026-03-10T13:00:00Z"])


def test_a_cancel_says_why() -> None:
    assert only(order("ORC|CA|P1" + "|" * 14 + "DUP^Duplicate")).data["reason"] == "DUP"


def test_exams_are_complete_where_a_site_says_what_says_so() -> None:
    site = "add: {ORM^O01: [{event: exam.completed, when: {ORC-5: CM}}]}"
    raw = order("ORC|SC|P1|||CM", obr(f2="P1", f24="RAD"))
    assert read(raw).events == ()
    assert only(raw, site).type == "exam.completed"


@pytest.mark.parametrize("kind", ["ACK", "ACK^R01", "ORR^O02", "ORL^O22", "RDE^O11", "VXU^V04"])
def test_answers_and_what_nobody_asked_for_are_ignored(kind: str) -> None:
    assert read(message(kind, PID, "MSA|AA|1", "ORC|OK|P1")).ignored == f"no mapping for {kind}"


@pytest.mark.parametrize("kind, type_", [("ORU", "result.final"), ("ORU^^ORU_R01", "result.final")])
def test_a_type_without_its_trigger(kind: str, type_: str) -> None:
    assert only(message(kind, PID, obr(f2="P1", f25="F"))).type == type_


def test_a_trigger_that_stands_in_evn_alone() -> None:
    assert only(message("ADT", "EVN|A03|20260302", PID)).type == "visit.ended"
