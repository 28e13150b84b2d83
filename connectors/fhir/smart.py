"""Signing in to a FHIR server by SMART Backend Services: what is discovered, asserted, and granted. Sans-I/O.

Source: SMART App Launch 2.2, "Backend Services" and "Client Authentication: Asymmetric": client credentials with an
assertion signed RS384 or ES384, five minutes at most, its `jti` once. The scopes granted may be fewer than those asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from connectors.fhir.search import WrongAnswer, origin_of
from connectors.json_text import BOM, NOT_JSON
from schemas.errors import PxError

WELL_KNOWN: Final = "/.well-known/smart-configuration"
LIFE: Final = 240
"""Seconds for which an assertion holds: five minutes is the most, and clocks differ."""
_EARLY: Final = 30  # seconds before its end at which a token is not used any more
_SHORTEST: Final = 2048  # bits of an RSA key
_ASSERTED: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_SCOPE: Final = re.compile(r"system/(\*|[A-Z][A-Za-z]*)\.([a-z*]+)(?:\?.*)?")
_RIGHTS: Final = {"read": frozenset("rs"), "write": frozenset("cud"), "*": frozenset("cruds")}  # SMART v1 in v2's words
_Key = RSAKey | ECKey


class WrongKey(PxError):
    """A private key that cannot sign. The text holds nothing of it."""


class Signer(NamedTuple):
    """A private key, the algorithm that it signs by, and its public name."""

    key: _Key
    algorithm: str
    kid: str


class Token(NamedTuple):
    """An access token. It is not to be used from `until` (microseconds) on; `scopes` are what it grants."""

    value: str
    until: int
    scopes: frozenset[str]

    def __repr__(self) -> str:
        return "Token()"  # it stands in no trace


class Endpoint(NamedTuple):
    """Where tokens are had; `v1` where the server knows scopes of SMART v1 alone."""

    url: str
    v1: bool


class _Configuration(msgspec.Struct, gc=False):
    token_endpoint: str
    capabilities: list[str] = []


class _Granted(msgspec.Struct, gc=False):
    access_token: str
    token_type: str
    expires_in: int | float | str | None = None
    scope: str | None = None


_configuration: Final = msgspec.json.Decoder(_Configuration)
_granted: Final = msgspec.json.Decoder(_Granted)


def read_key(raw: bytes) -> Signer:
    """A private key: a JWK, a set of them (the first that can sign) or PEM; RSA of 2048 bits or more, or EC on P-384.
    Raises WrongKey."""
    keys = _keys_of(raw.removeprefix(BOM).strip())
    for key in keys:
        if key.is_private and (algorithm := _algorithm(key)) is not None:
            return Signer(key, algorithm, key.kid or key.thumbprint())
    raise WrongKey("it holds no private key that signs RS384 (RSA, 2048 bits or more) or ES384 (EC, P-384)")


def _keys_of(raw: bytes) -> list[_Key]:
    try:
        if raw.startswith(b"{"):
            value: Any = msgspec.json.decode(raw)
            found: Iterable[Any] = KeySet.import_key_set(value).keys if "keys" in value else [_imported(value)]
        else:
            found = [ECKey.import_key(raw) if b"EC PRIVATE KEY" in raw else _from_pem(raw)]
    except (JoseError, *NOT_JSON, ValueError, TypeError, KeyError):
        raise WrongKey("it is no private key as JWK, as a set of JWKs or as PEM without a password") from None
    return [key for key in found if isinstance(key, RSAKey | ECKey)]


def _imported(value: dict[str, Any]) -> _Key:
    return ECKey.import_key(value) if value.get("kty") == "EC" else RSAKey.import_key(value)


def _from_pem(raw: bytes) -> _Key:
    try:
        return RSAKey.import_key(raw)
    except (JoseError, ValueError, TypeError):
        return ECKey.import_key(raw)  # PKCS 8 does not say in its first line which it is


def _algorithm(key: _Key) -> str | None:
    """What a key signs by; None where servers would not take it."""
    said = key.alg
    if isinstance(key, RSAKey):
        fits = key.private_key is not None and key.private_key.key_size >= _SHORTEST
        return "RS384" if fits and said in (None, "RS384") else None
    return "ES384" if key.curve_name == "P-384" and said in (None, "ES384") else None


def read_configuration(raw: bytes) -> Endpoint:
    """What a server says at `WELL_KNOWN` behind its base. Raises WrongAnswer."""
    try:
        read = _configuration.decode(raw.removeprefix(BOM))
    except NOT_JSON:
        raise WrongAnswer("it names no token_endpoint") from None
    at = origin_of(read.token_endpoint)
    if at is None or (at[0] == "http" and at[1] not in _LOOPBACK) or urlsplit(read.token_endpoint).fragment:
        raise WrongAnswer("its token_endpoint is no https address")
    told = read.capabilities
    return Endpoint(read.token_endpoint, "permission-v1" in told and "permission-v2" not in told)


def scopes_for(types: Sequence[str], *, v1: bool) -> tuple[str, ...]:
    """What is asked for to read and search these types."""
    return tuple(f"system/{type_}.{'read' if v1 else 'rs'}" for type_ in types)


def token_form(signer: Signer, client_id: str, endpoint: str, scopes: Sequence[str], *, now: int, jti: str) -> str:
    """The form that asks for a token, with a new assertion; `now` in seconds, `jti` never used before."""
    claims = {"iss": client_id, "sub": client_id, "aud": endpoint, "iat": now, "exp": now + LIFE, "jti": jti}
    header = {"alg": signer.algorithm, "kid": signer.kid, "typ": "JWT"}
    assertion = jwt.encode(header, claims, signer.key, algorithms=[signer.algorithm])
    form = {
        "grant_type": "client_credentials",
        "scope": " ".join(scopes),
        "client_assertion_type": _ASSERTED,
        "client_assertion": assertion,
    }
    return urlencode(form)


def read_token(raw: bytes, asked: Sequence[str], now: int) -> Token:
    """The token that was given; `now` in microseconds, when it was asked for. Raises WrongAnswer."""
    try:
        read = _granted.decode(raw.removeprefix(BOM))
        seconds = 300.0 if read.expires_in is None else float(read.expires_in)
    except (*NOT_JSON, ValueError):
        raise WrongAnswer("it is no token") from None
    if read.token_type.casefold() != "bearer" or not read.access_token.isascii() or not read.access_token:
        raise WrongAnswer("it is no bearer token")
    usable = max(seconds - _EARLY, seconds / 2)
    granted = frozenset(read.scope.split()) if read.scope is not None else frozenset(asked)
    return Token(read.access_token, now + round(min(usable, 86_400) * 1_000_000), granted)


def may_search(type_: str, scopes: Iterable[str]) -> bool:
    """Whether scopes of SMART v1 or v2 let one search a type."""
    rights: set[str] = set()
    for scope in scopes:
        found = _SCOPE.fullmatch(scope)
        if found is not None and found[1] in ("*", type_):
            rights |= _RIGHTS.get(found[2], frozenset(found[2]))
    return "s" in rights


def refusal(raw: bytes) -> str | None:
    """The word of OAuth for why no token was given; None where it says none."""
    try:
        told = msgspec.json.decode(raw.removeprefix(BOM), type=_Refused).error
    except NOT_JSON:
        return None
    return told if told in _REFUSALS else None


class _Refused(msgspec.Struct, gc=False):
    error: str


_REFUSALS: Final = frozenset(
    ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
     "invalid_scope")
)  # fmt: skip
