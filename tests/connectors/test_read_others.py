"""Documents, referrals, authorizations, charges; and what a reading is when a message cannot be taken."""

from __future__ import annotations

import pytest

from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from schemas.errors import Reason
from schemas.instant import write_instant
from tests.connectors.messages import PID, message, only, read, reader


def txa(kind: str = "DS", status: str = "LA", placer: str = "P1^EHR", filler: str = "F1^LAB") -> str:
    return f"TXA|1|{kind}|TX|||||||||D1^DOC||{placer}|{filler}||{status}"


@pytest.mark.parametrize("trigger", [f"T{n:02d}" for n in range(1, 11)])
@pytest.mark.parametrize("status", ["AU", "LA"])
def test_documents_that_are_authenticated(trigger: str, status: str) -> None:
    event = only(message(f"MDM^{trigger}", f"EVN|{trigger}|20260302110000", PID, "PV1|1|I", txa(status=status)))
    assert event.type == "document.signed"
    wanted = {"document_id": "D1^DOC", "order_id": "P1^EHR", "filler_order_id": "F1^LAB", "kind": "DS", "class": "I"}
    assert event.data | wanted == event.data
    assert write_instant(event.time) == "2026-03-02T16:00:00Z"


@pytest.mark.parametrize("status", ["DI", "DO", "IP", "IN", "PA", ""])
def test_other_documents_are_not_signed(status: str) -> None:
    assert read(message("MDM^T02", PID, txa(status=status))).ignored == "nothing mapped in MDM^T02"


@pytest.mark.parametrize(
    "sent, kind", [("DS", "DS"), ("CN^Consult", "CN"), ("18842-5", "DS"), ("OP", None), ("", None)]
)
def test_kinds_of_documents(sent: str, kind: str | None) -> None:
    assert only(message("MDM^T02", PID, txa(kind=sent))).data.get("kind") == kind


def test_a_document_is_withdrawn() -> None:
    event = only(message("MDM^T11", PID, "PV1|1|I", txa(status="")))
    assert (event.type, event.data["document_id"]) == ("document.withdrawn", "D1^DOC")
    assert event.data["class"] == "I"


@pytest.mark.parametrize(
    "placer, filler, wanted", [("P1^EHR", "F1^LAB", ("P1^EHR", "F1^LAB")), ("", "F1^LAB", ("F1^LAB", None))]
)
def test_a_result_that_comes_as_a_document(placer: str, filler: str, wanted: tuple[str, str | None]) -> None:
    site = "add: {MDM^T02: [{event: result.final, when: {TXA-2: RADRPT}}]}"
    evn = "EVN|T02|20260302110000||||20260302103000"
    for lines, hour in (((evn,), "15:30"), ((evn[:22],), "16:00"), ((), "17:00")):
        raw = message("MDM^T02", *lines, PID, "PV1|1|O", txa("RADRPT", "DO", placer, filler))
        event = only(raw, site)
        assert (event.type, event.data["order_id"], event.data.get("filler_order_id")) == ("result.final", *wanted)
        assert write_instant(event.time)[11:16] == hour


def test_a_document_of_the_filler_s_number_alone() -> None:
    data = only(message("MDM^T02", PID, txa(placer=""))).data
    assert (data["order_id"], "filler_order_id" in data) == ("F1^LAB", False)


RF1 = "RF1|{}|A^ASAP|CAR^Cardiology|||R1^EHR||||LATE^Too late|X1^NET"


def test_a_referral_is_asked_for() -> None:
    event = only(message("REF^I12", RF1.format("P"), "PRD|RP|Me^I", "PRD|RT|Heart^Clinic", PID))
    assert event.type == "referral.requested"
    assert event.data | {"referral_id": "R1^EHR", "priority": "A", "to": "Heart"} == event.data
    assert only(message("REF^I12", "RF1|P|||||||||ENT|X1^NET", PID)).data["referral_id"] == "X1^NET"


@pytest.mark.parametrize("kind", ["RRI^I12", "REF^I13", "RRI^I13"])
@pytest.mark.parametrize(
    "status, type_, reason",
    [("A", "referral.accepted", None), ("R", "referral.rejected", "LATE"), ("E", "referral.cancelled", "expired")],
)
def test_a_referral_is_answered(kind: str, status: str, type_: str, reason: str | None) -> None:
    event = only(message(kind, RF1.format(status), PID))
    assert (event.type, event.data.get("reason")) == (type_, reason)


def test_a_pending_referral_says_nothing_and_a_withdrawn_one_is_cancelled() -> None:
    assert read(message("RRI^I12", RF1.format("P"), PID)).ignored == "nothing mapped in RRI^I12"
    event = only(message("REF^I14", RF1.format("A"), PID))
    assert (event.type, event.data["reason"]) == ("referral.cancelled", "LATE")


@pytest.mark.parametrize(
    "trigger, type_",
    [
        ("I08", "authorization.requested"),
        ("I09", "authorization.supplemented"),
        ("I10", "authorization.supplemented"),
        ("I11", "authorization.cancelled"),
    ],
)
def test_authorizations(trigger: str, type_: str) -> None:
    lines = ("RF1|P|S||||A1^EHR", "AUT||AETNA^Aetna|||20260601|N9^PAY")
    event = only(message(f"RQA^{trigger}", *lines, PID, "PV1|1|O" + "|" * 17 + "V1"))
    assert event.type == type_
    wanted = {
        "authorization_id": "A1^EHR",
        "payer_number": "N9^PAY",
        "payer": "AETNA",
        "visit_id": "V1",
        "urgent": True,
    }
    assert event.data | wanted | {"valid_until": "2026-06-01T04:00:00Z"} == event.data


def test_urgent_is_always_told_of_an_authorization() -> None:
    assert only(message("RQA^I08", PID, "AUT||AETNA|||||")).data["urgent"] is False


def test_verdicts_are_a_site_s_to_say() -> None:
    raw = message("RPA^I08", PID, "AUT||AETNA||||N9^PAY", "ZAU|1|A3")
    assert read(raw).ignored == "no mapping for RPA^I08"
    site = """
        messages:
          RPA^I08 RPA^I09:
            - {event: authorization.approved, when: {ZAU-2: [A1, A2]}}
            - {event: authorization.denied, when: {ZAU-2: A3}}
    """
    event = only(raw, site)
    assert (event.type, event.data["authorization_id"]) == ("authorization.denied", "N9^PAY")


@pytest.mark.parametrize("kind", ["DFT^P03", "DFT^P11"])
def test_each_charge_is_posted(kind: str) -> None:
    pid = PID + "|" * 13 + "K1^^^N"
    ft1 = "FT1|{}|||20260302||{}|X|||1|{}"
    raw = message(kind, pid, ft1.format(1, "CG", "120.50"), ft1.format(2, "PY", "20"), ft1.format(3, "", "80&USD"))
    one, other = read(raw).events
    assert [e.type for e in (one, other)] == ["charge.posted", "charge.posted"]
    assert [(e.data["amount"], e.data["account_id"]) for e in (one, other)] == [(120.5, "K1^N"), (80, "K1^N")]
    assert one.id != other.id


def test_charges_of_two_patients_stay_with_theirs() -> None:
    ft1 = "FT1|1|||20260302||CG|X|||1|5"
    raw = message("DFT^P03", PID, ft1, "PID|2||200^^^NORTH^MR", ft1)
    assert [e.identifiers for e in read(raw).events] == [("100^NORTH",), ("200^NORTH",)]


def test_an_account_without_a_charge_is_none() -> None:
    assert read(message("BAR^P01", PID)).ignored == "nothing mapped in BAR^P01"


def test_the_message_s_identity_is_its_control_id_with_its_time() -> None:
    reading = read(message("ADT^A01", PID, control="7", stamp="20260302120000"))
    assert (reading.source, reading.id) == ("hl7/APP/FAC", "7@20260302120000")
    assert len(reading.digest) == 16


@pytest.mark.parametrize("change", [(b"\r", b"\n"), (b"\r", b"\r\n"), (b"\rPID", b"\r\rPID"), (b"\r\n", b"\r")])
def test_line_ends_are_not_content(change: tuple[bytes, bytes]) -> None:
    raw = message("ADT^A01", PID)
    assert read(raw.replace(*change)).digest == read(raw).digest
    assert read(b"\x0b" + raw + b"\x1c\r").digest == read(raw).digest
    assert read(raw.replace(b"Doe", b"Roe")).digest != read(raw).digest


def test_without_a_control_id_the_content_is_the_identity() -> None:
    raw = message("ADT^A01", PID, control="")
    reading = read(raw)
    assert reading.id == reading.digest.hex()
    assert "no_control_id" in reading.notes
    assert "message_id" not in reading.events[0].data
    assert read(raw.replace(b"Jane", b"June")).id != reading.id


@pytest.mark.parametrize(
    "kind, stamp, lines, reason, place",
    [
        ("ADT^A31", "", (PID,), Reason.NO_TIME, "EVN-6, EVN-2, MSH-7"),
        ("ADT^A31", "2020051401000000", (PID,), Reason.BAD_TIME, "MSH-7"),
        ("ADT^A31", "", ("EVN||soon", PID), Reason.BAD_TIME, "EVN-2"),
        ("ADT^A01", "20260302", ("EVN||20260302",), Reason.NO_IDENTIFIER, "PID-3"),
        ("", "20260302", (PID,), Reason.INVALID, "MSH-9"),
    ],
)
def test_dead_letters_name_the_place(kind: str, stamp: str, lines: tuple[str, ...], reason: Reason, place: str) -> None:
    letter = read(message(kind, *lines, stamp=stamp)).dead
    assert letter is not None
    assert (letter.reason, letter.place) == (reason, f"file message 1, {place}")


@pytest.mark.parametrize("line", ["BHS|^~\\&|A", "BTS|1", "FHS|^~\\&", "FTS"])
def test_a_line_of_a_batch_inside_a_message_leaves_open_whose_the_rest_is(line: str) -> None:
    letter = read(message("ADT^A01", line, PID)).dead
    assert letter is not None
    assert letter.reason is Reason.UNREADABLE


def test_a_bad_stamp_is_passed_over_where_another_says_when() -> None:
    reading = read(message("ADT^A31", "EVN||20260302110000||||soon", PID))
    assert write_instant(reading.events[0].time) == "2026-03-02T16:00:00Z"
    assert reading.notes == ("bad_time_skipped",)


def test_a_dead_letter_quotes_nothing() -> None:
    letter = read(message("ADT^A31", PID, stamp="SECRET")).dead
    assert letter is not None
    assert "SECRET" not in f"{letter.place} {letter.mend}"


def test_the_type_that_is_told_is_safe_to_show() -> None:
    assert read(message("<b>ADT^A99!" + "X" * 40, PID)).ignored == "no mapping for BADT^A99XXXXXXXXXXXX"


def test_zones() -> None:
    raw = message("ADT^A01", PID)
    mapping = load_mapping()
    assert read(raw).notes == ()
    assumed = reader("", None).read(raw, "f")
    assert (write_instant(assumed.events[0].time), assumed.notes) == ("2026-03-02T12:00:00Z", ("zone_assumed",))
    there = Hl7Reader(mapping, zones={"FAC": "Europe/London", "X": "Asia/Tokyo"}, default_zone="America/New_York")
    assert write_instant(there.read(raw, "f").events[0].time) == "2026-03-02T12:00:00Z"
    named = Hl7Reader(mapping, zones={"FAC": "Europe/London"})
    assert named.read(raw, "f").notes == ()
    own = message("ADT^A01", PID, stamp="20260302120000-0800")
    assert reader("", None).read(own, "f").notes == ()
    assert write_instant(reader("", None).read(own, "f").events[0].time) == "2026-03-02T20:00:00Z"


def test_an_assumed_zone_of_an_attribute_is_counted_too() -> None:
    raw = message("SIU^S12", "SCH|P1||||||||||^^^20260310090000", PID, stamp="20260302120000-0800")
    assert reader("", None).read(raw, "f").notes == ("zone_assumed",)


def test_a_facility_s_character_set() -> None:
    raw = message("ADT^A01", PID, "PV1|1|I||||||||ŁÓDŹ").decode().encode("iso8859-2")
    there = Hl7Reader(load_mapping(), charsets={"FAC": "8859/2"}, default_zone="UTC").read(raw, "f")
    assert (there.events[0].data["service"], there.notes) == ("ŁÓDŹ", ())
    assert "charset_guessed" in read(raw).notes


def test_a_set_of_segments_read_often_is_read_as_the_first_time() -> None:
    """The general plan and the one made for the segments at hand say the same."""
    fresh = Hl7Reader(load_mapping(), default_zone="UTC")
    for raw in (
        message("SIU^S15", "SCH|P1|F1||||ILL|||||^^^20260310090000", PID, "PV1|1|O"),
        message("ADT^A03", "EVN||20260302", PID, "PV1|1|I"),
        message("ORU^R01", PID, "ORC|RE|P1", "OBR|1|P1|||||||||||||||||||||||F", "OBX|1|NM|K|||||H"),
        message("OML^O21", PID, "ORC|NW|P1", "OBR|1|P1"),
        message("RQA^I08", PID, "AUT||X"),
    ):
        readings = [fresh.read(raw, "f") for _ in range(3)]
        assert readings[0].events
        assert readings[0] == readings[1] == readings[2]


@pytest.mark.parametrize(
    "hd, name",
    [("N^1.2.3^ISO", "N"), ("^1.2.3^ISO", "1.2.3"), ('""^1.2.3^ISO', "1.2.3"), ("N", "N"), ("", ""), ("^^ISO", "")],
)
def test_an_application_and_a_facility_may_have_an_id_alone(hd: str, name: str) -> None:
    raw = message("ADT^A01", PID).replace(b"|APP|FAC|", f"|{hd}|{hd}|".encode())
    reading = Hl7Reader(load_mapping(), zones={name or "none": "Asia/Tokyo"}, default_zone="UTC").read(raw, "f")
    (event,) = reading.events
    assert (reading.source, event.facility) == (f"hl7/{name}/{name}", name or None)
    assert write_instant(event.time)[11:13] == ("03" if name else "12")
    site = "tables: {category_of_sender: {1.2.3: RAD}}"
    order = message("ORM^O01", PID, "ORC|NW|P1", "OBR|1|P1").replace(b"|APP|FAC|", f"|{hd}|{hd}|".encode())
    assert only(order, site).data.get("category") == ("RAD" if name == "1.2.3" else None)
