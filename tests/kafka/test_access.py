"""The rights that are declared, on a broker that asks who one is: each role does its work and nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.services.running import free_port
from hub.__main__ import main
from hub.kafka.cluster import look_at
from hub.kafka.settings import KafkaSettings, read_kafka_settings
from streams.distributed.topics import Role, topics
from tests.hub.mllp_hub import sign
from tests.services import empty, own_kafka, redis_run, redis_url  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow
PREFIX = "pxhub-"


class Guarded(NamedTuple):
    """A broker with a door for everybody on loopback, and one that asks for a name over TLS."""

    open: str
    asking: str
    folder: Path

    def environment(self, role: Role) -> dict[str, str]:
        told = {
            "SECURITY_PROTOCOL": "SASL_SSL",
            "SASL_MECHANISM": "SCRAM-SHA-512",
            "SASL_USERNAME": f"{PREFIX}{role}",
            "SASL_PASSWORD_FILE": str(self.folder / str(role)),
            "SSL_CAFILE": str(self.folder / "broker.pem"),
        }
        return {f"PXHUB_KAFKA_{name}": value for name, value in told.items()}

    def as_(self, role: Role) -> KafkaSettings:
        return read_kafka_settings(self.asking, self.environment(role))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = sign(tmp_path_factory.mktemp("guarded"), "broker", "stranger")
    both = (folder / "broker.key").read_text(encoding="utf-8") + (folder / "broker.pem").read_text(encoding="utf-8")
    (folder / "both.pem").write_text(both, encoding="utf-8")
    controller, asking, plain = free_port(), free_port(), free_port()
    doors = f"PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{asking}"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    settings = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"{doors},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": doors,
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(folder / "both.pem"),
    }
    with own_kafka(folder / "kafka", settings, port=plain) as broker:
        found = Guarded(f"127.0.0.1:{broker.port}", f"127.0.0.1:{asking}", folder)
        with pytest.raises(SystemExit) as ended:
            main(["topics", "apply", "--kafka", found.open, "--acl", PREFIX])
        assert not ended.value.code
        admin = KafkaAdminClient(bootstrap_servers=found.open)
        passwords = {role: f"the password of {role}" for role in Role}
        for role, password in passwords.items():
            (folder / str(role)).write_text(f"{password}\n", encoding="utf-8")
        admin.alter_user_scram_credentials(
            [
                UserScramCredentialUpsertion(f"{PREFIX}{role}", ScramMechanism.SCRAM_SHA_512, password)
                for role, password in passwords.items()
            ]
        )
        admin.close()
        yield found


def write(settings: KafkaSettings, topic: str, transactional_id: str | None = None) -> KafkaError | None:
    """What the broker says to one record, by librdkafka; None where it takes it."""
    more = {} if transactional_id is None else {"transactional.id": transactional_id}
    producer = Producer({**settings.for_confluent(), **more, "message.timeout.ms": 30_000, "log_level": 0})
    said: list[KafkaError | None] = []
    try:
        if transactional_id is not None:
            producer.init_transactions(30)
            producer.begin_transaction()
        producer.produce(topic, b"{}", b"key", callback=lambda error, _: said.append(error))
        producer.flush(30)
        if transactional_id is not None:
            producer.commit_transaction(30)
    except KafkaException as wrong:
        return wrong.args[0]
    return said[0]


def read(settings: KafkaSettings, topic: str) -> KafkaError | None:
    """What the broker says to who reads the beginning of a topic; None where it gives something."""
    consumer = Consumer({**settings.for_confluent(), "group.id": "px-test", "log_level": 0})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        while (message := consumer.poll(30)) is not None:
            return message.error()
    finally:
        consumer.close()
    raise AssertionError("nothing came")


def test_the_doors_write_what_they_take_and_nothing_else(guarded: Guarded) -> None:
    doors = guarded.as_(Role.CONNECT)
    assert write(doors, "px.inbound") is None
    refused = write(doors, "px.alerts")
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    refused = read(doors, "px.inbound")  # whoever breaks into a door does not find there what came through it
    assert refused is not None
    assert refused.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED)


def test_a_stage_has_its_own_transactions_alone(guarded: Guarded) -> None:
    measure = guarded.as_(Role.MEASURE)
    assert write(measure, "px.measures", "px-measure-0") is None
    refused = write(measure, "px.measures", "px-correlate-0")  # it would fence correlate
    assert refused is not None
    assert refused.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_who_reads_alerts_writes_none(guarded: Guarded) -> None:
    assert write(guarded.as_(Role.CORRELATE), "px.alerts", "px-correlate-0") is None

    async def tell() -> None:
        settings = guarded.as_(Role.READ).for_aiokafka()
        consumer = AIOKafkaConsumer(
            "px.alerts", **settings, group_id="px-read", auto_offset_reset="earliest", isolation_level="read_committed"
        )
        await consumer.start()
        try:
            assert (await asyncio.wait_for(consumer.getone(), 60)).value == b"{}"
        finally:
            await consumer.stop()
        producer = AIOKafkaProducer(**settings)
        await producer.start()
        try:
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait("px.alerts", b"{}")
        finally:
            await producer.stop()

    asyncio.run(tell())


@pytest.mark.parametrize("role", Role)
def test_every_stage_sees_how_many_partitions_there_are(guarded: Guarded, role: Role) -> None:
    found = look_at(guarded.as_(role)).partitions
    assert {topic.name: topic.partitions for topic in topics()}.items() <= found.items()


THRESHOLDS = """
calendars: {}
thresholds:
  - {id: final-in-time, kind: wait, key: order_id, start: order.placed, satisfied_by: result.final, within: 4h}
"""
EVENT = {
    "specversion": "1.0",
    "id": "placed-1",
    "source": "lab",
    "type": "order.placed",
    "time": "2026-03-02T12:00:00Z",
    "data": {"order_id": "o1", "mrn": "1", "assigning_authority": "HBMC"},
}


def test_each_stage_works_with_its_own_rights_over_tls(guarded: Guarded, redis_url: str, tmp_path: Path) -> None:  # noqa: F811
    empty(guarded.open)  # of what the tests before it wrote
    with pytest.raises(SystemExit):
        main(["topics", "apply", "--kafka", guarded.open])
    (tmp_path / "placed.ndjson").write_text(json.dumps(EVENT) + "\n", encoding="utf-8")
    (tmp_path / "thresholds.yaml").write_text(THRESHOLDS, encoding="utf-8")
    catching_up = [(Role.CORRELATE, "px.inbound"), (Role.MEASURE, "px.inbound"), (Role.MEASURE, "px.events")]
    admin = KafkaAdminClient(bootstrap_servers=guarded.open)
    admin.create_acls([may_read(role, topic) for role, topic in catching_up])
    admin.close()
    until = ("--until", "2026-03-03T12:00:00Z")
    hub(guarded, Role.CONNECT, "load", tmp_path / "placed.ndjson", "--timezone", "UTC", "--redis", redis_url, *until)
    more = ("--clock", "event", "--until-caught-up", "--redis", redis_url, "--thresholds", tmp_path / "thresholds.yaml")
    for stage in (Role.IDENTIFY, Role.CORRELATE, Role.MEASURE):
        hub(guarded, stage, "work", stage, *more)
    [alert] = map(json.loads, hub(guarded, Role.READ, "alerts", "list", "--format", "ndjson").splitlines())
    assert (alert["threshold"], alert["state"]) == ("final-in-time", "breached")


@pytest.mark.parametrize(
    "role, stage, named",
    [(Role.MEASURE, Role.CORRELATE, "px-correlate-"), (Role.CORRELATE, Role.IDENTIFY, "px-identify-0")],
)
def test_who_has_the_rights_of_another_stage_ends_with_a_word(
    guarded: Guarded,
    redis_url: str,  # noqa: F811
    tmp_path: Path,
    role: Role,
    stage: Role,
    named: str,
) -> None:
    (tmp_path / "thresholds.yaml").write_text(THRESHOLDS, encoding="utf-8")
    more = ("--redis", redis_url, "--thresholds", str(tmp_path / "thresholds.yaml"))
    command = [sys.executable, "-P", "-m", "hub", "work", str(stage), *more, "--kafka", guarded.asking]
    environment = {**os.environ, **guarded.environment(role)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    [told] = [line for line in done.stderr.splitlines() if line.startswith(named)]  # librdkafka may say more
    assert "pxhub topics apply --acl PREFIX" in told


def may_read(role: Role, topic: str) -> ACL:
    return ACL(
        f"User:{PREFIX}{role}",
        "*",
        ACLOperation.READ,
        ACLPermissionType.ALLOW,
        ResourcePattern(ResourceType.TOPIC, topic),
    )


def hub(guarded: Guarded, role: Role, *arguments: object) -> str:
    """What a command says, as a role."""
    command = [sys.executable, "-P", "-m", "hub", *map(str, arguments), "--kafka", guarded.asking]
    environment = {**os.environ, **guarded.environment(role)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(guarded: Guarded, *arguments: str, **changed: str) -> tuple[int, str]:
    """Exit code and errors of `topics check` as who reads, in a process of its own; asked again where the broker took
    too long, as code 75 says."""
    environment = {**os.environ, **guarded.environment(Role.READ)}
    environment |= {f"PXHUB_KAFKA_{name}": str(guarded.folder / file) for name, file in changed.items()}
    command = [sys.executable, "-P", "-m", "hub", "topics", "check", "--kafka", guarded.asking, *arguments]
    for _ in range(5):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 75:
            break
    return done.returncode, done.stderr


def test_who_is_no_administrator_is_told_so(guarded: Guarded) -> None:
    code, told = check(guarded, "--acl", PREFIX)
    assert (code, told.partition(":")[0]) == (2, "may not describe ACLs")


def test_a_wrong_password_is_told_and_not_tried_for_ever(guarded: Guarded) -> None:
    code, told = check(guarded, SASL_PASSWORD_FILE="measure")
    assert (code, "does not know us: do PXHUB_KAFKA_SASL_MECHANISM" in told) == (2, True), told
    assert "the password of" not in told


def test_a_broker_that_is_not_trusted_is_told(guarded: Guarded) -> None:
    code, told = check(guarded, SSL_CAFILE="stranger.pem")
    assert (code, "PXHUB_KAFKA_SSL_CAFILE must hold who signed its certificate" in told) == (2, True), told
