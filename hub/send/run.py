"""Send messages over some connections, each message until it is answered or given up."""

from __future__ import annotations

import asyncio
import ssl
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from hub.send.line import Line, Unreachable

_BACK_OFF: Final = 0.25  # seconds before the second try; each further one waits twice as long
_OUTCOMES: Final = {"A": "accepted", "E": "error", "R": "rejected"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSettings:
    """`rate` in messages a second over all connections. `timeout` in seconds for a connection and for an answer.
    With `repeats_rejected` a message that was not kept (AR) is sent again too, as often as one without an answer."""

    host: str
    port: int
    connections: int = 1
    rate: float | None = None
    timeout: float = 30.0
    tries: int = 4
    back_off: float = _BACK_OFF
    repeats_rejected: bool = False
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Sent:
    """What came of it. `sent` = accepted (AA, CA) + error (AE, CE) + rejected (AR, CR) + failed (no answer) + unasked
    (messages that ask for no acknowledgement). `repeated` sendings of a message after the first, `late`
    acknowledgements that named no message we waited for. `stopped` says why the rest was not sent."""

    sent: int = 0
    accepted: int = 0
    error: int = 0
    rejected: int = 0
    failed: int = 0
    unasked: int = 0
    repeated: int = 0
    late: int = 0
    stopped: str | None = None
    seconds: float = 0.0
    waited: array[float] = field(default_factory=lambda: array("d"))

    @property
    def is_well(self) -> bool:
        """Whether every message is kept by the receiver: an error (AE) says that it is, as a dead letter."""
        return not (self.rejected or self.failed or self.stopped)

    def report(self) -> dict[str, Any]:
        """The figures, for people and machines."""
        waited = sorted(self.waited)
        return {
            "sent": self.sent,
            "accepted": self.accepted,
            "error": self.error,
            "rejected": self.rejected,
            "failed": self.failed,
            "unasked": self.unasked,
            "repeated": self.repeated,
            "late": self.late,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.sent / self.seconds, 1) if self.seconds else 0.0,
            "p50_ms": _percentile(waited, 50),
            "p99_ms": _percentile(waited, 99),
            "stopped": self.stopped,
        }


async def send_all(messages: Iterable[bytes], settings: SendSettings) -> Sent:
    """Send all messages: in their order over one connection, in no certain order over several."""
    return await _Sending(iter(messages), settings).run()


class _Sending:
    def __init__(self, messages: Iterator[bytes], settings: SendSettings) -> None:
        self._messages: Iterator[bytes] = messages
        self._settings: SendSettings = settings
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._began: float = self._loop.time()
        self._sent: Sent = Sent()

    async def run(self) -> Sent:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._settings.connections):
                tasks.create_task(self._over_one_line())
        self._sent.seconds = self._loop.time() - self._began
        return self._sent

    async def _over_one_line(self) -> None:
        settings, sent = self._settings, self._sent
        line = Line(settings.host, settings.port, settings.timeout, settings.tls)
        while sent.stopped is None:
            message = next(self._messages, None)
            if message is None:
                break
            if settings.rate is not None:
                await self._wait_for_turn(sent.sent / settings.rate)
            sent.sent += 1
            outcome = await self._deliver(line, message)
            setattr(sent, outcome, getattr(sent, outcome) + 1)
        await line.close()
        sent.late += line.late

    async def _wait_for_turn(self, after: float) -> None:
        wait = self._began + after - self._loop.time()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _deliver(self, line: Line, message: bytes) -> str:
        """Send a message until it is answered; the name of the count that it belongs to."""
        settings, sent = self._settings, self._sent
        unreachable: str | None = None
        outcome = "failed"
        for attempt in range(settings.tries):
            if attempt:
                await asyncio.sleep(settings.back_off * 2 ** (attempt - 1))
                sent.repeated += 1
            unreachable = None
            began = self._loop.time()
            try:
                answer = await line.send(message)
            except Unreachable as wrong:
                unreachable = f"{settings.host}:{settings.port} cannot be reached" + (
                    f": {wrong}" if str(wrong) else ""
                )
                continue
            except (OSError, EOFError, TimeoutError):
                continue
            if answer is None:
                return "unasked"
            sent.waited.append(self._loop.time() - began)
            outcome = _OUTCOMES[answer.code[1]]
            if outcome != "rejected" or not settings.repeats_rejected:
                return outcome
        if unreachable is not None:
            sent.stopped = unreachable
        return outcome


def _percentile(ordered: list[float], share: int) -> float | None:
    """Milliseconds below which so many of a hundred lie (nearest rank)."""
    if not ordered:
        return None
    return round(ordered[-(-len(ordered) * share // 100) - 1] * 1000, 3)
