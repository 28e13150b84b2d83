"""How a patient is reached and who speaks for them, as ADT says it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.messages import events, message

EVN = "EVN||20260302100000"
PID = "PID|1||1^^^A^MR||Doe^Jane^Q^^Ms||20120506|F|||||"


def told(phones: str, *segments: str) -> dict[str, Any]:
    return events(message("ADT^A28", EVN, PID + phones, *segments))["person.updated"].data


def test_names_numbers_and_addresses() -> None:
    data = told("(212)555-0100~^NET^Internet^jane@x.org|old@x.org^WPN^Internet")
    assert (data["family_name"], data["given_name"], data["birth_date"]) == ("Doe", "Jane", "2012-05-06")
    assert data["phones"] == ["(212)555-0100"]
    assert data["emails"] == ["jane@x.org", "old@x.org"]


@pytest.mark.parametrize(
    "segment, relation",
    [
        ("NK1|1|Roe^Ann|MTH^Mother||(212)555-0199", "mother"),
        ("NK1|1|Roe^Ann|GRD^Guardian||(212)555-0199", "guardian"),
        ("NK1|1|Roe^Ann|OTH^Other||(212)555-0199||GRD", "guardian"),
        ("NK1|1|Roe^Ann|^MOTHER||(212)555-0199", "mother"),
        ("NK1|1|Roe^Ann|FTH|||(212)555-0199", "father"),
    ],
)
def test_who_speaks_for_somebody(segment: str, relation: str) -> None:
    data = told("(212)555-0100", "NK1|1|Doe^Sam|SPO||(212)555-0111", segment)
    assert (data["proxy_name"], data["proxy_relation"], data["proxy_phone"]) == ("Roe, Ann", relation, "(212)555-0199")


def test_a_spouse_speaks_for_nobody() -> None:
    assert not {"proxy_name", "proxy_relation", "proxy_phone"} & told("x", "NK1|1|Doe^Sam|SPO||(212)555-0111").keys()


@pytest.mark.parametrize("status, type_", [("A", "consent.given"), ("B", "consent.revoked"), ("R", "consent.revoked")])
def test_consents(status: str, type_: str) -> None:
    con = f"CON|1|OUTREACH|||||||||{status}||20260302|20260301"
    found = events(message("MDM^T02", EVN, PID, "TXA|1|CN", con))
    assert type_ in found
    assert found[type_].data["purpose"] == "OUTREACH"
