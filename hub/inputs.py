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
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from connectors.api import Reading
from connectors.cloudevents.read import CloudEventReader, content_digest
from connectors.hl7.files import looks_like_hl7, split_messages
from connectors.hl7.read import Hl7Reader
from hub.cloudevent_files import LARGEST, read_cloudevents
from hub.messages import Message, dead, ignored
from schemas.errors import Reason, WrongUse

_SNIFFED: Final = 1 << 16
_CHUNK: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"


class Input:
    """One file, or standard input. `done` is how many bytes were read, `size` how many there are (0: unknown)."""

    def __init__(
        self, name: str, open_: Callable[[], BinaryIO | io.RawIOBase], *, path: Path | None, size: int
    ) -> None:
        self.name: str = name
        self.path: Path | None = path
        self.size: int = size
        self.done: int = 0
        self.notes: Counter[str] = Counter()  # what was remarked about the input as a whole
        self._open: Callable[[], BinaryIO | io.RawIOBase] = open_

    def messages(self, hl7: Hl7Reader, cloud: CloudEventReader) -> Iterator[Message]:
        """The messages of the input, in its order. What cannot be opened or ends early is a dead letter."""
        try:
            with self._open() as raw:
                yield from self._of_stream(raw, hl7, cloud)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield dead(Reason.UNREADABLE, self.name, "the compressed file is cut short or damaged: send it again whole")
        except OSError as wrong:
            yield dead(Reason.UNREADABLE, self.name, f"it cannot be read ({wrong.strerror or 'input error'})")

    def _of_stream(self, raw: BinaryIO | io.RawIOBase, hl7: Hl7Reader, cloud: CloudEventReader) -> Iterator[Message]:
        room = max(_SNIFFED, min(self.size or _CHUNK, _CHUNK))  # many small files must not hold a large buffer each
        counted = io.BufferedReader(_Counted(raw, self), room)  # type: ignore[type-var]  # typeshed wants a FileIO
        packed = counted.peek(2)[:2] == _GZIP
        stream: io.BufferedReader[Any] = io.BufferedReader(_Unpacked(counted), _CHUNK) if packed else counted
        head = stream.peek(_SNIFFED)[:_SNIFFED]
        if not head.strip():
            yield ignored("nothing in it")
        elif looks_like_hl7(head):
            yield from self._hl7(stream, hl7)
        elif (first := head.removeprefix(_BOM).lstrip()[:1]) in (b"{", b"[") or b'"specversion"' in head:
            again = self.path is not None and not packed
            yield from read_cloudevents(stream, self.name, cloud, again=again, array=first == b"[")
        else:
            yield ignored("not HL7 v2 and not CloudEvents")

    def _hl7(self, stream: io.BufferedReader[Any], hl7: Hl7Reader) -> Iterator[Message]:
        chunks = iter(lambda: stream.read1(_CHUNK), b"")
        for number, message in enumerate(split_messages(chunks, self.notes), start=1):
            if isinstance(message, Reading):
                yield Message(message, None, -1, None)
            else:
                yield Message(hl7.read(message, f"{self.name} message {number}"), None, -1, None)


class _Revisited(io.RawIOBase):
    """A file that is opened for each read: a folder may hold more files than a process may keep open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # typeshed says WriteableBuffer
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._at)
            count = file.readinto(buffer) or 0
        self._at += count
        return count


class _Counted(io.RawIOBase):
    """A raw stream that tells an input how far it was read."""

    def __init__(self, raw: BinaryIO | io.RawIOBase, input_: Input) -> None:
        self._raw = raw
        self._input = input_

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # typeshed says WriteableBuffer
        data = self._raw.read(len(buffer)) or b""
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
    if paths.count("-") > 1:
        raise WrongUse("- is named twice: standard input can be read once")
    for path in paths:
        if not path:
            raise WrongUse("an empty path is no path; . is this folder")
        if path == "-":
            inputs.append(Input("standard input", lambda: sys.stdin.buffer, path=None, size=0))
            continue
        try:
            inputs += _inputs_of(Path(path))
        except OSError as wrong:  # a folder on the way without rights, a name that is too long
            raise WrongUse(f"{path}: it cannot be reached ({wrong.strerror})") from wrong
    return inputs


def _inputs_of(root: Path) -> list[Input]:
    if root.is_dir():
        return [_file(found) for found in _walk(root)]
    if not root.exists():
        raise WrongUse(f"{root}: there is no such file or folder")
    return [_file(root)]


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
    if not path.is_file():  # a pipe: it can be opened once
        return Input(str(path), lambda: path.open("rb", buffering=0), path=None, size=0)
    return Input(str(path), lambda: _Revisited(path), path=path, size=path.stat().st_size)


def digest_at(path: Path, offset: int) -> bytes:
    """The content digest of the CloudEvent that stands at an offset of a file."""
    with path.open("rb") as file:
        file.seek(offset)
        return content_digest(file.readline(LARGEST).removeprefix(_BOM))
