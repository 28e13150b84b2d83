"""A real Kafka and a real Redis for tests: shared by a run's workers, or one's own to kill.

    from tests.services import fresh_kafka, kafka, own_kafka, own_redis, redis_url

`kafka` is the address of a broker that all workers of a run share: use names of your own. `fresh_kafka` is the same
one, for a single test at a time and without any topic or group that starts with `px`. `redis_url` names a database that
no other test has. `own_kafka(folder)` and `own_redis(folder)` start one that may be killed, frozen and started again.

Where java, Maven or redis-server is missing such tests skip and say so; under PXHUB_REQUIRE_SERVICES=1 they fail.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from kafka.admin import KafkaAdminClient, MemberToRemove

from deploy.services import services
from deploy.services.programs import REDIS_MEND, fetch_jars, find_java, find_redis
from deploy.services.running import NotHere, Service, free_port, locked

ROOT = Path(__file__).resolve().parent.parent
# its controller takes a broker that was killed for alive until its session ends, and the new one waits for that
_SOON = {"broker.session.timeout.ms": "4000", "broker.heartbeat.interval.ms": "500"}


def _missing(told: str) -> None:
    if os.environ.get("PXHUB_REQUIRE_SERVICES") == "1":
        pytest.fail(told)
    pytest.skip(told)


def need_kafka() -> None:
    """Skip, or fail where services are required, unless a broker can be started here."""
    try:
        find_java()
        fetch_jars()
    except NotHere as wrong:
        _missing(f"{wrong} (make services says more)")


def need_redis() -> None:
    """Skip, or fail where services are required, unless a Redis can be started here."""
    if find_redis() is None:
        _missing(f"redis-server is missing: make services, or {REDIS_MEND}")


@pytest.fixture(scope="session")
def kafka(testrun_uid: str) -> Iterator[str]:
    """The address of the run's broker, such as 127.0.0.1:23456."""
    need_kafka()
    with _shared("kafka", testrun_uid) as (port, _):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def fresh_kafka(kafka: str, testrun_uid: str) -> Iterator[str]:
    """The run's broker, this test's alone as far as names in `px` go, and empty of them."""
    with locked(_folder("kafka", testrun_uid) / "alone"):
        empty(kafka)
        yield kafka


def empty(address: str) -> None:
    """Delete the topics and groups of a broker whose names start with `px`, also groups whose members were killed."""
    admin = KafkaAdminClient(bootstrap_servers=address)
    try:
        while groups := [group["group_id"] for group in admin.list_groups() if group["group_id"].startswith("px")]:
            for name, group in admin.describe_groups(groups).items():
                members = [MemberToRemove(member["member_id"]) for member in group["members"]]
                if members:  # the broker would wait for their sessions to end
                    admin.remove_group_members(name, members)
            admin.delete_groups(groups)
        while topics := [name for name in admin.list_topics() if name.startswith("px")]:
            admin.delete_topics(topics, raise_errors=False)  # a broker learns a little later what its controller knows
    finally:
        admin.close()


@pytest.fixture(scope="session")
def redis_run(testrun_uid: str) -> Iterator[tuple[int, Path]]:
    """Port and folder of the run's Redis."""
    need_redis()
    with _shared("redis", testrun_uid) as found:
        yield found


@pytest.fixture
def redis_url(redis_run: tuple[int, Path]) -> Iterator[str]:
    """A database of the run's Redis that only this test has; it is emptied afterwards."""
    port, folder = redis_run
    with locked(folder / "counting"):
        counter = folder / "databases"
        number = int(counter.read_text(encoding="ascii")) + 1 if counter.exists() else 1
        counter.write_text(str(number), encoding="ascii")
    yield f"redis://127.0.0.1:{port}/{number}"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, connection.makefile("rb") as answers:
        for command in (f"SELECT {number}", "FLUSHDB"):
            connection.sendall(f"{command}\r\n".encode())
            assert answers.readline() == b"+OK\r\n"


@contextmanager
def own_kafka(folder: Path, settings: Mapping[str, str] | None = None, *, port: int | None = None) -> Iterator[Service]:
    """A broker of this test alone, running; `kill`, `freeze` and `start` (same port, same data) as one likes."""
    need_kafka()
    with _own(
        services.kafka(folder, port or free_port(), heap="512m", settings=_SOON | dict(settings or {}))
    ) as service:
        yield service


@contextmanager
def own_redis(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Service]:
    """A Redis of this test alone, running, which writes what it holds to its folder."""
    need_redis()
    with _own(services.redis(folder, free_port(), settings=settings)) as service:
        yield service


@contextmanager
def _own(service: Service) -> Iterator[Service]:
    try:
        service.start()
        yield service
    finally:
        service.kill()


def _folder(kind: str, run: str) -> Path:
    return Path(tempfile.gettempdir()) / f"pxhub-{kind}-{run}"


@contextmanager
def _shared(kind: str, run: str) -> Iterator[tuple[int, Path]]:
    """Port and folder of the run's service; the first who asks has it started, the last who leaves ends it."""
    folder = _folder(kind, run)
    users = _use(folder)
    try:
        with locked(folder / "asking"):
            port = folder / "port"
            if not port.exists():
                command = [sys.executable, "-m", "tests.kept_service", kind, str(folder)]
                told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
                assert told.returncode == 0, told.stderr
            number = int(port.read_text(encoding="ascii"))
        yield number, folder
    finally:
        users.close()


def _use(folder: Path) -> IO[bytes]:
    """The users' file, locked as one of them: anew where the service ended while we waited for it."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        users = (folder / "users").open("ab")
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            if os.fstat(users.fileno()).st_ino == (folder / "users").stat().st_ino:
                return users
        except FileNotFoundError:
            pass
        users.close()
