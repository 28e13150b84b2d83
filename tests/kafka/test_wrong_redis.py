"""A Redis that refuses: what is wrong is said, and what mends it; nothing is published before that is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from deploy.services.running import Service, free_port
from hub.__main__ import main
from streams.distributed.names import INBOUND
from streams.distributed.reading import read_topic
from tests.hub.test_until_and_tests import line
from tests.services import fresh_kafka, kafka, own_redis

__all__ = ["fresh_kafka", "kafka"]  # pytest finds them here
pytestmark = pytest.mark.slow
ZONE = ("--timezone", "America/New_York")
ASKS, FULL = ("CONFIG", "SET", "requirepass", "a-secret"), ("CONFIG", "SET", "maxmemory", "1")
REPLICA = ("REPLICAOF", "127.0.0.1", "1")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Service]:
    with own_redis(tmp_path / "redis") as service:
        yield service


def command(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def told(tmp_path: Path) -> Path:
    path = tmp_path / "in.ndjson"
    path.write_text(line("1", "2026-03-02T10:00:00Z", "1^N"), encoding="utf-8")
    return path


def published(address: str) -> int:
    return len(list(read_topic({"bootstrap.servers": address}, INBOUND, 0)))


@pytest.mark.parametrize(
    "url, code, words",
    [
        ("redis://127.0.0.1:{free}/0", 75, "see that it runs where --redis says"),
        ("http://127.0.0.1/", 2, "a URL such as redis://127.0.0.1:6379/0"),
    ],
)
def test_before_anything_is_published(
    fresh_kafka: str, told: Path, url: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("topics", "apply", "--kafka", fresh_kafka) == 0
    redis = ("--redis", url.format(free=free_port()))
    assert command("load", told, "--kafka", fresh_kafka, *redis, *ZONE) == code
    assert words in capsys.readouterr().err
    assert published(fresh_kafka) == 0
    assert command("load", told, "--kafka", fresh_kafka, "--timezone", "Mars/Base") == 2
    assert "is no time zone" in capsys.readouterr().err
    assert published(fresh_kafka) == 0


@pytest.mark.parametrize(
    "setting, words",
    [(ASKS, "its user and password"), (FULL, "give it more maxmemory"), (REPLICA, "the one that it follows")],
)
def test_what_it_refuses_for_is_said(
    fresh_kafka: str,
    told: Path,
    served: Service,
    setting: tuple[str, ...],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Redis(port=served.port) as client:
        client.execute_command(*setting)
    assert command("topics", "apply", "--kafka", fresh_kafka) == 0
    redis = ("--redis", f"redis://127.0.0.1:{served.port}/0")
    assert command("load", told, "--kafka", fresh_kafka, *redis, *ZONE) == 75
    assert command("redis", "rebuild", "--kafka", fresh_kafka, *redis) == 75
    assert capsys.readouterr().err.count(words) == 2
