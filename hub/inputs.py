"""Files and folders to messages: what each input is, told by its content, and where each message stands in it.

An input yields its messages in its own order. HL7 v2 files and NDJSON of CloudEvents are streamed: what is held is
one message, not the file.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from connectors.api import Reading
from connectors.cloudevents.read import CloudEventReader, content_digest
from connectors.hl7.files import looks_like_hl7, split_messages
from connectors.hl7.read import Hl7Reader
from schemas.dead_letter import DeadLetter
from schemas.errors import Reason, WrongUse
from schemas.event import Event

_SNIFFED: Final = 8192
_CHUNK: Final = 1 << 20
_LARGEST: Final = 16 << 20  # bytes of one message; above it a dead letter, for memory must not follow a broken file
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"


class Message(msgspec.Struct, gc=False):
    """One message of an input: an event alone (a CloudEvent) or a reading. `again` gives its content's digest,
    asked for only when the same id comes twice."""

    reading: Reading | None
    event: Event | None
    place: int  # byte offset of a CloudEvent in a file that can be read again; -1 elsewhere
    digest: bytes | None


class Input:
    """One file, or standard input. `done` is how many bytes were read, `size` how many there are (0: unknown)."""

    def __init__(self, name: str, open_: Callable[[], BinaryIO], *, path: Path | None, size: int) -> None:
        self.name: str = name
        self.path: Path | None = path
        self.size: int = size
        self.done: int = 0
        self._open: Callable[[], BinaryIO] = open_

    def messages(self, hl7: Hl7Reader, cloud: CloudEventReader) -> Iterator[Message]:
        """The messages of the input, in its order. What cannot be opened or ends early is a dead letter."""
        try:
            with self._open() as raw:
                yield from self._of_stream(raw, hl7, cloud)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield _dead(
                Reason.UNREADABLE, self.name, "the compressed file is cut short or damaged: send it again whole"
            )
        except OSError as wrong:
            yield _dead(Reason.UNREADABLE, self.name, f"it cannot be read ({wrong.strerror or 'input error'})")

    def _of_stream(self, raw: BinaryIO, hl7: Hl7Reader, cloud: CloudEventReader) -> Iterator[Message]:
        counted = io.BufferedReader(_Counted(raw, self), _CHUNK)  # type: ignore[type-var]  # typeshed wants a FileIO
        packed = counted.peek(2)[:2] == _GZIP
        stream: io.BufferedReader[Any] = io.BufferedReader(_Unpacked(counted), _CHUNK) if packed else counted
        head = stream.peek(_SNIFFED)[:_SNIFFED]
        if not head.strip():
            yield _ignored("nothing in it")
            return
        if looks_like_hl7(head):
            chunks = iter(lambda: stream.read1(_CHUNK), b"")
            for number, message in enumerate(split_messages(chunks), start=1):
                if isinstance(message, Reading):
                    yield Message(message, None, -1, None)
                else:
                    yield Message(hl7.read(message, f"{self.name} message {number}"), None, -1, None)
            return
        text = head.removeprefix(_BOM).lstrip()
        if text[:1] == b"{" and (b'"specversion"' in text.partition(b"\n")[0]):
            yield from self._lines(stream, cloud, again=self.path is not None and not packed)
        elif text[:1] in (b"{", b"["):
            yield from self._whole(stream, cloud)
        else:
            yield _ignored("not HL7 v2 and not CloudEvents")

    def _lines(self, stream: io.BufferedReader[Any], cloud: CloudEventReader, *, again: bool) -> Iterator[Message]:
        number = 0
        read = cloud.read
        for offset, lines in _split_lines(stream):
            for line in lines:
                number += 1
                at, offset = offset, offset + len(line) + 1
                if not line or line.isspace():
                    continue
                if len(line) >= _LARGEST:
                    yield _dead(Reason.TOO_LARGE, f"{self.name}, line {number}", "a message of 16 MiB at most is read")
                    continue
                if not at:
                    line = line.removeprefix(_BOM)
                found = read(line, "")
                if isinstance(found, Event):
                    yield Message(None, found, at if again else -1, None if again else content_digest(line))
                else:
                    yield Message(_placed(found, f"{self.name}, line {number}"), None, -1, None)

    def _whole(self, stream: BinaryIO, cloud: CloudEventReader) -> Iterator[Message]:
        """One JSON text that is not a line each: a CloudEvent, or a batch of them."""
        content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            yield _ignored("JSON that is no CloudEvents")
            return
        try:
            value = msgspec.json.decode(content.removeprefix(_BOM))
        except (msgspec.DecodeError, RecursionError):
            yield (
                _ignored("JSON that cannot be read")
                if b'"specversion"' not in content
                else _dead(Reason.UNREADABLE, self.name, "one whole JSON text is expected")
            )
            return
        items = value if isinstance(value, list) else [value]
        if not any(isinstance(item, dict) and "specversion" in item for item in items):
            yield _ignored("JSON that is no CloudEvents")
            return
        for number, item in enumerate(items, start=1):
            line = msgspec.json.encode(item)
            found = cloud.read(line, f"{self.name}, event {number}")
            if isinstance(found, Event):
                yield Message(None, found, -1, content_digest(line))
            else:
                yield Message(found, None, -1, None)


class _Counted(io.RawIOBase):
    """A raw stream that tells an input how far it was read."""

    def __init__(self, raw: BinaryIO, input_: Input) -> None:
        self._raw = raw
        self._input = input_

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # typeshed says WriteableBuffer
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._input.done += len(data)
        return len(data)


class _Unpacked(io.RawIOBase):
    """What a gzip holds, piece by piece: where it is cut short, what stands before the cut was given already."""

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = gzip.GzipFile(fileobj=packed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # typeshed says WriteableBuffer
        data = self._packed.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def find_inputs(paths: list[str]) -> list[Input]:
    """All files below the paths, folders recursively, in the order of their names; `-` is standard input.

    Raises WrongUse for a path that is not there or a folder that cannot be read: a forgotten folder is not an
    empty one."""
    inputs: list[Input] = []
    for path in paths:
        if path == "-":
            inputs.append(Input("standard input", lambda: sys.stdin.buffer, path=None, size=0))
            continue
        root = Path(path)
        if root.is_dir():
            inputs += [_file(found) for found in _walk(root)]
        elif root.exists():
            inputs.append(_file(root))
        else:
            raise WrongUse(f"{path}: there is no such file or folder")
    return inputs


def _walk(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda e: e.name)
    except OSError as wrong:
        raise WrongUse(f"{folder}: the folder cannot be read ({wrong.strerror})") from wrong
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def _file(path: Path) -> Input:
    seekable = path.is_file()
    return Input(str(path), lambda: path.open("rb", buffering=0), path=path if seekable else None,
                 size=path.stat().st_size if seekable else 0)  # fmt: skip


def digest_at(path: Path, offset: int) -> bytes:
    """The content digest of the CloudEvent that stands at an offset of a file."""
    with path.open("rb") as file:
        file.seek(offset)
        return content_digest(file.readline(_LARGEST).removeprefix(_BOM))


def _split_lines(stream: io.BufferedReader[Any]) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of a stream without their ends, as many at a time as were read, each time with the offset of the
    first. Of a line that is larger than a message may be, only so much is held as shows that."""
    offset = 0
    rest = b""
    skipped = 0  # bytes of an overlong line that were not held
    while chunk := stream.read1(_CHUNK):  # no more than is there: what was read before a damaged part is not lost
        lines = chunk.split(b"\n")
        if len(rest) >= _LARGEST:
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


def _ignored(reason: str) -> Message:
    return Message(Reading(ignored=reason), None, -1, None)


def _dead(reason: Reason, place: str, mend: str) -> Message:
    return Message(Reading(dead=DeadLetter(reason=reason, place=place, mend=mend)), None, -1, None)
