"""Files of FHIR JSON: how they are told, and how they come apart.

A file is one resource or one bundle, printed as it may be, or NDJSON: a resource or a bundle a line, as bulk exports
have it. What is held of NDJSON is a line; a bundle is held whole, for its references lead across it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from connectors.api import Reading, dead
from connectors.fhir.bundle import Piece, split_bundle, type_of
from connectors.json_text import BOM, is_json
from schemas.errors import Reason

LARGEST: Final = 256 << 20  # bytes of one bundle
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
_NAMED: Final = re.compile(rb'\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,64})"')
_TOO_LARGE: Final = "a bundle of 256 MiB at most is read"
_WHOLE: Final = "one whole JSON object is expected, or one a line"


def looks_like_fhir(head: bytes) -> bool:
    """Whether the first bytes of a stream are FHIR JSON: its first object names its `resourceType`, and is no
    CloudEvent that carries a resource."""
    text = head.removeprefix(BOM).lstrip()
    if text[:1] != b"{" or b'"resourceType"' not in text:
        return False
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
            if depth == 0:
                return False
        elif depth == 1:
            if mark == b'"resourceType"':
                return True
            if mark == b'"specversion"':
                return False
    return False


def split_resources(chunks: Iterable[bytes], name: str, *, largest: int = LARGEST) -> Iterator[Piece | Reading]:
    """The resources of a file in its order, each with its place; a reading where one cannot be taken."""
    lines = _lines(chunks, largest)
    first = next(lines, None)
    if first is None:
        return
    if first[1] is not None and not is_json(first[1]):
        yield from _printed(first[1], lines, name, largest)
        return
    second = next(lines, None)
    yield from _of_line(first, name if second is None else f"{name}, line {first[0]}")
    if second is not None:
        yield from _of_line(second, f"{name}, line {second[0]}")
    for line in lines:
        yield from _of_line(line, f"{name}, line {line[0]}")


_Line = tuple[int, bytes | None]
"""A line that is not blank, with its number; None for one that is too large."""


def _lines(chunks: Iterable[bytes], largest: int) -> Iterator[_Line]:
    number, held, size = 1, [], 0
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            held.append(end)
            size += len(end)
            yield from _line(number, held, size, largest)
            number, held, size = number + 1, [], 0
        size += len(rest)
        if size <= largest:
            held.append(rest)
    yield from _line(number, held, size, largest)


def _line(number: int, held: list[bytes], size: int, largest: int) -> Iterator[_Line]:
    if size > largest:
        yield number, None
        return
    line = b"".join(held).removeprefix(BOM if number == 1 else b"").strip()
    if line:
        yield number, line


def _of_line(line: _Line, place: str) -> Iterator[Piece | Reading]:
    text = line[1]
    if text is None:
        yield dead(Reason.TOO_LARGE, place, _TOO_LARGE)
    elif (named := _NAMED.match(text)) is not None and named[1] != b"Bundle":
        yield Piece(place, text)  # as bulk exports write it: that it is JSON is found out once, when it is read
    elif not is_json(text):
        yield dead(Reason.UNREADABLE, place, _WHOLE)
    else:
        yield from split_bundle(text, place)


def _printed(first: bytes, lines: Iterator[_Line], name: str, largest: int) -> Iterator[Piece | Reading]:
    """A file whose first line is no JSON by itself: one object over several lines, or NDJSON that begins spoilt."""
    held: list[_Line] = [(1, first)]
    size = len(first)
    for line in lines:
        size += len(line[1]) + 1 if line[1] is not None else largest + 1
        if size > largest:
            yield dead(Reason.TOO_LARGE, name, _TOO_LARGE)
            return
        held.append(line)
    whole = b"\n".join(text for _, text in held if text is not None)
    if is_json(whole):
        yield from split_bundle(whole, name)
    elif any(text is not None and type_of(text) is not None for _, text in held[1:]):
        for line in held:
            yield from _of_line(line, f"{name}, line {line[0]}")
    else:
        yield dead(Reason.UNREADABLE, name, _WHOLE)
