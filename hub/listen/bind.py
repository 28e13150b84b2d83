"""A socket that listens: bound before anything else is begun, for who cannot have his port must not start."""

from __future__ import annotations

import socket
from typing import Final

from schemas.errors import WrongUse

BACKLOG: Final = 1024
"""Connections that wait until somebody accepts them, as while a store is opened."""


def bind(flag: str, host: str, port: int) -> socket.socket:
    """Listen at an address, the first of a name's; port 0 takes any that is free. Raises WrongUse."""
    listening: socket.socket | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = min(found, key=lambda one: one[0])  # of localhost 127.0.0.1
        # The protocol by its number: to a socket that does not name it asyncio gives no TCP_NODELAY, and each answer
        # that is written in two pieces, as those of HTTP are, would wait 40 ms for the peer's acknowledgement.
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as wrong:
        if listening is not None:
            listening.close()
        told = "no such address" if isinstance(wrong, socket.gaierror) else wrong.strerror
        raise WrongUse(f"{flag} {host}:{port}: it cannot be listened on ({told})") from wrong
    return listening
