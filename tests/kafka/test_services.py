"""The services themselves: shared, of one's own, killed and found again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.services.running import NotHere, free_port, is_free, kafka_answers, redis_answers
from deploy.services.services import redis
from tests.services import (
    ROOT,
    fresh_kafka,  # noqa: F401 - fixtures
    kafka,  # noqa: F401
    need_redis,
    own_kafka,
    own_redis,
    redis_run,  # noqa: F401
    redis_url,  # noqa: F401
)

SCRIPT = ROOT / "deploy" / "services" / "services.py"


def test_the_shared_broker_answers(kafka):  # noqa: F811
    assert kafka_answers(int(kafka.rpartition(":")[2]))


def test_each_test_has_a_database_of_its_own(redis_url):  # noqa: F811
    assert redis_answers(int(redis_url.split(":")[2].partition("/")[0]))


@pytest.mark.slow
def test_a_broker_that_was_killed_has_its_topics_again(tmp_path):
    with own_kafka(tmp_path / "kafka") as broker:
        address = f"127.0.0.1:{broker.port}"
        admin = KafkaAdminClient(bootstrap_servers=address)
        admin.create_topics([NewTopic("kept", num_partitions=3, replication_factor=1)])
        admin.close()
        broker.kill()
        assert not kafka_answers(broker.port)
        assert broker.start()
        admin = KafkaAdminClient(bootstrap_servers=address)
        assert "kept" in admin.list_topics()
        admin.close()


def test_a_redis_that_was_killed_is_there_again_and_a_second_start_changes_nothing(tmp_path):
    with own_redis(tmp_path / "redis", {"appendfsync": "always"}) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(b"SET kept 1\r\n")
            assert connection.recv(64) == b"+OK\r\n"
        server.kill()
        assert server.running() is None
        assert not redis_answers(server.port)
        assert server.start()
        assert not server.start()
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(b"GET kept\r\n")
            assert connection.recv(64) == b"$1\r\n1\r\n"
        assert server.stop()
        assert not server.stop()
        assert is_free(server.port)


def test_a_port_of_somebody_else_is_told_and_left_alone(tmp_path):
    need_redis()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = redis(tmp_path / "redis", other.getsockname()[1])
        with pytest.raises(NotHere, match=r"taken by another program.*PXHUB_REDIS_PORT"):
            server.start()
        assert server.running() is None


def test_a_server_that_ends_at_once_says_why(tmp_path):
    need_redis()
    server = redis(tmp_path / "redis", free_port(), settings={"maxmemory": "no size"})
    with pytest.raises(NotHere, match="redis ended at once"):
        server.start()


def test_without_java_the_mend_is_said(tmp_path):
    (tmp_path / "java").mkdir()
    environment = {**os.environ, "JAVA_HOME": str(tmp_path / "java"), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, SCRIPT, "prepare"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "java is missing: install Java 17" in done.stderr


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_that_is_none_is_told(port: str):
    environment = {**os.environ, "PXHUB_KAFKA_PORT": port}
    done = subprocess.run(
        [sys.executable, SCRIPT, "status"], env=environment, capture_output=True, text=True, check=False, cwd=Path("/")
    )
    assert (done.returncode, done.stderr) == (2, "PXHUB_KAFKA_PORT: a port from 1 to 65535 is expected\n")
