"""Files of webhook bodies: how they come apart. A body a line, bodies one behind another as streams write them, one
printed over several lines, an array of them; forms, a line each. What is held is a body.

A line `#pxhub {...}` belongs to the body behind it (see `body`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from connectors.api import Reading, dead
from connectors.contact_center.body import is_form
from connectors.json_text import BOM, NOT_JSON, is_json
from schemas.errors import Reason

LARGEST: Final = 16 << 20  # bytes of one body, or of one array of them
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_MARK: Final = b"#pxhub "
_WHOLE: Final = "one whole JSON value, or a form a line, is expected"
_FIRST: Final = 8  # bodies of a file's head that are looked at
_raws: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode

Piece = tuple[str, bytes | Reading]
"""Where it stands, and its bytes."""


def first_values(head: bytes) -> Iterator[Any]:
    """The first bodies in the head of a file, decoded; of an array its first items."""
    text = head.removeprefix(BOM).lstrip()
    if text[:1] not in (b"{", b"["):
        return
    depth, began, count = 0, 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in b"{[":
            if depth == 0 or (depth == 1 and text[:1] == b"["):
                began = token.start()
            depth += 1
        elif mark in b"}]":
            depth -= 1
            if depth == 0 or (depth == 1 and text[:1] == b"["):
                try:
                    yield msgspec.json.decode(text[began : token.end()])
                except NOT_JSON:
                    return
                count += 1
            if count >= _FIRST or depth < 0:
                return


def split_bodies(
    chunks: Iterable[bytes], name: str, is_body: Callable[[bytes], bool], *, largest: int = LARGEST
) -> Iterator[Piece]:
    """The bodies of a file in its order. `is_body` says whether bytes are one that a mapping knows: of an array that is
    none, its items are bodies."""
    yield from _Splitter(name, is_body, largest).split(chunks)


class _Splitter:
    def __init__(self, name: str, is_body: Callable[[bytes], bool], largest: int) -> None:
        self._name: str = name
        self._is_body: Callable[[bytes], bool] = is_body
        self._largest: int = largest
        self._kept: bytes = b""  # the line of the body that follows
        self._held: list[bytes] = []
        self._size: int = 0
        self._depth: int = 0
        self._began: int = 1

    def split(self, chunks: Iterable[bytes]) -> Iterator[Piece]:
        number = 0
        for line in _lines(chunks, self._largest):
            number += 1
            if line is None:
                yield from self._give_up()
                yield (
                    self._place(number),
                    dead(Reason.TOO_LARGE, self._place(number), "a line of 16 MiB at most is read"),
                )
                continue
            text = line.removeprefix(BOM) if number == 1 else line
            if not text.strip():
                continue
            yield from self._take(text, number)
        yield from self._give_up()

    def _place(self, number: int) -> str:
        return f"{self._name}, line {number}"

    def _take(self, line: bytes, number: int) -> Iterator[Piece]:
        if self._depth == 0 and line.startswith(_MARK):
            self._kept = line.rstrip(b"\r") + b"\n"
            return
        if self._depth and line[:1] == b"{" and is_json(line) and self._is_body(line):
            yield from self._give_up()  # what was begun has no end
        if self._depth == 0 and line.lstrip()[:1] not in (b"{", b"["):
            yield from self._give_up()
            place = self._place(number)
            text = line.strip()
            yield place, self._with_kept(text) if is_form(text) else dead(Reason.UNREADABLE, place, _WHOLE)
            return
        yield from self._take_json(line, number)

    def _take_json(self, line: bytes, number: int) -> Iterator[Piece]:
        """A line of JSON: it may end what was begun, hold several bodies, or begin one."""
        if not self._held:
            self._began = number
        at = 0
        for token in _TOKEN.finditer(line):
            mark = token[0]
            if mark in b"{[":
                self._depth += 1
            elif mark in b"}]":
                self._depth -= 1
                if self._depth <= 0:
                    self._depth = 0
                    self._held.append(line[at : token.end()])
                    at = token.end()
                    yield from self._whole(b"\n".join(self._held).strip())
                    self._held, self._size, self._began = [], 0, number
        rest = line[at:]
        if rest.strip():
            self._held.append(rest)
            self._size += len(rest)
            if self._depth == 0 or self._size > self._largest:
                yield from self._give_up()

    def _whole(self, text: bytes) -> Iterator[Piece]:
        place = self._place(self._began) if self._began > 1 or self._kept else self._name
        if text[:1] == b"[" and not self._is_body(text):
            try:
                items = _raws(text)
            except NOT_JSON:
                yield place, dead(Reason.UNREADABLE, place, _WHOLE)
                return
            for number, item in enumerate(items, start=1):
                yield f"{self._name}, item {number}", self._with_kept(bytes(item))
            return
        yield place, self._with_kept(text)

    def _with_kept(self, body: bytes) -> bytes:
        kept, self._kept = self._kept, b""
        return kept + body

    def _give_up(self) -> Iterator[Piece]:
        if any(part.strip() for part in self._held):
            place = self._place(self._began)
            reason = Reason.TOO_LARGE if self._size > self._largest else Reason.UNREADABLE
            yield place, dead(reason, place, _WHOLE)
        self._held, self._size, self._depth = [], 0, 0


def _lines(chunks: Iterable[bytes], largest: int) -> Iterator[bytes | None]:
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            yield b"".join((*held, end)) if size + len(end) <= largest else None
            held, size = [], 0
        size += len(rest)
        if size <= largest:
            held.append(rest)
    if size:
        yield b"".join(held) if size <= largest else None
