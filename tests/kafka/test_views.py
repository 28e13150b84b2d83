"""The read views in Redis: exact whatever becomes of who writes them, and made anew where Redis lost them."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest
import redis

from hub.__main__ import main
from schemas.alert import State
from tests.kafka.alerting import Writer, drawn, expected, held, said, streamed, views_of
from tests.kafka.serving import make_topics
from tests.services import fresh_kafka, kafka, redis_run, redis_url  # noqa: F401 - fixtures

_PAUSE = threading.Event()


def until(holds: Callable[[], object]) -> None:
    """Wait for what another thread or process does."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        _PAUSE.wait(0.01)  # other threads and processes are watched


@contextmanager
def following(kafka: str, url: str, **given: int) -> Iterator[None]:  # noqa: F811
    """A follower in a thread of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=views_of(kafka, url, **given).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def has_streamed(url: str, many: int) -> bool:
    return len(streamed(url)) > many


@pytest.fixture
def writer(fresh_kafka):  # noqa: F811
    make_topics(fresh_kafka)
    return Writer(fresh_kafka)


def test_what_stands_is_held_and_what_changes_is_streamed(fresh_kafka, redis_url, writer):  # noqa: F811
    before, after = drawn(30, 100, 1), drawn(40, 100, 2)
    writer.write(before)
    with following(fresh_kafka, redis_url):
        until(lambda: held(redis_url) == expected(before) and streamed(redis_url) == [None])
        writer.write(after)
        writer.write([said(7, State.WARNING, at=1)], keeps=False)  # it was taken back
        until(lambda: held(redis_url) == expected(before + after))
        assert Counter(streamed(redis_url)) == Counter([None, *map(msgspec.json.encode, after)])


def test_records_of_others_are_passed_by(fresh_kafka, redis_url, writer):  # noqa: F811
    line = said(1)
    with following(fresh_kafka, redis_url):
        writer.write_raw(b"x", b"no json")
        writer.write_raw(b"\xff", None)
        writer.write_raw(b"al-unknown", None)
        writer.write_raw(b"another", msgspec.json.encode(line))
        writer.write_raw(line.id.encode(), msgspec.json.encode(line) + b"}")
        writer.write([said(2)])
        until(lambda: held(redis_url) == expected([said(2)]))


def test_the_stream_holds_the_last_and_forgets_the_rest(fresh_kafka, redis_url, writer):  # noqa: F811
    with following(fresh_kafka, redis_url, most=200):
        until(lambda: streamed(redis_url) == [None])
        lines = drawn(50, 3_000, 3)
        writer.write(lines)
        until(lambda: held(redis_url) == expected(lines))
        assert 200 <= len(streamed(redis_url)) < 1_000  # it is cut in whole pieces


@pytest.mark.parametrize("commands", [("flushdb",), ("del", "px:view:mark"), ("set", "px:view:mark", "other 0")])
def test_what_redis_lost_is_made_anew(fresh_kafka, redis_url, writer, commands):  # noqa: F811
    lines = drawn(40, 200, 4)
    client = redis.Redis.from_url(redis_url)
    with following(fresh_kafka, redis_url):
        writer.write(lines)
        until(lambda: held(redis_url) == expected(lines) and client.get("px:view:whole"))
        client.execute_command(*commands)
        until(lambda: client.get("px:view:mark") not in (None, b"other 0") and client.get("px:view:whole"))
        assert (held(redis_url), streamed(redis_url)) == (expected(lines), [None])
        more = drawn(40, 50, 5)
        writer.write(more)
        until(lambda: held(redis_url) == expected(lines + more))
        assert Counter(streamed(redis_url)) == Counter([None, *map(msgspec.json.encode, more)])
    client.close()


@pytest.mark.slow
def test_each_transition_is_streamed_once_though_the_follower_is_killed(fresh_kafka, redis_url, writer):  # noqa: F811
    command = [sys.executable, "-P", "-m", "tests.kafka.alerting", fresh_kafka, redis_url]
    written = []
    process = subprocess.Popen(command)
    until(lambda: streamed(redis_url) == [None])
    for seed in range(6):
        lines = drawn(300, 2_000, seed)
        writer.write(lines)
        written += lines
        until(functools.partial(has_streamed, redis_url, len(written) - 1_900))  # it is at it
        process.kill()
        process.wait()
        process = subprocess.Popen(command)
    try:
        until(lambda: held(redis_url) == expected(written))
        assert Counter(streamed(redis_url)) == Counter([None, *map(msgspec.json.encode, written)])
    finally:
        process.kill()
        process.wait()


def test_two_who_follow_do_no_more_than_one(fresh_kafka, redis_url, writer):  # noqa: F811
    with following(fresh_kafka, redis_url):
        until(lambda: streamed(redis_url) == [None])
        with following(fresh_kafka, redis_url):
            written = []
            for seed in range(10):
                lines = drawn(50, 100, seed)
                writer.write(lines)
                written += lines
            until(lambda: held(redis_url) == expected(written))
        assert Counter(streamed(redis_url)) == Counter([None, *map(msgspec.json.encode, written)])


def test_rebuild_makes_index_and_views_anew(fresh_kafka, redis_url, writer, capsys):  # noqa: F811
    lines = drawn(40, 200, 6)
    writer.write(lines)
    client = redis.Redis.from_url(redis_url)
    client.hset("px:view:alerts", "al-stale", b"{}")
    with pytest.raises(SystemExit) as ended:
        main(["redis", "rebuild", "--kafka", fresh_kafka, "--redis", redis_url])
    assert not ended.value.code
    told = capsys.readouterr().out.splitlines()
    assert told == ["index: 0 rows of px.persons", f"views: {len({line.id for line in lines})} alerts of px.alerts"]
    assert held(redis_url) == expected(lines)
    assert client.get("px:view:whole") == b"1"
    client.close()


@pytest.mark.parametrize(
    "there, code",
    [(("kafka",), 75), (("redis",), 75), (("kafka", "wrong"), 2)],
    ids=["no redis", "no kafka", "no URL"],
)
def test_rebuild_says_what_does_not_answer(fresh_kafka, redis_url, writer, there, code, capsys):  # noqa: F811
    at = fresh_kafka if "kafka" in there else "127.0.0.1:1"
    url = redis_url if "redis" in there else "redis://127.0.0.1:1/0" if "wrong" not in there else "nowhere"
    with pytest.raises(SystemExit) as ended:
        main(["redis", "rebuild", "--kafka", at, "--redis", url])
    assert ended.value.code == code
    assert capsys.readouterr().err.strip()
