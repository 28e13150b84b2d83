"""A FHIR server as the hub asks it: signed in, asked again when it is in trouble, and shown its token alone.

Law: the token goes to the origin of the server's base and nowhere else, and no other host is asked but those that the
site file names for downloads.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar

from connectors.fhir.answers import may_pass, read_retry_after, word_refusal
from connectors.fhir.read import FHIR_SYSTEM
from connectors.fhir.search import origin_of
from hub.fhir_server import NotAnswered, url_of
from hub.poll.credentials import Credentials, credentials_of
from hub.poll.wire import Answer, Failed, Wire
from hub.site_fhir import FhirServer
from schemas.instant import to_datetime

Found = TypeVar("Found")
WAITS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each further try."""
PATIENCE: Final = 120.0
"""Seconds: who asks to be left alone for longer is asked again another time."""
FHIR_JSON: Final = "application/fhir+json"


class FhirClient:
    """Asks one server. `clock` tells the machine's time in microseconds, `waits` the seconds before further tries."""

    def __init__(
        self,
        server: FhirServer,
        clock: Callable[[], int],
        *,
        waits: Sequence[float] = WAITS,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        assert server.base is not None  # noqa: S101 - who asks a server sees to it that it has one
        self.server: FhirServer = server
        self.base: str = server.base
        self._clock: Callable[[], int] = clock
        self._waits: Sequence[float] = waits
        self._wire: Wire = Wire(verify)
        self._credentials: Credentials = credentials_of(server, self._wire, clock)
        self.tries: int = 0  # requests sent, all told

    @property
    def key(self) -> str:
        """What the store remembers the server by."""
        return self.server.name if self.server.name != FHIR_SYSTEM else self.base

    async def close(self) -> None:
        """Close what is open."""
        await self._wire.close()

    async def scopes(self) -> frozenset[str] | None:
        """What the sign-in grants; None where nobody says. Raises Failed."""
        await self.repeated(self._credentials.token)
        return self._credentials.scopes

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        expected: Collection[int] = (200,),
    ) -> Answer:
        """The answer to a request, once it is one of those expected. Raises Failed."""
        told = {"Accept": FHIR_JSON, **(headers or {})}

        async def once() -> Answer:
            answer = await self._shown(method, url, told)
            if answer.status == 401 and self._credentials.refused():
                answer = await self._shown(method, url, told)
            self._check(answer.status, answer.headers, answer.body, expected)
            return answer

        return await self.repeated(once)

    async def ask(self, path: str) -> bytes:
        """As `AsksFhir` has it: what a path of the server holds. Raises NotAnswered."""
        try:
            return (await self.fetch(url_of(self.server, path))).body
        except Failed as wrong:
            raise NotAnswered("failed" if wrong.status is None else f"status_{wrong.status}") from None

    async def parts(self, url: str, accept: str, *, with_token: bool) -> AsyncIterator[bytes]:
        """A file as it comes, from the server or, without a token, from a host that is named for downloads. It may
        break off at any part: nothing is asked for again here. Raises Failed."""
        is_own = origin_of(url) == origin_of(self.base)
        at = origin_of(url)
        if not is_own and (with_token or at is None or at[1] not in self.server.asks.download_hosts):
            raise Failed("a file lies on another host: name it in `download_hosts`, if it is shown no token")
        headers = {"Accept": accept, **(await self._authorization(url) if with_token else {})}
        self.tries += 1
        async with self._wire.streaming("GET", url, headers) as answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            if answer.status_code == 401:
                self._credentials.refused()
                raise Failed(word_refusal(401, b""), passes=True, status=401)
            self._check(answer.status_code, told, b"", (200,))
            async for part in answer.aiter_bytes():
                yield part

    async def _shown(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        self.tries += 1
        return await self._wire.send(method, url, {**headers, **await self._authorization(url)})

    async def _authorization(self, url: str) -> dict[str, str]:
        if origin_of(url) != origin_of(self.base):
            raise Failed("it leads to another host, which is not asked")
        token = await self._credentials.token()
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def _check(self, status: int, headers: Mapping[str, str], body: bytes, expected: Collection[int]) -> None:
        if status in expected:
            return
        wait = read_retry_after(headers.get("retry-after"), to_datetime(self._clock()))
        raise Failed(word_refusal(status, body), passes=may_pass(status), wait=wait, status=status)

    async def repeated(self, ask: Callable[[], Awaitable[Found]]) -> Found:
        """Ask until it goes well, is refused for good, or was asked often enough. Raises Failed."""
        for wait in self._waits:
            try:
                return await ask()
            except Failed as wrong:
                if not wrong.passes or wrong.wait > PATIENCE:
                    raise
                pause = max(wait * random.uniform(0.8, 1.2), wrong.wait)  # noqa: S311 - spreads load
            await asyncio.sleep(pause)
        return await ask()
