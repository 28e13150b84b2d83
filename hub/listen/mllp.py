"""HL7 v2 over MLLP: frames in, acknowledgements out, each only when its message is durable.

Theory. A connection is read as long as little of it waits: what is whole goes to the intake in the order it came, and
is answered in that order. Beyond `_MANY` frames or `_MUCH` bytes that wait, the connection is not read until they are
answered, so a fast sender is slowed by TCP and not by our memory; and what all connections hold together has a limit
too. A sender that does not read its answers is cut off when they do not leave within `write_seconds`; one that opens a
frame and does not end it within `frame_seconds`, or is silent for `idle_seconds`, is closed. What cannot be kept is
answered AR: the connection goes on when the store failed, and is closed when its bytes can no longer be cut into frames
(too large, no frames), when the hub stops, and when memory is short. Before it is closed, what still comes is read and
dropped for a while: to close at once would take the last answer from the peer (RFC 1122, 4.2.2.13).
"""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connectors.hl7.ack import ERROR
from connectors.hl7.files import LARGEST
from hub.listen.access import Network, is_allowed
from hub.listen.bind import BACKLOG, bind
from hub.listen.mllp_connection import Connection
from hub.serve.takes import Takes

_SPARE: Final = 256  # descriptors for all that is no sender
_LEAST: Final = 16  # connections, however few descriptors the system gives
_TLS_SECONDS: Final = 10.0  # for a handshake, and for its end

Tell = Callable[..., object]
"""Told of what is worth a line in the log: a fact's name, and fields that hold nothing of a patient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpSettings:
    """How to listen. `largest` bytes of a message and `held` bytes of all connections together; `dead_letters` is the
    code that a dead letter is answered with, AE or AA. Without `networks` anybody may send who reaches the address:
    whether it may be bound is `access.check_address`'s to say."""

    host: str = "127.0.0.1"
    port: int = 2575
    networks: tuple[Network, ...] = ()
    tls: ssl.SSLContext | None = None
    dead_letters: str = ERROR
    largest: int = LARGEST
    held: int = 256 << 20
    connections: int = 4096
    idle_seconds: float = 600.0
    frame_seconds: float = 60.0
    write_seconds: float = 30.0
    linger_seconds: float = 10.0


class MllpListener:
    """A listening socket and its connections. Its counts are plain numbers, for whoever shows them:

    `opened` and `refused` connections, `frames` that were whole, `acknowledgements` by code, `skipped` bytes outside
    of frames, `cut` frames that were begun and not ended, `closed` connections by why we closed them.
    """

    def __init__(self, intake: Takes, settings: MllpSettings, tell: Tell | None = None) -> None:
        self.intake: Takes = intake
        self.settings: MllpSettings = settings
        self.tell: Tell = tell or (lambda *_, **__: None)
        self.address: str = ""
        self.opened: int = 0
        self.refused: int = 0
        self.frames: int = 0
        self.skipped: int = 0
        self.cut: int = 0
        self.closed: Counter[str] = Counter()
        self.acknowledgements: Counter[str] = Counter()
        self.held: int = 0
        """Bytes of messages that are not answered yet, whole or not."""
        self.most: int = settings.connections
        self.stopping: bool = False
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._all_gone: asyncio.Event = asyncio.Event()

    @classmethod
    async def open(
        cls, intake: Takes, settings: MllpSettings, tell: Tell | None = None, listening: socket.socket | None = None
    ) -> MllpListener:
        """Listen, on a socket that is bound already if one is given. Raises WrongUse where the address cannot be
        bound."""
        listener = cls(intake, settings, tell)
        await listener._start(listening or bind("--mllp", settings.host, settings.port))
        return listener

    async def _start(self, listening: socket.socket) -> None:
        settings = self.settings
        self.most = max(_LEAST, min(self.most, _raise_descriptors(self.most + _SPARE) - _SPARE))
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self),
            sock=listening,
            backlog=BACKLOG,
            ssl=settings.tls,
            ssl_handshake_timeout=None if settings.tls is None else _TLS_SECONDS,
            ssl_shutdown_timeout=None if settings.tls is None else _TLS_SECONDS,
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.address = f"{'mllps' if settings.tls is not None else 'mllp'}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._open)

    async def stop(self) -> None:
        """Take no more; answer what is whole, and return when all connections are closed."""
        self.stopping = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._open):
            connection.finish()
        if self._open:
            await self._all_gone.wait()

    # -- what connections say

    def admit(self, connection: Connection, peer: str) -> bool:
        """Whether a new connection may stay."""
        if not is_allowed(peer, self.settings.networks):
            self.tell("mllp.refused", peer=peer, reason="not in a network of --mllp-allow")
        elif len(self._open) >= self.most:
            self.tell("mllp.refused", peer=peer, reason="too many connections", connections=len(self._open))
        elif not self.stopping:
            self.opened += 1
            self._open.add(connection)
            self._all_gone.clear()
            return True
        self.refused += 1
        return False

    def part(self, connection: Connection) -> None:
        """A connection is gone."""
        self._open.discard(connection)
        if not self._open:
            self._all_gone.set()


def _raise_descriptors(wanted: int) -> int:
    """Let this process open so many files, if the system lets it; how many it may open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else soft
