"""Whether a delivery was sent by whom it says: tokens, HMAC of what was sent, Twilio's own, Standard Webhooks.

Sans-I/O: headers and bytes in, a verdict out. Every comparison takes the same time whatever differs. Of several secrets
(a rotation) one is enough.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from connectors.contact_center.body import FIELDS
from connectors.contact_center.spec import Check
from connectors.contact_center.times import read_stamp
from schemas.event import SECOND

TOLERANCE: Final = 300 * SECOND
"""How far the stamp of a delivery may lie from our clock (Standard Webhooks: five minutes)."""
_PART: Final = re.compile(r"\{(body|timestamp|id)\}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a delivery is not believed. `reason` is a word for counts, `detail` what its sender can do about it."""

    reason: str
    detail: str


MISSING: Final = Refusal("unsigned", "the header that proves who sent it is missing")
WRONG: Final = Refusal("signature", "the signature or the token is not the one of this source")
TOO_MANY: Final = Refusal("fields", f"a form of more than {FIELDS} fields is not read")
STALE: Final = Refusal("stale", "the delivery's timestamp lies more than five minutes from this clock")


class Signed:
    """Checks deliveries. `url` is what the sender calls, for Twilio signs it. Raises ValueError for a secret that the
    check cannot be made with."""

    def __init__(self, check: Check, secrets: Iterable[bytes], url: str = "") -> None:
        self._check: Check = check
        self._url: str = url
        given = [secret for secret in secrets if secret]
        if not given:
            raise ValueError("there is no secret")
        self._secrets: list[bytes] = [_opened(one) for one in given] if check.kind == "standard-webhooks" else given

    def refusal(self, headers: Mapping[str, str], query: str, body: bytes, now: int) -> Refusal | None:
        """Why it is refused; None where it is genuine. Names of headers are in small letters, `now` is in
        microseconds."""
        kind = self._check.kind
        if kind == "token":
            return self._by_token(headers)
        if kind == "twilio":
            return self._by_twilio(headers, query, body)
        if kind == "standard-webhooks":
            return self._by_standard(headers, body, now)
        return self._by_hmac(headers, body, now)

    def delivery(self, headers: Mapping[str, str]) -> str | None:
        """The id that the sender gave the delivery, where the check has one."""
        name = "webhook-id" if self._check.kind == "standard-webhooks" else self._check.id
        return headers.get(name) if name is not None else None

    def _by_token(self, headers: Mapping[str, str]) -> Refusal | None:
        given = headers.get(self._check.header)
        if given is None:
            return MISSING
        scheme = self._check.scheme
        if scheme:
            word, _, given = given.partition(" ")
            if word.casefold() != scheme.casefold():
                return WRONG
        return None if self._is_one(given.strip().encode("utf-8", "replace"), self._secrets) else WRONG

    def _by_hmac(self, headers: Mapping[str, str], body: bytes, now: int) -> Refusal | None:
        check = self._check
        given = headers.get(check.header)
        stamp = headers.get(check.timestamp, "") if check.timestamp is not None else ""
        id_ = headers.get(check.id, "") if check.id is not None else ""
        if given is None or (check.timestamp is not None and not stamp) or (check.id is not None and not id_):
            return MISSING
        signed = _filled(check.signed, body, stamp, id_)
        digests = [hmac.new(secret, signed, check.algorithm).digest() for secret in self._secrets]
        wanted = [check.prefix.encode() + (base64.b64encode(one) if check.encoding == "base64" else one.hex().encode())
                  for one in digests]  # fmt: skip
        text = given.strip() if check.encoding == "base64" else given.strip().lower()
        if not self._is_one(text.encode("utf-8", "replace"), wanted):
            return WRONG
        return STALE if check.timestamp is not None and _is_stale(stamp, now) else None

    def _by_standard(self, headers: Mapping[str, str], body: bytes, now: int) -> Refusal | None:
        """Standard Webhooks: `v1,` and the HMAC-SHA256 of id, timestamp and body; several while keys rotate."""
        id_, stamp, given = (headers.get(f"webhook-{name}") for name in ("id", "timestamp", "signature"))
        if not id_ or not stamp or not given:
            return MISSING
        signed = _filled("{id}.{timestamp}.{body}", body, stamp, id_)
        wanted = [b"v1," + base64.b64encode(hmac.new(secret, signed, "sha256").digest()) for secret in self._secrets]
        if not any(self._is_one(one.encode("utf-8", "replace"), wanted) for one in given.split(" ")):
            return WRONG
        return STALE if _is_stale(stamp, now) else None

    def _by_twilio(self, headers: Mapping[str, str], query: str, body: bytes) -> Refusal | None:
        """Twilio: HMAC-SHA1 over the URL as it was called and, of a form, its fields in the order of their names; of
        JSON the URL holds the body's digest."""
        url = f"{self._url}?{query}" if query and "?" not in self._url else self._url
        digest = next((value for name, value in parse_qsl(urlsplit(url).query) if name == "bodySHA256"), None)
        if digest is None and body.count(b"&") >= FIELDS:
            return TOO_MANY  # whoever sent it: the signature is over fields that nobody takes apart
        given = headers.get(self._check.header)
        if given is None:
            return MISSING
        text = url
        if digest is not None:
            if not _DIGEST.match(digest) or not hmac.compare_digest(digest, hashlib.sha256(body).hexdigest()):
                return WRONG
        else:
            try:
                fields = sorted(set(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS)))
            except ValueError:
                return WRONG
            text += "".join(f"{name}{value}" for name, value in fields)
        signed = text.encode("utf-8", "replace")
        wanted = [base64.b64encode(hmac.new(secret, signed, "sha1").digest()) for secret in self._secrets]
        return None if self._is_one(given.strip().encode("utf-8", "replace"), wanted) else WRONG

    def _is_one(self, given: bytes, wanted: Iterable[bytes]) -> bool:
        found = False
        for one in wanted:  # all of them, so that the time says nothing of which
            found |= hmac.compare_digest(given, one)
        return found


def _filled(template: str, body: bytes, stamp: str, id_: str) -> bytes:
    parts = {"timestamp": stamp.encode("utf-8", "replace"), "id": id_.encode("utf-8", "replace"), "body": body}
    pieces = _PART.split(template)
    return b"".join(parts[piece] if at % 2 else piece.encode() for at, piece in enumerate(pieces))


def _is_stale(stamp: str, now: int) -> bool:
    try:
        sent = read_stamp(stamp, None)[0]
    except (ValueError, OverflowError):
        return True
    return abs(now - sent) > TOLERANCE


def _opened(secret: bytes) -> bytes:
    text = secret.decode("ascii", "replace").removeprefix(_PREFIX)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the secret is no base64 behind whsec_ (Standard Webhooks)") from None
