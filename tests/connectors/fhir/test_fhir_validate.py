"""What the models of fhir.resources refuse is noted, and taken."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from connectors.fhir.validate import faults
from tests.connectors.fhir.resources import APPOINTMENT, ENCOUNTER, ORDER, PATIENT, REPORT, read

pytestmark = pytest.mark.skipif(find_spec("fhir") is None, reason="fhir.resources is not installed: run make setup")


@pytest.mark.parametrize("value", [PATIENT, APPOINTMENT, ORDER, REPORT, ENCOUNTER], ids=lambda v: v["resourceType"])
def test_the_resources_of_these_tests_are_what_r4b_allows(value: dict[str, object]) -> None:
    assert faults(value) == []


def test_a_fault_is_told_by_its_path_and_not_by_its_value() -> None:
    wrong = {**ORDER, "priority": ["Doe"], "Jane Doe": 1}
    assert faults(wrong) == ["ServiceRequest.priority: string_type", "ServiceRequest.an element: extra_forbidden"]
    assert faults({"resourceType": "Nothing"}) == []


def test_what_is_refused_is_noted_and_taken() -> None:
    strange = read({**ORDER, "epicThing": 1}, validates=True)
    assert strange.events
    assert "fhir_invalid" in strange.notes
    assert read(ORDER, validates=True).notes == ()
    assert "fhir_invalid" not in read({**ORDER, "epicThing": 1}).notes
