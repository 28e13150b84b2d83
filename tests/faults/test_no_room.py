"""A real `pxhub serve` whose files may grow no more: it says so, keeps what it acknowledged, and goes on by itself."""

from __future__ import annotations

import json
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from tests.faults.served import Served, ask

BATCH = {"content-type": "application/cloudevents-batch+json"}


def events(name: str, count: int, size: int) -> bytes:
    now = datetime.now(tz=UTC).isoformat()  # noqa: TID251 - a live hub is asked about now
    return json.dumps(
        [
            {"specversion": "1.0", "id": f"{name}/{n}", "source": "s", "type": "order.placed", "time": now,
             "data": {"mrn": "1", "assigning_authority": "N", "order_id": f"{name}{n}", "note": "x" * size}}
            for n in range(count)
        ]
    ).encode()  # fmt: skip


def until_ready(client: httpx2.Client) -> None:
    until = time.monotonic() + 20
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < until


def test_without_room_it_says_so_and_goes_on_when_there_is_some(tmp_path: Path) -> None:
    store = tmp_path / "store"
    served = Served(store)
    with httpx2.Client(base_url=f"http://127.0.0.1:{served.ports['http']}", timeout=30) as client:

        def post(name: str, count: int, size: int = 100) -> int:
            return client.post("/v1/events", headers=BATCH, content=events(name, count, size)).status_code

        assert post("a", 10) == 202
        largest = max(path.stat().st_size for path in store.iterdir())
        no_more = (largest + 64 * 1024, resource.RLIM_INFINITY)
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, no_more)
        assert [post("b", 500, 2_000) for _ in range(3)] == [503] * 3
        assert post("c", 1) == 202  # the little finds room still
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "failing")
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until_ready(client)
        assert post("b", 500, 2_000) == 202
    served.kill()
    facts: list[dict[str, Any]] = [json.loads(line) for line in served.log.read_text().splitlines()]
    assert [f["event"] for f in facts if f["event"].startswith("store.f")] == ["store.failed"]
    assert [f["event"] for f in facts if f["event"].startswith("store.r")] == ["store.recovered"]
    [stats] = ask("store", "stats", "--store", store)
    assert (stats["messages"], stats["accepted"]) == (511, 511)
