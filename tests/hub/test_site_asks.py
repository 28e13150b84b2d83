"""How the site file says that a FHIR server is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.site import read_site_text
from hub.site_asks import OVERLAP, Asks
from schemas.event import MINUTE
from schemas.instant import read_instant

SITE = """
fhir:
  north:
    base: https://ehr.north.example/fhir
    types: [Patient, ServiceRequest]
    every: 5m
    overlap: 20m
    since: 2026-03-01T00:00:00Z
    client_id: pxhub
    key_file: keys/north.json
    scopes: [system/*.read]
    download_hosts: Files.north.example
  south: {base: 'https://south.example'}
"""


def test_what_is_asked_how_often_and_as_whom() -> None:
    site, problems = read_site_text("/etc/pxhub/site.yaml", SITE)
    assert problems == []
    assert site.fhir["north"].asks == Asks(
        types=("Patient", "ServiceRequest"),
        every=5 * MINUTE,
        overlap=20 * MINUTE,
        since=read_instant("2026-03-01T00:00:00Z"),
        client_id="pxhub",
        key_file=Path("/etc/pxhub/keys/north.json"),
        scopes=("system/*.read",),
        download_hosts=frozenset(("files.north.example",)),
    )
    assert site.fhir["south"].asks == Asks(overlap=OVERLAP)


@pytest.mark.parametrize(
    "lines, told",
    [
        ("every: 5m", "name its `base` too"),
        ("base: 'https://e.example', client_id: us", "go together"),
        ("base: 'https://e.example', client_id: us, key_file: k, token_file: t", "not both"),
        ("base: 'https://e.example', scopes: [a]", "`scopes` are asked for"),
        ("base: 'http://e.example', token_file: t", "https"),
        ("base: 'https://e.example', types: [Pateint]", "Patient"),
        ("base: 'https://e.example', every: often", "`every`"),
        ("base: 'https://e.example', every: 2 business days", "elapsed"),
        ("base: 'https://e.example', since: today", "`since`"),
        ("base: 'https://e.example', evry: 5m", "every"),
    ],
)
def test_mistakes_are_told_once(lines: str, told: str) -> None:
    _, problems = read_site_text("site.yaml", f"fhir: {{north: {{{lines}}}}}")
    assert len(problems) == 1
    assert told in str(problems[0])
