"""A real `pxhub serve` in a process of its own, and a sender that waits for each acknowledgement."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

READY = re.compile(r"pxhub ready: (.*)")
ADDRESS = re.compile(r"(mllp|http)://[^:]+:(\d+)")


class Served:
    """One process. `ports` by scheme once it is ready."""

    def __init__(self, store: Path, *options: str | Path) -> None:
        command = [sys.executable, "-P", "-m", "hub", "serve", "--store", store, "--timezone", "America/New_York"]
        command += ["--mllp", "127.0.0.1:0", "--http", "127.0.0.1:0", *options]
        self.log = store.with_name(store.name + ".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=subprocess.PIPE, stderr=log, text=True, env=dict(os.environ)
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        ready = READY.match(line)
        assert ready is not None, f"{line}\n{self.log.read_text()}"
        self.ports = {scheme: int(port) for scheme, port in ADDRESS.findall(ready[1])}

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        assert self.process.stdout is not None
        code = self.process.wait(60)
        self.process.stdout.close()
        return code


def ask(*arguments: str | Path) -> list[dict[str, Any]]:
    """The lines of a command's answer in NDJSON."""
    command = [sys.executable, "-P", "-m", "hub", *map(str, arguments), "--format", "ndjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def send_all(
    port: int, waiting: deque[bytes], acknowledged: Callable[[bytes, bytes], None], connections: int = 4
) -> None:
    """Send what waits; what was not acknowledged when a connection breaks waits again."""

    async def send_some() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        message = b""
        try:
            while waiting:
                message = waiting.popleft()
                writer.write(b"\x0b" + message + b"\x1c\r")
                answer = await reader.readuntil(b"\x1c\r")
                acknowledged(message, answer)
                message = b""
        finally:
            if message:
                waiting.appendleft(message)
            writer.close()

    for found in await asyncio.gather(*(send_some() for _ in range(connections)), return_exceptions=True):
        if found is not None and not isinstance(found, OSError | asyncio.IncompleteReadError):
            raise found


def control_id(message: bytes) -> bytes:
    """MSH-10 of a message."""
    return message.split(b"|", 10)[9]


def answer_of(answer: bytes) -> tuple[bytes, bytes]:
    """MSA-1 and MSA-2 of an acknowledgement."""
    segment = next(part for part in answer.split(b"\r") if part.startswith(b"MSA"))
    fields = segment.split(b"|")
    return fields[1], fields[2]


def messages_of(folder: Path) -> Sequence[bytes]:
    """All messages of the files of a folder, as a sender would send them."""
    from connectors.hl7.files import split_messages

    found: list[bytes] = []
    for path in sorted(folder.glob("*.hl7")):
        found += [part for part in split_messages([path.read_bytes()]) if isinstance(part, bytes)]
    return found
