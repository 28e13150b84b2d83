"""Messages over MLLP, each connection waiting for each acknowledgement, beside a bare server that keeps nothing.

Servers and senders are processes of their own, so the sender's work does not count as the server's; on a machine of
two cores they share them.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hub.bench.figure import Figure, uncollected

MESSAGES: Final = 40_000
CONNECTIONS: Final = 16
STEADY: Final = 2_000
"""Messages a second of an interface engine on a busy morning."""
_END: Final = b"\x1c\r"
_MESSAGE: Final = (
    "\x0bMSH|^~\\&|EHR|NORTH|HUB|HUB|{time}||ADT^A01^ADT_A01|{id}|P|2.5.1\r"
    "EVN|A01|{time}\rPID|1||{person}^^^NORTH^MR||Doe^Jane||19800101|F\r"
    "PV1|1|I|4W^402^1||||7^Who^^^^^^^NPI|||MED|||||||||V{id}^^^NORTH^VN|||||||||||||||||||||||||{time}\r\x1c\r"
)


def run(messages: int = MESSAGES) -> Iterator[Figure]:
    """Both servers, the same messages over the same number of connections; then the hub at a steady rate."""
    bare, _ = _measured([sys.executable, "-P", "-m", "hub.bench.mllp"], messages)
    yield Figure("reference: a bare asyncio server that keeps nothing", bare, "messages/s")
    rate, latencies = _measured_hub(messages)
    yield Figure(f"MLLP, {CONNECTIONS} connections, durable and judged", rate, "messages/s", "8,000 or more")
    yield Figure("the same as a share of the bare server", rate / bare, "", "0.45 or more")
    for share in (50, 99):
        yield Figure(f"acknowledged, {share}th percentile, at that rate", _percentile(latencies, share), "ms")
    _, latencies = _measured_hub(messages // 2, STEADY)
    yield Figure(
        f"acknowledged, 99th percentile, at {STEADY:,} messages/s", _percentile(latencies, 99), "ms", "50 or less"
    )


def _measured_hub(messages: int, rate: float | None = None) -> tuple[float, list[float]]:
    with TemporaryDirectory(prefix="pxhub-bench-") as folder:
        command = [sys.executable, "-P", "-m", "hub", "serve", "--store", str(Path(folder) / "store")]
        return _measured([*command, "--mllp", "127.0.0.1:0", "--timezone", "UTC"], messages, rate)


def _percentile(ordered: list[float], share: int) -> float:
    """In milliseconds."""
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)] * 1000


def _measured(command: list[str], messages: int, rate: float | None = None) -> tuple[float, list[float]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:  # noqa: S603 - our own
        try:
            assert server.stdout is not None  # noqa: S101 - asked for above
            port = int(server.stdout.readline().rpartition(":")[2])
            return asyncio.run(_send(port, messages, rate))
        finally:
            server.terminate()


class _Sender(asyncio.Protocol):
    """Sends its messages one by one, each when the one before was acknowledged, and no sooner than `every` seconds
    after it was sent."""

    def __init__(self, messages: list[tuple[bytes, bytes]], latencies: list[float], every: float) -> None:
        self._messages: Iterator[tuple[bytes, bytes]] = iter(messages)
        self._latencies: list[float] = latencies
        self._transport: asyncio.WriteTransport | None = None
        self._wanted: bytes = b""  # what the acknowledgement must hold
        self._began: float = 0.0
        self._every: float = every
        self._due: float = 0.0  # by the loop's clock
        self._come: bytes = b""
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - what create_connection makes
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._come += data
        if not self._come.endswith(_END):
            return
        self._latencies.append(time.perf_counter() - self._began)
        if self._wanted not in self._come:
            self._end(RuntimeError("a message was not acknowledged AA by its control id"))
            return
        self._come = b""
        if self._every:
            self.send_at(self._due + self._every)
        else:
            self.send_next()

    def connection_lost(self, _: Exception | None) -> None:
        self._end(RuntimeError("the server closed a connection"))

    def send_at(self, due: float) -> None:
        """Send the next message at a time; at once where that is past."""
        self._due = due
        self._loop.call_at(due, self.send_next)

    def send_next(self) -> None:
        """Send the next message, if there is one."""
        message, self._wanted = next(self._messages, (b"", b""))
        if not message:
            self._end(None)
            return
        assert self._transport is not None  # noqa: S101 - connected
        self._began = time.perf_counter()
        self._transport.write(message)

    def _end(self, wrong: RuntimeError | None) -> None:
        if self.done.done():
            return
        if wrong is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(wrong)


async def _send(port: int, messages: int, rate: float | None) -> tuple[float, list[float]]:
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
    lanes: list[list[tuple[bytes, bytes]]] = [[] for _ in range(CONNECTIONS)]
    for number in range(messages):
        text = _MESSAGE.format(time=stamp, id=number, person=number % 10_000)
        lanes[number % CONNECTIONS].append((text.encode(), b"MSA|AA|%d\r" % number))
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    every = CONNECTIONS / rate if rate else 0.0
    senders: list[_Sender] = []
    for lane in lanes:
        _, sender = await loop.create_connection(partial(_Sender, lane, latencies, every), "127.0.0.1", port)
        senders.append(sender)
    with uncollected():
        began = time.perf_counter()
        for number, sender in enumerate(senders):
            sender.send_at(loop.time() + every * number / CONNECTIONS)
        await asyncio.gather(*(sender.done for sender in senders))
        seconds = time.perf_counter() - began
    return messages / seconds, sorted(latencies)


async def _bare() -> None:
    """Answers each frame AA, and keeps nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await reader.readuntil(_END)
                control = frame.split(b"|", 10)[9]
                writer.write(b"\x0bMSH|^~\\&|HUB|HUB|||||ACK|1|P|2.5.1\rMSA|AA|" + control + b"\r\x1c\r")
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sys.stdout.write(f"bare: 127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_bare())
