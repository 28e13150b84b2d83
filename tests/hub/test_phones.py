"""Telephone numbers as they are written, to E.164, or to nothing."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.contact_points import ContactPoints
from hub.phones import NO_REGION, NONSENSE, read_phone
from schemas.event import Event


@pytest.mark.parametrize(
    "text, region, number, extension",
    [
        ("(212) 555-0100", "US", "+12125550100", ""),
        ("212.555.0100 x17", "US", "+12125550100", "17"),
        ("+1 212 555 0100 ext. 4", None, "+12125550100", "4"),
        ("tel:+1-212-555-0100;ext=12", None, "+12125550100", "12"),
        ("whatsapp:+12125550100", None, "+12125550100", ""),
        ("sip:+12125550100@host.example", None, "+12125550100", ""),
        ("020 7946 0018", "GB", "+442079460018", ""),
        ("0043 1 58858", "AT", "+43158858", ""),
        ("+49 (30) 1234-5678", "US", "+493012345678", ""),
    ],
)
def test_numbers(text: str, region: str | None, number: str, extension: str) -> None:
    assert read_phone(text, region) == (number, extension, "")


@pytest.mark.parametrize(
    "text", ["+1 555 CALL NOW", "", "none", "x12", "000-000-0000", "9999999999", "+", "12", "+1 212 555 0100 0100 0100"]
)
def test_nonsense_is_none(text: str) -> None:
    assert read_phone(text, "US").why == NONSENSE


def test_a_number_without_country_and_region_is_told_apart_from_nonsense() -> None:
    assert read_phone("(212) 555-0100", None).why == NO_REGION


@given(st.from_regex(r"\A\(?[2-9]\d\d\)?[ .-]?[2-9]\d\d[ .-]?\d{4}\Z"))
def test_the_quick_way_says_what_the_library_says(text: str) -> None:
    found = read_phone(text, "US")
    number = phonenumbers.parse(text, "US")
    assert found.number in ("", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@given(st.text(max_size=40), st.sampled_from([None, "US", "GB"]))
def test_no_text_raises(text: str, region: str | None) -> None:
    found = read_phone(text, region)
    assert bool(found.number) is not bool(found.why)


def settled(**data: object) -> tuple[dict[str, object], dict[str, int]]:
    points = ContactPoints({"NORTH": "US"}, None)
    event = Event("e", "s", "contact.ended", 0, dict(data), (), "NORTH")  # type: ignore[arg-type]
    points.settle(event)
    return event.data, dict(points.left_out)  # type: ignore[return-value]


def test_what_is_no_number_is_left_out_and_counted() -> None:
    assert settled(address="+1 555 CALL NOW") == ({}, {NONSENSE: 1})
    assert settled(phones=["(212) 555-0100", "no", "212 555 0100"]) == ({"phones": ["+12125550100"]}, {NONSENSE: 1})
    assert settled(address=["+12125550100"]) == ({}, {NONSENSE: 1})


def test_an_extension_stands_apart() -> None:
    assert settled(address="212 555 0100 x9")[0] == {"address": "+12125550100", "address_extension": "9"}
    told = settled(phones=["212 555 0100 x9"])[0]
    assert told == {"phones": ["+12125550100"], "phone_extensions": ["+12125550100;ext=9"]}


def test_addresses_of_other_channels_stay() -> None:
    for address, channel in (("jane@x.org", "email"), ("jane7", "chat"), ("jane@x.org", None)):
        data = {"address": address} | ({"channel": channel} if channel else {})
        assert settled(**data) == (data, {})
