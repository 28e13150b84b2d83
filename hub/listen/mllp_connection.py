"""One connection of a sender: read while little waits, answered in order, closed with its last answer delivered."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from connectors.hl7.ack import Refusal, acknowledge, code_of, refuse
from connectors.hl7.mllp import Framer, cut_messages, write_frame
from hub.serve.writer import Stopped, Told

if TYPE_CHECKING:
    from hub.listen.mllp import MllpListener

_MANY: Final = 256  # messages of a connection that wait, and that go to the intake at once
_MUCH: Final = 1 << 20  # bytes of them
_STRAY: Final = 1 << 16  # bytes in a row that belong to no frame: this is no MLLP
_STOP_LINGER: Final = 1.0
_KIND: Final = "hl7"


class Connection(asyncio.Protocol):
    """What a listener makes for each sender."""

    def __init__(self, listener: MllpListener) -> None:
        self._listener: MllpListener = listener
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._framer: Framer = Framer(listener.settings.largest)
        self._waiting: deque[bytes] = deque()
        self._much: int = 0  # bytes that wait
        self._held: int = 0  # bytes of ours in the listener's sum
        self._asked: list[bytes] = []  # what the intake has to tell about
        self._refusal: tuple[bytes, Refusal] | None = None  # the last answer, when nothing more is taken
        self._is_closing: bool = False  # the last answer was given
        self._ending: bool = False  # nothing more is taken
        self._paused: bool = False  # not read now, for too much waits
        self._has_read_all: bool = False  # the peer sends no more
        self._unread: asyncio.TimerHandle | None = None  # our answers do not leave: when the sender is cut off
        self._heard: float = 0.0
        self._opened: float = 0.0  # when the open frame was begun
        self._timer: asyncio.TimerHandle | None = None
        self._peer: str = ""

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server makes
        self._transport = transport
        address = transport.get_extra_info("peername")
        self._peer = address[0] if isinstance(address, tuple) else ""
        if not self._listener.admit(self, self._peer):
            self._ending = True
            transport.abort()
            return
        self._heard = self._loop.time()
        self._watch(self._heard + self._listener.settings.idle_seconds)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return  # what is sent behind an end is dropped
        framer, listener = self._framer, self._listener
        was_open = framer.is_open
        skipped, cut = framer.skipped, framer.cut
        frames = framer.feed(data)
        self._heard = self._loop.time()
        if framer.skipped != skipped or framer.cut != cut:
            listener.skipped += framer.skipped - skipped
            listener.cut += framer.cut - cut
        if frames:
            listener.frames += len(frames)
            messages = cut_messages(frames[0]) if len(frames) == 1 else [m for f in frames for m in cut_messages(f)]
            self._waiting += messages
            self._much += sum(map(len, messages))
        self._count_held()
        if framer.is_open and (frames or not was_open):
            self._opened = self._heard
            self._watch(self._heard + listener.settings.frame_seconds)
        if framer.too_large:
            self._end(Refusal.TOO_LARGE, framer.head)
        elif framer.stray > _STRAY:
            self._end(Refusal.UNFRAMED)
        elif framer.is_open and listener.held > listener.settings.held:
            self._end(Refusal.BUSY, framer.begun)
        elif len(self._waiting) >= _MANY or self._much >= _MUCH:
            self._pause()
        self._go_on()

    def eof_received(self) -> bool:
        self._has_read_all = True
        if self._framer.stray and not self._ending:
            self._refusal = (b"", Refusal.UNFRAMED)
            self._listener.closed[Refusal.UNFRAMED.value[0]] += 1
        self._ending = True
        self._go_on()
        # open for our answers; TLS closes both ways at once
        return self._listener.settings.tls is None

    def pause_writing(self) -> None:
        self._unread = self._loop.call_later(self._listener.settings.write_seconds, self._cut_off)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's contract
        self._ending = self._has_read_all = True
        self._transport = None
        for timer in (self._timer, self._unread):
            if timer is not None:
                timer.cancel()
        self._unread = None
        self._drop_frame()
        self._go_on()

    # -- what the listener calls

    def finish(self) -> None:
        """Take no more, and close when what is whole is answered."""
        if self._ending:
            return
        if self._asked:
            self._pause()  # what stands behind it is not taken
        self._ending = True
        self._go_on()

    # -- answering

    def _go_on(self) -> None:
        """Have taken what waits; where nothing does, close if that was all."""
        if self._asked or self._unread is not None:
            return
        if self._waiting:
            self._asked = [self._waiting.popleft() for _ in range(min(_MANY, len(self._waiting)))]
            self._listener.intake.put(_KIND, self._asked, self._answer)
        elif self._transport is None:
            self._depart()
        elif self._ending:
            self._close()

    def _answer(self, told: Told) -> None:
        raws, self._asked = self._asked, []
        try:
            self._write(self._answers(raws, told))
        except Exception:  # noqa: BLE001 - a connection's edge: the sender gets no answer and sends again
            self._listener.closed["failed"] += 1
            self._listener.tell("mllp.failed", peer=self._peer, reason="the hub failed on what came; nothing answered")
            self._abort()
        self._much -= sum(map(len, raws))
        self._count_held()
        if self._paused and not self._ending and len(self._waiting) < _MANY and self._much < _MUCH:
            self._resume()
        self._go_on()

    def _answers(self, raws: list[bytes], told: Told) -> list[bytes]:
        if isinstance(told, list):
            code = self._listener.settings.dead_letters
            return [
                answer
                for raw, verdict in zip(raws, told, strict=True)
                for answer in acknowledge(raw, verdict, dead_letters=code)
            ]
        refusal = Refusal.NOT_STORED
        if isinstance(told, Stopped):
            refusal = Refusal.STOPPING
            self._ending = True
        return [answer for raw in raws for answer in refuse(raw, refusal)]

    def _write(self, answers: list[bytes]) -> None:
        if not answers or self._transport is None:
            return
        self._transport.write(b"".join(map(write_frame, answers)))
        acknowledgements = self._listener.acknowledgements
        for answer in answers:
            acknowledgements[code_of(answer)] += 1

    def _cut_off(self) -> None:
        self._listener.closed["unread"] += 1
        self._listener.tell("mllp.closed", peer=self._peer, reason="the sender does not read its acknowledgements")
        self._abort()

    def _abort(self) -> None:
        self._ending = True
        if self._transport is not None:
            self._transport.abort()

    # -- reading or not

    def _pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._opened = self._heard = self._loop.time()
            self._transport.resume_reading()

    def _count_held(self) -> None:
        held = self._much + self._framer.held
        self._listener.held += held - self._held
        self._held = held

    # -- time

    def _watch(self, at: float) -> None:
        if self._timer is not None:
            if self._timer.when() <= at:
                return  # it looks in time, and then again
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._ending:
            return
        now, settings = self._loop.time(), self._listener.settings
        busy = self._paused or bool(self._asked)
        if self._framer.is_open and not self._paused:
            due = self._opened + settings.frame_seconds
            why = "a frame was begun and not ended"
        else:
            due = (now if busy else self._heard) + settings.idle_seconds
            why = "nothing was sent"
        if now < due:
            self._watch(due)
            return
        self._listener.closed["idle" if why == "nothing was sent" else "unended"] += 1
        self._listener.tell("mllp.closed", peer=self._peer, reason=why)
        if self._framer.stray:
            self._refusal = (b"", Refusal.UNFRAMED)
        self._ending = True
        self._go_on()

    # -- closing

    def _end(self, refusal: Refusal, head: bytes = b"") -> None:
        """Take no more: answer what waits, then this."""
        reason, mend = refusal.value
        self._listener.closed[reason] += 1
        self._listener.tell("mllp.closed", peer=self._peer, reason=mend)
        self._refusal = (head, refusal)
        self._ending = True
        self._framer = Framer()
        self._count_held()

    def _close(self) -> None:
        """Close when our answers have left and the peer has had time to read them."""
        transport = self._transport
        if transport is None or self._is_closing:
            return
        self._is_closing = True
        if self._refusal is not None:
            self._write(list(refuse(*self._refusal)))
        if self._timer is not None:
            self._timer.cancel()
        if self._has_read_all or (self._refusal is None and not self._paused):
            linger = self._listener.settings.write_seconds  # for what is written and has not left
            transport.close()
        else:
            linger = self._listener.settings.linger_seconds if self._refusal is not None else _STOP_LINGER
            if transport.can_write_eof():
                transport.write_eof()
            if self._paused:
                self._paused = False
                transport.resume_reading()
        self._drop_frame()
        self._timer = self._loop.call_later(linger, transport.abort)

    def _drop_frame(self) -> None:
        """What was begun is not ended any more."""
        self._listener.cut += self._framer.is_open
        self._framer = Framer()
        self._count_held()

    def _depart(self) -> None:
        self._waiting.clear()
        self._listener.held -= self._held
        self._held = self._much = 0
        self._listener.part(self)
