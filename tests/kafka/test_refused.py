"""What Kafka never takes as it stands ends a worker with a word: which topic, and what to do; nothing of a record."""

from __future__ import annotations

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from schemas.errors import TryAgain
from streams.distributed.names import DEAD_LETTERS, EVENTS, STATE
from streams.distributed.refusals import Refused
from streams.distributed.transactions import Out, Transactions
from streams.distributed.wire import write_tick
from tests.kafka.test_work_operations import _MARCH, broker, write  # noqa: F401 - a fixture
from tests.kafka.worker import worker
from tests.services import fresh_kafka, kafka, redis_run, redis_url  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow
SECRET = b"the words of a patient "


def most(servers: str, topic: str, size: int) -> None:
    """How large a record of a topic may be from here on."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": str(size)})])
    admin.close()


def test_a_record_that_a_topic_never_takes_ends_the_worker(broker: str, redis_url: str) -> None:  # noqa: F811
    most(broker, DEAD_LETTERS, 2_000)
    with worker("correlate", broker, redis_url) as running:
        running.await_line("pxhub ready: work correlate")
        write(broker, EVENTS, SECRET * 1_000)
        assert running.await_end() == 2
    assert running.lines[-1].startswith(f"{DEAD_LETTERS}: it is larger than the topic takes")
    assert "pxhub topics check" in running.lines[-1]
    assert SECRET.decode() not in "\n".join(running.lines)
    most(broker, DEAD_LETTERS, 32 << 20)
    with worker("correlate", broker, redis_url) as running:  # mended, it goes on where it was
        running.await_line("pxhub ready: work correlate")
        write(broker, EVENTS, write_tick(_MARCH, "t"))
        running.process.terminate()
        assert running.await_end() == 0


def written(transactions: Transactions, records: list[Out]) -> int:
    """Written, as a stage does it: what is not taken now is given again."""
    while True:
        try:
            return transactions.write(records)
        except TryAgain:
            continue


def written_again(transactions: Transactions, records: list[Out]) -> None:
    """Written until Kafka refuses it."""
    while True:
        written(transactions, records)


def test_each_error_names_the_topic_that_it_is_about(broker: str) -> None:  # noqa: F811
    most(broker, STATE, 2_000)
    transactions = Transactions({"bootstrap.servers": broker}, "px-somebody", patience=0.0)
    transactions.open()
    small, large = Out(EVENTS, 0, None, b"small"), Out(STATE, 0, b"key", bytes(5_000))
    with pytest.raises(Refused, match=rf"{STATE}: it is larger"):
        transactions.write([small, Out(STATE, 0, b"key", bytes(40 << 20)), small])  # the client itself
    with pytest.raises(Refused, match=rf"{STATE}: it is larger"):
        written_again(transactions, [small, large, small])  # the broker, once it knows its new bound
    most(broker, STATE, 20 << 20)
    assert written(transactions, [small, small]) > 0
    nowhere = [Out(EVENTS, 99, None, b"")]
    with pytest.raises(TryAgain):
        transactions.write(nowhere)  # brokers learn of topics one by one
    with pytest.raises(Refused, match=rf"{EVENTS}: no such topic or partition"):
        transactions.write(nowhere)
