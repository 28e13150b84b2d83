"""The vocabulary is open, and a slip of the pen is none of it."""

from __future__ import annotations

import pytest

from schemas.vocabulary import EVENT_TYPES, meant_attribute, meant_type


@pytest.mark.parametrize(
    "written, meant",
    [
        ("result.finl", "result.final"),
        ("reslt.final", "result.final"),
        ("results.final", "result.final"),
        ("result_final", "result.final"),
        ("Result.Final", "result.final"),
        ("apointment.booked", "appointment.booked"),
        ("appointment.canceled", "appointment.cancelled"),
        ("visit.start", "visit.started"),
        ("contact.end", "contact.ended"),
    ],
)
def test_a_slip_is_taken_for_what_it_means(written: str, meant: str) -> None:
    assert meant_type(written) == meant


@pytest.mark.parametrize(
    "own",
    [
        "transport.requested",
        "meal.ordered",
        "bed.assigned",
        "com.example.ride.booked",
        "result.explained",
        "order.planned",
        "visit.left_early",
        "bill.paid",
        "letter.sent",
    ],
)
def test_a_type_of_ones_own_passes(own: str) -> None:
    assert meant_type(own) is None


def test_no_known_type_is_taken_for_another() -> None:
    assert [name for name in EVENT_TYPES if meant_type(name) is not None] == []


def test_groups_are_resolved() -> None:
    ended = EVENT_TYPES["contact.ended"].attributes
    assert ended["order_id"].name == "order_id"
    assert ended["abandoned"].flag
    assert ended["outcome"].mapped
    assert not ended["queue"].mapped
    assert "category" in EVENT_TYPES["result.final"].attributes


@pytest.mark.parametrize(
    "event, written, meant",
    [
        ("result.final", "catagory", "category"),
        ("contact.ended", "queue_secs", "queue_seconds"),
        ("result.final", "orderid", "order_id"),
        ("result.final", "colour", None),
        ("result.final", "facility", None),
        ("survey.answered", "item.pain", None),
        ("meal.ordered", "anything", None),
    ],
)
def test_an_attribute_likewise(event: str, written: str, meant: str | None) -> None:
    assert meant_attribute(event, written) == meant
