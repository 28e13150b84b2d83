"""Where a webhook may lead: to public addresses, and to others only where the file names the host.

The address that was checked is the one that is connected to; a name that is asked for again may answer otherwise. So
what is looked up at the start only spares its owner the first alert; each delivery looks again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from threading import Thread
from typing import Final

from schemas.errors import PxError

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host, as texts. Raises OSError."""

_TRANSLATED: Final = (
    ipaddress.IPv6Network("64:ff9b::/96"),  # NAT64: the last 32 bits are an IPv4 address
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("2002::/16"),  # 6to4
    ipaddress.IPv6Network("2001::/32"),  # Teredo
)

_PATIENCE: Final = 5.0  # seconds for all look-ups of a start: a network that is down must not hold it up


class Forbidden(PxError):
    """The host has no address that a webhook may lead to."""


async def resolve(host: str, port: int) -> list[str]:
    """By the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def look_up(hosts: Iterable[str], patience: float = _PATIENCE) -> dict[str, list[str]]:
    """The addresses of those hosts that the system's resolver knows in time."""
    found: dict[str, list[str]] = {}

    def ask(host: str) -> None:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found[host] = list(dict.fromkeys(str(address[0]) for *_, address in answers))

    until = time.monotonic() + patience
    # the resolver cannot be told to stop, so nobody waits for a thread that it holds
    asking = [Thread(target=ask, args=(host,), name="look-up", daemon=True) for host in dict.fromkeys(hosts)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(max(0.0, until - time.monotonic()))
    return found.copy()


def is_literal(host: str) -> bool:
    """Whether a host is an address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def choose_address(addresses: list[str], *, allowed: bool) -> str:
    """The address to connect to; `allowed` where the host may be private. Raises Forbidden."""
    for address in addresses:
        if allowed or is_public(address):
            return address
    raise Forbidden("the host has no public address; name it in allow_private if it may be reached")


def is_public(address: str) -> bool:
    """Whether an address is one of the public network, and no way round into a private one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)
