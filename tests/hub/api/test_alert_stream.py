"""The stream: each transition once, over any gap; a slow reader is cut off and told; it ends when the hub does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hub.api.app import make_app
from hub.api.serve_http import bind_http, listen
from tests.hub.api.live_hub import Served, cloud_event, running, served

pytestmark = pytest.mark.anyio


async def events(site: Served, **given: Any) -> AsyncIterator[httpx2.ServerSentEvent]:
    """The events of a stream, `opened` left to the caller too."""
    async with asyncio.timeout(20), site.client.sse("/v1/alerts/stream", **given) as source:
        async for event in source:
            yield event


async def measured(site: Served, first: int, count: int) -> None:
    """So many calls, each an alert at once."""
    calls = [cloud_event("contact.ended", 0, str(n), queue_seconds=90) for n in range(first, first + count)]
    await site.hub.take(*calls)


async def test_it_begins_now_and_tells_each_transition_as_the_pages_do(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await measured(site, 0, 3)
        await site.hub.alerts(3)
        seen = []
        async for event in events(site):
            seen.append(event)
            if event.event == "opened":
                assert (site.hub.cursors.read(event.id), event.retry, json.loads(event.data)) == (3, 5000, {})
                await measured(site, 3, 2)
            if len(seen) == 3:
                break
        page = (await site.client.get("/v1/alerts", params={"after": seen[0].id})).json()
        assert [json.loads(event.data) for event in seen[1:]] == page["alerts"]
        assert [(event.id, event.event) for event in seen[1:]] == [
            (alert["cursor"], "resolved") for alert in page["alerts"]
        ]


async def test_who_resumes_misses_none_and_gets_none_twice(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        total, cursor, got = 3_000, site.hub.cursors.write(0), []
        await measured(site, 0, 2_500)
        for stop in (1, 2, 700, 701, 2_499, 2_700, total):
            if stop == 2_700:
                await measured(site, 2_500, 500)
            stream = events(site, headers={"last-event-id": cursor})
            async for event in stream:
                if event.event == "opened":
                    assert event.id == cursor
                    continue
                got.append(site.hub.cursors.read(event.id))
                cursor = event.id
                if len(got) == stop:
                    break
            await stream.aclose()
        assert got == list(range(1, total + 1))


async def test_last_event_id_goes_before_after_and_a_wrong_one_is_a_problem(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        write = site.hub.cursors.write
        await measured(site, 0, 5)
        await site.hub.alerts(5)
        async for event in events(site, headers={"last-event-id": write(4)}, params={"after": write(1)}):
            if event.event != "opened":
                assert site.hub.cursors.read(event.id) == 5
                break
        async for event in events(site, params={"after": write(1)}):
            if event.event != "opened":
                assert site.hub.cursors.read(event.id) == 2
                break
        answer = await site.client.get("/v1/alerts/stream", headers={"last-event-id": "x"})
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, "Last-Event-ID")


async def test_filters_narrow_the_stream(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.hub.take(cloud_event("result.final", 0, order_id="a"))
        await measured(site, 0, 3)
        site.hub.move(90)
        await site.hub.alerts(4)
        async for event in events(site, params={"after": site.hub.cursors.write(0), "threshold": "told"}):
            if event.event != "opened":
                assert json.loads(event.data)["threshold"] == "told"
                break


async def test_its_headers_let_no_proxy_hold_it_back(tmp_path: Path) -> None:
    async with served(tmp_path) as site, site.client.stream("GET", "/v1/alerts/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"


async def test_a_stop_ends_the_streams_at_once(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        opened = asyncio.Event()

        async def follow() -> list[str]:
            seen = []
            async for event in events(site):
                seen.append(event.event)
                opened.set()
            return seen

        followers = [asyncio.create_task(follow()) for _ in range(5)]
        await asyncio.wait_for(opened.wait(), 10)
        await asyncio.wait_for(site.door.stop(), 5)
        assert [seen[:1] for seen in await asyncio.gather(*followers)] == [["opened"]] * 5


class Slow:
    """A client of the stream that reads only when it is asked to."""

    def __init__(self, port: int, *, after: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect(("127.0.0.1", port))
        head = f"GET /v1/alerts/stream?after={after} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self._socket.sendall(head.encode())

    async def rest(self) -> bytes:
        self._socket.setblocking(False)
        found, loop = bytearray(), asyncio.get_running_loop()
        while part := await asyncio.wait_for(loop.sock_recv(self._socket, 65_536), 10):
            found += part
        self._socket.close()
        return bytes(found)


async def test_a_reader_that_does_not_read_is_cut_off_and_told_and_misses_none(tmp_path: Path) -> None:
    async with served(tmp_path, slow_seconds=0.2) as site:
        await measured(site, 0, 3_000)
        await site.hub.alerts(3_000)
        client = Slow(site.door.port, after=site.hub.cursors.write(0))
        async with asyncio.timeout(20):
            text = ""
            while "pxhub_http_streams_cut_total 1.0" not in text:
                text = (await site.client.get("/metrics")).text
        sent = re.sub(rb"\r\n[0-9a-f]+\r\n", b"", await client.rest())
        ids = [site.hub.cursors.read(found.decode()) for found in re.findall(rb"^id: (\S+)$", sent, re.MULTILINE)]
        assert ids == list(range(len(ids)))  # the first is that of `opened`
        assert 1 < len(ids) < 3_000
        assert sent.rstrip().removesuffix(b"0").rstrip().endswith(b'resume by Last-Event-ID"}')
        assert b"event: lagging" in sent
        asked = {"after": site.hub.cursors.write(ids[-1]), "limit": 1}
        page = (await site.client.get("/v1/alerts", params=asked)).json()
        assert site.hub.cursors.read(page["alerts"][0]["cursor"]) == len(ids)


async def test_more_streams_than_may_be_open_are_told_to_come_again(tmp_path: Path) -> None:
    async with served(tmp_path, streams_at_once=1) as site, site.client.stream("GET", "/v1/alerts/stream") as first:
        assert first.status_code == 200
        second = await site.client.get("/v1/alerts/stream")
        assert (second.status_code, second.json()["type"]) == (503, "urn:pxhub:problem:too-many-streams")
        assert second.headers["retry-after"]


async def test_who_connects_and_says_nothing_is_let_go(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        app = make_app(hub.intake, hub.store.reader, lambda: hub.now)
        door = await listen(app, bind_http("127.0.0.1", 0), first_words=0.05)
        for said in (b"", b"GET /v1/alerts/stream HTTP/1.1\r\nHost: loc"):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(said)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
        await door.stop()
