"""ADT: visits and persons. Each trigger gives its event, with the attributes that the message carries and no others."""

from __future__ import annotations

import pytest

from schemas.event import DAY, HOUR, MINUTE
from schemas.instant import write_instant
from tests.connectors.messages import PID, events, message, only, read

EVN = "EVN|A01|20260302115900"
PV1 = "PV1|1|I|W4^12^1^NORTH|2|||77^Who^Ann|||MED|||||||||V1^^^NORTH^VN"


def adt(trigger: str, *lines: str) -> bytes:
    return message(f"ADT^{trigger}", *(lines or (EVN, PID, PV1)))


@pytest.mark.parametrize(
    "trigger, type_",
    [
        ("A01", "visit.started"),
        ("A02", "visit.moved"),
        ("A03", "visit.ended"),
        ("A04", "visit.started"),
        ("A06", "visit.moved"),
        ("A07", "visit.moved"),
        ("A08", "person.updated"),
        ("A11", "visit.cancelled"),
        ("A12", "visit.move_cancelled"),
        ("A13", "visit.discharge_cancelled"),
        ("A14", "visit.admit_decided"),
        ("A16", "visit.discharge_planned"),
        ("A25", "visit.plan_withdrawn"),
        ("A27", "visit.plan_withdrawn"),
        ("A28", "person.updated"),
        ("A31", "person.updated"),
    ],
)
def test_each_trigger_gives_its_event(trigger: str, type_: str) -> None:
    assert only(adt(trigger)).type == type_


def test_what_every_event_has() -> None:
    event = only(adt("A01"))
    assert (event.id, event.source, event.facility) == ("M1@20260302120000/visit.started", "hl7/APP/FAC", "FAC")
    assert event.identifiers == ("100^NORTH",)
    assert event.data == {
        "mrn": "100",
        "assigning_authority": "NORTH",
        "message_id": "M1",
        "facility": "FAC",
        "source": "hl7/APP/FAC",
        "department": "W4",
        "provider": "77",
        "visit_id": "V1^NORTH",
        "class": "I",
        "location": "W4^12^1^NORTH",
        "service": "MED",
        "admission_type": "U",
    }


def test_an_attribute_that_is_not_carried_is_absent() -> None:
    data = only(adt("A01", EVN, "PID|1||100", 'PV1|1||""^^||||""||||||||||||""')).data
    assert data.keys() == {"mrn", "message_id", "facility", "source"}


@pytest.mark.parametrize(
    "trigger, stamps, wanted",
    [
        ("A01", {"PV1-44": "20260302080000", "EVN-6": "20260302090000", "EVN-2": "20260302100000"}, "13:00"),
        ("A04", {"PV1-44": "20260302080000", "EVN-2": "20260302100000"}, "13:00"),
        ("A01", {"EVN-6": "20260302090000", "EVN-2": "20260302100000"}, "14:00"),
        ("A01", {"EVN-2": "20260302100000"}, "15:00"),
        ("A01", {}, "17:00"),
        ("A03", {"PV1-44": "20260302060000", "PV1-45": "20260302070000", "EVN-2": "20260302100000"}, "12:00"),
        ("A02", {"PV1-44": "20260302080000", "EVN-6": "20260302090000"}, "14:00"),
        ("A13", {"PV1-45": "20260302070000", "EVN-2": "20260302100000"}, "15:00"),
    ],
)
def test_the_time_is_the_first_that_is_there(trigger: str, stamps: dict[str, str], wanted: str) -> None:
    evn = f"EVN|{trigger}|{stamps.get('EVN-2', '')}||||{stamps.get('EVN-6', '')}"
    pv1 = "PV1|1|I" + "|" * 42 + stamps.get("PV1-44", "") + "|" + stamps.get("PV1-45", "")
    assert write_instant(only(adt(trigger, evn, PID, pv1)).time) == f"2026-03-02T{wanted}:00Z"


@pytest.mark.parametrize(
    "stamp, precision, name",
    [("202603021000", MINUTE, "minute"), ("2026030210", HOUR, "hour"), ("20260302", DAY, "day")],
)
def test_a_coarse_stamp_says_so(stamp: str, precision: int, name: str) -> None:
    event = only(adt("A02", f"EVN|A02|{stamp}", PID))
    assert (event.precision, event.data["time_precision"]) == (precision, name)
    assert "time_precision" not in only(adt("A02")).data


@pytest.mark.parametrize(
    "sent, told",
    [("I", "I"), ("e", "E"), ("O", "O"), ("R", "R"), ("OBSENC", "O"), ("EMERGENCY", None), ("", None), ('""', None)],
)
def test_class_is_a_code_of_table_0004(sent: str, told: str | None) -> None:
    reading = read(adt("A01", EVN, PID, f"PV1|1|{sent}"))
    assert reading.events[0].data.get("class") == told
    assert ("unmapped_class" in reading.notes) is (sent == "EMERGENCY")


@pytest.mark.parametrize(
    "sent, told", [("1", "E"), ("2", "U"), ("3", "C"), ("E", "E"), ("R", "R"), ("N", "N"), ("28b", None), ("9", None)]
)
def test_admission_type_is_a_code_of_table_0007(sent: str, told: str | None) -> None:
    assert only(adt("A01", EVN, PID, f"PV1|1|I||{sent}")).data.get("admission_type") == told


@pytest.mark.parametrize(
    "code, told",
    [
        *((code, "home") for code in ("01", "06", "08", "81", "86")),
        ("07", "ama"),
        *((code, "died") for code in ("20", "40", "41", "42")),
        *((code, "hospice") for code in ("50", "51")),
        *((code, "transfer") for code in ("02", "03", "04", "05", "43", "61", "66", "70", "82", "85", "88", "95")),
        *((code, None) for code in ("09", "30", "67", "69", "71", "80", "87", "96", "HOME", "")),
    ],
)
def test_disposition_is_the_group_of_its_code(code: str, told: str | None) -> None:
    data = only(adt("A03", EVN, PID, "PV1|1|I" + "|" * 34 + code)).data
    assert data.get("disposition") == told
    assert data.get("disposition_code") == (code or None)


def test_class_changed_plan_and_expected_end() -> None:
    assert only(adt("A06")).data["class_changed"] is True
    assert only(adt("A07")).data["class_changed"] is True
    assert "class_changed" not in only(adt("A02")).data
    planned = only(adt("A16", EVN, PID, PV1, "PV2|||||||||202603041000")).data
    assert (planned["expected_end"], planned["plan"]) == ("2026-03-04T15:00:00Z", "discharge")
    decided = only(adt("A14", EVN, PID, PV1, "PV2|||||||||20260304")).data
    assert decided["expected_end"] == "2026-03-04T05:00:00Z"
    assert [only(adt(t)).data["plan"] for t in ("A14", "A25", "A27")] == ["admit", "discharge", "admit"]


def test_two_patients_change_beds() -> None:
    raw = adt(
        "A17", EVN, PID, "PV1|1|I|W4^1||||||||||||||||V1", "PID|2||200^^^NORTH^MR", "PV1|2|I|W4^2||||||||||||||||V2"
    )
    one, other = read(raw).events
    assert [e.type for e in (one, other)] == ["visit.moved", "visit.moved"]
    assert [e.identifiers for e in (one, other)] == [("100^NORTH",), ("200^NORTH",)]
    assert [e.data["location"] for e in (one, other)] == ["W4^1", "W4^2"]
    assert [e.data["visit_id"] for e in (one, other)] == ["V1", "V2"]
    assert one.id != other.id


def test_nothing_is_borrowed_from_the_other_patient() -> None:
    one, other = read(adt("A17", EVN, PID, "PV1|1|I|W4^1", "PID|2||200^^^NORTH^MR")).events
    assert "location" in one.data
    assert "location" not in other.data


def test_facts_of_a_person() -> None:
    pid = "PID|1||100^^^NORTH^MR||Doe||19800229|F|||||(555)555-0100~^PRN^PH^^1^555^5550101|555-0102|SPA"
    data = only(adt("A31", EVN, pid)).data
    assert data["phones"] == ["(555)555-0100", "+15555550101", "555-0102"]
    assert data["birth_date"] == "1980-02-29"
    assert data["language"] == "es"


@pytest.mark.parametrize(
    "sent, told",
    [
        ("eng", "en"),
        ("SPA^Spanish^ISO639", "es"),
        ("dut", "nl"),
        ("NLD", "nl"),
        ("Amh", "am"),
        ("hmn", "hmn"),  # it has no two letters
        ("ASE", "ase"),
        ("en-US", "en-us"),
        ("UNK", None),
        ("und", None),
        ("", None),
    ],
)
def test_a_language_is_its_shortest_code(sent: str, told: str | None) -> None:
    data = only(adt("A31", EVN, f"PID|1||100^^^NORTH^MR||||||||||||{sent}")).data
    assert data.get("language") == told


EVN_BOTH = "EVN|A04|20260302115900||||20260302113000"
PV1_50 = "PV1|1|{}|W4" + "|" * 47 + "P1^^^SCH"


@pytest.mark.parametrize("class_", ["O", "AMB"])
def test_an_outpatient_s_discharge_completes_the_appointment(class_: str) -> None:
    told = events(adt("A03", EVN_BOTH, PID, PV1_50.format(class_)))
    assert told.keys() == {"visit.ended", "appointment.completed"}
    completed = told["appointment.completed"]
    assert (completed.data["appointment_id"], completed.data["class"]) == ("P1^SCH", "O")
    assert write_instant(completed.time) == "2026-03-02T16:30:00Z"
    timed = PV1_50.format(class_).split("|")
    timed[45] = "20260302100000"
    ended = events(adt("A03", EVN_BOTH, PID, "|".join(timed)))
    assert {write_instant(event.time) for event in ended.values()} == {"2026-03-02T15:00:00Z"}


@pytest.mark.parametrize("pv1", [PV1_50.format("I"), PV1_50.format("E"), PV1_50.format(""), "PV1|1|O"])
def test_other_discharges_complete_none(pv1: str) -> None:
    assert only(adt("A03", EVN, PID, pv1)).type == "visit.ended"


@pytest.mark.parametrize("kind", ["ADT^A04", "ADT^A08", "ADT^A10", "MDM^T02"])
@pytest.mark.parametrize("event", ["appointment.arrived", "preference.set", "interpreter.requested", "my.own"])
def test_what_a_site_adds_has_the_time_of_its_message(kind: str, event: str) -> None:
    site = f"add: {{{kind}: [{event}]}}"
    evn6, evn2, none = EVN_BOTH, "EVN|A04|20260302115900", "EVN|A04"
    times = [write_instant(events(message(kind, evn, PID), site)[event].time) for evn in (evn6, evn2, none)]
    assert times == ["2026-03-02T16:30:00Z", "2026-03-02T16:59:00Z", "2026-03-02T17:00:00Z"]


@pytest.mark.parametrize("kind", ["ORM^O01", "OML^O21", "OMG^O19"])
@pytest.mark.parametrize("event", ["referral.requested", "visit.admit_decided", "result.final"])
def test_what_a_site_adds_to_orders_has_their_time(kind: str, event: str) -> None:
    site = f"add: {{{kind}: [{event}]}}"
    orc = "ORC|XX|P1|||||||20260302110000"
    assert write_instant(only(message(kind, PID, orc), site).time) == "2026-03-02T16:00:00Z"
    assert write_instant(only(message(kind, PID, orc[:9]), site).time) == "2026-03-02T17:00:00Z"


def test_an_event_s_own_time_goes_first_and_a_list_that_names_the_sending_ends_there() -> None:
    site = "events: {visit.roomed: {time: ZRM-1}, visit.triaged: {time: [ZRM-1, MSH-7]}}\n"
    site += "add: {ADT^A08: [visit.roomed, visit.triaged]}"
    for line, roomed, triaged in (("ZRM|20260302080000", "13:00", "13:00"), ("ZRM|", "16:30", "17:00")):
        told = events(message("ADT^A08", EVN_BOTH, PID, line), site)
        times = [write_instant(told[f"visit.{step}"].time)[11:16] for step in ("roomed", "triaged")]
        assert times == [roomed, triaged]


def test_death_is_told_beside_what_the_message_is_about() -> None:
    pid = PID + "|" * 24 + "20260302093000|Y"
    told = events(adt("A03", EVN, pid, PV1))
    assert told.keys() == {"visit.ended", "person.died"}
    assert write_instant(told["person.died"].time) == "2026-03-02T14:30:00Z"
    assert "person.died" not in events(adt("A03", EVN, PID + "|" * 25 + "N", PV1))
    later = events(adt("A31", EVN, PID + "|" * 25 + "Y"))["person.died"]
    assert write_instant(later.time) == "2026-03-02T16:59:00Z"


@pytest.mark.parametrize("trigger", ["A09", "A10", "A15", "A23", "A26", "A29", "A60"])
def test_what_the_catalogue_does_not_need_is_ignored(trigger: str) -> None:
    assert read(adt(trigger)).ignored == f"no mapping for ADT^{trigger}"


@pytest.mark.parametrize(
    "segments, label",
    [
        (("PV1|1|I" + "|" * 14 + "VIP",), "vip"),
        (("PV1|1|I" + "|" * 14 + "N",), None),
        (("PD1" + "|" * 12 + "Y", "PV1|1|I"), "protected"),
        (("ARV|1|A|VIP",), "restricted"),
    ],
)
def test_what_marks_a_message_as_sensitive(segments: tuple[str, ...], label: str | None) -> None:
    assert only(adt("A01", EVN, PID, *segments)).sensitivity == label
