"""The HTTP door: uvicorn in the loop that runs already, on loopback, with a stop that ends what is under way."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, Protocol

import h11
import msgspec
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from hub.api.problems import MEDIA_TYPE, Problem, problem_type
from hub.listen.bind import bind
from schemas.errors import WrongUse

_SEND_BUFFER: Final = 256 * 1024  # bytes that the system holds for a client that does not read
_LINGER: Final = 60.0  # seconds in which one that was cut off may still read its last words
FIRST_WORDS: Final = 30.0
"""Seconds in which a connection must have sent the head of a request, the first and each after it."""
_GRACE: Final = 10  # seconds for requests that are under way at a stop
_NO_REQUEST: Final = Problem(
    type=problem_type("no-request"),
    title=HTTPStatus.BAD_REQUEST.phrase,
    status=HTTPStatus.BAD_REQUEST.value,
    detail="this is no request of HTTP/1.1, or its head is too large; nothing of it was kept",
)
_encode: Final = msgspec.json.Encoder().encode
_SILENT: Final = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "sse_starlette.sse")


def check_loopback(host: str) -> str:
    """The loopback address to bind. Raises WrongUse for any other."""
    if host.lower() == "localhost":
        return "127.0.0.1"
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return host
    raise WrongUse(
        f"--http {host}: HTTP listens on loopback only (127.0.0.1, ::1, localhost). There is no sign-in yet, so "
        "whoever reaches this port reads patients' alerts; let a proxy that signs people in stand before it"
    )


class Closes(Protocol):
    """What streams go on from, until it is closed."""

    async def close(self) -> None: ...


class HttpDoor:
    """HTTP that listens. `address` says where."""

    def __init__(
        self, server: uvicorn.Server, serving: asyncio.Task[None], feed: Closes | None, address: str, port: int
    ) -> None:
        self.address: str = address
        self.port: int = port
        self._server: uvicorn.Server = server
        self._serving: asyncio.Task[None] = serving
        self._feed: Closes | None = feed

    async def stop(self) -> None:
        """Take no more, end the streams, answer what is under way."""
        if self._feed is not None:
            await self._feed.close()
        self._server.should_exit = True
        await self._serving


def bind_http(host: str, port: int) -> socket.socket:
    """Listen at a loopback address; port 0 takes any that is free. Raises WrongUse where it cannot be had."""
    listening = bind("--http", check_loopback(host), port)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # connections inherit it
    return listening


async def listen(app: Starlette, listening: socket.socket, *, first_words: float = FIRST_WORDS) -> HttpDoor:
    """Serve an app of `make_app` or `make_plain_app` on a socket of `bind_http`."""
    for name in _SILENT:
        # they would write paths, addresses and tracebacks past our own log, and whole events at level debug
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
    config = uvicorn.Config(
        app,
        loop="none",
        http=type("_Timed", (_Protocol,), {"first_words": first_words}),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        done, _ = await asyncio.wait({serving}, timeout=0.005)
        if done:
            listening.close()
            serving.result()
            raise WrongUse("HTTP could not be started")
    at: tuple[Any, ...] = listening.getsockname()
    shown = f"[{at[0]}]" if ":" in at[0] else at[0]
    return HttpDoor(server, serving, getattr(app.state, "feed", None), f"http://{shown}:{at[1]}", at[1])


class _Server(uvicorn.Server):
    """Leaves the signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(H11Protocol):
    """A connection that must say what it wants in time, is refused in our words, and may be let to speak last."""

    first_words: float = FIRST_WORDS
    _patience: asyncio.TimerHandle | None = None  # runs while what comes is no whole request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "connection": self}
        self._wait_for_words()

    def handle_events(self) -> None:
        super().handle_events()
        asked: RequestResponseCycle | None = self.cycle  # None until the head of a request is whole
        if asked is None or asked.response_complete:
            self._wait_for_words()
        else:
            self._wait_no_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words for it
        """Refuse what is no request: it reaches no route, so it is answered here."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = _encode(_NO_REQUEST)
            headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))), ("Connection", "close")]
            answer = h11.Response(status_code=_NO_REQUEST.status, reason=_NO_REQUEST.title.encode(), headers=headers)
            for part in (answer, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def let_speak_last(self) -> None:
        """Let one more message into the buffer, though it is full, and close once it is read, or soon."""
        self.flow.resume_writing()
        self.cycle.keep_alive = False
        self.loop.call_later(_LINGER, self.transport.abort)

    def _wait_for_words(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(self.first_words, self.transport.abort)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
