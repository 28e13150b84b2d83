"""Bodies of requests: read as fast as their senders give them, and no more of all together than there is room for.

Theory. A body takes room as it comes, so a slow one holds little; a large one must bring `_PIECE` in `piece_seconds`,
so nobody holds much for long. Where the room is full, the body that came first is read on, whatever it takes, and the
others are not read until there is room: each gets its turn, and memory has a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect, Request

from hub.api.packed import Unpacking, read_coding
from hub.api.problems import Refused

BODY_LIMIT: Final = 16 * 1024 * 1024
_SMALL: Final = 64 * 1024  # bytes, for which nobody waits: the server has them in memory already
_PIECE: Final = 1024 * 1024
_PASSED_BY: Final = 4  # times the limit: what is read of a body that is too large, so that its sender hears why


@dataclass(frozen=True, slots=True, kw_only=True)
class BodySettings:
    """`limit` bytes of one body, `room` for all large ones that are read or taken; `seconds` that a sender has for a
    whole body, and `piece_seconds` for each piece of a large one."""

    limit: int = BODY_LIMIT
    room: int = 4 * BODY_LIMIT
    seconds: float = 60.0
    piece_seconds: float = 10.0


class Bodies:
    """Reads bodies."""

    def __init__(self, settings: BodySettings) -> None:
        self._settings: BodySettings = settings
        self._room: _Room = _Room(settings.room)

    @asynccontextmanager
    async def read(self, request: Request, *, takes_gzip: bool = True) -> AsyncIterator[bytes]:
        """The body of a request, unpacked; its room is held until who reads it is done. Raises Refused."""
        unpacking = read_coding(request.headers.get("content-encoding"), takes_gzip=takes_gzip)
        reading = object()
        try:
            yield await self._whole(request, reading, unpacking)
        finally:
            await self._room.leave(reading)

    async def _whole(self, request: Request, reading: object, unpacking: Unpacking | None) -> bytes:
        limit, body, passed = self._settings.limit, bytearray(), 0
        is_large = False
        try:
            async for chunk in self._chunks(request):
                passed += len(chunk)
                if passed > limit * _PASSED_BY:
                    is_large = True
                    break
                for piece in () if is_large else unpacking.feed(chunk) if unpacking is not None else (chunk,):
                    if len(body) + len(piece) > limit:
                        is_large = True
                        body.clear()
                        await self._room.leave(reading)
                        break
                    if len(body) + len(piece) > _SMALL:
                        await self._room.take(reading, len(piece))
                    body += piece
        except TimeoutError:
            detail = "the body came too slowly; nothing of it was kept"
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "too-slow", detail, headers={"Connection": "close"}) from None
        except ClientDisconnect:
            raise Refused(HTTPStatus.BAD_REQUEST, "bad-body", "the body broke off; nothing of it was kept") from None
        if is_large:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too-large",
                f"the body is larger than {limit} bytes; nothing of it was kept: send smaller batches",
                headers={"Connection": "close"},
            )
        if unpacking is not None:
            unpacking.end()
        return bytes(body)

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        """The body as it comes. Raises TimeoutError; the time in which it was not read is not the sender's."""
        loop, stream = asyncio.get_running_loop(), request.stream()
        left, left_for_piece, piece, passed = self._settings.seconds, self._settings.piece_seconds, 0, 0
        while True:
            began = loop.time()
            async with asyncio.timeout(left if passed <= _SMALL else min(left, left_for_piece)):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            left -= loop.time() - began
            passed += len(chunk)
            if passed > _SMALL:
                left_for_piece -= loop.time() - began
                piece += len(chunk)
            if piece >= _PIECE:
                left_for_piece, piece = self._settings.piece_seconds, 0
            yield chunk


class _Room:
    """Bytes that all who read may hold together; the first of them may hold more."""

    def __init__(self, size: int) -> None:
        self._size: int = size
        self._taken: int = 0
        self._held: dict[object, int] = {}  # in the order in which they came
        self._freed: asyncio.Condition = asyncio.Condition()

    async def take(self, reading: object, count: int) -> None:
        """Hold so many bytes more, as soon as there is room."""
        async with self._freed:
            self._held.setdefault(reading, 0)
            await self._freed.wait_for(
                lambda: self._taken + count <= self._size or next(iter(self._held)) is reading,
            )
            self._held[reading] += count
            self._taken += count

    async def leave(self, reading: object) -> None:
        """Hold nothing any more."""
        async with self._freed:
            self._taken -= self._held.pop(reading, 0)
            self._freed.notify_all()
