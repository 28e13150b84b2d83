"""The services themselves: shared, of one's own, killed and found again."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from kafka.admin import KafkaAdminClient

from deploy.services.running import NotHere, free_port, is_free, kafka_answers, redis_answers
from deploy.services.services import redis
from tests.services import (
    ROOT,
    empty,
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


JOIN = """
import sys
from confluent_kafka import Consumer
consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "px-killed", "session.timeout.ms": 300_000})
consumer.subscribe(["px.killed"], on_assign=lambda *_: print("assigned", flush=True))
while True:
    consumer.poll(1)
"""


def test_what_a_killed_worker_leaves_is_not_in_the_way_of_the_next_test(fresh_kafka):  # noqa: F811
    admin = KafkaAdminClient(bootstrap_servers=fresh_kafka)
    admin.create_topics({"px.killed": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    with subprocess.Popen([sys.executable, "-c", JOIN, fresh_kafka], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "assigned\n"
        worker.kill()
    empty(fresh_kafka)
    assert not [group for group in admin.list_groups() if group["group_id"].startswith("px")]
    assert not [name for name in admin.list_topics() if name.startswith("px")]
    admin.close()


SHARE = """
import sys
from tests.services import _shared
with _shared("redis", sys.argv[1]) as (port, _):
    print(port, flush=True)
    sys.stdin.read()
"""


def test_a_shared_service_ends_with_its_last_user_however_that_ended(testrun_uid):
    need_redis()
    command = [sys.executable, "-c", SHARE, f"{testrun_uid}-shared"]
    with contextlib.ExitStack() as stack:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
        users = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(3)]
        ports = {int(user.stdout.readline()) for user in users}
        assert len(ports) == 1
        [port] = ports
        users[0].kill()
        users[1].stdin.close()
        users[0].wait()
        users[1].wait()
        assert redis_answers(port)
        users[2].kill()
    until = time.monotonic() + 60
    while not is_free(port) or (Path(tempfile.gettempdir()) / f"pxhub-redis-{testrun_uid}-shared").exists():
        assert time.monotonic() < until


def test_two_who_start_the_same_service_at_once_have_one(tmp_path):
    need_redis()
    port = free_port()
    code = (
        "import sys; from pathlib import Path; from deploy.services.services import redis; "
        "print(redis(Path(sys.argv[1]), int(sys.argv[2])).start())"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "redis"), str(port)]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)]
    assert sorted(start.communicate()[0] for start in starts) == ["False\n", "False\n", "True\n"]
    assert redis(tmp_path / "redis", port).stop()


MVN = """#!/bin/sh
echo called >> "$CALLS"
[ -n "$FAILS" ] && { echo "no such artifact"; exit 1; }
for argument; do case "$argument" in -DoutputDirectory=*) touch "${argument#*=}/kafka.jar";; esac; done
"""


def fetch(folder: Path, **more: str) -> subprocess.Popen[str]:
    """Fetch the jars into an empty cache, by a Maven that brings one empty file."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "mvn").write_text(MVN, encoding="utf-8")
    (folder / "bin" / "mvn").chmod(0o755)
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "CALLS": str(folder / "calls"), **more}
    environment["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
    code = "from deploy.services.programs import fetch_jars; print(sorted(p.name for p in fetch_jars().iterdir()))"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT, **pipes)


def test_the_jars_are_fetched_once_whoever_asks_at_once(tmp_path):
    fetches = [fetch(tmp_path) for _ in range(3)]
    assert {each.communicate()[0] for each in fetches} == {"['kafka.jar']\n"}
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "called\n"


def test_jars_that_cannot_be_had_leave_nothing_half(tmp_path):
    failed = fetch(tmp_path, FAILS="1").communicate()[1]
    assert "Maven cannot bring Kafka's jars:\nno such artifact" in failed
    assert [path.name for path in (tmp_path / "pxhub").iterdir()] == ["kafka-4.1.0.lock"]
    assert fetch(tmp_path).communicate()[0] == "['kafka.jar']\n"


def test_without_redis_and_apt_the_mend_is_said(tmp_path):
    code = "from deploy.services.programs import ensure_redis; ensure_redis()"
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert "redis-server is missing: install Redis 7 or later" in done.stderr


def test_each_test_has_a_database_of_its_own(redis_url):  # noqa: F811
    assert redis_answers(int(redis_url.split(":")[2].partition("/")[0]))


@pytest.mark.slow
def test_a_broker_that_was_killed_has_its_topics_again(tmp_path):
    with own_kafka(tmp_path / "kafka") as broker:
        address = f"127.0.0.1:{broker.port}"
        admin = KafkaAdminClient(bootstrap_servers=address)
        admin.create_topics({"kept": {"num_partitions": 3, "replication_factor": 1}})
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


def test_a_server_that_is_frozen_answers_when_it_is_let_go(tmp_path):
    with own_redis(tmp_path / "redis") as server:
        server.freeze()
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(b"PING\r\n")
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(64)
            connection.settimeout(60)
            server.thaw()
            assert connection.recv(64) == b"+PONG\r\n"


def test_a_port_of_somebody_else_is_told_and_left_alone(tmp_path):
    need_redis()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = redis(tmp_path / "redis", other.getsockname()[1])
        with pytest.raises(NotHere, match=r"taken by another program.*PXHUB_REDIS_PORT"):
            server.start()
        assert server.running() is None


def test_a_port_that_is_taken_while_it_starts_is_told_as_that(tmp_path):
    need_redis()
    server = redis(tmp_path / "redis", free_port())
    command = server.command
    with socket.socket() as other:

        def later() -> list[str]:
            other.bind(("127.0.0.1", server.port))
            other.listen()
            return command()

        server.command = later
        with pytest.raises(NotHere, match="taken by another program"):
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
