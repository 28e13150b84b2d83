"""`pxhub topics` against a real broker: made once, whatever is found put right, and what may not be touched told."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from hub.__main__ import main
from hub.api.bodies import BODY_LIMIT
from streams.distributed.letters import Letter, write_letter
from streams.distributed.topics import topics
from tests.services import fresh_kafka, kafka  # noqa: F401 - fixtures


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    with pytest.raises(SystemExit) as ended:
        main(["topics", *arguments])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


def differences(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    code, out, _ = run(capsys, *arguments, "--format", "json")
    return code, json.loads(out)["differences"]


@pytest.fixture
def admin(fresh_kafka):  # noqa: F811
    client = KafkaAdminClient(bootstrap_servers=fresh_kafka)
    yield client
    client.close()


def until(answers: Callable[[], object]) -> None:
    """A broker learns a little later what its controller knows."""
    end = time.monotonic() + 60
    while not answers():
        assert time.monotonic() < end


def settings(admin: KafkaAdminClient, name: str) -> dict[str, str]:
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)], config_filter="all")
    return {key: config["value"] for key, config in found["topic"][name].items()}


def test_planned_made_and_made_again(fresh_kafka, admin, capsys):  # noqa: F811
    at = ("--kafka", fresh_kafka)
    code, planned = differences(capsys, "plan", *at)
    assert code == 0
    assert [row["name"] for row in planned] == [topic.name for topic in topics()]
    assert not set(admin.list_topics()) & {topic.name for topic in topics()}
    code, told, _ = run(capsys, "check", *at)
    assert (code, told.splitlines()[0]) == (
        1,
        "px.inbound: create it, 1 partition, 1 copy, records stay 400 days",
    )
    code, told, err = run(capsys, "apply", *at)
    assert (code, len(told.splitlines()), err) == (0, len(topics()), "done\n")
    for _ in range(2):
        none = "nothing to do: the topics are as they are declared\n"
        assert run(capsys, "apply", *at) == (0, none, "")
    assert run(capsys, "check", *at) == (0, "the topics are as they are declared\n", "")
    assert settings(admin, "px.inbound")["message.timestamp.type"] == "LogAppendTime"
    made = {found["name"]: len(found["partitions"]) for found in admin.describe_topics()}
    assert {topic.name: topic.partitions for topic in topics()}.items() <= made.items()


def test_a_setting_changed_by_hand_is_found_and_put_back(fresh_kafka, admin, capsys):  # noqa: F811
    at = ("--kafka", fresh_kafka)
    run(capsys, "apply", *at)
    by_hand = {"retention.ms": "60000", "unclean.leader.election.enable": "true", "segment.ms": "3600000"}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, "px.events", configs=by_hand)])
    until(lambda: by_hand.items() <= settings(admin, "px.events").items())
    code, found = differences(capsys, "check", *at)
    assert code == 1
    assert {(row["kind"], row["name"], row["setting"]) for row in found} == {
        ("config", "px.events", "retention.ms"),
        ("config", "px.events", "unclean.leader.election.enable"),
    }
    assert differences(capsys, "plan", *at) == (0, found)
    assert differences(capsys, "apply", *at) == (0, found)
    assert differences(capsys, "check", *at) == (0, [])
    assert settings(admin, "px.events")["segment.ms"] == "3600000"  # the operator's own


def test_a_topic_that_was_deleted_is_made_again_alone(fresh_kafka, admin, capsys):  # noqa: F811
    at = ("--kafka", fresh_kafka)
    run(capsys, "apply", *at)
    admin.delete_topics(["px.tasks"])
    until(lambda: "px.tasks" not in admin.list_topics())
    assert [row["name"] for row in differences(capsys, "apply", *at)[1]] == ["px.tasks"]
    assert differences(capsys, "check", *at) == (0, [])


def test_another_number_of_partitions_is_told_and_left(fresh_kafka, admin, capsys):  # noqa: F811
    at = ("--kafka", fresh_kafka)
    admin.create_topics({"px.events": {"num_partitions": 3, "replication_factor": 1}}, wait_for_metadata=True)
    code, found = differences(capsys, "apply", *at)
    assert code == 1
    [partitions] = [row for row in found if row["kind"] == "partitions"]
    assert (partitions["name"], partitions["found"], partitions["wanted"]) == ("px.events", "3", "4")
    assert "drain, make new topics, replay" in partitions["mend"]
    code, left = differences(capsys, "check", *at)
    assert (code, left) == (1, [partitions])  # its settings were put right, the others made
    assert len(admin.describe_topics(["px.events"])[0]["partitions"]) == 3
    err = run(capsys, "apply", *at)[2]
    assert err == "done, but for what is the operator's to mend\n"


def test_rights_are_granted_once_and_one_too_many_is_told(fresh_kafka, admin, capsys):  # noqa: F811
    from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

    at = ("--kafka", fresh_kafka, "--acl", "pxtest-")
    run(capsys, "apply", "--kafka", fresh_kafka)
    code, planned = differences(capsys, "check", *at)
    assert code == 1
    assert {row["kind"] for row in planned} == {"grant"}
    assert differences(capsys, "apply", *at) == (0, planned)
    assert differences(capsys, "check", *at) == (0, [])
    inbound = ResourcePattern(ResourceType.TOPIC, "px.inbound")
    too_many = ACL("User:pxtest-read", "*", ACLOperation.WRITE, ACLPermissionType.ALLOW, inbound)
    admin.create_acls([too_many])
    until(lambda: differences(capsys, "check", *at)[1])
    code, found = differences(capsys, "apply", *at)
    assert (code, [row["kind"] for row in found]) == (1, ["excess"])
    assert found[0]["found"] == "write topic px.inbound"
    admin.delete_acls([too_many])
    until(lambda: differences(capsys, "check", *at) == (0, []))


def test_what_the_doors_may_take_fits_and_so_does_its_dead_letter(fresh_kafka, capsys):  # noqa: F811
    run(capsys, "apply", "--kafka", fresh_kafka)
    body = b"x" * BODY_LIMIT
    letter = write_letter(Letter("unreadable", "line 1", "send it whole", "px.inbound", 0, 0, body))
    assert said_to(fresh_kafka, "px.inbound", body) is None
    assert said_to(fresh_kafka, "px.dead-letters", letter) is None
    refused = said_to(fresh_kafka, "px.tasks", body)
    assert refused is not None
    assert refused.code() == KafkaError.MSG_SIZE_TOO_LARGE


def said_to(address: str, topic: str, value: bytes) -> KafkaError | None:
    said: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": address, "message.max.bytes": 64 << 20, "log_level": 0})
    producer.produce(topic, value, callback=lambda error, _: said.append(error))
    producer.flush(60)
    return said[0]


@pytest.mark.parametrize("verb", ["plan", "apply", "check"])
def test_where_no_broker_answers_it_says_so_and_may_be_tried_again(verb, capsys):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        code, out, err = run(capsys, verb, "--kafka", address)
    assert (code, out) == (75, "")
    assert err.startswith(f"no Kafka broker answers at {address} within 5 s")


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--kafka", "nowhere"], "--kafka nowhere: HOST:PORT is expected"),
        (["--kafka", "a:1", "--partitions", "0"], "--partitions 0: 1 to 10000 are expected"),
        (["--kafka", "a:1", "--replication", "0"], "--replication 0: one copy at least is expected"),
        ([], "Missing option '--kafka'"),
    ],
)
def test_wrong_use(arguments: list[str], told: str, capsys):
    code, _, err = run(capsys, "check", *arguments)
    assert code == 2
    assert told in err


def test_more_copies_than_brokers(fresh_kafka, capsys):  # noqa: F811
    code, _, err = run(capsys, "plan", "--kafka", fresh_kafka, "--replication", "3")
    assert (code, err) == (2, "--replication 3: at most one copy a broker, and there are 1 of them\n")
