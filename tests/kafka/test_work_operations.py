"""Workers as processes over a real broker: they tell of themselves, end in order, and end where they stand still."""

from __future__ import annotations

import signal
import sys
import urllib.error
import urllib.request

import pytest
from confluent_kafka import Producer
from kafka.admin import KafkaAdminClient

from hub.__main__ import main
from streams.distributed.names import COUNTED, EVENTS
from streams.distributed.reading import read_topic
from streams.distributed.transactions import Out, Transactions
from streams.distributed.wire import write_tick
from tests.kafka.worker import program, worker
from tests.services import fresh_kafka, kafka, redis_run, redis_url  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow
_MARCH = 1_772_323_200_000_000  # 2026-03-01, in microseconds


@pytest.fixture
def broker(fresh_kafka: str, capsys: pytest.CaptureFixture[str]) -> str:  # noqa: F811 - a fixture
    """A broker with our topics."""
    with pytest.raises(SystemExit) as ended:
        main(["topics", "apply", "--kafka", fresh_kafka])
    assert ended.value.code == 0
    capsys.readouterr()
    return fresh_kafka


def write(servers: str, topic: str, *values: bytes) -> None:
    """Put records onto partition 0."""
    producer = Producer({"bootstrap.servers": servers})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0


def told(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as wrong:
        return wrong.code, wrong.read().decode()


def test_a_worker_tells_of_itself_and_ends_in_order(broker: str, redis_url: str) -> None:  # noqa: F811 - a fixture
    write(broker, EVENTS, write_tick(_MARCH, "tick/1"))
    with worker("correlate", broker, redis_url, "--metrics", "127.0.0.1:0") as running:
        address = running.await_fact("metrics.opened")["address"]
        assert told(address, "/livez") == (200, "ok\n")
        running.await_line("pxhub ready: work correlate")
        assert told(address, "/readyz") == (200, "ok\n")
        while f'pxhub_work_clock_seconds{{partition="0"}} {_MARCH / 1e6:.9e}' not in _metrics(address):
            assert running.process.poll() is None
        metrics = _metrics(address)
        assert 'pxhub_work_info{stage="correlate"} 1.0' in metrics
        assert 'pxhub_work_partitions{state="held"} 4.0' in metrics
        assert 'pxhub_work_offset{partition="0"} 1.0' in metrics
        assert 'pxhub_work_lag_offsets{partition="0"} 0.0' in metrics
        running.process.send_signal(signal.SIGTERM)
        assert running.await_end() == 0
        assert [line for line in running.lines if "Traceback" in line] == []


def _metrics(address: str) -> str:
    """The metrics, numbers of seconds written alike."""
    status, text = told(address, "/metrics")
    assert status == 200
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return "\n".join(f"{name} {float(value):.9e}" if "seconds" in name else f"{name} {value}" for name, value in lines)


def test_a_worker_whose_partition_was_taken_from_it_ends(broker: str, redis_url: str) -> None:  # noqa: F811 - a fixture
    """Somebody has its transactional id: it may write no more, and the group does not know."""
    with worker("correlate", broker, redis_url, "--stuck-after", "2") as running:
        running.await_line("pxhub ready: work correlate")
        Transactions({"bootstrap.servers": broker}, "px-correlate-0").open()
        write(broker, EVENTS, write_tick(_MARCH, "tick/1"))
        running.await_fact("partition.fenced")
        fact = running.await_fact("worker.stuck")
        assert running.await_end() == 75
    assert (fact["topic"], fact["partition"], fact["reason"]) == (EVENTS, 0, "nobody here holds it")


def test_a_worker_whose_agent_takes_nothing_ends(broker: str) -> None:
    with program([sys.executable, "-m", "tests.kafka.hanging_worker", broker]) as running:
        running.await_fact("partition.opened")
        write(broker, COUNTED, b"somebody's", b"and another")
        fact = running.await_fact("worker.stuck")
        assert running.await_end() == 75
    assert (fact["topic"], fact["offset"], fact["reason"]) == (COUNTED, 0, "records wait and none is taken")


def test_the_mark_of_a_transaction_is_no_record_that_waits(broker: str) -> None:
    client = {"bootstrap.servers": broker}
    transactions = Transactions(client, "px-somebody")
    transactions.open()
    transactions.write([Out(EVENTS, 0, None, write_tick(_MARCH, "tick/1"))])
    assert [record.offset for record in read_topic(client, EVENTS, 0)] == [0]
    assert not list(read_topic(client, EVENTS, 0, begin=1))


def test_metrics_are_told_on_loopback_alone(broker: str, redis_url: str) -> None:  # noqa: F811 - a fixture
    with worker("correlate", broker, redis_url, "--metrics", "0.0.0.0:18123") as running:
        assert running.await_end() == 2
        assert "loopback only" in "\n".join(running.lines)


@pytest.mark.parametrize(
    "stage, topic", [("identify", "px.persons"), ("correlate", "px.state"), ("measure", "px.measures")]
)
def test_a_topic_that_a_stage_needs_is_asked_for_by_name(broker: str, redis_url: str, stage: str, topic: str) -> None:  # noqa: F811 - a fixture
    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.delete_topics([topic])
        while topic in admin.list_topics():
            continue
    finally:
        admin.close()
    with worker(stage, broker, redis_url) as running:
        assert running.await_end() == 2
        assert f"{topic}: no such topic; run: pxhub topics apply" in "\n".join(running.lines)
