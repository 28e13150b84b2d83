"""Records that nobody of us wrote, on every topic that workers read, through real workers by the log's clock."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from confluent_kafka import KafkaError, Producer

from schemas.event import Event
from schemas.instant import read_instant, write_instant
from streams.distributed.counting import FORMAT, Slice, write_slice
from streams.distributed.inbound import write_tick as write_look
from streams.distributed.letters import read_letter
from streams.distributed.names import COUNTED, DEAD_LETTERS, EVENTS, INBOUND, PERSONS, STATE
from streams.distributed.reading import read_topic
from streams.distributed.wire import TICKED, decode, write_event, write_tick
from tests.kafka.test_work_operations import broker
from tests.kafka.worker import worker
from tests.services import fresh_kafka, kafka, redis_run, redis_url
from tests.streams.test_inbound import FORGED, forged
from tests.streams.test_partition import FOREIGN

__all__ = ["broker", "fresh_kafka", "kafka", "redis_run", "redis_url"]  # pytest finds them here
pytestmark = pytest.mark.slow
JUDGED_BY_NOBODY = {"a number beyond 64 bits", "a number beyond 64 bits in a list", "deeper than is kept"}
"""What is read of an event that a threshold is about."""
FAR = read_instant("2099-01-01T00:00:00Z")
FAR_MILLISECONDS = FAR // 1000


def write(servers: str, topic: str, *records: tuple[bytes | None, bytes | None], stamp: int = 0) -> None:
    """Keys and values onto partition 0, with a stamp of our own where one is given."""
    refused: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": servers})
    for key, value in records:
        producer.produce(
            topic, value, key, 0, timestamp=stamp, on_delivery=lambda error, _: refused.extend([error] * bool(error))
        )
    assert (producer.flush(30), refused) == (0, [])


def letters(servers: str) -> Counter[tuple[str, str]]:
    found = read_topic({"bootstrap.servers": servers}, DEAD_LETTERS, 0)
    return Counter((letter.topic, letter.reason) for letter in (read_letter(each.value or b"") for each in found))


def test_workers_survive_what_others_wrote_and_their_clocks_stay(broker: str, redis_url: str) -> None:
    far = Event("far", "s", "order.placed", read_instant("2026-03-02T10:00:00Z"), {"order_id": "o"}, ("1^N",))
    ahead = [(None, write_tick(FAR, "t")), (b"0123456789abcdef", write_event(far, write_instant(FAR)))]
    foreign = [record for name, record in FOREIGN.items() if name not in JUDGED_BY_NOBODY]
    write(broker, EVENTS, *foreign, *ahead, stamp=FAR_MILLISECONDS)
    write(
        broker,
        INBOUND,
        *((None, forged(value, n)) for n, value in enumerate(FORGED.values())),
        (b"", None),
        (None, write_look(FAR)),
        stamp=FAR_MILLISECONDS,
    )
    slices = [write_slice(Slice(FORMAT, origin, FAR, 1, [])) for origin in (-1, 0, 1, 2, 3, 77)]
    write(broker, COUNTED, (None, None), (b"", b"\xc1"), *((None, value) for value in slices), stamp=FAR_MILLISECONDS)
    for stage in ("identify", "correlate", "measure"):
        with worker(stage, broker, redis_url, "--until-caught-up") as running:
            assert running.await_end() == 0, running.lines[-3:]
        assert not [line for line in running.lines if "Traceback" in line or "worker.failed" in line]
    found = letters(broker)
    assert found[EVENTS, "from_the_future"] == len(ahead)
    assert found[INBOUND, "from_the_future"] == 1
    assert found[COUNTED, "from_the_future"] == 5
    by_topic = Counter({topic: sum(n for (t, _), n in found.items() if t == topic) for topic, _ in found})
    assert by_topic[EVENTS] == len(foreign) + len(ahead)
    assert (by_topic[INBOUND], by_topic[COUNTED]) == (len(FORGED) + 2, 8)
    ticks = [decode(each.value or b"") for each in read_topic({"bootstrap.servers": broker}, EVENTS, 1)]
    assert all(read_instant(tick.time) < FAR for tick in ticks if tick.type == TICKED)


@pytest.mark.parametrize("topic, stage", [(STATE, "correlate"), (PERSONS, "identify")])
def test_what_is_kept_and_cannot_be_read_ends_a_worker_with_a_word(
    broker: str, redis_url: str, topic: str, stage: str
) -> None:
    write(broker, topic, (b"n\x00\x00\x00\x00\x00\x00\x00\x07", b"the words of a patient"))
    with worker(stage, broker, redis_url) as running:
        assert running.await_end() == 2
    assert running.lines[-1].startswith(f"{topic} holds what no worker wrote")
    assert "words of a patient" not in json.dumps(running.lines)
