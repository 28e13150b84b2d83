"""Files and folders to messages: what each input is, told by its content, and where each message stands in it.

An input yields its messages in its own order. HL7 v2 files and NDJSON of CloudEvents are streamed: what is held is
one message, not the file.
"""

from __future__ import annotations

import io
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from connectors.api import Reading
from connectors.cloudevents.read import CloudEventReader, content_digest
from connectors.contact_center.files import split_bodies
from connectors.fhir.bundle import Piece
from connectors.fhir.files import looks_like_fhir, split_resources
from connectors.fhir.read import FhirReader
from connectors.hl7.files import looks_like_hl7, split_messages
from connectors.hl7.read import Hl7Reader
from connectors.json_text import BOM
from connectors.surveys.feedback import FeedbackReader
from hub.cloudevent_files import LARGEST, read_cloudevents
from hub.contents import FHIR, FILE, HL7, told_apart
from hub.hooks import UNKNOWN, Hooks
from hub.messages import Message, dead, ignored
from hub.spoken_files import holds_feedback, is_feedback, read_spoken
from hub.unpacked import GZIP, Unpacked
from schemas.errors import Reason, WrongUse

_SNIFFED: Final = 1 << 16
_CHUNK: Final = 1 << 20
_EMPTY: Final = "nothing in it"
STANDARD_INPUT: Final = "standard input"


class Input:
    """One file, or standard input. `done` is how many bytes were read, `size` how many there are (0: unknown).
    What is no file has a `reason` for which it is passed by: it is counted and never opened."""

    def __init__(
        self,
        name: str,
        open_: Callable[[], BinaryIO | io.RawIOBase],
        *,
        path: Path | None,
        size: int,
        reason: str | None = None,
    ) -> None:
        self.name: str = name
        self.path: Path | None = path
        self.size: int = size
        self.done: int = 0
        self.notes: Counter[str] = Counter()  # what was remarked about the input as a whole
        self._open: Callable[[], BinaryIO | io.RawIOBase] = open_
        self._reason: str | None = reason

    def messages(
        self,
        hl7: Hl7Reader,
        cloud: CloudEventReader,
        fhir: FhirReader | None = None,
        hooks: Hooks | None = None,
        feedback: FeedbackReader | None = None,
    ) -> Iterator[Message]:
        """The messages of the input, in its order. What cannot be opened or ends early is a dead letter."""
        if self._reason is not None:
            yield ignored(self._reason)
            return
        try:
            with self._open() as raw:
                readers = _Readers(hl7, cloud, fhir or FhirReader(), hooks or Hooks(), feedback or FeedbackReader())
                yield from self._of_stream(raw, readers)
        except (EOFError, zlib.error):
            yield self._cut_short()
        except OSError as wrong:
            yield dead(Reason.UNREADABLE, self.name, f"it cannot be read ({wrong.strerror or 'input error'})")

    def pieces(self) -> Iterator[tuple[str, bytes | Reading]]:
        """The input as HL7 v2, each message with its place and not yet read; what `messages` says of it otherwise."""
        try:
            with self._open() as raw:
                stream, unpacked = self._unpacked(raw)
                if not stream.peek(_SNIFFED)[:_SNIFFED].strip():
                    yield self.name, Reading(ignored=_EMPTY)
                else:
                    yield from self._split(stream)
                if unpacked is None or not unpacked.is_damaged:
                    return
        except (EOFError, zlib.error):
            pass
        except OSError as wrong:
            raise WrongUse(f"{self.name}: it cannot be read ({wrong.strerror or 'input error'})") from wrong
        yield self.name, self._cut_short().reading or Reading()

    def _cut_short(self) -> Message:
        return dead(Reason.UNREADABLE, self.name, "the compressed file is cut short or damaged: send it again whole")

    def _of_stream(self, raw: BinaryIO | io.RawIOBase, readers: _Readers) -> Iterator[Message]:
        stream, unpacked = self._unpacked(raw)
        head = stream.peek(_SNIFFED)[:_SNIFFED]
        if not head.strip():
            yield ignored(_EMPTY)
        elif looks_like_hl7(head):
            for place, piece in self._split(stream):
                yield readers.of_hl7(piece, place)
        elif looks_like_fhir(head):
            for one in split_resources(iter(lambda: stream.read1(_CHUNK), b""), self.name):
                yield readers.of_resource(one)
        elif readers.hooks.is_hook(head) or holds_feedback(head):
            for place, body in split_bodies(iter(lambda: stream.read1(_CHUNK), b""), self.name, readers.is_body):
                yield readers.of_body(body, place)
        elif (first := head.removeprefix(BOM).lstrip()[:1]) in (b"{", b"[") or b'"specversion"' in head:
            again = self.path is not None and unpacked is None
            events = read_cloudevents(
                stream, self.name, readers.cloud, again=again, array=first == b"[", other=readers.spoken
            )
            yield from events
        else:
            yield ignored("not HL7 v2, FHIR or CloudEvents")
        if unpacked is not None and unpacked.is_damaged:
            yield self._cut_short()

    def _unpacked(self, raw: BinaryIO | io.RawIOBase) -> tuple[io.BufferedReader[Any], Unpacked | None]:
        room = max(_SNIFFED, min(self.size or _CHUNK, _CHUNK))  # many small files must not hold a large buffer each
        counted = io.BufferedReader(_Counted(raw, self), room)  # type: ignore[type-var]  # typeshed wants a FileIO
        if counted.peek(2)[:2] != GZIP:
            return counted, None
        unpacked = Unpacked(counted)
        return io.BufferedReader(unpacked, _CHUNK), unpacked

    def _split(self, stream: io.BufferedReader[Any]) -> Iterator[tuple[str, bytes | Reading]]:
        chunks = iter(lambda: stream.read1(_CHUNK), b"")
        for number, piece in enumerate(split_messages(chunks, self.notes), start=1):
            place = f"{self.name} message {number}"
            yield place, _placed(piece, place) if isinstance(piece, Reading) else piece


class _Readers(NamedTuple):
    """A reader for each kind of message."""

    hl7: Hl7Reader
    cloud: CloudEventReader
    fhir: FhirReader
    hooks: Hooks
    feedback: FeedbackReader

    def of_hl7(self, piece: bytes | Reading, place: str) -> Message:
        if isinstance(piece, Reading):
            return Message(told_apart(piece, HL7, b""), None, -1, None)
        return Message(told_apart(self.hl7.read(piece, place), HL7, piece), None, -1, None)

    def of_resource(self, one: Piece | Reading) -> Message:
        """A resource, or feedback that somebody put beside resources."""
        if isinstance(one, Reading):
            return Message(told_apart(one, FHIR, b""), None, -1, None)
        reading = self.fhir.read(one.raw, one.place, one.around)
        if reading.dead is None:
            return Message(reading, None, -1, None)
        raw = bytes(one.raw)
        if b'"resourceType"' not in raw and (spoken := self.spoken(raw, one.place)) is not None:
            return spoken
        return Message(told_apart(reading, FHIR, raw), None, -1, None)

    def is_body(self, raw: bytes) -> bool:
        return self.hooks.is_body(raw) or is_feedback(raw)

    def of_body(self, body: bytes | Reading, place: str) -> Message:
        """A body that stands among those of webhooks and feedback: one of them, or a CloudEvent that somebody put
        beside them."""
        if isinstance(body, Reading):
            return Message(told_apart(body, FILE, b""), None, -1, None)
        reading, raw, comments = self.hooks.split(body, place)
        if reading.ignored == UNKNOWN and (other := self._beside(body, place)) is not None:
            return other
        return Message(told_apart(reading, FILE, body), None, -1, None, comments=comments, raw=raw)

    def _beside(self, body: bytes, place: str) -> Message | None:
        """What no webhook is, and is a message all the same."""
        if (spoken := self.spoken(body, place)) is not None:
            return spoken
        if b'"specversion"' in body:
            found = self.cloud.read(body, place)
            return None if isinstance(found, Reading) else Message(None, found, -1, content_digest(body), place)
        if b'"resourceType"' in body and looks_like_fhir(body):
            return Message(told_apart(self.fhir.read(body, place), FHIR, body), None, -1, None)
        return None

    def spoken(self, raw: bytes, place: str) -> Message | None:
        return read_spoken(raw, place, self.feedback)


def _placed(reading: Reading, place: str) -> Reading:
    """What the splitter could not take, with the file and the number that the splitter does not know."""
    if reading.dead is not None:
        reading.dead = replace(reading.dead, place=f"{place}, {reading.dead.place}")
    return reading


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
            inputs.append(Input(STANDARD_INPUT, lambda: sys.stdin.buffer, path=None, size=0))
            continue
        try:
            inputs += _inputs_of(Path(path))
        except OSError as wrong:  # a folder on the way without rights, a name that is too long
            raise WrongUse(f"{path}: it cannot be reached ({wrong.strerror})") from wrong
    return inputs


def _inputs_of(root: Path) -> list[Input]:
    if root.is_dir():
        return list(_walk(root, set()))
    if not root.exists():
        raise WrongUse(f"{root}: there is no such file or folder")
    return [_file(root)]


def _walk(folder: Path, visited: set[tuple[int, int]]) -> Iterator[Input]:
    """The files of a folder and of the folders in it, those that links lead to as well, each folder once."""
    found = folder.stat()
    if (found.st_dev, found.st_ino) in visited:
        return
    visited.add((found.st_dev, found.st_ino))
    try:
        paths = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as wrong:
        raise WrongUse(f"{folder}: the folder cannot be read ({wrong.strerror})") from wrong
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            if not path.is_symlink():
                raise
            yield _passed_by(path, "a link that leads nowhere")
            continue
        if stat.S_ISDIR(mode):
            yield from _walk(path, visited)
        elif stat.S_ISREG(mode):
            yield _file(path)
        else:  # it may never end, or never begin
            yield _passed_by(path, "a pipe, a socket or a device")


def _passed_by(path: Path, reason: str) -> Input:
    return Input(str(path), io.BytesIO, path=None, size=0, reason=reason)


def _file(path: Path) -> Input:
    if not path.is_file():  # a pipe: it can be opened once
        return Input(str(path), lambda: path.open("rb", buffering=0), path=None, size=0)
    return Input(str(path), lambda: _Revisited(path), path=path, size=path.stat().st_size)


def digest_at(path: Path, offset: int) -> bytes:
    """The content digest of the CloudEvent that stands at an offset of a file."""
    with path.open("rb") as file:
        file.seek(offset)
        return content_digest(file.readline(LARGEST).removeprefix(BOM))
