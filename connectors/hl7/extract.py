"""Attributes and paths as functions of a scope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from connectors.hl7.derived import DERIVED, NEEDS
from connectors.hl7.identifiers import entity, entity_in_pair, extended
from connectors.hl7.message import Message
from connectors.hl7.scope import Read, Scope, of_versions, reader
from connectors.mapping.path import Path
from connectors.mapping.spec import Attribute, fold

Extract = Callable[[Scope], Any]
Tables = Mapping[str, Mapping[str, Any]]


class Shape(NamedTuple):
    """What messages of one kind have alike: the names of their segments, and their version."""

    segments: frozenset[str]
    version: str


BAD_TIME: Final = "bad_time_skipped"
_CX_FIELDS: Final = frozenset(
    {("PV1", 5), ("PV1", 19), ("PV1", 50), ("PID", 2), ("PID", 3), ("PID", 4), ("PID", 18)}
    | {("MRG", n) for n in range(1, 7)}
)
"""Fields of type CX among those that mappings read as identifiers; the others are EI (HL7 v2.5.1, chapters 3-7)."""
_PAIR_FIELDS: Final = frozenset({("ORC", 8), ("OBR", 29), ("SPM", 2), ("SPM", 3)})
"""Fields of type EIP: a placer's and a filler's number in one."""


def extract(how: Attribute, tables: Tables, shape: Shape | None) -> Extract | None:
    """An attribute as a function; None where the segments that a message has cannot hold it."""
    if how.kind == "derive":
        needed = NEEDS.get(how.derive or "")
        if shape is not None and needed is not None and needed not in shape.segments:
            return None
        derive = DERIVED[how.derive or ""]
        return lambda scope: derive(scope, tables)
    if how.kind == "value":
        return lambda _: how.value
    if how.kind == "second":
        half = max(1, len(how.paths) // 2)
        firsts, seconds = there(how.paths[:half], shape), there(how.paths[half:], shape)
        return _second(firsts, seconds) if firsts and seconds else None
    paths = there(how.paths, shape)
    return _at(paths, how, tables) if paths else None


def there(paths: tuple[Path, ...], shape: Shape | None) -> tuple[Path, ...]:
    """The paths whose segment a message has, and whose field its version."""
    if shape is None:
        return paths
    segments, version = shape
    return tuple(
        path._replace(since="", until="") if path.since or path.until else path
        for path in paths
        if path.segment in segments and path.is_for(version)
    )


def _at(paths: tuple[Path, ...], how: Attribute, tables: Tables) -> Extract:
    match how.kind:
        case "text":
            return _whole(paths) if how.whole else _text(paths)
        case "id":
            return _identifier(paths)
        case "code":
            return _code(paths, how, tables)
        case "time":
            return _time(paths)
        case "date":
            return _date(paths)
        case "number":
            return _number(paths)
    reads = [reader(path) for path in paths]
    return lambda scope: [v for read in reads if (v := read(scope))] or None


def _text(paths: tuple[Path, ...]) -> Extract:
    if len(paths) == 1:
        return reader(paths[0])
    reads = [reader(path) for path in paths]

    def first_of(scope: Scope) -> str | None:
        for read in reads:
            value = read(scope)
            if value:
                return value
        return None

    return first_of


def _whole(paths: tuple[Path, ...]) -> Extract:
    """A field with its components, joined by `^` whatever the message joins them by."""

    def whole(scope: Scope) -> str | None:
        message = scope.message
        for path in paths:
            fields = scope.find(path)
            text = fields[path.field] if path.field < len(fields) else ""
            if not text:
                continue
            text = text.partition(message.repetition)[0]
            if message.escape in text or message.subcomponent in text or '"' in text:
                text = "^".join(message.part(part) for part in text.split(message.component))
            elif message.component != "^":
                text = text.replace(message.component, "^")
            text = text.strip().rstrip("^")
            if text:
                return text
        return None

    return whole


def _one_identifier(path: Path) -> Read:
    """A path to a number. It is kept in the scope: one number is read for itself and beside the other party's."""
    if path.since or path.until:
        return of_versions(path, _one_identifier(path._replace(since="", until="")))
    segment, field, plain = path.segment, path.field, path.is_plain
    write = _writer(path)
    key = repr(path)

    def identifier(scope: Scope) -> str:
        memo = scope.memo
        known: str | None = memo.get(key)
        if known is not None:
            return known
        fields = scope[segment] if plain else scope.find(path)
        text = fields[field] if field < len(fields) else ""
        if text and not text.isalnum():
            message = scope.message
            if path.repetition > 1 or message.repetition in text:
                repeated = text.split(message.repetition)
                text = repeated[path.repetition - 1] if path.repetition <= len(repeated) else ""
            text = write(message, text)
        memo[key] = text
        return text

    return identifier


def _writer(path: Path) -> Callable[[Message, str], str]:
    """How the type of a field writes a number with its authority."""
    if (path.segment, path.field) in _CX_FIELDS:
        return extended
    if (path.segment, path.field) in _PAIR_FIELDS:
        return lambda message, text: entity_in_pair(message, text, path.component)
    if not path.segment.startswith("Z"):
        return entity

    def either(message: Message, text: str) -> str:
        # a site's own segment may hold either type: an EI has its authority in 2 or 3, a CX in 4
        found = entity(message, text)
        return extended(message, text) if found and "^" not in found else found

    return either


def _identifier(paths: tuple[Path, ...]) -> Extract:
    reads = [_one_identifier(path) for path in paths]
    if len(reads) == 1:
        return reads[0]

    def identifier(scope: Scope) -> str | None:
        for read in reads:
            found = read(scope)
            if found:
                return found
        return None

    return identifier


def _second(first_paths: tuple[Path, ...], second_paths: tuple[Path, ...]) -> Extract:
    """The other party's number, where the first party's is there too."""
    firsts, seconds = _identifier(first_paths), _identifier(second_paths)

    def second(scope: Scope) -> str | None:
        found: str | None = seconds(scope)
        return found if found and (first := firsts(scope)) and found != first else None

    return second


def _code(paths: tuple[Path, ...], how: Attribute, tables: Tables) -> Extract:
    table = tables.get(how.table or "", {})
    reads = [_coded(path) for path in paths]
    strict, pad, lower = how.strict, how.pad, how.lower
    note = f"unmapped_{how.table}"

    def code(scope: Scope) -> Any:
        for read in reads:
            value = read(scope)
            if not value:
                continue
            found = table.get(value)
            if found is None:
                asked = fold(value)
                found = table.get(asked.zfill(pad) if pad and asked.isdigit() else asked)
            if found is not None:
                return found
            if not strict:
                return value.lower() if lower else value
            scope.notes.append(note)
        return None

    return code


def _coded(path: Path) -> Read:
    """A coded value: its code, or where it has none its text, in component 2."""
    if not path.is_plain or path.component != 1:
        return reader(path)
    read, read_text, segment, field = reader(path), reader(path._replace(component=2)), path.segment, path.field

    def coded(scope: Scope) -> str:
        value = read(scope)
        if value:
            return value
        fields = scope[segment]  # `read` has put it there
        return read_text(scope) if len(fields) > field and fields[field] else ""

    return coded


def text_of(path: Path) -> Read | None:
    """The text of a coded value, for who has found no code; None where the path means one component."""
    if not path.is_plain or path.component != 1:
        return None
    read, segment, field = reader(path._replace(component=2)), path.segment, path.field

    def text(scope: Scope) -> str:
        fields = scope[segment]
        return read(scope) if len(fields) > field and fields[field] else ""

    return text


def _time(paths: tuple[Path, ...]) -> Extract:
    reads = [reader(path) for path in paths]
    key = repr(paths)

    def time(scope: Scope) -> str:
        known: str | None = scope.memo.get(key)
        if known is None:
            known = scope.memo[key] = find(scope)
        return known

    def find(scope: Scope) -> str:
        for read in reads:
            value = read(scope)
            if value:
                try:
                    moment, _, assumed = scope.times.read(value)
                except ValueError:
                    scope.notes.append(BAD_TIME)
                    continue
                scope.assumed = scope.assumed or assumed
                return scope.times.write(moment)
        return ""

    return time


def _date(paths: tuple[Path, ...]) -> Extract:
    reads = [reader(path) for path in paths]

    def date(scope: Scope) -> str | None:
        digits = next((v for read in reads if (v := read(scope))), "")[:8]
        whole = len(digits) == 8 and digits.isascii() and digits.isdigit()
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if whole else None

    return date


def _number(paths: tuple[Path, ...]) -> Extract:
    reads = [reader(path) for path in paths]

    def number(scope: Scope) -> float | int | None:
        for read in reads:
            try:
                found = float(read(scope))
            except ValueError:
                continue
            if abs(found) < 2**53:  # neither infinite nor NaN, and exact as a whole number
                return int(found) if found.is_integer() else found
        return None

    return number
