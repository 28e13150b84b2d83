"""What differs between the topics that are declared and those that are there, as a pure question."""

from __future__ import annotations

import pytest

from hub.kafka.admin import Found, Right, TopicFound, compare, copies, rights
from schemas.errors import WrongUse
from streams.distributed.topics import configs, grants, topics

DECLARED = topics(4)
WANTED = rights(grants(DECLARED), "pxhub-")


def there(replication: int = 3, held: frozenset[Right] | None = None) -> Found:
    found = {
        topic.name: TopicFound(topic.partitions, replication, {**configs(topic, replication), "segment.ms": "1"})
        for topic in DECLARED
    }
    return Found(3, found, held)


def test_what_is_as_declared_differs_in_nothing_and_other_settings_are_the_operators() -> None:
    assert compare(there(), DECLARED, 3) == ()
    assert compare(there(held=WANTED), DECLARED, 3, WANTED) == ()


def test_where_nothing_is_all_is_made() -> None:
    told = compare(Found(3, {}, frozenset()), DECLARED, 3, WANTED)
    assert [d.name for d in told if d.kind == "create"] == [topic.name for topic in DECLARED]
    assert len([d for d in told if d.kind == "grant"]) == len(WANTED)
    assert str(told[0]) == "px.inbound: create it, 1 partition, 3 copies, records stay 400 days"
    assert {d.mend for d in told} == {""}


def test_settings_are_told_one_by_one_and_partitions_with_the_mend() -> None:
    found = dict(there().topics)
    events = found["px.events"]
    found["px.events"] = TopicFound(12, 3, {**events.configs, "retention.ms": "604800000"})
    told = compare(Found(3, found, None), DECLARED, 3)
    assert [d.kind for d in told] == ["partitions", "config"]
    assert "drain, make new topics, replay" in told[0].mend
    assert str(told[1]) == "px.events: retention.ms is 604800000, set it to 34560000000"


def test_fewer_copies_are_told_and_do_not_stop_the_writers() -> None:
    told = compare(there(replication=1), DECLARED, 3)
    assert {d.kind for d in told} == {"replication"}  # and min.insync.replicas stays 1
    assert all("kafka-reassign-partitions" in d.mend for d in told)


def test_more_copies_than_asked_for_do_not_weaken_what_must_be_in_step() -> None:
    assert {d.kind for d in compare(there(replication=3), DECLARED, 1)} == {"replication"}


def test_a_right_too_many_is_told_and_left() -> None:
    more = Right("User:pxhub-read", "topic", "px.inbound", "literal", "write")
    told = compare(there(held=WANTED | {more}), DECLARED, 3, WANTED)
    assert [(d.kind, str(d).partition(":")[0]) for d in told] == [("excess", "User")]
    assert "may write topic px.inbound" in str(told[0])


@pytest.mark.parametrize("prefix", ["pxhub-", "User:pxhub-"])
def test_a_principal_is_the_prefix_and_the_role(prefix: str) -> None:
    named = {right.principal for right in rights(grants(DECLARED), prefix)}
    assert named == {
        f"User:pxhub-{role}" for role in ("connect", "identify", "correlate", "measure", "read", "comments")
    }


@pytest.mark.parametrize("brokers, asked, made", [(1, None, 1), (2, None, 1), (3, None, 3), (9, None, 3), (9, 5, 5)])
def test_how_many_copies_there_are(brokers: int, asked: int | None, made: int) -> None:
    assert copies(brokers, asked) == made


def test_more_copies_than_brokers_cannot_be() -> None:
    with pytest.raises(WrongUse, match="--replication 3: at most one copy a broker, and there are 2"):
        copies(2, 3)
