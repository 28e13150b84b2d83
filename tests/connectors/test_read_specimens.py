"""Specimens: what the laboratory did with them, by OBR and by SPM."""

from __future__ import annotations

import pytest

from schemas.instant import write_instant
from tests.connectors.messages import PID, events, message, only, read
from tests.connectors.test_read_orders import obr, order, result


def test_specimens_of_a_laboratory_result() -> None:
    told = result(f7="20260302100000", f14="20260302103000", f24="CH")
    assert told.keys() == {"specimen.collected", "specimen.received", "result.final"}
    assert write_instant(told["specimen.collected"].time) == "2026-03-02T15:00:00Z"
    assert write_instant(told["specimen.received"].time) == "2026-03-02T15:30:00Z"
    assert told["specimen.received"].data["order_id"] == "P1^EHR"


def test_specimens_by_their_own_segment() -> None:
    spm = "SPM|1|S1&EHR^S2&LAB||BLD" + "|" * 13 + "20260302100000^20260302100500|20260302103000"
    told = result(spm)
    assert write_instant(told["specimen.collected"].time) == "2026-03-02T15:00:00Z"
    assert told["specimen.collected"].data["specimen_id"] == "S1^EHR"
    assert write_instant(told["specimen.received"].time) == "2026-03-02T15:30:00Z"
    rejected = result("SPM|1|^S2&LAB" + "|" * 19 + "RC^Clotted")["specimen.rejected"]
    assert (rejected.data["reason"], rejected.data["specimen_id"]) == ("RC", "S2^LAB")


@pytest.mark.parametrize("kind", ["ORU^R01", "OML^O21"])
@pytest.mark.parametrize("beside", [(), ("ORC|RE|P2", obr(f2="P2", f24="CH"))])
def test_every_specimen_of_an_order_is_told_once(kind: str, beside: tuple[str, ...]) -> None:
    spm = "SPM|{}|S{}" + "|" * 15 + "{}|{}"
    lines = (
        *("ORC|RE|P1", obr(f2="P1", f7="20260302090000", f14="20260302093000", f24="CH")),
        spm.format(1, 1, "20260302091500", ""),
        spm.format(2, 2, "20260302100000", "20260302103000") + "|||RC",
        spm.format(3, 2, "20260302100000", "20260302103000") + "|||RC",
        spm.format(4, 3, "", ""),
        "SPM|5|" + "|" * 19 + "RC",
    )
    found = read(message(kind, PID, *lines, *beside)).events
    assert len({event.id for event in found}) == len(found)
    told = [(e.type[9:], e.data.get("specimen_id"), write_instant(e.time)[11:16], e.data["order_id"]) for e in found]
    assert told == [
        ("collected", "S1", "14:00", "P1"),  # the first has the order's own time
        ("received", "S1", "14:30", "P1"),
        ("collected", "S2", "15:00", "P1"),
        ("received", "S2", "15:30", "P1"),
        ("rejected", "S2", "17:00", "P1"),
        ("rejected", None, "17:00", "P1"),
    ]
    assert found == read(message(kind, PID, *lines, *beside)).events


def test_a_further_specimen_that_is_to_be_taken_is_no_collection() -> None:
    spm = "SPM|{}|S{}" + "|" * 15 + "{}"
    raw = order("ORC|NW|P1", "OBR|1|P1", spm.format(1, 1, "20260302090000"), spm.format(2, 2, "20260309090000"))
    assert [event.type for event in read(raw).events] == ["order.placed", "specimen.collected"]


def test_a_prior_result_is_nothing_new() -> None:
    site = "add: {OML^O21: [{event: exam.completed, when: {ORC-5: CM}}]}"
    raw = order(
        *("ORC|NW|P1", obr(f2="P1", f24="CH", f25="S"), "SPM|1|S1", PID, "ORC|PR|P0|||CM"),
        *(obr(f2="P0", f7="20260101090000", f14="20260101090000", f24="CH", f25="S"), "SPM|1|S0" + "|" * 19 + "RC"),
        *(obr(f2="P9", f7="20260101090000", f24="CH"), "OBX|1|NM|K|||||H", "ORC|NW|P2", obr(f2="P2", f24="CH")),
        kind="OML^O21",
    )
    for _ in range(3):
        found = [(event.type, event.data["order_id"]) for event in read(raw, site).events]
        assert found == [("order.placed", "P1"), ("order.scheduled", "P1"), ("order.placed", "P2")]


def test_the_time_of_an_exam_is_no_collection() -> None:
    assert result(f7="20260302100000", f24="RAD").keys() == {"result.final"}
    assert result(f7="20260302100000").keys() == {"result.final"}


def test_a_collection_told_with_an_order_is_past() -> None:
    assert events(order("ORC|NW|P1", obr(f2="P1", f7="20260302100000", f24="CH"))).keys() == {
        "order.placed",
        "specimen.collected",
    }
    assert only(order("ORC|NW|P1", obr(f2="P1", f7="20260309100000", f24="CH"))).type == "order.placed"
    assert only(order("ORC|CA|P1", obr(f2="P1", f7="20260302100000", f24="CH"))).type == "order.cancelled"


def test_specimens_stand_before_their_orders_in_some_messages() -> None:
    spm = "SPM|{}|^S{}" + "|" * 15 + "20260302100000"
    raw = message(
        "OUL^R22",
        *(PID, spm.format(1, 1), obr(f3="F1", f25="F"), "ORC|RE|P1", "OBX|1|NM|a|||||H"),
        *(spm.format(2, 2), obr(f3="F2", f25="F"), "ORC|RE|P2"),
    )
    found = [(e.type, e.data["order_id"], e.data.get("specimen_id")) for e in read(raw).events]
    assert found == [
        ("specimen.collected", "P1", "S1"),
        ("result.final", "P1", None),
        ("specimen.collected", "P2", "S2"),
        ("result.final", "P2", None),
    ]
