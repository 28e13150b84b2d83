"""SIU and SRM: what a scheduling system says of an appointment."""

from __future__ import annotations

import pytest

from tests.connectors.messages import PID, events, message, only, read


def sch(**fields: str) -> str:
    """A SCH with these fields: `f25` is SCH-25."""
    numbers = {int(name[1:]): value for name, value in fields.items()}
    return "|".join(["SCH", *(numbers.get(n, "") for n in range(1, max(numbers) + 1))])


def siu(trigger: str, *lines: str, version: str = "2.5.1", **fields: str) -> bytes:
    fields = {"f1": "P1^SCH", "f2": "F1^SCH", "f11": "^^^20260310090000^20260310093000"} | fields
    return message(f"SIU^{trigger}", sch(**fields), PID, *lines, version=version)


@pytest.mark.parametrize(
    "trigger, type_",
    [
        ("S12", "appointment.booked"),
        ("S13", "appointment.rescheduled"),
        ("S14", "appointment.stated"),
        ("S15", "appointment.cancelled"),
        ("S16", "appointment.cancelled"),
        ("S17", "appointment.cancelled"),
        *((f"S{n}", "appointment.changed") for n in range(18, 23)),
        ("S26", "appointment.missed"),
    ],
)
def test_each_trigger_gives_its_event(trigger: str, type_: str) -> None:
    assert only(siu(trigger)).type == type_


@pytest.mark.parametrize("trigger", ["S23", "S24", "S25"])
def test_blocked_schedules_are_about_no_patient(trigger: str) -> None:
    assert read(siu(trigger)).ignored == f"no mapping for SIU^{trigger}"


def test_an_appointment_s_attributes() -> None:
    lines = ("PV1|1|O" + "|" * 17 + "V1^^^F", "AIS|1|A|X", "AIL|1|A|CARD^2^^N", "AIP|1|A|77^Who")
    data = only(siu("S12", *lines, f7="CHK^Check-up", f8="OFFV^Office visit")).data
    assert data == {
        "mrn": "100",
        "assigning_authority": "NORTH",
        "message_id": "M1",
        "facility": "FAC",
        "source": "hl7/APP/FAC",
        "department": "CARD",
        "provider": "77",
        "appointment_id": "P1^SCH",
        "filler_appointment_id": "F1^SCH",
        "start": "2026-03-10T13:00:00Z",
        "end": "2026-03-10T13:30:00Z",
        "visit_type": "OFFV",
        "visit_id": "V1^F",
    }


@pytest.mark.parametrize(
    "fields, appointment_id, filler",
    [
        ({}, "P1^SCH", "F1^SCH"),
        ({"f2": ""}, "P1^SCH", None),
        ({"f1": ""}, "F1^SCH", None),
        ({"f1": "", "f2": ""}, None, None),
    ],
)
def test_two_numbers_of_one_appointment(fields: dict[str, str], appointment_id: str | None, filler: str | None) -> None:
    data = only(siu("S12", **fields)).data
    assert (data.get("appointment_id"), data.get("filler_appointment_id")) == (appointment_id, filler)


@pytest.mark.parametrize(
    "fields, wanted",
    [
        ({"f8": "OFFV^Office", "f7": "CHK"}, "OFFV"),
        ({"f8": "^Office visit"}, "Office visit"),
        ({"f7": "CHK^Check"}, "CHK"),
        ({}, None),
    ],
)
def test_visit_type(fields: dict[str, str], wanted: str | None) -> None:
    assert only(siu("S12", **fields)).data.get("visit_type") == wanted


@pytest.mark.parametrize(
    "version, sch_11, lines, start",
    [
        ("2.4", "^^^20260310090000", ("TQ1|||||||20260311090000",), "2026-03-10T13:00:00Z"),
        ("2.6", "^^^20260310090000", ("TQ1|||||||20260311090000",), "2026-03-10T13:00:00Z"),
        ("2.7", "^^^20260310090000", ("TQ1|||||||20260311090000",), "2026-03-11T13:00:00Z"),
        ("2.8.2", "^^^20260310090000", ("AIS|1||X|20260312090000",), "2026-03-12T13:00:00Z"),
        ("2.8", "^^^20260310090000", (), "2026-03-10T13:00:00Z"),
        ("2.5", "", ("TQ1|||||||20260311090000", "AIS|1||X|20260312090000"), "2026-03-11T13:00:00Z"),
        ("2.5", "", ("AIS|1||X|20260312090000-0800",), "2026-03-12T17:00:00Z"),
        ("", "^^^20260310090000", ("TQ1|||||||20260311090000",), "2026-03-10T13:00:00Z"),
        ("2.5", "^^^soon", (), None),
        ("2.5", "", (), None),
    ],
)
def test_start(version: str, sch_11: str, lines: tuple[str, ...], start: str | None) -> None:
    assert only(siu("S13", *lines, version=version, f11=sch_11)).data.get("start") == start


def test_a_start_that_is_no_time_is_absent_and_noted() -> None:
    assert "bad_time_skipped" in read(siu("S12", f11="^^^soon")).notes


@pytest.mark.parametrize("status", ["Pending", "WAITLIST", "wait list", "PENDING^Pending^HL70278", "^Pending"])
def test_what_has_no_slot_yet_is_asked_for(status: str) -> None:
    told = events(siu("S12", f25=status, f26="O1^EHR"))
    assert told.keys() == {"appointment.requested"}


def test_a_site_s_own_code_for_waiting() -> None:
    site = "tables: {appointment_status: {WL1: waitlist}}"
    assert only(siu("S12", f25="WL1"), site).type == "appointment.requested"
    assert only(siu("S12", f25="WL1")).type == "appointment.booked"


@pytest.mark.parametrize(
    "sent, status",
    [
        ("Started", "started"),
        ("Complete", "complete"),
        ("COMPLETE^done", "complete"),
        ("No show", "noshow"),
        ("Cancelled", "cancelled"),
        ("Dc", "cancelled"),
        ("Booked", "booked"),
        ("^Started", "started"),
        ("Whatever", None),
        ("", None),
    ],
)
def test_a_state_is_told_as_a_state(sent: str, status: str | None) -> None:
    reading = read(siu("S14", f25=sent))
    (event,) = reading.events
    assert (event.type, event.data.get("status")) == ("appointment.stated", status)
    assert ("unmapped_appointment_status" in reading.notes) is (sent == "Whatever")


def test_an_appointment_for_an_order_schedules_it() -> None:
    told = events(siu("S12", f26="O1^EHR", f27="X1^RIS"))
    assert told.keys() == {"appointment.booked", "order.scheduled"}
    assert told["appointment.booked"].data["order_id"] == "O1^EHR"
    scheduled = told["order.scheduled"].data
    wanted = {
        "order_id": "O1^EHR",
        "filler_order_id": "X1^RIS",
        "appointment_id": "P1^SCH",
        "filler_appointment_id": "F1^SCH",
    }
    assert scheduled | wanted | {"start": "2026-03-10T13:00:00Z"} == scheduled
    assert events(siu("S13", f26="O1^EHR")).keys() == {"appointment.rescheduled", "order.scheduled"}
    assert only(siu("S15", f26="O1^EHR")).data["order_id"] == "O1^EHR"


@pytest.mark.parametrize("trigger", ["S15", "S16", "S17", "S18", "S26"])
def test_what_gives_no_time_schedules_nothing(trigger: str) -> None:
    assert "order.scheduled" not in events(siu(trigger, f26="O1^EHR", f25="Booked"))


@pytest.mark.parametrize(
    "status, start, scheduled",
    [
        ("Booked", "20260310090000", True),
        ("", "20260310090000", True),
        ("Complete", "20260310090000", True),
        ("Booked", "", False),
        *((status, "20260310090000", False) for status in ("Pending", "Waitlist", "Cancelled", "Deleted", "No show")),
        ("^Pending", "20260310090000", False),
    ],
)
def test_an_appointment_as_it_stands_schedules_its_order(status: str, start: str, scheduled: bool) -> None:
    told = events(siu("S14", f26="O1^EHR", f25=status, f11=f"^^^{start}"))
    assert told.keys() == {"appointment.stated", *(["order.scheduled"] if scheduled else [])}


def test_versions_before_2_4_have_no_such_field() -> None:
    assert "order_id" not in only(siu("S12", version="2.3", f26="O1^EHR")).data
    assert only(siu("S12", version="2.3.1", f26="O1^EHR")).type == "appointment.booked"


@pytest.mark.parametrize(
    "start, hours",
    [("20260303120000", 24), ("20260302140000", 2), ("20260302123000", 0.5), ("20260302110000", -1), ("", None)],
)
def test_a_cancel_says_why_and_how_long_before(start: str, hours: float | None) -> None:
    data = only(siu("S15", f6="ILL^Is ill", f11=f"^^^{start}")).data
    assert (data["reason"], data.get("notice_hours")) == ("ILL", hours)


def test_by_whom_is_the_site_s_to_say() -> None:
    site = """
        tables: {cancelled_by: {PAT: patient, DOC: provider}}
        groups: {APPT: {by: {code: SCH-6, table: cancelled_by, strict: true}}}
    """
    assert only(siu("S15", f6="DOC"), site).data["by"] == "provider"
    assert "by" not in only(siu("S15", f6="XX"), site).data
    assert "by" not in only(siu("S15", f6="DOC")).data


def test_a_request_for_an_appointment() -> None:
    raw = message("SRM^S01", "ARQ|R1^EHR|F1^SCH|||||||||20260310090000^20260312", PID)
    event = only(raw)
    assert event.type == "appointment.requested"
    wanted = {"appointment_id": "R1^EHR", "filler_appointment_id": "F1^SCH", "requested_for": "2026-03-10T13:00:00Z"}
    assert event.data | wanted == event.data
