"""Send messages over some connections, each message until it is answered or given up."""

from __future__ import annotations

import asyncio
import ssl
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from hub.send.line import Line, Unreachable

_BACK_OFF: Final = 0.25  # seconds before the second try; each further one waits twice as long
_LONGEST: Final = 5.0  # seconds between two tries: a receiver that is back is not kept waiting
RETRY_FOR: Final = 60.0
"""Seconds: as long as a hub that reads a large store may take to be back."""
_OUTCOMES: Final = {"A": "accepted", "E": "error", "R": "rejected"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSettings:
    """`rate` in messages a second over all connections. `timeout` in seconds for a connection and for an answer. A
    message without an answer is sent again for `retry_for` seconds behind the first failure. With `repeats_rejected`
    one that was not kept (AR) is sent again too, for as long."""

    host: str
    port: int
    connections: int = 1
    rate: float | None = None
    timeout: float = 30.0
    retry_for: float = RETRY_FOR
    back_off: float = _BACK_OFF
    repeats_rejected: bool = False
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class Sent:
    """What came of it. `sent` = accepted (AA, CA) + error (AE, CE) + rejected (AR, CR) + failed (no answer) + unasked
    (messages that ask for no acknowledgement). `repeated` sendings of a message after the first, `late`
    acknowledgements that named no message we waited for. `stopped` says why the rest was not sent; `lasting` that it
    would be so again."""

    sent: int = 0
    accepted: int = 0
    error: int = 0
    rejected: int = 0
    failed: int = 0
    unasked: int = 0
    repeated: int = 0
    late: int = 0
    stopped: str | None = None
    lasting: bool = False
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


Say = Callable[[str], object]
"""Told in a line, once an outage, that messages are sent again."""


async def send_all(messages: Iterable[bytes], settings: SendSettings, say: Say = lambda _: None) -> Sent:
    """Send all messages: in their order over one connection, in no certain order over several."""
    return await _Sending(iter(messages), settings, say).run()


class _Trouble(NamedTuple):
    """Why a message is to be sent again: what it counts as if it is given up; whether nothing else can be sent either,
    and whether that would be so again."""

    outcome: str
    told: str
    stops: bool = False
    lasting: bool = False


class _Sending:
    def __init__(self, messages: Iterator[bytes], settings: SendSettings, say: Say) -> None:
        self._messages: Iterator[bytes] = messages
        self._settings: SendSettings = settings
        self._say: Say = say
        self._is_out: bool = False  # an outage was said, and nothing was answered since
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
        """Send a message until it is answered, or for long enough; the name of the count that it belongs to."""
        settings, sent = self._settings, self._sent
        wait, until = settings.back_off, 0.0
        while isinstance(found := await self._try(line, message), _Trouble):
            now = self._loop.time()
            until = until or now + settings.retry_for
            if found.lasting or now + wait > until or sent.stopped is not None:
                if found.stops:
                    sent.stopped, sent.lasting = found.told, found.lasting
                return found.outcome
            if not self._is_out:
                self._is_out = True
                self._say(f"{found.told}; trying again for {settings.retry_for:g} s")
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST)
            sent.repeated += 1
        self._is_out = False
        return found

    async def _try(self, line: Line, message: bytes) -> str | _Trouble:
        """Send a message once; the name of its count. What breaks off closes the connection (line.py), so the answer to
        one try is never taken for that to another message."""
        to = f"{self._settings.host}:{self._settings.port}"
        began = self._loop.time()
        try:
            answer = await line.send(message)
        except Unreachable as wrong:
            why = f": {wrong}" if str(wrong) else ""
            return _Trouble("failed", f"{to} cannot be reached{why}", stops=True, lasting=wrong.lasting)
        except (OSError, EOFError, TimeoutError):
            return _Trouble("failed", f"{to} gave no answer")
        if answer is None:
            return "unasked"
        self._sent.waited.append(self._loop.time() - began)
        outcome = _OUTCOMES[answer.code[1]]
        if outcome == "rejected" and self._settings.repeats_rejected:
            return _Trouble(outcome, f"{to} keeps nothing now (AR)")
        return outcome


def _percentile(ordered: list[float], share: int) -> float | None:
    """Milliseconds below which so many of a hundred lie (nearest rank)."""
    if not ordered:
        return None
    return round(ordered[-(-len(ordered) * share // 100) - 1] * 1000, 3)
