"""Who was taken for dead and comes back writes nothing over its successor; workers that join and leave lose nothing;
what was deleted of the log behind the position is not missed."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from random import Random

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.distributed.formats import POSITION
from streams.distributed.kept import Position, read_position
from streams.distributed.names import EVENTS, STATE
from streams.distributed.reading import last_by_key, read_topic
from streams.distributed.refusals import Fenced
from streams.distributed.transactions import Out, Transactions
from tests.faults.test_kafka_kill import PARTITIONS, await_true, check, length, pieces, put
from tests.kafka.running import KafkaHub, Worker, comparable, ending, replayed
from tests.kafka.test_parity import written
from tests.services import fresh_kafka, kafka, redis_run, redis_url

__all__ = ["fresh_kafka", "kafka", "redis_run", "redis_url"]  # pytest finds them here
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_who_opens_an_id_last_is_the_only_one_who_writes(kafka: str) -> None:
    client = {"bootstrap.servers": kafka}
    admin = AdminClient(client)
    for made in admin.create_topics([NewTopic("fencing", 1, 1)]).values():
        made.result(30)
    first, second = (Transactions(client, "fencing-of-two") for _ in range(2))
    first.open()
    first.write([Out("fencing", 0, b"k", b"1")])
    second.open()
    with pytest.raises(Fenced):
        first.write([Out("fencing", 0, b"k", b"of the zombie")])
    second.write([Out("fencing", 0, b"k", b"2")])
    assert [found.value for found in read_topic(client, "fencing", 0)] == [b"1", b"2"]


def says(worker: Worker, text: str) -> bool:
    return worker.log is not None and text in worker.log.read_text(encoding="utf-8")


def test_a_zombie_a_second_worker_and_one_who_leaves(fresh_kafka: str, redis_url: str, tmp_path: Path) -> None:
    lines = written(list(range(40)), Random(5))
    (tmp_path / "whole.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    whole = comparable(replayed(tmp_path, tmp_path / "whole.ndjson"), standing=True)
    hub = KafkaHub(fresh_kafka, redis_url)
    hub.make_topics(PARTITIONS)
    files = pieces(lines, 4, tmp_path)
    workers = {
        name: hub.begin(stage, log=tmp_path / name)
        for name, stage in (("identify", "identify"), ("first", "correlate"))
    }
    first = workers["first"]
    with ending(workers.values()), contextlib.ExitStack() as thawing:
        put(hub, files[0])
        await_true(lambda: length(hub, STATE, PARTITIONS) > PARTITIONS, workers)
        os.kill(first.process.pid, signal.SIGSTOP)  # as if the network were cut: its session ends
        thawing.callback(first.process.send_signal, signal.SIGCONT)
        workers["second"] = second = hub.begin("correlate", log=tmp_path / "second")
        thawing.callback(second.kill)
        at = length(hub, EVENTS, PARTITIONS)
        put(hub, files[1])
        await_true(lambda: length(hub, EVENTS, PARTITIONS) > at, workers)
        await_true(lambda: says(second, '"partition": 0') and says(second, '"partition": 1'), workers)
        kept = length(hub, STATE, PARTITIONS)
        await_true(lambda: length(hub, STATE, PARTITIONS) > kept, workers)
        first.process.send_signal(signal.SIGCONT)  # it goes on where it stood
        put(hub, files[2])
        kept = length(hub, STATE, PARTITIONS)
        await_true(lambda: length(hub, STATE, PARTITIONS) > kept, workers)
        assert second.end() == 0  # one leaves in order
        put(hub, files[3])
        for worker in workers.values():
            worker.kill()
    hub.work_all()
    check(hub, whole, lines)


def test_what_was_deleted_behind_the_position_is_not_missed(fresh_kafka: str, redis_url: str, tmp_path: Path) -> None:
    """faust-streaming 651: segments go while nobody works. A row of a newer version then stops the worker."""
    lines = written(list(range(15)), Random(6))
    (tmp_path / "whole.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    whole = comparable(replayed(tmp_path, tmp_path / "whole.ndjson"), standing=True)
    hub = KafkaHub(fresh_kafka, redis_url)
    hub.make_topics(PARTITIONS)
    files = pieces(lines, 2, tmp_path)
    put(hub, files[0])
    hub.work_all()
    client = {"bootstrap.servers": fresh_kafka}
    gone = []
    for number in range(PARTITIONS):
        position = read_position(last_by_key(read_topic(client, STATE, number))[POSITION])
        assert position.tail > 0
        gone.append(TopicPartition(EVENTS, number, position.tail + 1))
    admin = AdminClient(client)
    for deleted in admin.delete_records(gone).values():
        deleted.result(30)
    put(hub, files[1])
    hub.work_all()
    assert comparable(hub.alerts(), standing=True) == whole

    producer = Producer(client)
    producer.produce(STATE, msgspec.msgpack.encode(Position(format=9)), POSITION, 0)
    assert producer.flush(30) == 0
    stopped = hub.begin("correlate", "--until-caught-up", log=tmp_path / "stopped")
    with ending([stopped]):
        assert stopped.process.wait(120) == 2
    assert says(stopped, "px.state holds format 9, and this version knows up to 1: run the newer one")
