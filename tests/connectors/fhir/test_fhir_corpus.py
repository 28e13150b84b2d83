"""Real resources: every file read, every resource counted, every reason looked at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connectors.api import Reading
from connectors.cloudevents.read import CloudEventReader
from connectors.fhir.bundle import Piece
from connectors.fhir.files import looks_like_fhir, split_resources
from connectors.fhir.read import FhirReader
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.inputs import find_inputs

_PLACES = [folder / "shared" / "corpus" / "fhir" for folder in Path(__file__).parents]
CORPUS = next((place for place in _PLACES if place.is_dir()), _PLACES[-1])
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real resources is not on this machine")

# Resources of specifications mostly have no meta.lastUpdated, and many no other time.
DEAD = {
    # observations, visits, orders and plans of which nothing says when
    "no_time": 50,
    # an id that is a number: four of caredove's bundle
    "invalid": 4,
    # an observation of an oyster, which refers to nobody
    "no_identifier": 1,
}


def read_file(path: Path) -> list[Reading]:
    reader = FhirReader()
    pieces = split_resources([path.read_bytes()], path.name)
    return [reader.read(p.raw, p.place, p.around) if isinstance(p, Piece) else p for p in pieces]


@pytest.fixture(scope="module")
def readings() -> dict[str, list[Reading]]:
    """What each file's resources became, by path."""
    paths = sorted(path for path in CORPUS.rglob("*") if path.is_file())
    assert len(paths) == 323
    return {str(p.relative_to(CORPUS)): read_file(p) for p in paths if looks_like_fhir(p.read_bytes()[: 1 << 16])}


def test_every_resource_ends_as_events_ignored_or_dead(readings: dict[str, list[Reading]]) -> None:
    for name, found in readings.items():
        assert found, name
        for r in found:
            assert [bool(r.events), r.ignored is not None, r.dead is not None].count(True) == 1, name
            if r.ignored is None and r.dead is None:
                assert r.id
                assert len({event.id for event in r.events}) == len(r.events)
                assert all(event.identifiers for event in r.events)


def test_every_dead_letter_is_for_a_reason_that_was_looked_at(readings: dict[str, list[Reading]]) -> None:
    dead = Counter(r.dead.reason.value for found in readings.values() for r in found if r.dead is not None)
    assert dead == DEAD


def test_what_is_accepted(readings: dict[str, list[Reading]]) -> None:
    told = Counter(event.type for found in readings.values() for r in found for event in r.events)
    assert told == {
        "person.updated": 52,
        "observation.stated": 24,
        "authorization.stated": 11,
        "result.stated": 9,
        "consent.given": 7,
        "person.linked": 6,
        "appointment.stated": 5,
        "careplan.stated": 5,
        "authorization.approved": 4,
        "visit.stated": 4,
        "document.stated": 3,
        "proxy.stated": 3,
        "refill.stated": 2,
        "specimen.stated": 2,
        "authorization.denied": 1,
        "authorization.pended": 1,
        "consent.revoked": 1,
        "order.scheduled": 1,
        "order.stated": 1,
    }


def test_files_that_are_no_fhir_are_told(readings: dict[str, list[Reading]]) -> None:
    """Values alone, of a parser's tests, and resources without their type."""
    others = [p for p in CORPUS.rglob("*") if p.is_file() and str(p.relative_to(CORPUS)) not in readings]
    assert all(b'"resourceType"' not in p.read_bytes() or p.name == "cds-hook-order-review.json" for p in others)


def test_the_hub_reads_the_whole_folder() -> None:
    hl7, cloud, fhir = Hl7Reader(load_mapping()), CloudEventReader(), FhirReader()
    for one in find_inputs([str(CORPUS)]):
        for message in one.messages(hl7, cloud, fhir):
            assert message.event is None
            assert message.reading is not None
