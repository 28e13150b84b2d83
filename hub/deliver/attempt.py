"""One attempt to deliver one message by a webhook (Standard Webhooks): signed, sent, and what came of it."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import httpx2
import msgspec
from standardwebhooks import Webhook as Signer

from hub.deliver.address import Forbidden, Resolve, choose_address
from hub.deliver.declared_webhooks import Webhook

_SECONDS: Final = 15.0
_SLOW_DOWN: Final = frozenset((429, 502, 503, 504))
_LONGEST_WAIT: Final = 86_400  # seconds: a receiver that asks for more is asked again after a day


class Result(msgspec.Struct, frozen=True):
    """What came of an attempt. `told` says it in a word; `down` that the receiver as a whole is in trouble, and not
    only with this message; `wait` is what it asked for, in seconds; `off` that it wants no more at all."""

    told: str
    delivered: bool = False
    down: bool = False
    off: bool = False
    status: int | None = None
    wait: int = 0


class Sender:
    """Sends to one webhook. A sender a webhook: connections are kept by address, and two hosts may share one."""

    def __init__(self, webhook: Webhook, resolve: Resolve, verify: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(webhook.url)
        self._webhook: Webhook = webhook
        self._resolve: Resolve = resolve
        self._host: str = (parts.hostname or "").lower()
        self._port: int = parts.port or (443 if parts.scheme == "https" else 80)
        self._named: str = parts.netloc.lower()
        self._signers: tuple[Signer, ...] = tuple(Signer(secret) for secret in webhook.secrets)
        self._client: httpx2.AsyncClient = httpx2.AsyncClient(
            timeout=httpx2.Timeout(_SECONDS),
            limits=httpx2.Limits(max_connections=2, max_keepalive_connections=1),
            follow_redirects=False,
            trust_env=False,
            verify=True if verify is None else verify,
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def send(self, id_: str, body: bytes, now: datetime) -> Result:
        """Try once; `now` is the attempt's time. It raises nothing that has to do with the receiver."""
        try:
            async with asyncio.timeout(_SECONDS):
                addresses = await self._resolve(self._host, self._port)
                address = choose_address(addresses, allowed=self._host in self._webhook.allow_private)
                return await self._post(address, id_, body, now)
        except Forbidden:
            return Result("address_forbidden", down=True)
        except TimeoutError:
            return Result("timeout", down=True)
        except OSError:
            return Result("name_not_resolved", down=True)
        except (httpx2.HTTPError, httpx2.InvalidURL) as wrong:
            return Result(type(wrong).__name__, down=True)

    async def _post(self, address: str, id_: str, body: bytes, now: datetime) -> Result:
        url = httpx2.URL(self._webhook.url).copy_with(host=address, port=self._port)
        stamp = now.astimezone(UTC)  # the library signs another second for any other zone
        headers = {
            "Host": self._named,
            "Content-Type": "application/json",
            "User-Agent": "pxhub",
            "webhook-id": id_,
            "webhook-timestamp": str(int(stamp.timestamp())),
            "webhook-signature": " ".join(signer.sign(id_, stamp, body.decode()) for signer in self._signers),
        }
        request = self._client.build_request(
            "POST", url, content=body, headers=headers, extensions={"sni_hostname": self._host}
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()  # what it says beyond its status is not read
        return judge(answer.status_code, answer.headers.get("retry-after"), now)


def judge(status: int, retry_after: str | None, now: datetime) -> Result:
    """What an answer means."""
    if 200 <= status < 300:
        return Result("delivered", delivered=True, status=status)
    if status == 410:
        return Result("switched_off", off=True, status=status)
    down = status in _SLOW_DOWN or status >= 500
    return Result(f"status_{status}", down=down, status=status, wait=read_wait(retry_after, now))


def read_wait(retry_after: str | None, now: datetime) -> int:
    """Seconds that a Retry-After header asks for; 0 where it asks for none, a day at most."""
    if retry_after is None:
        return 0
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:9]), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0
    asked = (until if until.tzinfo is not None else until.replace(tzinfo=UTC)) - now
    return min(max(0, -(-asked // timedelta(seconds=1))), _LONGEST_WAIT)
