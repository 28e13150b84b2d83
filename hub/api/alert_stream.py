"""`/v1/alerts/stream`: each transition as it becomes durable, over server-sent events.

A client resumes where it stopped by Last-Event-ID: its cursor is the only state there is. Who does not read is cut
off when a write stands for too long, and told by a last event, `lagging`, if it still reads what lies in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol

from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hub.api.alerts import WHY_GONE
from hub.api.cursor import ReadsCursors
from hub.api.feed import RESET
from hub.api.parameters import Narrowing, read_after, read_narrowing, read_query
from hub.api.problems import gone, unavailable
from hub.api.tail import Line
from schemas.errors import StoreFailed
from streams.embedded.following import Ahead, Gone

LAST_EVENT_ID: Final = "last-event-id"
PING_SECONDS: Final = 15
SLOW_SECONDS: Final = 20.0
"""How long a client may leave a write standing."""
RETRY_MS: Final = 5_000
STREAMS: Final = 1_000
"""Streams that may be open at a time."""
_CHUNK: Final = 32_768  # bytes of one write
_KNOWN: Final = ("after", "state", "threshold", "facility")


class Connection(Protocol):
    """What is asked of the connection below, where the server offers it in the scope's state."""

    def let_speak_last(self) -> None:
        """Let one more message into the buffer, and close when it is read, or soon."""


class Follows(Protocol):
    """Transitions as they come, each with a cursor."""

    cursors: ReadsCursors
    closed: bool

    @property
    def now(self) -> int:
        """The cursor of the last transition. Raises StoreFailed."""

    async def check(self, after: int) -> None:
        """Raises Gone or Ahead where nothing can be given behind a cursor, and StoreFailed."""

    async def page(self, after: int) -> list[Line]:
        """Some of the transitions that follow, in order. Raises Gone and StoreFailed."""

    async def wait_beyond(self, cursor: int) -> None:
        """Return when there is a transition beyond this cursor, or no more come."""


class StreamCounts:
    """How many streams are open, and how many were cut off."""

    def __init__(self) -> None:
        self.open: int = 0
        self.cut: int = 0


class AlertStream:
    """The stream. `slow_seconds` is how long a client may leave a write standing, `most` how many may be open."""

    def __init__(
        self,
        feed: Follows,
        counts: StreamCounts,
        *,
        slow_seconds: float = SLOW_SECONDS,
        most: int = STREAMS,
    ) -> None:
        self._feed: Follows = feed
        self._counts: StreamCounts = counts
        self._slow_seconds: float = slow_seconds
        self._most: int = most

    async def stream_alerts(self, request: Request) -> Response:
        """GET /v1/alerts/stream"""
        query = read_query(request, _KNOWN)
        name, text = "after", query.get("after")
        resumed = request.headers.get(LAST_EVENT_ID)
        if resumed:
            name, text = "Last-Event-ID", resumed
        asked = read_narrowing(query)
        if self._counts.open >= self._most:
            raise unavailable("too-many-streams", f"{self._most} streams are open already")
        after = self._feed.now
        if text is not None:
            after = read_after(name, text, self._feed.cursors)
        try:
            await self._feed.check(after)
        except (Ahead, Gone) as wrong:
            raise gone(WHY_GONE[type(wrong)]) from None
        if request.method == "HEAD":
            return _head()
        followed = _Followed(self._feed, after, asked)
        return _Stream(followed, self._counts, self._slow_seconds)


class _Followed:
    """What one client is sent; `cursor` is what it holds once all of it was written."""

    def __init__(self, feed: Follows, after: int, asked: Narrowing) -> None:
        self._feed: Follows = feed
        self._asked: Narrowing = asked
        self.cursor: int = after

    async def chunks(self) -> AsyncIterator[bytes]:
        yield f"event: opened\nid: {self._feed.cursors.write(self.cursor)}\nretry: {RETRY_MS}\ndata: {{}}\n\n".encode()
        takes, feed = self._asked.takes, self._feed
        while not feed.closed:
            try:
                page = await feed.page(self.cursor)
            except (Gone, StoreFailed):
                return  # the client comes again with its cursor, and is told
            chunk = bytearray()
            for line in page:
                if line.state == RESET or takes(line.state, line.threshold, line.facility):
                    chunk += write_event(line, feed.cursors)
                self.cursor = line.cursor
                if len(chunk) >= _CHUNK:
                    yield bytes(chunk)
                    chunk.clear()
            if chunk:
                yield bytes(chunk)
            if not page:
                await feed.wait_beyond(self.cursor)


class _Stream(EventSourceResponse):
    """The response; it counts itself while it stands, and tells who is cut off."""

    def __init__(self, followed: _Followed, counts: StreamCounts, slow_seconds: float) -> None:
        super().__init__(followed.chunks(), ping=PING_SECONDS, sep="\n", send_timeout=slow_seconds)
        self._counts: StreamCounts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._counts.open += 1
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            self._counts.cut += 1
            connection: Connection | None = scope.get("state", {}).get("connection")
            if connection is not None:
                connection.let_speak_last()
                # without an id: the client resumes behind the last transition that it was given
                last = b'event: lagging\ndata: {"detail":"cut off: too slow; resume by Last-Event-ID"}\n\n'
                await send({"type": "http.response.body", "body": last, "more_body": False})
        finally:
            self._counts.open -= 1


def _head() -> Response:
    """The head alone: nothing is followed for who asks for no body."""
    answer = Response(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, media_type="text/event-stream")
    del answer.headers["content-length"]
    return answer


def write_event(line: Line, cursors: ReadsCursors) -> bytes:
    """A transition as a server-sent event."""
    id_ = cursors.write(line.cursor).encode()
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (id_, line.state.encode(), line.data)
