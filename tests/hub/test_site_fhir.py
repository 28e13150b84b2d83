"""The FHIR servers of a site file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.fhir_server import NotAnswered, is_of_server, url_of
from hub.site import read_site_text
from hub.site_fhir import FhirServer

SITE = """
fhir:
  north:
    base: https://ehr.north.example/fhir/
    zone: America/New_York
    authority: [https://internal.north.example/R4, NORTH_EHR]
    token_file: north.token
  south: {}
"""


def test_servers_are_read_by_their_names() -> None:
    site, problems = read_site_text("/etc/pxhub/site.yaml", SITE)
    assert problems == []
    assert site.fhir == {
        "north": FhirServer(
            name="north",
            base="https://ehr.north.example/fhir",
            zone="America/New_York",
            spellings=("https://internal.north.example/R4", "NORTH_EHR"),
            token_file=Path("/etc/pxhub/north.token"),
        ),
        "south": FhirServer(name="south"),
    }


def test_their_bases_and_spellings_are_authorities() -> None:
    site, _ = read_site_text("site.yaml", SITE)
    assert site.spellings == {
        "https://ehr.north.example/fhir": "north",
        "https://internal.north.example/R4": "north",
        "NORTH_EHR": "north",
    }


@pytest.mark.parametrize(
    "text",
    [
        "fhir: {North: {}}",
        "fhir: {fhir: {}}",
        "fhir: {north: text}",
        "fhir: {north: {base: ehr.example}}",
        "fhir: {north: {base: 'https://me:secret@ehr.example'}}",
        "fhir: {north: {token_file: a}}",
        "fhir: {north: {zone: Mars/Base}}",
        "fhir: {north: {bass: https://ehr.example}}",
        "fhir: {north: {base: 'https://ehr.example'}, south: {base: 'https://ehr.example/'}}",
        "{fhir: {north: {authority: N}}, authorities: {SOUTH: [N]}}",
    ],
)
def test_mistakes_are_told(text: str) -> None:
    _, problems = read_site_text("site.yaml", text)
    assert len(problems) == 1
    assert "secret" not in str(problems[0])


def test_a_token_goes_to_its_server_alone() -> None:
    server = FhirServer(name="north", base="https://ehr.example/fhir")
    assert url_of(server, "Patient?_count=1") == "https://ehr.example/fhir/Patient?_count=1"
    assert url_of(server, "https://ehr.example/fhir?page=2") == "https://ehr.example/fhir?page=2"
    assert not is_of_server(server, "https://ehr.example.evil/fhir")
    with pytest.raises(NotAnswered):
        url_of(server, "http://ehr.example/fhir?page=2")
