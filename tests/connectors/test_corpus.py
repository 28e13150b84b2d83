"""Real messages: every file read, every message counted, every dead letter for a reason that was looked at."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from connectors.api import Reading
from connectors.hl7.files import looks_like_hl7, split_messages
from connectors.hl7.mappings import load_mapping
from connectors.hl7.read import Hl7Reader
from hub.bench import fuzz

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real messages is not on this machine")

# What INDEX.json does not count: segments between batch headers that no MSH precedes, one unreadable message each.
STRAY = {f"johnpaulett_python-hl7/samples-sample_bad_{name}.hl7": 1 for name in ("batch", "file", "file3")}
DEAD = {
    # MSH-7 has sixteen digits, and nothing else says when
    "CDCgov_phdi/FileSingleMessageSimple.hl7": ["bad_time"],
    # a header cut after its second delimiter; a header of three fields
    "cosyte_hl7/batch/malformed-mid-batch.hl7": ["invalid"],
    "johnpaulett_python-hl7/test_parse-nonstd.hl7": ["invalid"],
    # account numbers are said to be replaced, and a visit to be moved, without saying which or from whom
    "microsoft_FHIR-Converter/ADT-A41-02.hl7": ["invalid"],
    "microsoft_FHIR-Converter/ADT-A45-01.hl7": ["invalid"],
    # PID-3 is empty, or there is no PID
    "cosyte_hl7/conformance/adt-missing-required.hl7": ["no_identifier"],
    "cosyte_hl7/edge-cases/decoded-br.hl7": ["no_identifier"],
    "kardianos_hl7/error/adt.hl7": ["no_identifier"],
    "kardianos_hl7/roundtrip/adt.hl7": ["no_identifier"],
    # a batch header within a message: whose the PID behind it is, nobody can say
    "johnpaulett_python-hl7/samples-sample_bad_batch1.hl7": ["unreadable"],
    "johnpaulett_python-hl7/samples-sample_bad_file1.hl7": ["unreadable"],
    "johnpaulett_python-hl7/samples-sample_bad_file2.hl7": ["unreadable"],
    # segments without MSH
    "johnpaulett_python-hl7/samples-sample_bad_batch.hl7": ["unreadable"],
    "johnpaulett_python-hl7/samples-sample_bad_file.hl7": ["unreadable"],
    "johnpaulett_python-hl7/samples-sample_bad_file3.hl7": ["unreadable"],
}


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.fixture(scope="module")
def readings() -> dict[str, list[Reading]]:
    """What each file's messages became, by path below hl7v2."""
    reader = Hl7Reader(load_mapping())
    found: dict[str, list[Reading]] = {}
    for path in sorted((CORPUS / "hl7v2").rglob("*")):
        if path.is_file() and looks_like_hl7((raw := content(path))[:8192]):
            chunks = [raw[at : at + 4096] for at in range(0, len(raw), 4096)]
            name = str(path.relative_to(CORPUS / "hl7v2"))
            found[name] = [m if isinstance(m, Reading) else reader.read(m, name) for m in split_messages(chunks)]
    return found


def test_every_message_is_counted(readings: dict[str, list[Reading]]) -> None:
    index = json.loads((CORPUS / "INDEX.json").read_text(encoding="utf-8"))
    told = {e["path"].removeprefix("hl7v2/"): e["count"] for e in index if e["path"].startswith("hl7v2/")}
    counted = {name: len(found) - STRAY.get(name, 0) for name, found in readings.items()}
    assert counted == {name: told[name] for name in counted}
    assert set(told) - set(counted) == {"CDCgov_phdi/FileSingleMessageInvalidSegments.hl7"}  # begins with AAA


def test_each_dead_letter_has_its_reason(readings: dict[str, list[Reading]]) -> None:
    dead = {name: sorted(r.dead.reason.value for r in found if r.dead is not None) for name, found in readings.items()}
    assert {name: reasons for name, reasons in dead.items() if reasons} == DEAD


def test_each_is_one_of_three_things(readings: dict[str, list[Reading]]) -> None:
    for found in readings.values():
        for reading in found:
            assert [bool(reading.events), reading.ignored is not None, reading.dead is not None].count(True) == 1


def test_every_event_has_a_type_of_its_own_and_no_empty_attribute(readings: dict[str, list[Reading]]) -> None:
    types: Counter[str] = Counter()
    for found in readings.values():
        for reading in found:
            assert len({event.id for event in reading.events}) == len(reading.events)
            for event in reading.events:
                types[event.type] += 1
                assert "" not in event.data.values()
                assert event.data["mrn"] == event.identifiers[0].partition("^")[0]
    assert types["visit.started"] > 1000
    assert types["result.final"] > 500
    assert types["person.merged"] > 90


@pytest.mark.parametrize(
    "name, service",
    [("iso-8859-1", None), ("iso-8859-5", None), ("utf-8", None), ("iso-2022-jp", None), ("gb18030", None)],
)
def test_character_sets(readings: dict[str, list[Reading]], name: str, service: str | None) -> None:
    (reading,) = readings[f"google_simhospital/derived-charset/charset-{name}.hl7"]
    assert reading.notes == ("zone_assumed",)
    assert reading.events[0].data.get("service") == service


def test_an_undeclared_character_set_is_noted(readings: dict[str, list[Reading]]) -> None:
    (reading,) = readings["google_simhospital/derived-charset/charset-none-declared-cp1252.hl7"]
    assert "charset_guessed" in reading.notes


def test_mutations_of_real_messages() -> None:
    outcome = fuzz.run(2_000, seed=1, corpus=CORPUS / "hl7v2")
    assert outcome["messages"] == outcome["accepted"] + outcome["ignored"] + outcome["dead_letters"]
