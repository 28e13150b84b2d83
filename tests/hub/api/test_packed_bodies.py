"""Bodies with a Content-Encoding: unpacked within the same limit, or refused by name, at every door alike."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.api.bodies import BodySettings
from hub.api.packed import Unpacking, read_coding
from hub.api.problems import Refused
from tests.hub.api.fhir.fhir_site import JSON, outcome, patient
from tests.hub.api.live_hub import Served, cloud_event, served

pytestmark = pytest.mark.anyio
EVENT = {"content-type": "application/cloudevents+json"}
PLAIN = {"content-type": "application/json"}
DOORS: dict[str, tuple[str, dict[str, str], Any, int]] = {
    "events": ("/v1/events", EVENT, cloud_event("result.final", 0, order_id="a"), 202),
    "feedback": ("/v1/feedback", PLAIN, {"id": "f1", "kind": "complaint", "facility": "NORTH", "comment": "x"}, 202),
    "fhir": ("/fhir", JSON, patient(), 201),
    "message": ("/fhir/$process-message", JSON, {"resourceType": "Bundle", "type": "message"}, 422),
    "resource": ("/fhir/Patient", JSON, patient(), 201),
}


async def send(site: Served, door: str, body: bytes, coding: str) -> httpx2.Response:
    url, headers, _, _ = DOORS[door]
    return await site.client.post(url, content=body, headers=headers | {"content-encoding": coding})


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZip, identity", "identity"])
@pytest.mark.parametrize("door", DOORS)
async def test_one_gzip_is_what_is_in_it(tmp_path: Path, door: str, coding: str) -> None:
    async with served(tmp_path) as site:
        body = json.dumps(DOORS[door][2]).encode()
        packed = body if coding == "identity" else gzip.compress(body)
        answer = await send(site, door, packed, coding)
        assert answer.status_code == DOORS[door][3], answer.text


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "gzip, gzip", "aes128gcm"])
@pytest.mark.parametrize("door", DOORS)
async def test_another_coding_is_refused_and_nothing_of_it_kept(tmp_path: Path, door: str, coding: str) -> None:
    async with served(tmp_path) as site:
        answer = await send(site, door, b"{}", coding)
        assert answer.status_code == 415
        assert answer.headers["accept-encoding"] == "gzip, identity"
        if door in ("events", "feedback"):
            assert answer.json()["type"] == "urn:pxhub:problem:unsupported-coding"
        else:
            assert outcome(answer)[:2] == (415, "not-supported")
        assert not tallies(site)


WHOLE = gzip.compress(b"{}", mtime=0)
SPOILT = {"no gzip": b"{}", "cut": WHOLE[:-9], "cut in its sum": WHOLE[:-1], "more behind": WHOLE + b"x"}


@pytest.mark.parametrize("spoilt", SPOILT)
@pytest.mark.parametrize("door", DOORS)
async def test_a_spoilt_gzip_is_refused_and_nothing_of_it_kept(tmp_path: Path, door: str, spoilt: str) -> None:
    async with served(tmp_path) as site:
        assert (await send(site, door, SPOILT[spoilt], "gzip")).status_code == 400
        assert not tallies(site)


@pytest.mark.parametrize("door", DOORS)
async def test_the_limit_is_of_what_is_in_it(tmp_path: Path, door: str) -> None:
    async with served(tmp_path, bodies=BodySettings(limit=200_000, room=400_000)) as site:
        body = json.dumps(DOORS[door][2]).encode()
        whole = gzip.compress(body + b" " * (200_000 - len(body)))
        assert (await send(site, door, whole, "gzip")).status_code == DOORS[door][3]
        before = tallies(site)
        assert (await send(site, door, gzip.compress(body + b" " * 200_000), "gzip")).status_code == 413
        assert (await send(site, door, gzip.compress(b" " * 50_000_000), "gzip")).status_code == 413
        # members of nothing: more of them than anybody reads
        assert (await send(site, door, gzip.compress(b"") * 50_000, "gzip")).status_code == 413
        assert tallies(site) == before


def tallies(site: Served) -> dict[Any, int]:
    with contextlib.closing(site.hub.store.reader()) as reader:
        return dict(reader.tallies())


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=3), st.integers(1, 60), st.integers(0, 400_000))
def test_any_members_in_any_pieces_are_what_was_packed(members: list[bytes], size: int, more: int) -> None:
    members.append(b" " * more)
    packed = b"".join(map(gzip.compress, members))
    unpacking = Unpacking()
    pieces = [p for at in range(0, len(packed), size) for p in unpacking.feed(packed[at : at + size])]
    unpacking.end()
    assert b"".join(pieces) == b"".join(members)
    assert max(map(len, pieces), default=0) <= 65_536


@given(st.text(max_size=20))
def test_any_coding_is_taken_or_refused(text: str) -> None:
    for takes_gzip in (True, False):
        with contextlib.suppress(Refused):
            read_coding(text, takes_gzip=takes_gzip)
