"""Asking a FHIR server: the seam between what wants something of one and how it is signed in to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx2

from hub.site_fhir import FhirServer
from schemas.errors import PxError

FHIR_JSON: Final = "application/fhir+json"
_SECONDS: Final = 60.0
_LARGEST: Final = 64 << 20  # bytes of one answer


class NotAnswered(PxError):
    """A FHIR server did not give what it was asked for. `told` says why in a word (`status_404`, `timeout`), never
    what was asked: a URL may name a patient."""

    def __init__(self, told: str) -> None:
        super().__init__(f"the FHIR server did not answer as asked: {told}")
        self.told: str = told


class AsksFhir(Protocol):
    """Asks one server. Who signs in by SMART Backend Services keeps it too."""

    async def ask(self, path: str) -> bytes:
        """The body of `GET {base}/{path}`, a FHIR resource in JSON; `path` may also be a whole URL of the server's
        own origin (a `next` link). Raises NotAnswered."""

    async def close(self) -> None:
        """Close what is open."""


def is_of_server(server: FhirServer, url: str) -> bool:
    """Whether a URL is of the origin of a server's base. A token goes nowhere else."""
    if server.base is None:
        return False
    one, other = urlsplit(server.base), urlsplit(url)
    try:
        return (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
    except ValueError:
        return False


def url_of(server: FhirServer, path: str) -> str:
    """The URL of a path of a server. Raises NotAnswered for a URL of another origin."""
    if "://" not in path:
        return f"{server.base}/{path}"
    if not is_of_server(server, path):
        raise NotAnswered("other_origin")
    return path


class PlainAsker:
    """Asks a server with the token of a file, or without one."""

    def __init__(self, server: FhirServer) -> None:
        self._server: FhirServer = server
        self._client: httpx2.AsyncClient = httpx2.AsyncClient(
            timeout=httpx2.Timeout(_SECONDS), follow_redirects=False, trust_env=False
        )

    async def ask(self, path: str) -> bytes:
        headers = {"Accept": FHIR_JSON, "User-Agent": "pxhub"}
        if self._server.token_file is not None:
            token = await asyncio.to_thread(_read_token, self._server.token_file)
            headers["Authorization"] = f"Bearer {token}"
        body = bytearray()
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._client.stream("GET", url_of(self._server, path), headers=headers) as answer,
            ):
                if answer.status_code != HTTPStatus.OK:
                    raise NotAnswered(f"status_{answer.status_code}")
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _LARGEST:
                        raise NotAnswered("too_large")
        except TimeoutError:
            raise NotAnswered("timeout") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as wrong:
            raise NotAnswered(type(wrong).__name__) from None
        return bytes(body)

    async def close(self) -> None:
        await self._client.aclose()


Connect = Callable[[FhirServer], AsksFhir]


class Askers:
    """One asker a server, made when it is first wanted: who asks for another reason need not sign in again."""

    def __init__(self, connect: Connect) -> None:
        self._connect: Connect = connect
        self._by_name: dict[str, AsksFhir] = {}

    def of(self, server: FhirServer) -> AsksFhir:
        """Who asks this server."""
        found = self._by_name.get(server.name)
        if found is None:
            found = self._by_name[server.name] = self._connect(server)
        return found

    async def close(self) -> None:
        """Let go of all."""
        for asker in self._by_name.values():
            await asker.close()


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise NotAnswered("no_token") from None
