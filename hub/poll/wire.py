"""One request to a FHIR server or its authorization server, and its answer, whole and of a bounded size.

Neither a URL nor a body is ever told: a page's link may hold what was searched for, and a body is a patient's.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import httpx2

from schemas.errors import PxError

LARGEST: Final = 64 << 20
"""Bytes of one answer, or of one line of a file, unpacked."""
_SECONDS: Final = httpx2.Timeout(60.0, connect=10.0)  # searches are slow to begin
_IN_ALL: Final = 300.0  # seconds for one answer


class Failed(PxError):
    """A server could not be asked. `passes`: the same may go well some time later; `wait` is how many seconds it asked
    to be left alone; `status` is that of its answer, None without one."""

    def __init__(self, told: str, *, passes: bool = False, wait: float = 0.0, status: int | None = None) -> None:
        super().__init__(told)
        self.passes: bool = passes
        self.wait: float = wait
        self.status: int | None = status


class Answer(NamedTuple):
    """What came back. `headers` by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """Sends requests. No redirect is followed, and no proxy taken from the environment."""

    def __init__(self, verify: ssl.SSLContext | None = None) -> None:
        for name in ("httpx2", "httpcore2"):  # they would write whole URLs past our own log
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._client: httpx2.AsyncClient = httpx2.AsyncClient(
            timeout=_SECONDS,
            limits=httpx2.Limits(max_connections=4, max_keepalive_connections=2),
            follow_redirects=False,
            trust_env=False,
            verify=True if verify is None else verify,
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def send(self, method: str, url: str, headers: Mapping[str, str], content: str | None = None) -> Answer:
        """One request. Raises Failed where no whole answer came."""
        try:
            async with asyncio.timeout(_IN_ALL), self.streaming(method, url, headers, content) as answer:
                parts: list[bytes] = []
                size = 0
                async for part in answer.aiter_bytes():
                    size += len(part)
                    if size > LARGEST:
                        raise Failed(f"its answer is larger than {LARGEST >> 20} MiB: ask for smaller pages")
                    parts.append(part)
                return Answer(answer.status_code, _headers(answer), b"".join(parts))
        except TimeoutError:
            raise Failed("it does not answer in time", passes=True) from None

    @asynccontextmanager
    async def streaming(
        self, method: str, url: str, headers: Mapping[str, str], content: str | None = None
    ) -> AsyncIterator[httpx2.Response]:
        """One request, whose answer is read a part at a time. Raises Failed where the connection fails."""
        try:
            async with self._client.stream(
                method, url, headers={"User-Agent": "pxhub", **headers}, content=content
            ) as answer:
                yield answer
        except httpx2.TimeoutException:
            raise Failed("it does not answer in time", passes=True) from None
        except httpx2.ConnectError:
            raise Failed("it cannot be reached", passes=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as wrong:
            raise Failed(f"the connection failed ({type(wrong).__name__})", passes=True) from None


def _headers(answer: httpx2.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}
