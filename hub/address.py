"""HOST:PORT as it is written on the command line."""

from __future__ import annotations

from schemas.errors import WrongUse


def read_address(flag: str, text: str) -> tuple[str, int]:
    """`HOST:PORT`, an IPv6 host in brackets. Raises WrongUse."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise WrongUse(f"{flag} {text}: HOST:PORT is expected, such as 127.0.0.1:2575")
    return host, int(port)
