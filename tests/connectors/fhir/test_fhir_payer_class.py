"""Of which kind a payer is: the type of the coverage that a claim came with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.fhir.bundle import Piece, split_bundle
from connectors.fhir.kept import read_kept, with_around
from connectors.fhir.read import FhirReader
from connectors.mapping.spec import fold
from tests.connectors.fhir.resources import CLAIM, bundle, event, read_all, ref, resource

SOPT = "https://nahdo.org/sopt"
SELF = "http://terminology.hl7.org/CodeSystem/coverage-selfpay"


def covered(*codings: tuple[str, str], id_: str = "v1") -> Any:
    said = {"coding": [{"system": system, "code": code} for system, code in codings]}
    return resource("Coverage", id_, status="active", type=said, beneficiary=ref("Patient/17"))


def claimed(*ids: str, focal: int = 0) -> Any:
    listed = [{"sequence": n + 1, "focal": n == focal, "coverage": ref(f"Coverage/{id_}")} for n, id_ in enumerate(ids)]
    return {**CLAIM, "insurance": listed}


def classes(*resources: Any, **settings: Any) -> list[Any]:
    told = [event for reading in read_all(bundle(*resources), **settings) for event in reading.events]
    return [event.data.get("payer_class") for event in told]


@pytest.mark.parametrize(
    "system, code, told",
    [
        (SOPT, "1", "medicare"),
        (SOPT, "121", "medicare"),
        (SOPT, "11", "ma"),
        (SOPT, "1112", "ma"),
        (SOPT, "14", None),
        (SOPT, "2", "medicaid"),
        (SOPT, "211", "medicaid"),
        (SOPT, "23", "chip"),
        (SOPT, "24", None),
        (SOPT, "512", "commercial"),
        (SOPT, "619", "commercial"),
        (SOPT, "81", "self"),
        (SOPT, "82", None),
        (SOPT, "9", None),
        (SELF, "pay", "self"),
        ("urn:other", "11", None),
        ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "EHCPOL", None),
    ],
)
def test_a_coverage_type_is_a_class_or_none(system: str, code: str, told: str | None) -> None:
    assert classes(claimed("v1"), covered((system, code))) == [told]


def test_the_first_coding_that_is_known_says_it_and_a_sites_own_too() -> None:
    assert classes(covered(("urn:a", "x"), (SOPT, "11")), claimed("v1")) == ["ma"]
    tables = {"fhir_payer_class": {fold("urn:a|x"): "chip"}}
    assert classes(covered(("urn:a", "x"), (SOPT, "11")), claimed("v1"), tables=tables) == ["chip"]


def test_of_several_coverages_the_one_that_the_claim_is_judged_by() -> None:
    both = covered((SOPT, "11"), id_="v1"), covered((SOPT, "512"), id_="v2")
    assert classes(*both, claimed("v1", "v2", focal=1)) == ["commercial"]
    assert classes(*both, claimed("v1", "v2", focal=7)) == [None]


def test_a_contained_coverage_serves_and_one_elsewhere_is_not_guessed() -> None:
    inner = {**covered((SOPT, "2")), "id": "c"}
    claim = {**CLAIM, "contained": [inner], "insurance": [{"sequence": 1, "focal": True, "coverage": ref("#c")}]}
    assert event(claim).data["payer_class"] == "medicaid"
    assert "payer_class" not in event(claimed("v9")).data


@pytest.mark.parametrize("spoilt", [7, "x", {"coding": 7}, {"coding": [7]}, {"coding": [{"code": 7}]}, None, {}])
def test_a_type_that_is_none_spoils_nothing(spoilt: Any) -> None:
    assert classes({**covered(), "type": spoilt}, claimed("v1")) == [None]


def test_it_is_kept_with_the_claim() -> None:
    whole = json.dumps(bundle(claimed("v1"), covered((SOPT, "11")))).encode()
    [piece] = [p for p in split_bundle(whole, "f") if isinstance(p, Piece) and b'"Claim"' in bytes(p.raw)]
    reading, _ = read_kept(with_around(piece.raw, piece.around), "f", lambda _: FhirReader())
    assert reading.events[0].data["payer_class"] == "ma"


def test_a_supplement_says_it_too() -> None:
    related = [{"claim": ref("Claim/c0")}]
    told = classes(covered((SOPT, "11")), {**claimed("v1"), "related": related})
    assert told == ["ma"]
