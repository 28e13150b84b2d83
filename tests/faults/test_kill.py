"""kill -9 under load: what was acknowledged is there, once, and the alerts are those of an undisturbed run."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter, deque
from pathlib import Path
from random import Random

import pytest

from tests.faults.served import Served, answer_of, ask, control_id, messages_of, send_all

ARRIVAL = ("person", "journey", "fired_at", "late_start", "reason")  # what the order of arrival may change
KILLS = int(os.environ.get("PXHUB_KILLS", "10"))


def command(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hub", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path) -> None:
    clinic, store = tmp_path / "clinic", tmp_path / "store"
    command("simulate", "--out", clinic)
    site = clinic / "site.yaml"
    told = sorted(clinic.glob("*.hl7"))
    command("replay", *told, "--site", site, "--format", "json", "--alerts-out", tmp_path / "whole.ndjson")
    messages = messages_of(clinic)
    waiting = deque(messages)
    acknowledged: Counter[bytes] = Counter()
    random = Random(7)

    served = Served(store, "--site", site, "--clock", "event", "--take-tests")
    for round_ in range(KILLS + 1):
        until = len(waiting) - random.randrange(100, 2 * len(messages) // (KILLS + 2))

        def count(
            message: bytes, answer: bytes, until: int = until, last: bool = round_ == KILLS, served: Served = served
        ) -> None:
            code, named = answer_of(answer)
            assert code in (b"AA", b"CA")  # CA: the sender asked for the enhanced mode
            assert named == control_id(message)
            acknowledged[message] += 1
            if not last and len(waiting) <= until and served.process.poll() is None:
                served.process.kill()

        asyncio.run(send_all(served.ports["mllp"], waiting, count))
        if round_ == KILLS:
            break
        served.kill()
        served = Served(store, "--site", site, "--clock", "event", "--take-tests")
    assert not waiting
    assert served.stop() == 0

    assert set(acknowledged) == set(messages)
    [stats] = ask("store", "stats", "--store", store)
    in_memory = json.loads((tmp_path / "whole.ndjson").read_text().splitlines()[0])
    assert in_memory["id"].startswith("al-")
    kept = Counter(event["id"] for event in ask("events", "show", "--store", store))
    assert max(kept.values()) == 1
    assert stats["dead_letters"] == 0
    [checked] = ask("store", "check", "--store", store)
    assert checked["well"]

    def comparable(alert: dict[str, object]) -> str:
        return json.dumps({name: value for name, value in alert.items() if name not in ARRIVAL}, sort_keys=True)

    whole = [json.loads(line) for line in (tmp_path / "whole.ndjson").read_text().splitlines()]
    stored = ask("alerts", "list", "--store", store)
    stands = {comparable(alert) for alert in stored if alert["state"] != "retracted"}
    assert stands == {comparable(alert) for alert in whole if alert["state"] != "retracted"}

    changes = ask("alerts", "tail", "--no-follow", "--store", store)
    assert [change["cursor"] for change in changes] == list(range(1, len(changes) + 1))
    last = {change["id"]: change["state"] for change in changes}
    assert last == {alert["id"]: alert["state"] for alert in stored}
