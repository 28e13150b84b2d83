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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hub.bench.figure import Figure

MESSAGES: Final = 40_000
CONNECTIONS: Final = 16
_END: Final = b"\x1c\r"
_MESSAGE: Final = (
    "\x0bMSH|^~\\&|EHR|NORTH|HUB|HUB|{time}||ADT^A01^ADT_A01|{id}|P|2.5.1\r"
    "EVN|A01|{time}\rPID|1||{person}^^^NORTH^MR||Doe^Jane||19800101|F\r"
    "PV1|1|I|4W^402^1||||7^Who^^^^^^^NPI|||MED|||||||||V{id}^^^NORTH^VN|||||||||||||||||||||||||{time}\r\x1c\r"
)


def run(messages: int = MESSAGES) -> Iterator[Figure]:
    """Both servers, the same messages over the same number of connections."""
    bare, _ = _measured([sys.executable, "-P", "-m", "hub.bench.mllp"], messages)
    yield Figure("reference: a bare asyncio server that keeps nothing", bare, "messages/s")
    with TemporaryDirectory(prefix="pxhub-bench-") as folder:
        command = [sys.executable, "-P", "-m", "hub", "serve", "--store", str(Path(folder) / "store")]
        command += ["--mllp", "127.0.0.1:0", "--timezone", "UTC"]
        rate, latencies = _measured(command, messages)
    yield Figure(f"MLLP, {CONNECTIONS} connections, durable and judged", rate, "messages/s", "8,000 or more")
    yield Figure("the same as a share of the bare server", rate / bare, "", "0.45 or more")
    for share in (50, 99):
        at = latencies[min(len(latencies) - 1, len(latencies) * share // 100)]
        yield Figure(f"acknowledged, {share}th percentile, at that rate", at * 1000, "ms")


def _measured(command: list[str], messages: int) -> tuple[float, list[float]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:  # noqa: S603 - our own
        try:
            assert server.stdout is not None  # noqa: S101 - asked for above
            port = int(server.stdout.readline().rpartition(":")[2])
            return asyncio.run(_send(port, messages))
        finally:
            server.terminate()


async def _send(port: int, messages: int) -> tuple[float, list[float]]:
    latencies: list[float] = []
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())

    async def send(lane: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(lane, messages, CONNECTIONS):
            text = _MESSAGE.format(time=stamp, id=number, person=number % 10_000)
            began = time.perf_counter()
            writer.write(text.encode())
            await reader.readuntil(_END)
            latencies.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*map(send, range(CONNECTIONS)))
    return messages / (time.perf_counter() - began), sorted(latencies)


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
