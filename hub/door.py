"""The door: which messages are taken, and what becomes of the rest. Decided by arrival, message by message.

Every message is counted once: accepted, duplicate (same source and id, same content), ignored (with the reason) or
dead letter (with the reason).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from connectors.api import Reading
from hub.inputs import Input, digest_at
from hub.left_out import LeftOut
from hub.messages import Message
from schemas.dead_letter import MEND_CONFLICT, DeadLetter
from schemas.errors import Reason
from schemas.event import HOUR, Event

AFTER_UNTIL: Final = "after_until"
TEST_PATIENT: Final = "test_patient"
_KEPT: Final = 1000  # dead letters listed one by one; beyond it they are counted
_CHUNK: Final = 1 << 20  # bytes
_PLACES: Final = 1 << 20  # inputs that can be told apart in one number


class Door:
    """Counts messages and remembers ids. `until` and `now` are microseconds: with `until`, what is later is ignored;
    without it, what lies an hour ahead of `now` is a dead letter, for no single stamp may run the clock away.
    `left_out` are the test patients: the door asks before a number's authority gets its one spelling."""

    def __init__(self, *, until: int | None, now: int, left_out: LeftOut | None = None) -> None:
        self.messages: int = 0
        self.accepted: int = 0
        self.duplicates: int = 0
        self.events: int = 0
        self.ignored: Counter[str] = Counter()
        self.dead: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.dead_letters: list[DeadLetter] = []
        self.is_new: bool = (
            True  # whether the latest message shows that its source is there: no repetition, and in time
        )
        self._until: int | None = until
        self._latest: int = until if until is not None else now + HOUR
        self._left_out: LeftOut | None = left_out or None  # None too where a site names nobody
        self._seen: dict[str, dict[str, int | bytes]] = {}
        self._letters: set[tuple[str, tuple[str, str], bytes]] = set()  # dead letters by their content
        self._paths: list[Path] = []
        self._numbers: dict[Path, int] = {}
        self._path: Path | None = None  # of the latest message, and its number
        self._number: int = 0
        self._readings: Counter[Input] = Counter()  # how many have come of each input
        self._lines: dict[Path, tuple[int, int]] = {}  # an offset asked for last, and how many lines end before it

    def take(self, message: Message, input_: Input) -> tuple[Event, ...]:
        """The events of a message that is taken; nothing of one that is not."""
        self.messages += 1
        self.is_new = True
        event = message.event
        if event is not None:
            if event.time > self._latest:
                self._too_late(message, input_, (event.source, event.id), self._own_digest(message, input_))
                return ()
            if self._left_out is not None and self._left_out.has(event.identifiers):
                self.ignored[TEST_PATIENT] += 1
                return ()
            ids = self._seen.get(event.source)
            if ids is None:
                ids = self._seen[event.source] = {}
            if event.id in ids:
                self._repeated(ids[event.id], event, message, input_)
                return ()
            ids[event.id] = self._mark(message, input_.path)
            self.accepted += 1
            self.events += 1
            return (event,)
        reading = message.reading
        assert reading is not None  # noqa: S101 - a message is an event or a reading
        self._readings[input_] += 1
        return self._take_reading(reading, message, input_)

    def _take_reading(self, reading: Reading, message: Message, input_: Input) -> tuple[Event, ...]:
        self.notes.update(reading.notes)
        if reading.dead is not None:
            if self._is_again(reading.dead.reason.value, (reading.source, reading.id), reading.digest):
                self.duplicates += 1
                self.is_new = False
            else:
                self._bury(reading.dead)
        elif reading.ignored is not None:
            self.ignored[reading.ignored] += 1
        elif any(e.time > self._latest for e in reading.events):
            self._too_late(message, input_, (reading.source, reading.id), reading.digest)
        elif self._left_out is not None and any(self._left_out.has(e.identifiers) for e in reading.events):
            self.ignored[TEST_PATIENT] += 1
        elif (first := self._seen.setdefault(reading.source, {}).get(reading.id)) is not None:
            self._met(first == reading.digest, (reading.source, reading.id), reading.digest, message, input_)
        else:
            self._seen[reading.source][reading.id] = reading.digest
            self.accepted += 1
            self.events += len(reading.events)
            return reading.events
        return ()

    def _is_again(self, reason: str, name: tuple[str, str], digest: bytes) -> bool:
        """Whether a dead letter came before with the same content; without a digest nobody can say."""
        if not digest:
            return False
        letter = (reason, name, digest)
        again = letter in self._letters
        self._letters.add(letter)
        return again

    def _mark(self, message: Message, path: Path | None) -> int | bytes:
        """Where the content of an accepted event can be found again, or its digest."""
        if message.digest is not None:
            return message.digest
        assert path is not None  # noqa: S101 - only a file that can be read again gives no digest
        if path is not self._path:
            if path not in self._numbers:
                self._numbers[path] = len(self._paths)
                self._paths.append(path)
            self._path, self._number = path, self._numbers[path]
        return message.place * _PLACES + self._number

    def _digest(self, mark: int | bytes) -> bytes:
        if isinstance(mark, bytes):
            return mark
        return digest_at(self._paths[mark % _PLACES], mark // _PLACES)

    @staticmethod
    def _own_digest(message: Message, input_: Input) -> bytes:
        if message.digest is not None:
            return message.digest
        assert input_.path is not None  # noqa: S101 - as in _mark
        return digest_at(input_.path, message.place)

    def _repeated(self, first: int | bytes, event: Event, message: Message, input_: Input) -> None:
        digest = self._own_digest(message, input_)
        self._met(self._digest(first) == digest, (event.source, event.id), digest, message, input_)

    def _met(self, same: bool, name: tuple[str, str], digest: bytes, message: Message, input_: Input) -> None:  # noqa: FBT001
        """Whose source and id came before: the same again, or another, which may itself come again."""
        if same or self._is_again(Reason.CONFLICT.value, name, digest):
            self.duplicates += 1
            self.is_new = False
        else:
            self._conflict(message, input_)

    def _conflict(self, message: Message, input_: Input) -> None:
        place = f"{self._where(message, input_)}, id"
        self._bury(DeadLetter(reason=Reason.CONFLICT, place=place, mend=MEND_CONFLICT))

    def _too_late(self, message: Message, input_: Input, name: tuple[str, str], digest: bytes) -> None:
        if self._until is not None:
            self.ignored[AFTER_UNTIL] += 1
            self.is_new = False
        elif self._is_again(Reason.FROM_THE_FUTURE.value, name, digest):
            self.duplicates += 1
            self.is_new = False
        else:
            mend = "it lies more than an hour ahead of this machine's clock; check the sender's clock or name --until"
            place = f"{self._where(message, input_)}, time"
            self._bury(DeadLetter(reason=Reason.FROM_THE_FUTURE, place=place, mend=mend))

    def _where(self, message: Message, input_: Input) -> str:
        """Which message of which input it is. Looked for only here, for most messages are never asked."""
        if message.reading is not None:
            return f"{input_.name} message {self._readings[input_]}"
        if message.where or input_.path is None or len(self.dead_letters) >= _KEPT:
            return message.where or input_.name
        return f"{input_.name}, line {self._line(input_.path, message.place)}"

    def _line(self, path: Path, offset: int) -> int:
        """The line that begins at an offset. An input is read in its order, so each call goes on from the last."""
        at, lines = self._lines.get(path, (0, 0))
        if at > offset:
            at, lines = 0, 0
        with path.open("rb") as file:
            file.seek(at)
            while at < offset and (chunk := file.read(min(_CHUNK, offset - at))):
                at += len(chunk)
                lines += chunk.count(b"\n")
        self._lines[path] = (at, lines)
        return lines + 1

    def _bury(self, letter: DeadLetter) -> None:
        self.dead[letter.reason.value] += 1
        if len(self.dead_letters) < _KEPT:
            self.dead_letters.append(letter)

    @property
    def counts(self) -> dict[str, int]:
        """The four counts, and the sum that they hold."""
        return {
            "messages": self.messages,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "ignored": self.ignored.total(),
            "dead_letters": self.dead.total(),
        }
