"""Asking a FHIR server, without one: URLs, pages, and when a search may go on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.fhir.search import ELSEWHERE, ENDLESS, Walk, WrongAnswer, first_url, origin_of, read_page, types_served
from schemas.instant import read_instant

BASE = "https://ehr.example/r4"
NOW = read_instant("2026-03-02T12:00:00Z")


def page(*stamps: str | None, following: str | None = None, sorts: bool = True, **more: Any) -> bytes:
    entries = [
        {"resource": {"resourceType": "Task", "id": str(number), **({"meta": {"lastUpdated": stamp}} if stamp else {})}}
        for number, stamp in enumerate(stamps)
    ]
    links = [{"relation": "self", "url": f"{BASE}/Task?_count=50&_sort=_lastUpdated,_id" if sorts else "https://["}] + (
        [{"relation": "next", "url": following}] if following else []
    )
    return json.dumps({"resourceType": "Bundle", "link": links, "entry": entries, **more}).encode()


def test_a_search_asks_for_what_changed_in_the_order_of_its_change() -> None:
    assert first_url(BASE, "Task", None) == f"{BASE}/Task?_sort=_lastUpdated&_count=250"
    since = read_instant("2026-03-02T09:00:00.9Z")
    wanted = f"{BASE}/Task?_lastUpdated=ge2026-03-02T09:00:00Z&_sort=_lastUpdated&_count=50"
    assert first_url(BASE, "Task", since, count=50) == wanted


def test_a_page_says_up_to_when_it_tells() -> None:
    found = read_page(
        b"\xef\xbb\xbf" + page("2026-03-02T10:00:00Z", "2026-03-02T09:00:00Z", None, "2031-01-01T00:00:00Z", "soon"),
        BASE,
        "Task",
        NOW,
    )
    assert len(found.pieces) == 5
    assert found.latest == read_instant("2026-03-02T10:00:00Z")
    assert found.first == read_instant("2026-03-02T09:00:00Z")
    assert not found.ordered
    assert found.undated == 2


def test_what_is_of_another_type_moves_nothing() -> None:
    found = read_page(page("2026-03-02T10:00:00Z"), BASE, "Patient", NOW)
    assert (found.latest, found.undated, len(found.pieces)) == (None, 0, 1)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"resourceType":"Patient"}', b'{"resourceType":"Bundle","entry":{}}', b"\xff", b"null"]
)
def test_what_is_no_page_is_told_without_its_words(raw: bytes) -> None:
    with pytest.raises(WrongAnswer):
        read_page(raw, BASE, "Task", NOW)


@pytest.mark.parametrize(
    "url",
    [
        "http://ehr.example/r4?page=2",
        "https://ehr.example:8443/r4?page=2",
        "https://ehr.example.evil/r4?page=2",
        "https://evil@other.example/r4",
        "//other.example/r4?page=2",
        "file:///etc/passwd",
        "https://[",
        "javascript:alert(1)",
    ],
)
def test_other_origins_are_not_followed(url: str) -> None:
    walk = Walk(BASE, "Task", None)
    walk.read(page("2026-03-02T10:00:00Z", following=url), NOW)
    assert walk.url is None
    assert walk.fault == ELSEWHERE


@pytest.mark.parametrize("url", ["?page=2", "https://EHR.example:443/r4?page=2", "/r4/Task?page=2#top"])
def test_the_same_origin_is_followed_however_it_is_written(url: str) -> None:
    walk = Walk(BASE, "Task", None)
    walk.read(page("2026-03-02T10:00:00Z", following=url), NOW)
    assert walk.url is not None
    assert origin_of(walk.url) == ("https", "ehr.example", 443)
    assert "#" not in walk.url


def test_a_link_back_is_an_end() -> None:
    walk = Walk(BASE, "Task", None)
    walk.read(page("2026-03-02T10:00:00Z", following="?page=2"), NOW)
    walk.read(page("2026-03-02T10:01:00Z", following="?page=2"), NOW)
    assert walk.fault == ENDLESS
    assert walk.position == read_instant("2026-03-02T10:01:00Z")  # what was read in order was read


def test_a_position_moves_with_pages_in_order_and_else_at_the_end() -> None:
    walk = Walk(BASE, "Task", None)
    walk.read(page("2026-03-02T10:00:00Z", following="?page=2"), NOW)
    assert walk.position == read_instant("2026-03-02T10:00:00Z")
    walk.read(page("2026-03-02T09:00:00Z", following="?page=3"), NOW)
    assert walk.position is None
    walk.read(page("2026-03-02T09:30:00Z"), NOW)
    assert walk.position == read_instant("2026-03-02T10:00:00Z")


def test_an_order_that_nobody_promised_moves_nothing_until_the_end() -> None:
    walk = Walk(BASE, "Task", None)
    walk.read(page("2026-03-02T10:00:00Z", following="?page=2", sorts=False), NOW)
    assert walk.position is None
    walk.read(page("2026-03-02T09:00:00Z", sorts=False), NOW)
    assert walk.position == read_instant("2026-03-02T10:00:00Z")


def test_a_quiet_servers_own_clock_moves_the_position() -> None:
    walk = Walk(BASE, "Task", None)
    walk.read(page("2026-03-02T10:00:00Z", meta={"lastUpdated": "2026-03-02T11:59:00Z"}), NOW)
    assert walk.position == read_instant("2026-03-02T11:59:00Z")
    undated = Walk(BASE, "Task", None)
    undated.read(page("2026-03-02T10:00:00Z", None, meta={"lastUpdated": "2026-03-02T11:59:00Z"}), NOW)
    assert undated.position == read_instant("2026-03-02T10:00:00Z")
    ahead = Walk(BASE, "Task", None)
    ahead.read(page(meta={"lastUpdated": "2030-01-01T00:00:00Z"}), NOW)
    assert ahead.position is None


def test_types_that_can_be_searched() -> None:
    resources = [
        {"type": "Patient", "interaction": [{"code": "read"}, {"code": "search-type"}]},
        {"type": "Task", "interaction": [{"code": "read"}]},
        {"type": "Claim"},
    ]
    statement = {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": resources}]}
    assert types_served(json.dumps(statement).encode()) == {"Patient", "Claim"}
    assert types_served(b"<html>") is None
    assert types_served(b"{}") is None
