"""Threads of our own beside the loop: what ends one is told where somebody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


def live(loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None], work: Callable[[], None]) -> None:
    """Work, in a thread; `ended` is told in the loop that it has ended, or of what."""
    try:
        work()
    except BaseException as wrong:  # noqa: BLE001 - a thread's edge: it is raised where somebody waits for us
        loop.call_soon_threadsafe(fail, ended, wrong)
    else:
        loop.call_soon_threadsafe(fail, ended, None)


def fail(future: asyncio.Future[Any], wrong: BaseException | None) -> None:
    """Tell who waits what went wrong, None for nothing; one that nobody waits for any more is left alone."""
    if future.done():
        return
    if wrong is None:
        future.set_result(None)
    else:
        future.set_exception(wrong)
