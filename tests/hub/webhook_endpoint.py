"""A webhook's receiver by the Standard Webhooks library, and the delivering side over a hub of the tests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

from standardwebhooks import Webhook as Receiver

from hub.deliver.declared_webhooks import Webhook
from hub.deliver.webhook import WebhookDoor, deliver
from tests.hub.api.live_hub import LiveHub, cloud_event

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
QUICK = (0.01, 0.02, 0.03, 0.03, 0.03)


def machine_time() -> int:
    return time.time_ns() // 1000  # noqa: TID251 - the receiver's library looks at the machine's clock


class Endpoint:
    """A receiver: it checks each delivery, and answers as it is told to, at last with 204."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.got: list[tuple[str, dict[str, Any]]] = []  # id and body, of each attempt
        self.heads: list[dict[str, str]] = []
        self.accepted: list[str] = []
        self._news = asyncio.Condition()
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
        server = await asyncio.start_server(self._receive, "127.0.0.1", port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    def webhook(self, **given: Any) -> Webhook:
        fields = {
            "name": "ops",
            "url": f"http://127.0.0.1:{self.port}/hook?x=1",
            "secrets": (SECRET,),
            "allow_private": frozenset(("127.0.0.1",)),
        }
        return Webhook(**(fields | given))

    async def until(self, attempts: int) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.got) >= attempts)

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                head = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
                body = await reader.readexactly(int(head["content-length"]))
                told = Receiver(SECRET).verify(body, head)
                answer = self.answers.pop(0) if self.answers else "204 No Content"
                async with self._news:
                    self.got.append((head["webhook-id"], told))
                    self.heads.append(head | {"": lines[0]})
                    if answer.startswith("2"):
                        self.accepted.append(head["webhook-id"])
                    self._news.notify_all()
                if answer == "hang up":
                    break
                writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def delivering(hub: LiveHub, *webhooks: Webhook, **given: Any) -> AsyncIterator[WebhookDoor]:
    given = {"schedule": QUICK} | given
    door = await deliver(webhooks, hub.intake, hub.store.reader, machine_time, **given)
    try:
        yield door
    finally:
        await door.stop()


async def measured(hub: LiveHub, first: int, count: int) -> None:
    """So many calls, each an alert at once."""
    await hub.take(*(cloud_event("contact.ended", 0, str(n), queue_seconds=90) for n in range(first, first + count)))


async def settled(hub: LiveHub) -> None:
    """Return when nothing waits in the outbox."""
    async with asyncio.timeout(10):
        while await hub.intake.ask(outbox) != []:
            pass


def outbox(runtime: Any) -> list[tuple[Any, ...]]:
    reader = runtime.store.reader()
    rows = reader.rows("SELECT webhook, cursor, tries, state, told FROM outbox")
    reader.close()
    return list(rows)
