"""A socket that listens: what it accepts answers at once."""

from __future__ import annotations

import asyncio
import socket

from hub.listen.bind import bind


async def nodelay_of_an_accepted_connection() -> bool:
    """Whether a connection that asyncio accepts on a bound socket sends without waiting for acknowledgements."""
    listening = bind("--http", "127.0.0.1", 0)
    told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted: socket.socket = writer.get_extra_info("socket")
        told.set_result(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        writer.close()

    async with await asyncio.start_server(connected, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        found = await told
        writer.close()
    return found


def test_an_answer_in_two_pieces_does_not_wait_for_an_acknowledgement() -> None:
    assert asyncio.run(nodelay_of_an_accepted_connection())
