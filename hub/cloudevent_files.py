"""CloudEvents in a file: a line each, printed over several lines, or in arrays, by line or as the whole file.

Whatever stands around an event, it is taken: a line that is spoilt costs itself alone. Objects that are no CloudEvents
are dead letters beside events, and one ignored message where the file holds no event at all. What is held in memory
is a message, never the file.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import msgspec

from connectors.api import Reading
from connectors.cloudevents.read import CloudEventReader, content_digest
from connectors.json_text import BOM, NOT_JSON
from hub.contents import CLOUDEVENTS, told_apart
from hub.messages import Message, dead, ignored
from schemas.errors import Reason
from schemas.event import Event

LARGEST: Final = 16 << 20  # bytes of one message; above it a dead letter, for memory must not follow a broken file
_CHUNK: Final = 1 << 20
_TOKEN: Final = re.compile(rb'\\.|["\[\]{},]', re.DOTALL)
_NO_EVENTS: Final = "JSON that is no CloudEvents"
_TOO_LARGE: Final = "a message of 16 MiB at most is read"
Other = Callable[[bytes, str], Message | None]
"""Bytes of a value and its place to what it is, if it is no event."""
_WHOLE: Final = "one whole JSON object is expected"


def read_cloudevents(
    stream: io.BufferedReader[Any], name: str, cloud: CloudEventReader, *, again: bool, array: bool, other: Other
) -> Iterator[Message]:
    """The messages of a JSON file. `again`: its bytes can be read a second time, so no digest is taken now.
    `array`: the file is one array; `other` reads what may stand beside events."""
    file = _File(name, cloud, other, again=again)
    yield from file.take_array(stream) if array else file.take_lines(stream)
    yield from file.end()


class _File:
    def __init__(self, name: str, cloud: CloudEventReader, other: Other, *, again: bool) -> None:
        self._name: str = name
        self._other: Other = other
        self._cloud: CloudEventReader = cloud
        self._again: bool = again
        self._held: list[bytes] = []  # lines of an object that is printed over several
        self._held_bytes: int = 0
        self._began: int = 0  # the line that the held ones began at
        self._has_events: bool = False
        self._strange: list[tuple[str, Reading]] = []  # objects that came before the first event: judged at the end

    # -- lines

    def take_lines(self, stream: io.BufferedReader[Any]) -> Iterator[Message]:
        number = 0
        read, again = self._cloud.read, self._again
        for offset, lines in split_lines(stream):
            for line in lines:
                number += 1
                at, offset = offset, offset + len(line) + 1
                if not line or line.isspace():
                    continue
                if not at:
                    line = line.removeprefix(BOM)
                found = read(line, "") if len(line) < LARGEST else None
                if isinstance(found, Event):
                    if self._held or not self._has_events:
                        yield from self._begin_event()
                    if again:
                        yield Message(None, found, at, None)
                    else:
                        yield Message(None, found, -1, content_digest(line), f"{self._name}, line {number}")
                else:
                    yield from self._take_other(line, found, number)
        yield from self._give_up_held()

    def _take_other(self, line: bytes, found: Reading | None, number: int) -> Iterator[Message]:
        """A line that is no event by itself: too large, an array, a part of an object, or spoilt."""
        place = f"{self._name}, line {number}"
        if found is None:
            yield from self._give_up_held()
            yield dead(Reason.TOO_LARGE, place, _TOO_LARGE)
        elif self._held:
            self._hold(line)
            if line[:1] in b"}]" or self._held_bytes > LARGEST:
                yield from self._try_held()
        elif found.dead is not None and found.dead.reason is Reason.UNREADABLE and _goes_on(line):
            self._began = number
            self._hold(line)
        else:
            yield from self._take_value(line, found, place)

    def _hold(self, line: bytes) -> None:
        self._held.append(line)
        self._held_bytes += len(line) + 1

    def _try_held(self) -> Iterator[Message]:
        """The held lines as one value, if they are whole by now."""
        text = b"\n".join(self._held)
        try:
            msgspec.json.decode(text)
        except NOT_JSON:
            if self._held_bytes > LARGEST:
                yield from self._give_up_held()
            return
        self._held, self._held_bytes = [], 0
        place = f"{self._name}, line {self._began}"
        found = self._cloud.read(text, "")
        if isinstance(found, Event):
            yield from self._begin_event()
            yield Message(None, found, -1, content_digest(text), place)
        else:
            yield from self._take_value(text, found, place)

    def _give_up_held(self) -> Iterator[Message]:
        """Lines that never made a whole: try them once more, then one dead letter."""
        if not self._held:
            return
        place, large = f"{self._name}, line {self._began}", self._held_bytes > LARGEST
        if not large:
            text = b"\n".join(self._held)
            found = self._cloud.read(text, "")
            if isinstance(found, Event):
                self._held, self._held_bytes = [], 0
                yield from self._begin_event()
                yield Message(None, found, -1, content_digest(text), place)
                return
        self._held, self._held_bytes = [], 0
        yield dead(Reason.TOO_LARGE, place, _TOO_LARGE) if large else dead(Reason.UNREADABLE, place, _WHOLE)

    # -- values

    def _take_value(self, text: bytes, found: Reading, place: str) -> Iterator[Message]:
        """A value that is no event: an array of them, an object of another kind, or a spoilt one."""
        value = _decoded(text)
        if isinstance(value, list):
            for number, item in enumerate(value, start=1):
                yield from self._take_item(msgspec.json.encode(item), f"{place}, event {number}")
            return
        yield from self._take_strange(text, found, place)

    def _take_item(self, text: bytes, place: str) -> Iterator[Message]:
        found = self._cloud.read(text, "")
        if isinstance(found, Event):
            if not self._has_events:
                yield from self._begin_event()
            yield Message(None, found, -1, content_digest(text), place)
        else:
            yield from self._take_strange(text, found, place)

    def _take_strange(self, text: bytes, found: Reading, place: str) -> Iterator[Message]:
        found = told_apart(found, CLOUDEVENTS, text)
        if (beside := self._other(text, place)) is not None:
            yield beside
        elif self._has_events or b'"specversion"' in text:
            self._has_events = True
            yield from self._let_strange_go()
            yield Message(_placed(found, place), None, -1, None)
        else:
            self._strange.append((place, found))

    def _begin_event(self) -> Iterator[Message]:
        """An event comes: what was held cannot be a part of it, and what was strange stands beside events."""
        yield from self._give_up_held()
        self._has_events = True
        yield from self._let_strange_go()

    def _let_strange_go(self) -> Iterator[Message]:
        strange, self._strange = self._strange, []
        for place, found in strange:
            yield Message(_placed(found, place), None, -1, None)

    def end(self) -> Iterator[Message]:
        """A file without an event is one ignored message, however many objects it holds."""
        if self._strange and not self._has_events:
            yield ignored(_NO_EVENTS)

    # -- an array

    def take_array(self, stream: io.BufferedReader[Any]) -> Iterator[Message]:
        """The elements of one array, each as soon as it is whole; what was cut short is one dead letter."""
        scanner = _Elements()
        number = 0
        while chunk := stream.read1(_CHUNK):
            for element in scanner.feed(chunk):
                number += 1
                place = f"{self._name}, event {number}"
                if element is None:
                    yield dead(Reason.TOO_LARGE, place, _TOO_LARGE)
                else:
                    yield from self._take_item(element, place)
        if not scanner.is_whole:
            place = f"{self._name}, event {number + 1}"
            if self._has_events or scanner.holds_event:
                self._has_events = True
                yield from self._let_strange_go()
                yield dead(Reason.UNREADABLE, place, "the array ends early: send the file again whole")
            elif not self._strange:
                yield ignored("JSON that cannot be read")


class _Elements:
    """Cuts the elements of one JSON array out of a stream of chunks; None for one that is too large."""

    def __init__(self) -> None:
        self._held: bytes = b""
        self._searched: int = 0
        self._depth: int = 0
        self._in_text: bool = False
        self._large: bool = False
        self._splits: bool = False  # whether what is open at the top is an array
        self.is_whole: bool = True

    @property
    def holds_event(self) -> bool:
        return b'"specversion"' in self._held

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        held = self._held + chunk
        start = 0
        at = self._searched
        while (token := _TOKEN.search(held, at)) is not None:
            mark, at = token[0], token.end()
            if mark[:1] == b"\\":
                continue
            if mark == b'"':
                self._in_text = not self._in_text
            elif not self._in_text:
                if mark in b"[{":
                    self._depth += 1
                    if self._depth == 1:
                        self._splits, self.is_whole = mark == b"[", False
                        start = at if self._splits else at - 1
                elif mark == b"," and self._depth == 1 and self._splits:
                    yield from self._element(held[start : at - 1])
                    start = at
                elif mark in b"]}":
                    self._depth = max(self._depth - 1, 0)
                    if self._depth == 0:
                        yield from self._element(held[start : at - 1 if self._splits else at])
                        self.is_whole, start = True, at
        # an escape may be parted by the chunks: its backslash is looked at again
        end = len(held) - (held.endswith(b"\\") and at < len(held))
        self._held, self._searched = held[start:], max(end - start, 0)
        if len(self._held) > LARGEST:
            kept = self._held[self._searched :]
            self._large, self._held, self._searched = True, kept, 0

    def _element(self, text: bytes) -> Iterator[bytes | None]:
        large, self._large = self._large, False
        if large or len(text) > LARGEST:
            yield None
        elif text.strip():
            yield text.strip()


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except NOT_JSON:
        return None


def _goes_on(line: bytes) -> bool:
    """Whether a line is the beginning of a value that later lines may end."""
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError as wrong:
        return line.lstrip()[:1] in (b"{", b"[") and "truncated" in str(wrong)
    except (UnicodeDecodeError, RecursionError):
        return False
    return False


def split_lines(stream: io.BufferedReader[Any]) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of a stream without their ends, as many at a time as were read, each time with the offset of the
    first. Of a line that is larger than a message may be, only so much is held as shows that."""
    offset = 0
    rest = b""
    skipped = 0  # bytes of an overlong line that were not held
    while chunk := stream.read1(_CHUNK):  # no more than is there: what was read before a damaged part is not lost
        lines = chunk.split(b"\n")
        if len(rest) >= LARGEST:
            skipped += len(lines[0])
            if len(lines) == 1:
                continue
            yield offset, [rest]
            offset += len(rest) + skipped + 1
            skipped = 0
            del lines[0]
        else:
            lines[0] = rest + lines[0]
        rest = lines.pop()
        if lines:
            yield offset, lines
            offset += sum(map(len, lines)) + len(lines)
    if rest:
        yield offset, [rest]


def _placed(reading: Reading, place: str) -> Reading:
    """A reading with the place of its line before what it says of the place inside."""
    if reading.dead is not None:
        reading.dead = replace(reading.dead, place=place + reading.dead.place)
    return reading
