"""The life of a service: until it is asked to stop, and how it ends then."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_ALIVE_EVERY: Final = 10.0  # seconds between two words to a service manager that watches
_TOGETHER: Final = 1.0  # seconds in which two signals are one: who stops a group and its leader sends both


class Door(Protocol):
    """Something that listens. `address` says where; `stop` takes no more and answers what is in flight."""

    address: str

    async def stop(self) -> None: ...


class Stops(Protocol):
    """What takes messages until it is stopped."""

    async def stop(self) -> None: ...


class Life:
    """One life; `drain_seconds` is how long what is in flight may take to be answered at the end."""

    def __init__(self, log: BoundLogger, drain_seconds: float) -> None:
        self._log: BoundLogger = log
        self._drain_seconds: float = drain_seconds
        self._asked: float = 0.0  # when it was first asked to stop
        self._stopping: asyncio.Event = asyncio.Event()

    def hear_signals(self) -> None:
        """Let SIGTERM and SIGINT ask for the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)

    async def go_on(self, taking: asyncio.Task[None]) -> None:
        """Return when somebody asks for the end, or nothing is taken any more."""
        asked = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({taking, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        tell_manager("STOPPING=1")
        self._log.info("service.draining")

    async def drain(self, doors: Sequence[Door], intake: Stops, taking: asyncio.Task[None]) -> None:
        """Close the doors, answer what is in flight, write what was said."""
        try:
            async with asyncio.timeout(self._drain_seconds):
                for door in reversed(doors):
                    await door.stop()
        except TimeoutError:
            self._log.warning("service.drain_cut", seconds=self._drain_seconds)
        await intake.stop()
        await taking

    def _ask_to_stop(self) -> None:
        now = time.monotonic()
        if not self._stopping.is_set():
            self._asked = now
            self._stopping.set()
        elif now - self._asked > _TOGETHER:
            os._exit(1)  # asked a second time: at once; what was acknowledged is durable


async def stay_alive(is_well: Callable[[], Awaitable[object]] | None = None) -> None:
    """Tell a service manager that watches that all is well, again and again; first `is_well` must return."""
    while True:
        await asyncio.sleep(_ALIVE_EVERY)
        if is_well is not None:
            await is_well()
        tell_manager("WATCHDOG=1")


def tell_manager(word: str) -> None:
    """Tell systemd how it goes (sd_notify), where it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.connect("\0" + address[1:] if address.startswith("@") else address)
        manager.sendall(word.encode())
