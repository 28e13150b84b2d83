"""One connection to a receiver: a message out, and the acknowledgement that names it."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Final

from connectors.hl7.ack import Answer, control_of, find_answer, is_answered
from connectors.hl7.mllp import Framer, write_frame

_READ: Final = 1 << 16


class Unreachable(Exception):
    """No connection could be made; the text says why, where more is known than that. `lasting` where no later try will
    make one."""

    def __init__(self, why: str = "", *, lasting: bool = False) -> None:
        super().__init__(why)
        self.lasting: bool = lasting


class Line:
    """Sends one message at a time. An acknowledgement counts only for the message whose MSH-10 its MSA-2 names; any
    other is dropped, and counted in `late`. After a time-out the connection is closed before anything else is sent:
    what the receiver says later is then nobody's."""

    def __init__(self, host: str, port: int, timeout: float, tls: ssl.SSLContext | None = None) -> None:
        self._host: str = host
        self._port: int = port
        self._timeout: float = timeout
        self._tls: ssl.SSLContext | None = tls
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._framer: Framer = Framer()
        self._come: list[bytes] = []  # frames that came and were not looked at
        self._answered: str | None = None  # the message answered last: in enhanced mode it may be answered twice
        self.late: int = 0

    async def send(self, message: bytes) -> Answer | None:
        """The answer to a message; None where it asks for none. Raises Unreachable, and OSError, EOFError or
        TimeoutError when no answer came: the connection is closed then."""
        if self._writer is None:
            await self._connect()
        assert self._writer is not None  # noqa: S101 - connected
        try:
            async with asyncio.timeout(self._timeout):
                self._writer.write(write_frame(message))
                await self._writer.drain()
                return await self._answer(control_of(message)) if is_answered(message) else None
        except BaseException:
            self._abort()
            raise

    async def close(self) -> None:
        """Say that nothing more comes, and wait until the receiver has read all of it."""
        if self._writer is None or self._reader is None:
            return
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._timeout):
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                    while await self._reader.read(_READ):
                        pass
                else:  # TLS has one end for both ways
                    self._writer.close()
                    await self._writer.wait_closed()
        self._abort()

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                self._reader, self._writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        except ssl.SSLCertVerificationError as wrong:
            raise Unreachable(
                "its certificate is for another host, or signed by nobody that is trusted", lasting=True
            ) from wrong
        except ssl.SSLError as wrong:
            raise Unreachable("no TLS could be agreed on", lasting=True) from wrong
        except (OSError, TimeoutError) as wrong:
            raise Unreachable from wrong
        self._framer, self._answered = Framer(), None

    async def _answer(self, control: str) -> Answer:
        assert self._reader is not None  # noqa: S101 - connected
        while True:
            while self._come:
                answer = find_answer(self._come.pop(0))
                if answer is not None and answer.control == control:
                    self._answered = control
                    return answer
                if answer is None or answer.control != self._answered:
                    self.late += 1
            data = await self._reader.read(_READ)
            if not data:
                raise EOFError
            self._come += self._framer.feed(data)

    def _abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None
        self._come.clear()
