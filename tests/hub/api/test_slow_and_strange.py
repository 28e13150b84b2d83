"""Clients that are slow or strange: each is let go or refused in our words, and nobody else waits for one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.api.app import make_app
from hub.api.bodies import BodySettings
from hub.api.serve_http import bind_http, listen
from tests.hub.api.live_hub import cloud_event, running, served

pytestmark = pytest.mark.anyio
BATCH = {"content-type": "application/cloudevents-batch+json"}
POST = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents-batch+json\r\n"


def large(name: str, size: int = 200_000) -> bytes:
    return json.dumps([cloud_event("result.final", 0, name, order_id=name)]).encode().ljust(size)


@contextlib.asynccontextmanager
async def listening(folder: Path, *, first_words: float = 30.0, **given: Any) -> AsyncIterator[int]:
    """A hub that listens; its port."""
    async with running(folder) as hub:
        app = make_app(hub.intake, hub.store.reader, lambda: hub.now, **given)
        door = await listen(app, bind_http("127.0.0.1", 0), first_words=first_words)
        try:
            yield door.port
        finally:
            await door.stop()


async def said(port: int, *parts: str | bytes) -> bytes:
    """What is answered to these bytes until the hub closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part if isinstance(part, bytes) else part.encode())
    with contextlib.suppress(ConnectionResetError):
        found = bytearray()
        while more := await asyncio.wait_for(reader.read(65_536), 10):
            found += more
    writer.close()
    return bytes(found)


async def test_slow_bodies_hold_up_nobody_else(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        writers = []
        for _ in range(12):
            _, writer = await asyncio.open_connection("127.0.0.1", site.door.port)
            writer.write(f"{POST}Content-Length: 1000000\r\n\r\n".encode() + b" " * 100_000)
            await writer.drain()
            writers.append(writer)
        answer = await site.client.post("/v1/events", headers=BATCH, content=large("a", 1_000_000))
        assert answer.status_code == 202
        for writer in writers:
            writer.close()


async def test_a_large_body_that_stalls_is_let_go_and_a_small_one_has_its_time(tmp_path: Path) -> None:
    async with listening(tmp_path, bodies=BodySettings(piece_seconds=0.05)) as port:
        answer = await said(port, f"{POST}Content-Length: 1000000\r\n\r\n", b" " * 100_000)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"urn:pxhub:problem:too-slow" in answer
    async with listening(tmp_path, bodies=BodySettings(seconds=0.05)) as port:
        answer = await said(port, f"{POST}Content-Length: 1000\r\n\r\n", b" ")
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_more_bodies_than_there_is_room_for_take_turns(tmp_path: Path) -> None:
    async with served(tmp_path, bodies=BodySettings(room=250_000)) as site:
        posts = (site.client.post("/v1/events", headers=BATCH, content=large(str(n))) for n in range(12))
        answers = await asyncio.gather(*posts)
        assert [answer.status_code for answer in answers] == [202] * 12
        broken = f"{POST}Content-Length: 300000\r\n\r\n".encode() + b" " * 200_000
        for _ in range(3):  # who breaks off leaves its room to others
            _, writer = await asyncio.open_connection("127.0.0.1", site.door.port)
            writer.write(broken)
            await writer.drain()
            writer.close()
        assert (await site.client.post("/v1/events", headers=BATCH, content=large("last"))).status_code == 202


@pytest.mark.parametrize("method", ["GET /livez", "POST /nowhere"])
async def test_a_request_that_does_not_come_whole_after_an_answer_is_let_go(tmp_path: Path, method: str) -> None:
    async with listening(tmp_path, first_words=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = "" if method.startswith("GET") else "Content-Length: 100\r\n"
        writer.write(f"{method} HTTP/1.1\r\nHost: localhost\r\n{body}\r\n".encode())
        await reader.readuntil(b"}")
        writer.write(b"GET /livez HTTP/1.1\r\nHost: loc")  # half a head, or half of the body that nobody wants
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_a_connection_that_asks_again_and_again_is_kept(tmp_path: Path) -> None:
    async with listening(tmp_path, first_words=0.1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.5
        while loop.time() < until:
            writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b'{"status":"ok"}'), 10)
        writer.close()


async def test_the_head_of_a_stream_is_all_that_is_told_of_it(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        answer = await site.client.head("/v1/alerts/stream")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        head = "HEAD /v1/alerts/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert (await said(site.door.port, head)).startswith(b"HTTP/1.1 200 ")  # and it ends
        assert (await site.client.head("/v1/alerts/stream", params={"after": "x"})).status_code == 400
        assert "pxhub_http_streams_open 0.0" in (await site.client.get("/metrics")).text


@pytest.mark.parametrize(
    "request_", ["NONSENSE\r\n\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "x" * 100_000, "\x16\x03\x01\r\n\r\n"]
)
async def test_what_is_no_request_is_a_problem_too(tmp_path: Path, request_: str) -> None:
    async with listening(tmp_path) as port:
        head, _, body = (await said(port, request_)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request")
        assert b"content-type: application/problem+json" in head.lower()
        assert json.loads(body)["type"] == "urn:pxhub:problem:no-request"
