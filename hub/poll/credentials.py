"""What the hub shows a FHIR server: nothing, a token out of a file, or one that it signs in for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from connectors.fhir import smart
from connectors.fhir.answers import may_pass, word_refusal
from connectors.fhir.read import READ_TYPES
from connectors.fhir.search import WrongAnswer
from hub.poll.wire import Failed, Wire
from hub.site_fhir import FhirServer
from schemas.errors import WrongUse
from schemas.event import SECOND

_LONGEST: Final = 16_384  # bytes of a token file
_JSON: Final = {"Accept": "application/json"}


class Credentials(Protocol):
    """Who the hub is to a server. `scopes` are what it was granted, None where nobody says."""

    scopes: frozenset[str] | None

    async def token(self) -> str | None:
        """A token to show; None where none is needed. Raises Failed."""

    def refused(self) -> bool:
        """The server did not take the token; whether another may be had at once."""


class NoToken:
    """A server that asks for none."""

    scopes: frozenset[str] | None = None

    async def token(self) -> str | None:
        return None

    def refused(self) -> bool:
        return False


class FileToken:
    """A token out of a file, which is read each time: who renews it need not tell us."""

    scopes: frozenset[str] | None = None

    def __init__(self, path: Path) -> None:
        self._path: Path = path
        self._shown: str | None = None

    async def token(self) -> str | None:
        self._shown = self._read()
        return self._shown

    def refused(self) -> bool:
        """It was renewed meanwhile, or it was not."""
        return self._read() != self._shown

    def _read(self) -> str:
        try:
            return read_token_file(self._path)
        except WrongUse as wrong:
            raise Failed(str(wrong)) from None


class SmartToken:
    """Signs in by SMART Backend Services, and anew shortly before a token ends."""

    def __init__(self, server: FhirServer, signer: smart.Signer, wire: Wire, clock: Callable[[], int]) -> None:
        self.scopes: frozenset[str] | None = None
        self._server: FhirServer = server
        self._signer: smart.Signer = signer
        self._wire: Wire = wire
        self._clock: Callable[[], int] = clock
        self._held: smart.Token | None = None
        self._endpoint: smart.Endpoint | None = None

    async def token(self) -> str | None:
        if self._held is None or self._clock() >= self._held.until:
            self._held = await self._sign_in()
            self.scopes = self._held.scopes
        return self._held.value

    def refused(self) -> bool:
        self._held = None
        self._endpoint = None  # it may have moved
        return True

    async def _sign_in(self) -> smart.Token:
        endpoint = self._endpoint or await self._discover()
        self._endpoint = endpoint
        types = self._server.asks.types or tuple(sorted(READ_TYPES))
        asked = self._server.asks.scopes or smart.scopes_for(types, v1=endpoint.v1)
        now = self._clock()
        form = smart.token_form(
            self._signer,
            self._server.asks.client_id or "",
            endpoint.url,
            asked,
            now=now // SECOND,
            jti=secrets.token_hex(16),
        )
        headers = {**_JSON, "Content-Type": "application/x-www-form-urlencoded"}
        answer = await self._wire.send("POST", endpoint.url, headers, form)
        if answer.status != 200:
            why = smart.refusal(answer.body)
            told = f"it answers {answer.status}" + (f" ({why})" if why else "")
            raise Failed(f"sign-in: {told}", passes=may_pass(answer.status), status=answer.status)
        try:
            return smart.read_token(answer.body, asked, now)
        except WrongAnswer as wrong:
            raise Failed(f"sign-in: {wrong}") from None

    async def _discover(self) -> smart.Endpoint:
        answer = await self._wire.send("GET", (self._server.base or "") + smart.WELL_KNOWN, _JSON)
        if answer.status != 200:
            told = word_refusal(answer.status, b"").partition(":")[0]
            mend = "its SMART configuration was asked for; see `base`"
            raise Failed(f"sign-in: {told}: {mend}", passes=may_pass(answer.status), status=answer.status)
        try:
            return smart.read_configuration(answer.body)
        except WrongAnswer as wrong:
            raise Failed(f"sign-in: {wrong}") from None


def read_token_file(path: Path) -> str:
    """The token that a file holds. Raises WrongUse."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LONGEST + 1)
    except OSError as wrong:
        raise WrongUse(f"token file {path}: it cannot be read ({wrong.strerror})") from wrong
    token = raw.strip()
    if not token or len(raw) > _LONGEST or not token.isascii() or len(token.split()) != 1:
        raise WrongUse(f"token file {path}: it holds a bearer token and nothing else")
    return token.decode("ascii")


def credentials_of(server: FhirServer, wire: Wire, clock: Callable[[], int]) -> Credentials:
    """Who the hub is to a server. Raises WrongUse for a file that cannot be taken."""
    if server.token_file is not None:
        read_token_file(server.token_file)
        return FileToken(server.token_file)
    if server.asks.key_file is None:
        return NoToken()
    try:
        signer = smart.read_key(server.asks.key_file.read_bytes())
    except OSError as wrong:
        raise WrongUse(f"key file {server.asks.key_file}: it cannot be read ({wrong.strerror})") from wrong
    except smart.WrongKey as wrong:
        raise WrongUse(f"key file {server.asks.key_file}: {wrong}") from wrong
    return SmartToken(server, signer, wire, clock)
