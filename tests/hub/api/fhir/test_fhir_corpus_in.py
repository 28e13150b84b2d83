"""Every file of the corpus is posted: each is answered in FHIR, and nothing fails the hub or is lost."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import pytest

from connectors.fhir.files import looks_like_fhir
from schemas.event import DAY
from tests.hub.api.fhir.fhir_site import JSON, counts
from tests.hub.api.live_hub import BEGIN, served

_PLACES = [folder / "shared" / "corpus" / "fhir" for folder in Path(__file__).parents]
CORPUS = next((place for place in _PLACES if place.is_dir()), _PLACES[-1])
ANSWERS = {200, 201, 400, 404, 409, 412, 413, 422}


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real resources is not on this machine")
async def test_all_of_it_is_answered(tmp_path: Path) -> None:
    paths = [path for path in sorted(CORPUS.rglob("*.json")) if looks_like_fhir(path.read_bytes()[: 1 << 16])]
    told: Counter[tuple[int, str]] = Counter()
    async with served(tmp_path, now=BEGIN + 3650 * DAY) as site:
        for path in paths:
            answer = await site.client.post("/fhir", content=path.read_bytes(), headers=JSON, timeout=60)
            assert answer.status_code in ANSWERS, (path, answer.text)
            body = answer.json()
            code = body["issue"][0]["code"] if body["resourceType"] == "OperationOutcome" else body["resourceType"]
            told[(answer.status_code, code if code == "Bundle" or answer.status_code >= 400 else "resource")] += 1
        found = counts(site)
        with contextlib.closing(site.hub.store.reader()) as reader:
            whys = {(o, r): n for (_, o, r), n in reader.tallies().items() if o in ("dead", "ignored")}
    assert told.total() == len(paths)
    assert found["accepted"] > 50
    assert not [why for why in whys if why[1] == "engine"]
