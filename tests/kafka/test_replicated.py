"""Three brokers: each record on two of them before it counts, and refused where it cannot be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer

from deploy.services.running import Service, free_port
from deploy.services.services import kafka, new_cluster
from hub.__main__ import main
from tests.services import empty, need_kafka

pytestmark = pytest.mark.slow


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[Service]]:
    """The first one is the controller too."""
    need_kafka()
    ports, controller, cluster = [free_port() for _ in range(3)], free_port(), new_cluster()
    shared = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
    }
    made = []
    for number, port in enumerate(ports, 1):
        listeners = f"PLAINTEXT://127.0.0.1:{port}"
        if number == 1:
            settings = {**shared, "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}"}
        else:
            settings = {**shared, "listeners": listeners, "process.roles": "broker", "node.id": str(number)}
        made.append(kafka(tmp_path / f"kafka{number}", port, heap="320m", settings=settings, cluster=cluster))
    with contextlib.ExitStack() as stack:
        for broker in made:
            stack.callback(broker.kill)
            broker.begin()
        for broker in made:
            broker.await_answer()
        yield made


def topics(capsys: pytest.CaptureFixture[str], verb: str, broker: Service, *more: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["topics", verb, "--kafka", f"127.0.0.1:{broker.port}", *more])
    return int(ended.value.code or 0), capsys.readouterr().out


def write(servers: str, seconds: int) -> KafkaError | None:
    """What is said to a record that all copies in step must have; None where it is taken."""
    said: list[KafkaError | None] = []
    timeout = {"message.timeout.ms": seconds * 1000, "request.timeout.ms": 2000}
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "log_level": 0, **timeout})
    producer.produce("px.inbound", b"{}", callback=lambda error, _: said.append(error))
    producer.flush(seconds * 2)
    return said[0]


def test_a_record_counts_when_two_brokers_have_it(brokers: list[Service], capsys: pytest.CaptureFixture[str]) -> None:
    assert topics(capsys, "apply", brokers[0], "--replication", "1")[0] == 0
    code, told = topics(capsys, "check", brokers[0])  # where there could be three
    assert (code, len(told.splitlines())) == (1, 12)
    assert "px.inbound: replication is 1, 3 is declared: move it with kafka-reassign-partitions.sh" in told
    empty(f"127.0.0.1:{brokers[0].port}")
    code, told = topics(capsys, "apply", brokers[0])
    assert (code, told.splitlines()[0]) == (0, "px.inbound: create it, 1 partition, 3 copies, records stay 400 days")
    assert topics(capsys, "check", brokers[1]) == (0, "the topics are as they are declared\n")
    servers = ",".join(f"127.0.0.1:{broker.port}" for broker in brokers)
    assert write(servers, 60) is None
    brokers[2].kill()
    assert write(servers, 60) is None
    brokers[1].kill()
    refused = write(servers, 15)  # one copy is no copy
    assert refused is not None
    brokers[2].start()
    assert write(servers, 60) is None
    brokers[1].start()
    assert topics(capsys, "check", brokers[0]) == (0, "the topics are as they are declared\n")
