"""`pxhub bench distributed`: tiny runs over a real broker print every figure, and what they judge is right. No speed
is judged here."""

from __future__ import annotations

import pstats
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from hub.bench.distributed import run
from hub.bench.figure import Figure
from hub.bench.three_waits import declare, declared, differing, judge, place, read_lines, write_orders
from hub.kafka.settings import KafkaSettings
from schemas.errors import WrongUse
from streams.distributed.names import EVENTS, INBOUND
from tests.services import fresh_kafka, kafka, redis_run, redis_url

__all__ = ["fresh_kafka", "kafka", "redis_run", "redis_url"]


def figures_of(kafka: str, redis: str, only: str, profile: Path | None = None) -> dict[str, float]:
    figures: list[Figure] = list(run(KafkaSettings(servers=kafka), redis, 2_000, only, profile))
    return {figure.name: figure.figure for figure in figures}


def found(figures: dict[str, float], words: str) -> float:
    return next(figure for name, figure in figures.items() if words in name)


def topics_of(kafka: str) -> set[str]:
    return set(AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=30).topics)


def test_the_workload_has_waits_that_end_in_time_late_and_never(tmp_path: Path) -> None:
    thresholds = declared(declare(tmp_path)).thresholds
    alerts = judge(read_lines(write_orders(2_000)), thresholds)
    told = Counter((alert.threshold, str(alert.state)) for alert in alerts.values())
    assert {threshold for threshold, _ in told} == {"order.collected", "result.made", "result.seen"}
    assert told["result.seen", "breached"] >= 20
    assert told["result.seen", "resolved"] >= 15
    assert differing(alerts.values(), alerts) == 0
    assert differing([], alerts) == len(alerts)
    *placed, _ = place(read_lines(write_orders(2_000)), 4)
    assert {record.partition for record in placed} == {0, 1, 2, 3}
    assert 350 < len(placed[100].value) < 500


@pytest.mark.slow
def test_one_worker_and_others_judge_as_the_engine_does(fresh_kafka: str, redis_url: str, tmp_path: Path) -> None:
    figures = figures_of(fresh_kafka, redis_url, "a,b", tmp_path / "profile")
    assert found(figures, "load average") >= 0
    assert found(figures, "a bare consumer") > 0
    assert found(figures, "correlate, one worker") > 0
    assert found(figures, "alerts that differ, of") == 0
    others = [figure for name, figure in figures.items() if "its alerts that differ" in name]
    assert others
    assert not any(others)
    assert found(figures, "a multiple of a Faust agent") > 1
    profiled = {function for _, _, function in pstats.Stats(str(tmp_path / "profile")).stats}  # type: ignore[attr-defined]
    assert {"take", "write", "getmany"} <= profiled, "the threads are among it"
    assert not {name for name in topics_of(fresh_kafka) if name.startswith(("px.", "bench.", "reference-"))}


@pytest.mark.slow
def test_the_whole_path_and_latency(fresh_kafka: str, redis_url: str) -> None:
    figures = figures_of(fresh_kafka, redis_url, "c,d")
    assert found(figures, "inbound to alert") > 0
    assert found(figures, "alerts that differ") == 0
    assert 0 < found(figures, "50th percentile") <= found(figures, "s, 99th percentile")


@pytest.mark.slow
def test_two_workers_and_memory(fresh_kafka: str, redis_url: str) -> None:
    figures = figures_of(fresh_kafka, redis_url, "e,f")
    assert found(figures, "two as a multiple of one") > 0
    assert found(figures, "memory an open wait of the worker") > 0


@pytest.mark.slow
def test_a_broker_that_holds_something_is_refused(fresh_kafka: str, redis_url: str) -> None:
    from kafka.admin import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=fresh_kafka)
    admin.create_topics({INBOUND: {"num_partitions": 1, "replication_factor": 1}})
    admin.wait_for_topics([INBOUND])
    admin.close()
    producer = Producer({"bootstrap.servers": fresh_kafka})
    producer.produce(INBOUND, b"somebody's")
    producer.flush(30)
    with pytest.raises(WrongUse, match=r"px\.inbound holds something"):
        figures_of(fresh_kafka, redis_url, "a")
    assert INBOUND in topics_of(fresh_kafka)
    assert EVENTS not in topics_of(fresh_kafka)


def test_a_part_that_there_is_not_is_wrong_use() -> None:
    with pytest.raises(WrongUse, match="--only"):
        list(run(KafkaSettings(servers="127.0.0.1:1"), "redis://127.0.0.1:1/0", 2_000, "a,x"))
