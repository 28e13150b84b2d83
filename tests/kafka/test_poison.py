"""A record on which the engine fails, through real workers: it is set apart, once, and nothing else suffers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

import pytest

from streams.distributed.letters import read_letter
from streams.distributed.names import DEAD_LETTERS, EVENTS
from tests.kafka.running import KafkaHub, comparable, replayed, run
from tests.kafka.test_parity import written
from tests.kafka.worker import Worker, program
from tests.services import fresh_kafka, kafka, redis_run, redis_url

__all__ = ["fresh_kafka", "kafka", "redis_run", "redis_url"]  # pytest finds them here
pytestmark = pytest.mark.slow
PARTITIONS = 2


def poisoned(hub: KafkaHub, id_: str, *more: str) -> list[str]:
    at = ["--kafka", hub.kafka, "--redis", hub.redis, "--clock", "event"]
    return [sys.executable, "-m", "tests.kafka.poisoned_worker", id_, "work", "correlate", *at, *more]


def facts(worker: Worker, name: str) -> list[dict[str, object]]:
    """What it said, once it has ended."""
    assert worker.await_end() == 0, worker.lines[-5:]
    return [json.loads(line) for line in worker.lines if f'"event": "{name}"' in line]


def test_a_poison_record_is_set_apart_and_nothing_else_suffers(
    fresh_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    lines = written(list(range(30)), Random(5))
    (tmp_path / "whole.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    whole = comparable(replayed(tmp_path, tmp_path / "whole.ndjson"), standing=True)
    kept = {alert["key"] for alert in whole.values()}
    merged = {json.loads(line)["data"]["surviving"].split("^")[0] for line in lines if b"person.merged" in line}
    finals = [json.loads(line) for line in lines if b"result.final" in line]
    found = (event for event in finals if event["data"]["order_id"] in kept)
    id_ = next(event["id"] for event in found if event["data"]["identifiers"][0].split("^")[0] in merged)
    without = [line for line in lines if json.loads(line)["id"] != id_]
    (tmp_path / "without.ndjson").write_bytes(b"\n".join(without) + b"\n")
    wanted = comparable(replayed(tmp_path, tmp_path / "without.ndjson"), standing=True)
    assert len(wanted) > 20
    assert wanted != whole

    hub = KafkaHub(fresh_kafka, redis_url)
    hub.make_topics(PARTITIONS)
    hub.load(tmp_path / "whole.ndjson")
    command = ["work", "identify", "--kafka", hub.kafka, "--redis", hub.redis, "--clock", "event", "--until-caught-up"]
    run(*command)
    with program(poisoned(hub, id_)) as worker:
        told = worker.await_fact("record.poison")  # and then it is killed, while the partition stands up without it
    assert told["topic"] == EVENTS
    with program(poisoned(hub, id_, "--until-caught-up")) as worker:
        assert [fact["offset"] for fact in facts(worker, "record.poison")] in ([told["offset"]], [])
        assert len([line for line in worker.lines if "partition.opened" in line]) == PARTITIONS
    with program(poisoned(hub, id_, "--until-caught-up")) as worker:
        assert facts(worker, "record.poison") == []  # it is known, and stands at once
        assert all(event not in "\n".join(worker.lines) for event in ("partition.waits", "Traceback"))

    [letter] = [read_letter(found.value or b"") for found in hub.records(DEAD_LETTERS, 1)]
    assert (letter.reason, letter.topic, letter.offset) == ("engine", EVENTS, told["offset"])
    assert json.loads(letter.raw)["id"] == id_
    assert comparable(hub.alerts(), standing=True) == wanted
