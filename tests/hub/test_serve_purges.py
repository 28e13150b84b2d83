"""A hub that is served lets go of what is old by itself, and says once how much went."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from hub.serve.service import machine_time
from schemas.event import DAY, HOUR, Event
from schemas.message import Message
from streams.core.thresholds import read_thresholds
from streams.embedded.runtime import Runtime
from streams.embedded.store import Store
from tests.faults.served import Served, ask

DECLARED = """
thresholds:
  - {id: told, kind: wait, key: order_id, start: result.final, satisfied_by: result.viewed, within: 1h}
"""
MANY = 4_100  # messages: three pieces of a purge


def message(type_: str, number: int, at: int) -> Message:
    id_ = f"{type_}/{number}"
    event = Event(id_, "lab", type_, at, {"order_id": str(number)}, (f"{number}^N",))
    return Message("cloudevents", id_.encode(), "lab", id_, id_.encode(), (event,))


def old_store(folder: Path) -> Path:
    """A store of a month ago: one result was told two hours late, the others in time; and one message of today."""
    thresholds, _ = read_thresholds([("t.yaml", DECLARED)], default_zone="UTC")
    now = machine_time()
    then = now - 30 * DAY
    with closing(Store.open(folder)) as store:
        runtime = Runtime(store, thresholds, now=then)
        runtime.take([message("result.final", 0, then)], then)
        runtime.apply()
        runtime.tick(then + 2 * HOUR)
        then += 2 * HOUR
        runtime.take([message("result.viewed", 0, then)], then)
        for at in range(1, MANY, 1_000):
            runtime.take([message("referral.created", at + n, then) for n in range(min(1_000, MANY - at))], then)
            runtime.apply()
        runtime.take([message("referral.created", MANY, now)], now)
        runtime.apply()
        runtime.flush(everything=True)
    return folder


def facts(served: Served, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in served.log.read_text().splitlines() if line.endswith("}")]
    return [line for line in lines if line["event"] == name]


def test_what_went_is_said_once_with_its_sums(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(DECLARED)
    store = old_store(tmp_path / "store")
    served = Served(store, "--thresholds", tmp_path / "t.yaml", "--keep", "7 days")
    until = time.monotonic() + 30
    while not facts(served, "store.purged"):
        assert time.monotonic() < until
    assert served.stop() == 0
    [told] = facts(served, "store.purged")
    assert (told["messages"], told["alerts"]) == (MANY + 1, 0)  # the last change of all stays, and so does its alert
    [stats] = ask("store", "stats", "--store", store)
    assert stats["messages"] == MANY + 2
