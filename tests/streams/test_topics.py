"""The declaration of the topics: what must hold of it whatever is added."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.distributed import names
from streams.distributed.topics import Role, Topic, configs, grants, topics

BY_NAME = {topic.name: topic for topic in topics()}


def test_every_name_has_its_topic_and_every_topic_its_name() -> None:
    named = {value for name, value in vars(names).items() if name.isupper()}
    assert named == set(BY_NAME)
    assert len(BY_NAME) == len(topics())


@given(st.integers(min_value=1, max_value=10_000))
def test_what_a_person_has_lies_in_one_partition_everywhere(partitions: int) -> None:
    found = {topic.name: topic.partitions for topic in topics(partitions)}
    assert found["px.events"] == found["px.state"] == partitions
    assert {found[name] for name in ("px.inbound", "px.persons", "px.counted", "px.measures")} == {1}


def test_what_moves_a_clock_is_stamped_by_the_broker() -> None:
    assert [topic.name for topic in topics() if topic.is_stamped] == ["px.inbound", "px.events", "px.counted"]
    assert configs(BY_NAME["px.inbound"], 1)["message.timestamp.type"] == "LogAppendTime"
    assert configs(BY_NAME["px.alerts"], 1)["message.timestamp.type"] == "CreateTime"


@pytest.mark.parametrize("topic", topics(), ids=lambda topic: topic.name)
def test_the_settings_of_a_topic(topic: Topic) -> None:
    told = configs(topic, 3)
    assert told["cleanup.policy"] == topic.policy
    assert told["min.insync.replicas"] == "2"
    assert told["unclean.leader.election.enable"] == "false"
    assert int(told["max.message.bytes"]) == topic.max_message_bytes
    if topic.policy == "compact":
        assert (topic.retention, told["retention.ms"]) == (None, "-1")
    else:
        assert topic.retention is not None
        assert int(told["retention.ms"]) == topic.retention * 24 * 60 * 60 * 1000


@pytest.mark.parametrize("copies, in_step", [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_how_many_copies_must_be_in_step(copies: int, in_step: str) -> None:
    assert configs(BY_NAME["px.alerts"], copies)["min.insync.replicas"] == in_step


def test_disclosures_are_kept_for_six_years_and_what_came_for_more_than_one() -> None:
    kept = {name: topic.retention or 0 for name, topic in BY_NAME.items()}
    assert kept["px.audit"] >= 6 * 365 + 1
    assert kept["px.inbound"] == kept["px.events"] == kept["px.dead-letters"] == 400


def test_a_topic_that_contradicts_itself_is_none() -> None:
    with pytest.raises(ValueError, match="a log has a retention, a state has none"):
        replace(BY_NAME["px.events"], retention=None)
    with pytest.raises(ValueError, match="a log has a retention, a state has none"):
        replace(BY_NAME["px.state"], retention=1)
    with pytest.raises(ValueError, match="one partition at least"):
        topics(0)


def test_every_topic_is_written_by_somebody_and_read_by_somebody() -> None:
    assert [topic.name for topic in topics() if not topic.written_by or not topic.read_by] == []


def test_each_role_is_granted_what_it_does_and_no_more() -> None:
    told = grants(topics())
    assert len(set(told)) == len(told)
    writes = {role: {g.name for g in told if g.role is role and g.operation == "write"} for role in Role}
    assert writes[Role.CONNECT] == {"px.inbound", "px.comments", "px.audit"}
    assert writes[Role.READ] == {"px.audit"}
    assert writes[Role.MEASURE] == {"px.measures", "px.alerts", "px.dead-letters", "px-measure-"}
    reads = {role: {g.name for g in told if g.role is role and g.operation == "read"} for role in Role}
    assert {role for role in Role if "px.comments" in reads[role]} == {Role.COMMENTS}
    assert reads[Role.CONNECT] == set()  # the doors read nothing back
    assert "px.inbound" not in reads[Role.CORRELATE]
    assert "px.events" not in reads[Role.MEASURE]  # it holds no patient
    assert {(g.role, g.name) for g in told if g.operation == "describe"} == {(role, "px.") for role in Role}
    assert all(g.is_prefix == (g.resource != "topic" or g.operation == "describe") for g in told)
