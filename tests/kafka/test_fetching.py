"""Fetching by librdkafka beside a consumer that keeps the membership: from where it was told, what is committed, and
nothing twice that was not asked for twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from faust.types import TP

from streams.distributed.fetching import Fetched, Fetching
from streams.distributed.names import EVENTS
from streams.distributed.transactions import Out, Transactions
from tests.kafka.serving import make_topics
from tests.services import fresh_kafka, kafka  # noqa: F401 - fixtures

HERE, THERE = TP(EVENTS, 0), TP(EVENTS, 1)


@pytest.fixture
def fetching(fresh_kafka: str) -> Iterator[Fetching]:  # noqa: F811
    make_topics(fresh_kafka)
    found = Fetching({"bootstrap.servers": fresh_kafka})
    yield found
    found.close()


def write(address: str, tp: TP, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0})
    for value in values:
        producer.produce(tp.topic, value, b"key", tp.partition)
    producer.flush()


def offsets(found: dict[TP, list[Fetched]]) -> dict[TP, list[int]]:
    return {tp: [record.offset for record in records] for tp, records in found.items()}


def read_to(fetching: Fetching, **ends: int) -> dict[TP, list[Fetched]]:
    """All that comes until partitions (`p0`, `p1`) were read to their ends."""
    found: dict[TP, list[Fetched]] = {}
    wanted = {TP(EVENTS, int(name[1:])): end for name, end in ends.items()}
    for _ in range(200):
        for tp, records in fetching.fetch(0.2).items():
            found.setdefault(tp, []).extend(records)
        if all(fetching.ends.get(tp) == end for tp, end in wanted.items()):
            return found
    raise AssertionError((fetching.ends, wanted))


def test_each_is_fetched_from_where_it_was_sought_and_again_from_there(fresh_kafka: str, fetching: Fetching) -> None:  # noqa: F811
    write(fresh_kafka, HERE, b"a", b"b", b"c")
    write(fresh_kafka, THERE, b"d", b"e")
    assert fetching.fetch(0) == {}
    fetching.seek(HERE, 1)
    fetching.seek(THERE, 0)
    found = read_to(fetching, p0=3, p1=2)
    assert offsets(found) == {HERE: [1, 2], THERE: [0, 1]}
    assert [(one.key, one.value) for one in found[HERE]] == [(b"key", b"b"), (b"key", b"c")]
    assert found[HERE][0].timestamp > 1_700_000_000_000
    fetching.seek(HERE, 0)
    assert offsets(read_to(fetching, p0=3)) == {HERE: [0, 1, 2]}
    assert fetching.highwater(HERE) == 3


def test_who_is_kept_no_more_is_fetched_no_more(fresh_kafka: str, fetching: Fetching) -> None:  # noqa: F811
    fetching.seek(HERE, 0)
    fetching.seek(THERE, 0)
    read_to(fetching, p0=0, p1=0)
    fetching.keep({THERE})
    write(fresh_kafka, HERE, b"a")
    write(fresh_kafka, THERE, b"b")
    assert offsets(read_to(fetching, p1=1)) == {THERE: [0]}
    assert HERE not in fetching.ends


def test_what_was_undone_is_passed_by_and_marks_of_transactions_are_read_over(
    fresh_kafka: str,  # noqa: F811
    fetching: Fetching,
) -> None:
    client = {"bootstrap.servers": fresh_kafka}
    writer = Transactions(client, "px-test")
    writer.open()
    writer.write([Out(EVENTS, 0, b"key", b"a")])
    undone = Producer({**client, "transactional.id": "px-undone"})
    undone.init_transactions()
    undone.begin_transaction()
    undone.produce(EVENTS, b"never", b"key", 0)
    undone.flush()
    fetching.seek(HERE, 0)
    assert offsets(read_to(fetching, p0=2)) == {HERE: [0]}  # the open one holds back what lies behind it
    writer.write([Out(EVENTS, 0, b"key", b"b")])
    undone.abort_transaction()
    found = read_to(fetching, p0=6)  # a, its mark, never, b, its mark, the mark of what was undone
    assert [one.value for one in found[HERE]] == [b"b"]


def test_where_what_was_sought_is_purged_it_begins_with_what_is_left(fresh_kafka: str, fetching: Fetching) -> None:  # noqa: F811
    write(fresh_kafka, HERE, b"a", b"b", b"c")
    admin = AdminClient({"bootstrap.servers": fresh_kafka})
    [done.result() for done in admin.delete_records([TopicPartition(EVENTS, 0, 2)]).values()]
    fetching.seek(HERE, 0)
    assert offsets(read_to(fetching, p0=3)) == {HERE: [2]}


def test_who_is_closed_gives_nothing(fresh_kafka: str) -> None:  # noqa: F811
    fetching = Fetching({"bootstrap.servers": fresh_kafka})
    fetching.close()
    assert fetching.fetch(60) == {}
    fetching.seek(HERE, 0)
    fetching.keep(())
    assert fetching.highwater(HERE) == 0
