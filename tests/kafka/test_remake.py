"""More partitions: what follows from px.inbound is made anew, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from hub.__main__ import main
from streams.distributed.names import AUDIT, COMMENTS, EVENTS, INBOUND
from streams.distributed.reading import read_topic
from tests.kafka.running import KafkaHub, comparable, run
from tests.kafka.worker import worker
from tests.services import fresh_kafka, kafka, redis_run, redis_url

__all__ = ["fresh_kafka", "kafka", "redis_run", "redis_url"]  # pytest finds them here
pytestmark = pytest.mark.slow


def code_of(*arguments: str) -> object:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_more_partitions_say_the_same(
    fresh_kafka: str, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinic = tmp_path / "clinic"
    run("simulate", "--out", clinic, "--patients", 30)
    hub = KafkaHub(fresh_kafka, redis_url, "--site", clinic / "site.yaml")
    hub.make_topics(2)
    hub.load(clinic)
    hub.work_all()
    before = comparable(hub.alerts(), standing=True)
    assert before
    producer = Producer({"bootstrap.servers": fresh_kafka})
    for topic in (COMMENTS, AUDIT):
        producer.produce(topic, b"{}", b"somebody's")
    assert producer.flush(30) == 0

    remake = ("topics", "remake", "--kafka", fresh_kafka, "--partitions", "5")
    assert code_of(*remake) == 1  # nobody said --yes
    site = str(clinic / "site.yaml")
    with worker("correlate", fresh_kafka, redis_url, "--clock", "event", "--site", site) as running:
        running.await_line("pxhub ready")
        assert code_of(*remake, "--yes") == 2
        assert "workers run still (px-correlate)" in capsys.readouterr().err
        running.process.terminate()
        assert running.await_end() == 0
    assert code_of(*remake, "--yes") == 0

    client = {"bootstrap.servers": fresh_kafka}
    told = AdminClient(client).list_topics(timeout=30).topics
    assert len(told[EVENTS].partitions) == 5
    for topic in (INBOUND, COMMENTS, AUDIT):
        assert list(read_topic(client, topic, 0))
    hub.work_all()
    assert comparable(hub.alerts(), standing=True) == before
