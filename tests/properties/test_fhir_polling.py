"""Whatever ends a poll, and whatever changes meanwhile, the next ones together read every version that stayed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from connectors.fhir.search import Walk
from schemas.event import MINUTE, SECOND
from schemas.instant import read_instant, write_instant

BASE = "https://ehr.example"
BEGIN = read_instant("2026-03-02T09:00:00Z")
OVERLAP = 10 * MINUTE
LAG = 9 * MINUTE  # a version is found so long after its stamp, at most


@dataclass
class Server:
    """Versions with their stamps, each found only some time later; its searches are made when they are asked for."""

    sorts: bool
    page: int
    stamps: list[tuple[int, int]] = field(default_factory=list)  # stamp, and from when it is found
    searches: list[list[int]] = field(default_factory=list)

    def answer(self, url: str, now: int) -> bytes:
        query = parse_qs(urlsplit(url).query)
        if "search" in query:
            number, at = int(query["search"][0]), int(query["at"][0])
        else:
            since = read_instant(query["_lastUpdated"][0][2:]) if "_lastUpdated" in query else 0
            found = [n for n, (stamp, visible) in enumerate(self.stamps) if stamp >= since and visible <= now]
            self.searches.append(sorted(found, key=lambda n: self.stamps[n][0]) if self.sorts else found[::-1])
            number, at = len(self.searches) - 1, 0
        found = self.searches[number]
        entries = [
            {
                "resource": {
                    "resourceType": "Task",
                    "id": str(n),
                    "meta": {"lastUpdated": write_instant(self.stamps[n][0])},
                }
            }
            for n in found[at : at + self.page]
        ]
        more = at + self.page < len(found)
        link = [{"relation": "next", "url": f"{BASE}?search={number}&at={at + self.page}"}] if more else []
        if self.sorts:
            link.append({"relation": "self", "url": f"{BASE}/Task?_sort=_lastUpdated"})
        bundle = {"resourceType": "Bundle", "meta": {"lastUpdated": write_instant(now)}, "link": link, "entry": entries}
        return json.dumps(bundle).encode()


@given(
    st.booleans(),
    st.integers(1, 4),
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 20 * 60), st.integers(0, LAG // SECOND)), max_size=6),  # what changes
            st.none() | st.integers(0, 3),  # after how many pages the poll is cut
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_nothing_is_passed_over(sorts: bool, page: int, rounds: list[tuple[list[tuple[int, int]], int | None]]) -> None:
    server = Server(sorts, page)
    now, position, read = BEGIN, None, set()
    for changes, cut in [*rounds, ([], None), ([], None)]:
        server.stamps += [(now + at * SECOND, now + (at + lag) * SECOND) for at, lag in changes]
        now += 20 * MINUTE  # what changed last is found the next time
        walk = Walk(BASE, "Task", None if position is None else position - OVERLAP)
        while walk.url is not None and (cut is None or walk.pages < cut):
            came = walk.read(server.answer(walk.url, now), now)
            read |= {json.loads(piece.raw)["id"] for piece in came.pieces}
            if walk.position is not None:
                position = walk.position if position is None else max(position, walk.position)
        assert walk.fault is None
    assert read == {str(n) for n in range(len(server.stamps))}
