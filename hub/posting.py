"""Posts over one HTTP/1.1 connection that stays open, to a server of our own: so light that it does not take the time
of the server that it is to show."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit


class Posting:
    """One connection. A request is answered before the next is sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader: asyncio.StreamReader = reader
        self._writer: asyncio.StreamWriter = writer
        self._host: str = host

    @classmethod
    async def open(cls, base: str) -> Posting:
        """Connect to an `http://host:port`."""
        at = urlsplit(base)
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        return cls(reader, writer, at.netloc)

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """The answer's status and body. Raises EOFError where the server hangs up before it has answered."""
        lines = [f"POST {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        told = dict(line.lower().split(":", 1) for line in head[1:] if ":" in line)
        # our answers always say their length; one without has no body
        answer = await self._reader.readexactly(int(told.get("content-length", "0")))
        return int(head[0].split(" ", 2)[1]), answer

    def close(self) -> None:
        self._writer.close()
